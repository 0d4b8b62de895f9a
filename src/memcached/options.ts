/** The options of a client and of its calls, checked, and their defaults. */

import { assertKnown, describeType } from "../util/checks.ts";
import { type Clock, clockOf } from "../util/clock.ts";
import { type Duration, toMs } from "../util/duration.ts";
import { type Random, systemRandom } from "../util/random.ts";
import { type Connect, connect, type TlsOptions } from "../socket/socket.ts";
import type { ServerOptions } from "./cluster/server.ts";
import type { Login } from "./connection/handshake.ts";
import type { Item, Stored } from "./connection/item.ts";
import { quote } from "./protocol/keys.ts";
import { checkCount, DEFAULT_ITEM_BYTES } from "./protocol/limits.ts";

/** Options of a client; each has a default. */
export interface MemcachedOptions {
  /**
   * "auto" (default): each server is asked in binary first, and in meta (the text protocol's meta commands) where it
   * refuses that, by a line of text or by closing without a word. "binary" and "meta": that one alone.
   */
  protocol?: "binary" | "meta" | "auto" | undefined;
  /** With `password`: SASL PLAIN on binary (`memcached -S`), the authfile's login on meta (`memcached -Y`). Default: none. */
  username?: string | undefined;
  /** See `username`. In no error and in no event. */
  password?: string | undefined;
  /**
   * Send the password unencrypted to another machine. Default false: every call rejects with AuthError before a byte of
   * it is written. Unix sockets, localhost, 127.0.0.0/8 and ::1 always may.
   */
  allowInsecureAuth?: boolean | undefined;
  /**
   * Encrypt. `true`: by the runtime's authorities and the server's host name. `ca`: the authorities to trust; `cert` and
   * `key`: the client's own; all are PEM texts. `serverName`: the name that the certificate must be for, instead of the
   * host's. A certificate that is not trusted is a ConnectionError; plain text is never a way out. Default false.
   */
  tls?:
    | boolean
    | { ca?: string | undefined; cert?: string | undefined; key?: string | undefined; serverName?: string | undefined }
    | undefined;
  /** How long a new connection may take until it can be used: TCP, TLS and login together. Default 1 s. */
  connectTimeout?: Duration | undefined;
  /** How long an operation may take, the wait for its connection included: then TimeoutError. Default 1 s. */
  timeout?: Duration | undefined;
  /**
   * A connection that was idle for so long asks, by TCP, whether the other side is still there: what stands between (a NAT,
   * a load balancer) then knows it for alive, and a server that is gone is noticed before it is asked. Whole seconds,
   * fractions round up, at most 9 h. In Deno such connections are `node:net`'s. Default: it never asks.
   */
  keepAlive?: Duration | undefined;
  /** Pipelined sockets per server, opened as calls need them, used in turn. Default 1. */
  connections?: number | undefined;
  /** Requests per connection, waiting and sent together, before new ones are refused with QueueFullError. Default 10,000. */
  maxInFlight?: number | undefined;
  /** Bytes per connection, likewise; one request alone always passes. Default 32 MiB. */
  maxBytesInFlight?: number | undefined;
  /**
   * Largest value, in bytes, in both directions; a larger one is its call's ValueTooLargeError, and nothing of it is kept
   * in memory. Default 1,048,576 (written: less the item's overhead), as the server's default.
   */
  maxValueBytes?: number | undefined;
  /**
   * What happens to keys of a dead server: "fail" (default: they fail until it is back) or "eject": they move to the
   * others. Then two processes may see different servers, and old values reappear when the server returns: whoever relies
   * on a delete being seen by everybody must not use it.
   */
  deadServers?: "fail" | "eject" | undefined;
  /**
   * The servers given are configuration endpoints (ElastiCache, Memorystore): one is asked for the list of servers, first
   * before the first operation, then every `interval`, by default 60 s, and when servers die, at most once a second. Older
   * versions of the list are ignored while anybody of the present one answers; a failed ask keeps the last one. At most
   * 1,000 servers are taken. Endpoints are asked without a login. Default false.
   */
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
 * Writes only if the item is still the one that was seen: give that Item or Stored, or its bare cas. With the object the
 * request goes out on the connection that gave it, or not at all ("connection-lost", delete: false), since cas values start
 * again when a server restarts. 0n: RangeError.
 */
export interface CasOptions {
  /** Default: whatever is there. */
  cas?: Item | Stored | bigint | undefined;
}

/** Options of `incr` and `decr`. */
export interface CounterOptions extends RequestOptions {
  /** What a missing counter starts at, 0 to 2^64 - 1; `delta` is not applied then. Default: it is not created. */
  initial?: bigint | number | undefined;
  /** The ttl of a counter that is created; one that exists keeps its own. Default: for ever. */
  ttl?: Duration | undefined;
}

/** What tests replace besides the clock. */
export interface Seams {
  readonly random?: Random | undefined;
  readonly connect?: Connect | undefined;
}

/** Options, checked, with the defaults in their places. */
export interface CheckedOptions extends ServerOptions {
  readonly maxValueBytes: number | undefined;
  /** The keys of a dead server move to the others. */
  readonly eject: boolean;
  /** How often to ask for the servers; `undefined`: they are known. */
  readonly discoveryMs: number | undefined;
}

const KNOWN: Readonly<Record<keyof MemcachedOptions | keyof Seams, true>> = {
  protocol: true,
  username: true,
  password: true,
  allowInsecureAuth: true,
  tls: true,
  connectTimeout: true,
  timeout: true,
  keepAlive: true,
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

/** More is a mistake: memcached itself takes 1,024 connections by default, from everybody. */
const MOST_CONNECTIONS = 1024;

/** Throws a TypeError or RangeError that names the option. */
export function checkOptions(options: MemcachedOptions & Seams): CheckedOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot use ${describeType(options)} as \`options\`: it must be an object`);
  }
  assertKnown(options, KNOWN);
  const { deadServers = "fail", protocol = "auto" } = options;
  if (protocol !== "binary" && protocol !== "meta" && protocol !== "auto") {
    throw new TypeError(`Cannot use ${quote(String(protocol))} as \`protocol\`: it is "binary", "meta" or "auto"`);
  }
  if (deadServers !== "fail" && deadServers !== "eject") {
    throw new TypeError(`Cannot use ${quote(String(deadServers))} as \`deadServers\`: it is "fail" or "eject"`);
  }
  const maxValueBytes = checkCount(options.maxValueBytes, "maxValueBytes", undefined);
  return {
    connectTimeoutMs: timeoutMs(options.connectTimeout, "connectTimeout"),
    timeoutMs: timeoutMs(options.timeout, "timeout"),
    keepAliveMs: checkKeepAlive(options.keepAlive),
    connections: checkCount(options.connections, "connections", 1, MOST_CONNECTIONS),
    maxInFlight: checkCount(options.maxInFlight, "maxInFlight", 10_000),
    maxBytesInFlight: checkCount(options.maxBytesInFlight, "maxBytesInFlight", 32 * 1024 * 1024),
    maxValueBytes,
    longestValueBytes: maxValueBytes ?? DEFAULT_ITEM_BYTES,
    eject: deadServers === "eject",
    protocol,
    tls: checkTls(options.tls),
    login: checkLogin(options),
    allowInsecureAuth: checkBoolean(options.allowInsecureAuth, "allowInsecureAuth"),
    discoveryMs: checkDiscovery(options.discovery),
    clock: clockOf(options.clock),
    random: options.random ?? systemRandom,
    connect: options.connect ?? connect,
  };
}

