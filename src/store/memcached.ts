import { CacheError, CacheValueError, ServerError, ValueTooLargeError } from "../errors.ts";
import { assertKnown, assertOptions, quoted } from "../util/checks.ts";
import type { ReplyCallback } from "../memcached/connection/operation.ts";
import type { WriteResult } from "../memcached/connection/reply.ts";
import { internalsOf, Memcached } from "../memcached/client.ts";
import { type Item, ReceivedItem, type Stored } from "../memcached/connection/item.ts";
import type { MemcachedOptions } from "../memcached/options.ts";
import { type Random, randomOf } from "../util/random.ts";
import { Warnings } from "../util/warnings.ts";
import { assertCodec, type Codec, copyWith, defaultCodec } from "../codec/codec.ts";
import { copyOf } from "../data/copy.ts";
import { decodeEntry, encodeEntry } from "./envelope.ts";
import type { Entry, Found, Over, Store, Token } from "./store.ts";

/** How a MemcachedStore works. */
export interface MemcachedStoreOptions {
  /** How values become bytes. Every process that shares the entries needs the same one. Default: `defaultCodec()`. */
  codec?: Codec | undefined;
  /** Where counters start. Default: the runtime's. */
  random?: Random | undefined;
}

/** Counters start below 2^63, so that 64-bit integers with a sign hold them, too. */
const START_MASK = (1n << 63n) - 1n;
/** How often a counter is read because another process was quicker to create or replace it. */
const MAX_COUNTER_READS = 8;
/** The protocol's "not a number", on both wires. */
const NOT_A_NUMBER = 6;

/** `get` and `counter` of a MemcachedStore, answered by a callback instead of a promise. */
export interface CallbackReads {
  get(key: string, callback: ReplyCallback<Found | undefined>): void;
  counter(name: string, callback: ReplyCallback<bigint>): void;
}

const readsOfStores = new WeakMap<Store, CallbackReads>();
/** As it is before anybody has replaced it; `ownGet` and `ownCounter` below likewise. */
const ownClientGet = Memcached.prototype.get;

/**
 * How a backend reads from a MemcachedStore: a promise for each key would cost a hit a third more. `undefined` for every
 * other store, and while `get` or `counter`, the client's `get` included, is replaced, in a subclass, a proxy, or by
 * whoever traces calls, since that is to be called. No part of the public API.
 */
export function callbackReadsOf(store: Store): CallbackReads | undefined {
  if (store.get !== ownGet || store.counter !== ownCounter) return undefined;
  const reads = readsOfStores.get(store);
  return reads !== undefined && (store as MemcachedStore).client.get === ownClientGet ? reads : undefined;
}

/**
 * Entries on memcached. A token is the item or the answer that was seen, and is proof only on the connection that gave
 * it, since a server that restarts counts its cas values anew. A server without them (memcached -C, some proxies)
 * cannot tell an old write from a new one, so everything that is asked of it is rejected with a CacheError that names
 * it. Nothing that changes state is repeated; what timed out rejects, and may land later. Closes its client only if it
 * made it.
 *
 * @example
 * ```ts
 * import { GroupBackend, MemcachedStore } from "@x/cache-utils";
 *
 * const store = new MemcachedStore("127.0.0.1:11211", { timeout: "500ms" });
 * await using backend = new GroupBackend({ store, project: "shop" });
 * console.log(await backend.fetch("answer", () => 42));
 * ```
 */
export class MemcachedStore implements Store {
  /** The client's `timeout` bounds every verb. */
  readonly bounded = true as const;
  /** The driver that this store uses. */
  readonly client: Memcached;
  /** A copy as a later get would give it. */
  readonly copy: (value: unknown) => unknown;
  readonly #codec: Codec;
  readonly #random: Random;
  readonly #ownsClient: boolean;
  readonly #isDefaultCodec: boolean;
  /** Servers whose last answer had no cas value. */
  readonly #unfenced = new Set<string>();
  readonly #warnings = new Warnings();
  #closed: Promise<void> | undefined;

