/** The public API of the driver: verbs over several servers. A value is bytes or text with flags, whose meaning is the caller's. */

import { responsiveTime } from "../util/deadline.ts";
import { type Clock, monotonicMs } from "../util/clock.ts";
import type { Duration } from "../util/duration.ts";
import { assertSignal, describeType } from "../util/checks.ts";
import type { Listeners } from "../util/listeners.ts";
import type { WriteResult } from "./connection/reply.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { type MemcachedEvents, memcachedListeners } from "./events.ts";
import { actionOf, clientClosed, notReady, tooLarge, undiscovered } from "./connection/failure.ts";
import type { PendingCalls } from "./cluster/pending_calls.ts";
import { casOf, type Item, type MultiResult, originOf } from "./connection/item.ts";
import { checkKey } from "./protocol/keys.ts";
import {
  checkCounter,
  checkFlags,
  checkValue,
  DO_NOT_CREATE,
  exptime,
  flushDelay,
  longestValue,
  type Value,
} from "./protocol/limits.ts";
import { gather, type ItemsByKey, runsOf } from "./multi_get.ts";
import { type Observer, Operation, type ReplyCallback } from "./connection/operation.ts";
import {
  type CasOptions,
  type CheckedOptions,
  checkOptions,
  type CounterOptions,
  type MemcachedOptions,
  type RequestOptions,
  type WriteOptions,
} from "./options.ts";
import { checkTopic, VERB, type Verb, VERB_NAMES } from "./protocol/request.ts";
import type { Server } from "./cluster/server.ts";
import { parseServers } from "./cluster/addresses.ts";
import { Topology } from "./topology.ts";

/** What the library itself needs of a client, and is no part of the public API. */
interface Internals {
  /** `get`, answered by a callback instead of a promise: for MemcachedStore. */
  get(key: string, callback: ReplyCallback<Item | undefined>): void;
  /** Are connections kept that nobody uses? `configure` turns that off for a client it has replaced. */
  keepIdle(keeps: boolean): void;
}
export const internalsOf: WeakMap<Memcached, Internals> = new WeakMap();

/**
 * A memcached client.
 *
 * Servers: "host", "host:port", "[::1]:11211", "/run/memcached.sock", each optionally with a weight ("10.0.0.1:11211 2"),
 * in an array or one string with commas. Default "127.0.0.1:11211". A server's name (`serverOf`, `failed`, `stats`,
 * `version`, `error.server`, events) is its address without the weight: `host:port`, `[::1]:11211`, or the socket's path.
 *
 * Nothing is opened before the first operation. What is asked in one tick leaves in one write. Methods that return a
 * promise reject, they never throw: TypeError and RangeError for wrong arguments, ConnectionError, TimeoutError (the
 * outcome is unknown), ProtocolError, ServerError and QueueFullError for the rest. Keys are 1 to 250 bytes of UTF-8
 * without spaces and control characters. `flushAll`, `stats` and `version` ask every server and reject if one fails;
 * only `getMulti` gives partial results.
 *
 * @example
 * ```ts
 * import { Memcached } from "@x/cache-utils/memcached";
 *
 * await using memcached = new Memcached("127.0.0.1:11211");
 * await memcached.set("greeting", "hello", { ttl: "5m" });
 * console.log((await memcached.get("greeting"))?.text());
 * ```
 */
export class Memcached implements AsyncDisposable {
  readonly #options: CheckedOptions;
  readonly #clock: Clock;
  readonly #topology: Topology;
  readonly #cluster: Cluster;
  readonly #pending: PendingCalls;
  readonly #listeners: Listeners<MemcachedEvents>;
  #closing: Promise<void> | undefined;

  /** Throws a TypeError or RangeError that names the server or the option. Connects to nothing yet. */
  constructor(servers?: string | readonly string[], options: MemcachedOptions = {}) {
    const addresses = parseServers(servers);
    this.#options = checkOptions(options);
    this.#clock = this.#options.clock;
    this.#listeners = memcachedListeners();
    const topology = this.#topology = new Topology(addresses, this.#options, this.#listeners);
    this.#cluster = topology.cluster;
    this.#pending = topology.pending;
    internalsOf.set(this, {
      get: (key, callback) => this.#getFor(key, callback),
      keepIdle: (keeps) => void (topology.keepsIdle = keeps),
    });
  }

  /** The servers' names, in the order in which they were given; none before they were discovered. */
  get servers(): readonly string[] {
    return this.#cluster.names;
  }