const TLS_OPTIONS: Readonly<Record<keyof TlsOptions, true>> = { ca: true, cert: true, key: true, serverName: true };

/** Nothing given is ignored: whoever asks for encryption and silently gets none is worse off than with an error. */
function checkTls(given: MemcachedOptions["tls"]): TlsOptions | undefined {
  const tls: TlsOptions | undefined = checkSwitch(given, "tls", TLS_OPTIONS);
  if (tls === undefined) return undefined;
  for (const option of Object.keys(TLS_OPTIONS) as (keyof TlsOptions)[]) {
    if (tls[option] === undefined) continue;
    const remedy = option === "serverName" ? "it must be a name" : "it must be PEM, as text";
    if (
      typeof tls[option] !== "string" || tls[option] === "" ||
      option !== "serverName" && !tls[option].includes("-----BEGIN ")
    ) {
      throw new TypeError(`Cannot use \`tls.${option}\`: ${remedy}`);
    }
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError("Cannot use `tls`: `cert` and `key` come together");
  }
  return { ...tls };
}

/** No error repeats either of them: they may have been given in each other's place. */
function checkLogin({ username, password, protocol }: MemcachedOptions): Login | undefined {
  if (username === undefined && password === undefined) return undefined;
  if (typeof username !== "string" || username === "" || typeof password !== "string") {
    throw new TypeError("Cannot log in: `username` and `password` come together, as strings");
  }
  // Each wire has a character that would end one of them; no server accepts such a login.
  if (/[\0\r\n]/.test(username + password) || username.includes(" ")) {
    throw new TypeError("Cannot log in: a login has no line breaks and no NUL, a username no spaces");
  }
  if (protocol === "meta" && password.includes(" ")) {
    throw new TypeError("Cannot log in: memcached's authfile takes no password with a space");
  }
  return { username, password };
}

/** What is on by `true`, or by an object with options of its own. `undefined`: it is off. */
function checkSwitch<T extends object>(
  value: boolean | T | undefined,
  option: string,
  known: Readonly<Record<string, true>>,
): Partial<T> | undefined {
  if (value === undefined || value === false) return undefined;
  if (value === true) return {};
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`Cannot use ${describeType(value)} as \`${option}\`: it must be a boolean or an object`);
  }
  assertKnown(value, known);
  return value;
}

function checkBoolean(value: boolean | undefined, option: string): boolean {
  if (value === undefined || typeof value === "boolean") return value === true;
  throw new TypeError(`Cannot use ${describeType(value)} as \`${option}\`: it must be a boolean`);
}

/** As often as the makers' own clients. */
const DISCOVERY_MS = 60_000;

function checkDiscovery(given: MemcachedOptions["discovery"]): number | undefined {
  const discovery = checkSwitch(given, "discovery", { interval: true });
  if (discovery === undefined) return undefined;
  return discovery.interval === undefined ? DISCOVERY_MS : timeoutMs(discovery.interval, "discovery.interval");
}

function timeoutMs(timeout: Duration | undefined, option: string): number {
  const ms = toMs(timeout ?? 1, `\`${option}\``);
  if (ms <= 0) throw new RangeError(`Cannot use ${timeout} as \`${option}\`: it must be > 0`);
  return ms;
}

/** What Linux takes: 32,767 s. */
const LONGEST_KEEP_ALIVE_MS = 9 * 60 * 60 * 1000;

function checkKeepAlive(keepAlive: Duration | undefined): number | undefined {
  if (keepAlive === undefined) return undefined;
  const ms = Math.ceil(timeoutMs(keepAlive, "keepAlive") / 1000) * 1000;
  if (ms > LONGEST_KEEP_ALIVE_MS) {
    throw new RangeError(`Cannot use ${keepAlive} as \`keepAlive\`: it must be at most 9 hours`);
  }
  return ms;
}