  /** Makes a client for these servers, as `new Memcached(servers, options)` does. */
  constructor(servers: string | readonly string[], options?: MemcachedOptions & MemcachedStoreOptions);
  /** Uses a client that others may use as well. */
  constructor(client: Memcached, options?: MemcachedStoreOptions);
  constructor(
    where: string | readonly string[] | Memcached,
    options: MemcachedOptions & MemcachedStoreOptions = {},
  ) {
    assertOptions(options);
    const { codec, random, ...rest } = options;
    assertCodec(codec);
    this.#ownsClient = typeof where === "string" || Array.isArray(where);
    if (!this.#ownsClient && typeof (where as Partial<Memcached> | undefined)?.get !== "function") {
      throw new TypeError("Cannot keep entries: give the servers as text or an array, or a Memcached client");
    }
    // A new client checks the other options itself.
    if (!this.#ownsClient) assertKnown(options, { codec: true, random: true });
    this.client = this.#ownsClient ? new Memcached(where as string | readonly string[], rest) : where as Memcached;
    this.#codec = codec ?? defaultCodec();
    this.#isDefaultCodec = codec === undefined;
    this.#random = randomOf(random);
    this.copy = codec === undefined ? copyOf : (value) => copyWith(codec, value);
    const { client } = this;
    const read = internalsOf.get(client)?.get;
    if (read === undefined) return;
    readsOfStores.set(this, {
      get: (key, callback) => {
        this.#assertOpen("get", key);
        read(key, new ItemReply(key, callback, this.#foundIn));
      },
      counter: (name, callback) => {
        this.#assertOpen("read the counter", name);
        read(name, new ItemReply(name, callback, this.#counterIn));
      },
    });
  }

  /**
   * The entry under a key, whose value is decoded when it is asked for; asking throws a CacheValueError where the codec
   * cannot read it. What is no entry, a counter included: unreadable.
   */
  async get(key: string, signal?: AbortSignal): Promise<Found | undefined> {
    this.#assertOpen("get", key);
    return this.#foundIn(key, await this.client.get(key, signal && { signal }) ?? undefined);
  }

  // A field, as #counterIn is: no closure has to be made for each key.
  readonly #foundIn = (key: string, item: Item | undefined): Found | undefined => {
    if (item === undefined) return undefined;
    if (this.#unfenced.size > 0 || !ReceivedItem.isFenced(item)) this.#assertFenced("get", key, item.cas);
    // The default codec keeps nothing of the bytes, and most values are decoded within the tick. Another codec may keep
    // them, so it is given bytes that keep no large chunk alive.
    const bytes = this.#isDefaultCodec ? ReceivedItem.viewOf(item) : item.bytes;
    const entry = decodeEntry(bytes, this.#codec);
    ReceivedItem.release(item);
    return { entry, token: item };
  };

  /** Keeps an entry only if nothing is there. */
  async add(key: string, entry: Entry, ttlMs: number): Promise<Token | undefined> {
    this.#assertOpen("add", key);
    const bytes = encodeEntry(entry, this.#codec);
    // duty d: an add is sent once
    return await this.#tokenOf("add", key, this.client.add(key, bytes, { ttl: ttlOf(ttlMs) }));
  }

  /** Keeps an entry over the one that was seen, or over anything. */
  async set(key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined> {
    this.#assertOpen("set", key);
    const bytes = encodeEntry(entry, this.#codec);
    const ttl = ttlOf(ttlMs);
    // rule 1, duty a: a set over the token that was seen
    const options = over === "anything" ? { ttl } : { ttl, cas: over as Item | Stored };
    // duty d: a set is sent once
    return await this.#tokenOf("set", key, this.client.set(key, bytes, options));
  }

  /** Forgets the entry that was seen, or anything. Over "anything", absence is fine: true. */
  async delete(key: string, over: Over): Promise<boolean> {
    this.#assertOpen("delete", key);
    // rule 1, duty a: a delete by the token that was seen
    if (over !== "anything") return await this.client.delete(key, { cas: over as Item | Stored });
    await this.client.delete(key); // duty c: a delete that timed out rejects
    this.#assertFenced("delete", key);
    return true;
  }

  /** A counter's value. A missing one is created at a random value in [0, 2^63); what is no counter is replaced by one. */
  async counter(name: string, signal?: AbortSignal): Promise<bigint> {
    this.#assertOpen("read the counter", name);
    return this.#counterIn(name, await this.client.get(name, signal && { signal }) ?? undefined, signal);
  }

  /** The counter's value, at once where the item has it. */
  readonly #counterIn = (name: string, item: Item | undefined, signal?: AbortSignal): bigint | Promise<bigint> => {
    const isFenced = item !== undefined && ReceivedItem.isFenced(item) && this.#unfenced.size === 0;
    return (isFenced ? ReceivedItem.countOf(item) : undefined) ?? this.#createCounter(name, item, signal);
  };

  async #createCounter(name: string, item: Item | undefined, signal?: AbortSignal): Promise<bigint> {
    const options = signal && { signal };
    for (let attempt = 0; attempt < MAX_COUNTER_READS; attempt++) {
      if (attempt > 0) item = await this.client.get(name, options) ?? undefined;
      if (item === undefined) {
        // duty d: each start is sent once
        const created = await this.#unlessNoNumber(this.client.incr(name, 0n, { ...options, initial: this.#start() }));
        if (typeof created === "bigint") return created;
        continue;
      }
      this.#assertFenced("read the counter", name, item.cas);
      const count = ReceivedItem.countOf(item);
      if (count !== undefined) return count;
      const start = this.#start();
      // rule 12: over what was no counter
      const written = await this.client.set(name, String(start), { ...options, cas: item });
      if (written.stored) return start;
    }
    throw new CacheError(`Cannot read the counter ${quoted(name)}: others change it all the time`);
  }

  /** How full the key's connection, or the fullest one, is. */
  load(key?: string): number {
    return this.client.load?.(key) ?? 0;
  }

  /** The key's server; before the first list of servers has come, none. */
  lane(key: string): string {
    return this.client.servers?.length === 0 ? "" : this.client.serverOf(key);
  }

  /** For how long requests for this key have had a connection; the client's `timeout` bounds the wait for one. */
  sendableMs(key: string): number {
    return this.client.sendableFor?.(key) ?? Infinity;
  }

  /** Adds 1 to a counter; what is no counter is deleted, and absence is fine. */
  async increment(name: string): Promise<void> {
    this.#assertOpen("increment", name);
    // Without `initial` a missing counter stays missing: nothing refers to it.
    const answer = await this.#unlessNoNumber(this.client.incr(name, 1n)); // duty c: an increment that timed out rejects
    if (answer === "no number") await this.client.delete(name);
    this.#assertFenced("increment", name);
  }

  /** Resolves once every server has answered; rejects with an AggregateError of an error for each that did not. */
  async ready(signal?: AbortSignal): Promise<void> {
    if (this.#closed !== undefined) throw new CacheError("Cannot be ready: the store is closed");
    await this.client.ready(signal && { signal });
  }

  /** Closes the client if this store made it. Every verb called from now on rejects with a CacheError. Idempotent. */
  close(): Promise<void> {
    return this.#closed ??= this.#ownsClient ? this.client.close() : Promise.resolve();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #tokenOf(action: string, key: string, write: Promise<WriteResult>): Promise<Token | undefined> {
    let written: WriteResult;
    try {
      written = await write;
    } catch (error) {
      if (!(error instanceof ValueTooLargeError)) throw error; // duty c: a write that timed out rejects
      throw new CacheValueError(error.message, { cause: error });
    }
    if (!written.stored) return undefined;
    this.#assertFenced(action, key, written.cas);
    return written;
  }

  async #unlessNoNumber(answer: Promise<bigint | undefined>): Promise<bigint | undefined | "no number"> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof ServerError && error.status === NOT_A_NUMBER) return "no number";
      throw error;
    }
  }

  #start(): bigint {
    return this.#random.uint64() & START_MASK; // rule 12: a start on memcached is drawn anew for every attempt
  }

  #assertOpen(action: string, key: string): void {
    if (this.#closed !== undefined) throw new CacheError(`Cannot ${action} ${quoted(key)}: the store is closed`);
  }

  /**
   * Throws where the key's server gives no cas values, as its last answer that could have one has shown. `cas`: that of
   * the answer; `undefined` for one that has none anyhow, as of a delete.
   */
  #assertFenced(action: string, key: string, cas?: bigint): void {
    if (cas !== 0n && this.#unfenced.size === 0) return;
    const server = this.client.serverOf(key);
    if (cas === 0n) this.#unfenced.add(server);
    else if (cas !== undefined) this.#unfenced.delete(server);
    if (!this.#unfenced.has(server)) return;
    const reason = `${server} gives no cas values (memcached -C, or a proxy), and without them an old value ` +
      "can be written back after an invalidation";
    const remedy = "Nothing is kept there: run it without -C, or name the servers themselves.";
    this.#warnings.once("servers without cas", server, `${reason}. ${remedy}`);
    throw new CacheError(`Cannot ${action} ${quoted(key)}: ${reason}`); // duty b: no cas, no answer
  }
}

const { get: ownGet, counter: ownCounter } = MemcachedStore.prototype;

/**
 * Seconds to ask for. The server's clock ticks once a second, and an item dies up to a second BEFORE its time (1 lived
 * 0.63-0.78 s): an entry must not, and its own times decide.
 */
function ttlOf(ttlMs: number): number {
  if (!(ttlMs > 0)) throw new RangeError(`Cannot keep an entry with a ttlMs of ${ttlMs}: it must be > 0`);
  return ttlMs === Infinity ? Infinity : Math.ceil(ttlMs / 1000) + 1;
}

/** Turns the driver's answer, an item, into the store's: an entry, or a counter's value. */
class ItemReply<T> implements ReplyCallback<Item | undefined> {
  readonly #key: string;
  readonly #callback: ReplyCallback<T>;
  readonly #answerOf: (key: string, item: Item | undefined) => T | Promise<T>;

  constructor(
    key: string,
    callback: ReplyCallback<T>,
    answerOf: (key: string, item: Item | undefined) => T | Promise<T>,
  ) {
    this.#key = key;
    this.#callback = callback;
    this.#answerOf = answerOf;
  }

  resolve(item: Item | undefined): void {
    const callback = this.#callback;
    let answer: T | Promise<T>;
    try {
      answer = this.#answerOf(this.#key, item);
    } catch (error) {
      return callback.reject(error);
    }
    if (answer instanceof Promise) answer.then((late) => callback.resolve(late), (error) => callback.reject(error));
    else callback.resolve(answer);
  }

  reject(error: unknown): void {
    this.#callback.reject(error);
  }
}