  /** The item under a key; `undefined`: there is none. */
  get(key: string, options?: RequestOptions): Promise<Item | undefined> {
    try {
      return this.#ask(new Operation(VERB.get, key, checkKey(key)), options) as Promise<Item | undefined>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The items that are there, by key; every server is asked at the same time. `failed` names the servers that could not
   * be asked, or had an item that cannot be given (too large, say; the others are there), with the reason. Counts as one
   * request for each server, and each 1,000 of its keys, against `maxInFlight`. An abort rejects all of it.
   */
  getMulti(keys: readonly string[], options?: RequestOptions): Promise<MultiResult> {
    return attempt(() => {
      if (!Array.isArray(keys)) {
        throw new TypeError(`Cannot use ${describeType(keys)} as \`keys\`: it must be an array`);
      }
      if (this.#closing !== undefined) throw clientClosed("get many");
      if (this.#pending.open) return this.#getMulti(keys, options);
      const taken = [...keys]; // the caller may change the array while it waits
      return this.#pending.whenOpen("get many", options?.signal, () => this.#getMulti(taken, options));
    });
  }

  #getMulti(keys: readonly string[], options?: RequestOptions): Promise<MultiResult> {
    const signal = options?.signal;
    if (signal !== undefined) assertSignal(signal);
    const items: ItemsByKey = new Map();
    const runs = runsOf(keys, items, (key) => this.#cluster.serverOf(key));
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const callbackOf = gather(items, runs.length, signal, resolve, reject);
      for (const [server, list] of runs) {
        const operation = new Operation(VERB.getMulti, "", 0, { list }, callbackOf(server.name, list));
        operation.gathered = items;
        this.#askServer(server, operation, options);
      }
    });
  }

  #getFor(key: string, callback: ReplyCallback<Item | undefined>): void {
    if (this.#pending.open) {
      const operation = new Operation(VERB.get, key, checkKey(key), undefined, callback as ReplyCallback<unknown>);
      this.#askServer(this.#cluster.serverOf(key), operation, undefined);
    } else this.get(key).then((item) => callback.resolve(item), (error) => callback.reject(error));
  }

  /** Writes a value, whatever is there; with `cas`, only over that. */
  set(key: string, value: Value, options?: WriteOptions & CasOptions): Promise<WriteResult> {
    return this.#write(VERB.set, key, value, options, options?.cas);
  }

  /** Writes a value where nothing is; else "exists". */
  add(key: string, value: Value, options?: WriteOptions): Promise<WriteResult> {
    return this.#write(VERB.add, key, value, options, undefined);
  }

  /** Writes a value where something is; else "not-found". */
  replace(key: string, value: Value, options?: WriteOptions & CasOptions): Promise<WriteResult> {
    return this.#write(VERB.replace, key, value, options, options?.cas);
  }

  /** Puts a value behind the one that is there, which keeps its flags and ttl; nothing there: "not-stored". */
  append(key: string, value: Value, options?: RequestOptions & CasOptions): Promise<WriteResult> {
    return this.#write(VERB.append, key, value, options, options?.cas);
  }

  /** Puts a value before the one that is there, which keeps its flags and ttl; nothing there: "not-stored". */
  prepend(key: string, value: Value, options?: RequestOptions & CasOptions): Promise<WriteResult> {
    return this.#write(VERB.prepend, key, value, options, options?.cas);
  }

  /** Deletes. false: it was missing, or the cas no longer matches. */
  delete(key: string, options?: RequestOptions & CasOptions): Promise<boolean> {
    return attempt(() => {
      const keyBytes = checkKey(key);
      const token = options?.cas;
      const details = token === undefined ? undefined : { cas: casOf(token) };
      return this.#ask(new Operation(VERB.delete, key, keyBytes, details), options, token) as Promise<boolean>;
    });
  }

  /**
   * Adds `delta` (default 1) to a counter and returns what it is now; `undefined` if it is missing and no `initial` is
   * given. A new counter starts at `initial`; `delta` is not added then. 0 to 2^64 - 1, after which comes 0. What is no
   * counter is a ServerError with status 6.
   */
  incr(key: string, delta: bigint | number = 1, options?: CounterOptions): Promise<bigint | undefined> {
    return this.#count(VERB.incr, key, delta, options);
  }

  /** Subtracts, as `incr` adds. Stops at 0. */
  decr(key: string, delta: bigint | number = 1, options?: CounterOptions): Promise<bigint | undefined> {
    return this.#count(VERB.decr, key, delta, options);
  }

  /** Gives an item a new ttl from now on. 0 and Infinity: for ever. false: it is missing. */
  touch(key: string, ttl: Duration, options?: RequestOptions): Promise<boolean> {
    return this.#touch(VERB.touch, key, ttl, options) as Promise<boolean>;
  }

  /** The item under a key, which has a new ttl from now on; `undefined`: it is missing. */
  getAndTouch(key: string, ttl: Duration, options?: RequestOptions): Promise<Item | undefined> {
    return this.#touch(VERB.getAndTouch, key, ttl, options) as Promise<Item | undefined>;
  }

  /** Forgets everything on every server, whoever wrote it; after a delay, if one is given. */
  async flushAll(delay?: Duration): Promise<void> {
    const time = flushDelay(delay, this.#clock.now());
    await this.#askAll(() => new Operation(VERB.flushAll, "", 0, time === 0 ? undefined : { exptime: time }));
  }

  /** What each server says about itself: name of the server -> name of the statistic -> value. `topic`: "items", "slabs", "settings" … */
  async stats(topic = ""): Promise<Map<string, Map<string, string>>> {
    const topicBytes = checkTopic(topic);
    return await this.#askAll(() => new Operation(VERB.stats, topic, topicBytes)) as Map<string, Map<string, string>>;
  }

  /** The version of each server. */
  async version(): Promise<Map<string, string>> {
    return await this.#askAll(() => new Operation(VERB.version, "", 0)) as Map<string, string>;
  }

  /**
   * Resolves once every server has answered on a connection, opened now where there was none. Rejects with an
   * AggregateError of an error for each server that did not, with the signal's reason, with ConnectionError once closed.
   */
  async ready(options?: RequestOptions): Promise<void> {
    if (this.#closing !== undefined) throw clientClosed("be ready");
    const signal = options?.signal;
    if (signal !== undefined) assertSignal(signal);
    const errors: unknown[] = [];
    try {
      const asked = await this.#askEach(() => new Operation(VERB.version, "", 0), options);
      await Promise.all(asked.map(([, answer]) => answer.catch((error) => errors.push(error))));
    } catch (error) {
      errors.push(error);
    }
    signal?.throwIfAborted();
    if (errors.length > 0) throw notReady(errors, this.servers.length);
  }

  /** Which server a key lives on; with `deadServers: "eject"`, as things are now. */
  serverOf(key: string): string {
    checkKey(key);
    if (this.#cluster.servers.length === 0) throw undiscovered(key);
    return this.#cluster.serverOf(key).name;
  }

  /**
   * How much of `maxInFlight` and `maxBytesInFlight`, whichever is fuller, is in flight on the connection that the next
   * request for this key goes out on: 0 (nothing, or its server is dead and refuses at once) to 1 (QueueFullError). Before
   * the first connection, or the first list of servers, it is what waits for that. Asks nobody, and counts what was asked
   * in this very tick: for a layer above that leaves room for requests which must pass. Without a key: of the fullest.
   */
  load(key?: string): number {
    if (!this.#pending.open) return this.#pending.load;
    return key === undefined ? this.#cluster.load : this.#cluster.serverOf(key).load;
  }

  /**
   * For how many ms a request for this key could be sent at once: 0 while its server's connection is being made (or the
   * first list of servers is awaited), Infinity where there is none, as a dead server's calls reject at once.
   */
  sendableFor(key: string): number {
    return this.#pending.open ? this.#cluster.serverOf(key).sendableMs : 0;
  }

  /**
   * From now on these. Servers that stay keep their connections; those that go finish what they were asked, then close:
   * it resolves then. Keys move, so the promise of invalidation pauses until every process has the same list. Rejects
   * with a TypeError that names a wrong server, with ConnectionError once closed.
   */
  async setServers(servers: string | readonly string[]): Promise<void> {
    if (servers === undefined) throw new TypeError("Cannot set the servers: `servers` is missing");
    const addresses = parseServers(servers);
    if (this.#topology.discovers) throw new TypeError("Cannot set the servers: `discovery` finds them");
    if (this.#closing !== undefined) throw clientClosed("set the servers");
    await this.#topology.replace(addresses);
  }

  /** Calls `listener` whenever it happens. Returns the way to stop. Also on `node:diagnostics_channel` as `memcached:<event>`. */
  on<K extends keyof MemcachedEvents>(event: K, listener: (event: MemcachedEvents[K]) => void): () => void {
    return this.#listeners.on(event, listener);
  }

  /**
   * Lets every call made before it settle, those still waiting for a connection included; later calls reject with a
   * ConnectionError. Idempotent. No socket and no timer is left when it resolves.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#topology.close();
  }

  /** `close()`, at the end of the scope. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #write(
    verb: Verb,
    key: string,
    given: Value,
    options: (WriteOptions & CasOptions) | undefined,
    token: CasOptions["cas"],
  ): Promise<WriteResult> {
    try {
      const keyBytes = checkKey(key);
      const appends = verb === VERB.append || verb === VERB.prepend;
      const flags = appends ? 0 : checkFlags(options?.flags);
      const time = appends || options?.ttl === undefined ? 0 : exptime(options.ttl, this.#clock.now());
      const cas = token === undefined ? 0n : casOf(token);
      const longest = longestValue(this.#options.maxValueBytes, keyBytes, flags);
      const value = checkValue(given, longest);
      const operation = new Operation(verb, key, keyBytes, { value, flags, exptime: time, cas });
      if (value.length > longest) {
        const name = this.#cluster.servers.length === 0 ? "a server" : this.#cluster.serverOf(key).name;
        return Promise.reject(tooLarge(operation, name, value.length, longest));
      }
      return this.#ask(operation, options, token) as Promise<WriteResult>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #count(verb: Verb, key: string, by: bigint | number, options?: CounterOptions): Promise<bigint | undefined> {
    return attempt(() => {
      const keyBytes = checkKey(key);
      const delta = checkCounter(by, "delta");
      const ttl = exptime(options?.ttl, this.#clock.now());
      const given = options?.initial;
      const details = given === undefined
        ? { delta, initial: 0n, exptime: DO_NOT_CREATE }
        : { delta, initial: checkCounter(given, "initial"), exptime: ttl };
      return this.#ask(new Operation(verb, key, keyBytes, details), options) as Promise<bigint | undefined>;
    });
  }

  #touch(verb: Verb, key: string, ttl: Duration, options: RequestOptions | undefined): Promise<unknown> {
    return attempt(() => {
      const details = { exptime: exptime(ttl, this.#clock.now()) };
      return this.#ask(new Operation(verb, key, checkKey(key), details), options);
    });
  }

  /** Asks the key's server; fenced by an object, on the connection that gave it. */
  #ask(operation: Operation, options: RequestOptions | undefined, token?: CasOptions["cas"]): Promise<unknown> {
    if (!this.#pending.open) {
      const { details } = operation;
      // The caller may change its bytes from now on.
      if (typeof details?.value === "object") details.value = new Uint8Array(details.value);
      operation.deadline = responsiveTime(this.#clock) + this.#options.timeoutMs;
      const call = () => this.#ask(operation, options, token);
      return this.#pending.whenOpen(actionOf(operation), options?.signal, call, details?.value?.length);
    }
    const server = this.#cluster.serverOf(operation.key);
    if (typeof token !== "object") return this.#askServer(server, operation, options);
    return this.#askServer(server, operation, options, originOf(token)!);
  }

  #askServer(
    server: Server,
    operation: Operation,
    options: RequestOptions | undefined,
    origin?: object,
  ): Promise<unknown> {
    const signal = options?.signal;
    if (signal !== undefined) {
      assertSignal(signal);
      operation.abortWith(signal);
      if (operation.settled) return operation.promise;
    }
    if (this.#listeners.hasListeners("operation")) operation.observer = this.#observer(operation, server.name);
    if (origin === undefined) server.ask(operation);
    else server.askOn(origin, operation);
    return operation.promise;
  }

  /** Asks every server: its name -> its answer. Rejects if one of them fails. */
  async #askAll(make: () => Operation): Promise<Map<string, unknown>> {
    const asked = await this.#askEach(make);
    return new Map(await Promise.all(asked.map(async ([name, answer]) => [name, await answer] as const)));
  }

  /** Asks every server. Their answers are on their way when it resolves. */
  #askEach(make: () => Operation, options?: RequestOptions): Promise<[name: string, answer: Promise<unknown>][]> {
    if (!this.#pending.open) {
      return this.#pending.whenOpen(actionOf(make()), options?.signal, () => this.#askEach(make, options));
    }
    return Promise.resolve(
      this.#cluster.servers.map((server) => [server.name, this.#askServer(server, make(), options)]),
    );
  }

  #observer({ verb }: Operation, server: string): Observer {
    const began = monotonicMs(this.#clock);
    return (outcome, error) => {
      const event = { name: VERB_NAMES[verb]!, server, ms: monotonicMs(this.#clock) - began, outcome };
      this.#listeners.emit("operation", outcome === "error" ? { ...event, error } : event);
    };
  }
}

/** What throws within `make` rejects. */
function attempt<T>(make: () => Promise<T>): Promise<T> {
  try {
    return make();
  } catch (error) {
    return Promise.reject(error);
  }
}
