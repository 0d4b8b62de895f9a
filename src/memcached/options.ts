/** What a client may be told, and what that means where nothing is said. */

import { assertKnown } from "../known.ts";
import { type Clock, clockOf } from "../clock.ts";
import { type Duration, toMs } from "../duration.ts";
import type { Random } from "../random.ts";
import type { Connect } from "../socket/socket.ts";
import type { Item, Stored } from "./item.ts";
import { checkCount, longestBody } from "./limits.ts";
import { kindOf, quote } from "./request.ts";

/** Options of a client; each has a default. */
export interface MemcachedOptions {
  /** "binary" (default). "meta" and "auto" are not available in this version: a TypeError. */
  protocol?: "binary" | "meta" | "auto" | undefined;
  /** Not available in this version: a TypeError. */
  username?: string | undefined;
  /** Not available in this version: a TypeError. */
  password?: string | undefined;
  /** Send a password unencrypted to another machine. Default false. */
  allowInsecureAuth?: boolean | undefined;
  /** Not available in this version: anything but `false` is a TypeError. */
  tls?:
    | boolean
    | { ca?: string | undefined; cert?: string | undefined; key?: string | undefined; serverName?: string | undefined }
    | undefined;
  /** Covers all steps up to ready. Default 1 s. */
  connectTimeout?: Duration | undefined;
  /** Per operation, waiting for the connection included. Default 1 s. */
  timeout?: Duration | undefined;
  /** Pipelined sockets per server, opened as calls need them, used in turn. Default 1. */
  connections?: number | undefined;
  /** Requests per connection, waiting and sent together, before new ones are refused with QueueFullError. Default 10,000. */
  maxInFlight?: number | undefined;
  /** Bytes per connection, likewise; one request alone always passes. Default 32 MiB. */
  maxBytesInFlight?: number | undefined;
  /** Largest value, in bytes, in both directions. Default 1,048,576 less the item's overhead, as the server's default. */
  maxValueBytes?: number | undefined;
  /**
   * What happens to keys of a dead server: "fail" (default: they fail until it is back) or "eject": they move to the
   * others. Then two processes may see different servers, and old values reappear when the server returns: whoever relies
   * on a delete being seen by everybody must not use it.
   */
  deadServers?: "fail" | "eject" | undefined;
  /** Not available in this version: anything but `false` is a TypeError. */
  discovery?: boolean | { interval?: Duration | undefined } | undefined;
  /** Time, from outside. Default: the runtime's. */
  clock?: Clock | undefined;
}

/** Options of every operation. */
export interface RequestOptions {
  /** Rejects at once with the signal's reason; aborted beforehand, nothing is sent. Never costs the connection. */
  signal?: AbortSignal | undefined;
}

/** Options of a write. */
export interface WriteOptions extends RequestOptions {
  /** None, 0 and Infinity: for ever. NaN or negative: RangeError. Whole seconds: fractions round up. */
  ttl?: Duration | undefined;
  /** 32 bits that are kept with the value. Default 0. */
  flags?: number | undefined;
}

/**
 * Only if the item is still this one: the Item or Stored that was seen, or its bare cas. With the object the request goes
 * out on the connection that gave it, or not at all ("connection-lost", delete: false), since cas values start again when
 * a server restarts. 0n: RangeError.
 */
export interface CasOptions {
  /** Default: whatever is there. */
  cas?: Item | Stored | bigint | undefined;
}

/** Options of `incr` and `decr`. */
export interface CounterOptions extends RequestOptions {
  /** What a missing counter starts at, 0 to 2^64 - 1; `delta` is not applied then. Default: it is not created. */
  initial?: bigint | number | undefined;
  /** Of a counter that is created; one that exists keeps its own. Default: for ever. */
  ttl?: Duration | undefined;
}

/** What tests replace besides the clock. */
export interface Seams {
  readonly random?: Random | undefined;
  readonly connect?: Connect | undefined;
}

/** Options, checked, with the defaults in their places. */
export interface Settings {
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  readonly connections: number;
  readonly maxInFlight: number;
  readonly maxBytesInFlight: number;
  readonly maxValueBytes: number | undefined;
  readonly maxBodyBytes: number;
  readonly eject: boolean;
  readonly clock: Clock;
}

const KNOWN: Readonly<Record<keyof MemcachedOptions | keyof Seams, true>> = {
  protocol: true,
  username: true,
  password: true,
  allowInsecureAuth: true,
  tls: true,
  connectTimeout: true,
  timeout: true,
  connections: true,
  maxInFlight: true,
  maxBytesInFlight: true,
  maxValueBytes: true,
  deadServers: true,
  discovery: true,
  clock: true,
  random: true,
  connect: true,
};

/** Throws a TypeError or RangeError that names the option. */
export function checkOptions(options: MemcachedOptions): Settings {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot use ${kindOf(options)} as \`options\`: it must be an object`);
  }
  assertKnown(options, KNOWN);
  refuseUnavailable(options);
  const { deadServers = "fail" } = options;
  if (deadServers !== "fail" && deadServers !== "eject") {
    throw new TypeError(`Cannot use ${quote(String(deadServers))} as \`deadServers\`: it is "fail" or "eject"`);
  }
  const maxValueBytes = options.maxValueBytes === undefined
    ? undefined
    : checkCount(options.maxValueBytes, "maxValueBytes", 1);
  return {
    connectTimeoutMs: timeoutMs(options.connectTimeout, "connectTimeout"),
    timeoutMs: timeoutMs(options.timeout, "timeout"),
    connections: checkConnections(options.connections),
    maxInFlight: checkCount(options.maxInFlight, "maxInFlight", 10_000),
    maxBytesInFlight: checkCount(options.maxBytesInFlight, "maxBytesInFlight", 32 * 1024 * 1024),
    maxValueBytes,
    maxBodyBytes: longestBody(maxValueBytes),
    eject: deadServers === "eject",
    clock: clockOf(options.clock),
  };
}

/** Never ignored: who asks for encryption or a login and silently gets none is worse off than with an error. */
function refuseUnavailable({ protocol = "binary", tls, username, password, discovery }: MemcachedOptions): void {
  if (protocol !== "binary" && protocol !== "meta" && protocol !== "auto") {
    throw new TypeError(`Cannot use ${quote(String(protocol))} as \`protocol\`: it is "binary", "meta" or "auto"`);
  }
  const wanted = protocol !== "binary"
    ? `protocol: "${protocol}"`
    : tls
    ? "tls"
    : username !== undefined
    ? "username"
    : password !== undefined
    ? "password"
    : discovery
    ? "discovery"
    : undefined;
  if (wanted !== undefined) throw new TypeError(`Cannot use \`${wanted}\`: it is not available in this version`);
}

function timeoutMs(timeout: Duration | undefined, option: string): number {
  const ms = toMs(timeout ?? 1, `\`${option}\``);
  if (ms <= 0) throw new RangeError(`Cannot use ${timeout} as \`${option}\`: it must be > 0`);
  return ms;
}

/** More is a mistake: memcached itself takes 1,024 connections by default, from everybody. */
const MOST_CONNECTIONS = 1024;

function checkConnections(connections: number | undefined): number {
  const count = checkCount(connections, "connections", 1);
  if (count > MOST_CONNECTIONS) {
    throw new RangeError(`Cannot use ${count} as \`connections\`: it must be at most ${MOST_CONNECTIONS}`);
  }
  return count;
}
