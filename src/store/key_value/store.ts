import { type Clock, clockOf, elapsedMs, type Moment, momentOf } from "../../util/clock.ts";
import { CacheError } from "../../errors.ts";
import { quoted } from "../../util/checks.ts";
import { type Random, randomOf } from "../../util/random.ts";
import { assertCodec, type Codec, copyWith } from "../../codec/codec.ts";
import { copyOf } from "../../data/copy.ts";
import { Lru, LruNode } from "../memory/lru.ts";
import { type PlainText, readText, writeText } from "./text.ts";
import type { Entry, Found, Over, Store, Token, ValueEntry } from "../store.ts";

/**
 * A third-party cache, sync or async. `set` is given a string and the ttl in whole milliseconds (`undefined`: for ever);
 * a cache that ignores the ttl still expires, since the end is inside the string.
 */
export interface KeyValueCache {
  /** What was set; anything else, or nothing, is a miss. */
  get(key: string): unknown;
  /** Keeps a string. Its answer is awaited, and otherwise ignored. */
  // deno-lint-ignore no-explicit-any
  set(key: string, value: any, ttlMs: any): unknown;
  /** Forgets it. Its answer is awaited, and otherwise ignored. */
  delete(key: string): unknown;
}

/** How a PlainStore works. */
export interface PlainStoreOptions {
  /** How values become bytes, which stand in the string as base64. Default: JSON, with tags for what JSON has no word for. */
  codec?: Codec | undefined;
  /** Default: the runtime's. */
  clock?: Clock | undefined;
  /** Default: the runtime's. */
  random?: Random | undefined;
}

/** Leases and marks kept in this process. One that is dropped costs a second computation, no more. */
const MAX_HELD = 10_000;
/** Failed writes remembered. */
const MAX_DOUBTFUL = 10_000;

/** A lease or a mark, kept in this process. It is its own token. */
class Held extends LruNode {
  readonly since: Moment;
  readonly lifeMs: number;
  readonly found: Found;

  constructor(key: string, entry: Entry, since: Moment, lifeMs: number) {
    super(key, 1);
    this.since = since;
    this.lifeMs = lifeMs;
    this.found = Object.freeze({ entry: Object.freeze({ ...entry, generations: [] }), token: this });
  }
}

/** Proof that the cache still has this string. Every string written has an id of its own. */
class Seen {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Any {get, set, delete} as a Store of one process: leases, marks and tokens live here, values in the cache. Whatever
 * changes a key is done one after the other, so a token is proof although the cache knows none, and is slow:
 *
 *   1. A's value, over its lease, is on its way to the cache       2. B deletes the key: it waits for A's write, then
 *   3. C, whose lease is gone, is refused                             deletes; when it resolves nothing of A is left
 *
 * While a lease or mark is held here, the cache has no value under its key. Other processes that share the cache see
 * this one's values and deletes, but neither its leases nor its tokens. Entries with generations are refused. The cache's
 * own exceptions are rejections. Closing does not close the cache.
 */
export class PlainStore implements Store {
  readonly #cache: KeyValueCache;
  readonly #codec: Codec | undefined;
  readonly #clock: Clock;
  readonly #held: Lru<Held> = new Lru<Held>(Infinity, MAX_HELD);
  /** What is under way for a key; never rejects. */
  readonly #tails = new Map<string, Promise<unknown>>();
  /** Ids of strings whose write failed, and so may land after a delete: never read. */
  readonly #doubtful = new Set<string>();
  /** Every string has an id: 8 random bytes of this store, and a count. */
  readonly #ids: string;
  #count = 0;
  #closed = false;

  /** Throws a TypeError for a cache that lacks get, set or delete. */
  constructor(cache: KeyValueCache, options: PlainStoreOptions = {}) {
    for (const verb of ["get", "set", "delete"] as const) {
      if (typeof cache?.[verb] !== "function") throw new TypeError(`Cannot use a cache without the method \`${verb}\``);
    }
    this.#cache = cache;
    assertCodec(options.codec);
    this.#codec = options.codec;
    this.#clock = clockOf(options.clock);
    this.#ids = randomOf(options.random).uint64().toString(36) + ".";
  }

  /** What is held here, else the value in the cache. A string that cannot be read is a miss. */
  async get(key: string, signal?: AbortSignal): Promise<Found | undefined> {
    this.#assertOpen("get", key);
    signal?.throwIfAborted();
    const held = this.#heldAt(key);
    if (held !== undefined) return held.found;
    const kept = this.#read(await orAborted(this.#cache.get(key), signal));
    // What was held meanwhile is newer.
    return this.#heldAt(key)?.found ?? (kept && { entry: kept.entry, token: new Seen(kept.text) });
  }

  /** Keeps an entry only if nothing is there. */
  async add(key: string, entry: Entry, ttlMs: number): Promise<Token | undefined> {
    const write = this.#taking("add", key, entry, ttlMs);
    return await this.#inTurn(key, async () => {
      if (this.#heldAt(key) !== undefined || this.#read(await this.#cache.get(key)) !== undefined) return undefined;
      return await write("cleared");
    });
  }

  /** Keeps an entry over the one that was seen, or over anything. */
  async set(key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined> {
    const write = this.#taking("set", key, entry, ttlMs);
    return await this.#inTurn(key, async () => {
      if (over !== "anything" && !await this.#isThere(key, over)) return undefined;
      return await write(over instanceof Held ? "cleared" : "as it is");
    });
  }

  /** Forgets the entry that was seen, or anything. Over "anything", absence is fine: true. */
  async delete(key: string, over: Over): Promise<boolean> {
    this.#assertOpen("delete", key);
    return await this.#inTurn(key, async () => {
      if (over !== "anything" && !await this.#isThere(key, over)) return false;
      const held = this.#held.peek(key);
      if (held !== undefined) this.#held.delete(held);
      if (!(over instanceof Held)) await this.#cache.delete(key);
      return true;
    });
  }

  /** Rejects with a TypeError: there are no groups here. */
  counter(name: string): Promise<bigint> {
    return Promise.reject(noGroups(name));
  }

  /** Rejects with a TypeError: there are no groups here. */
  increment(name: string): Promise<void> {
    return Promise.reject(noGroups(name));
  }

  /** A copy as a later get would give it. */
  copy(value: unknown): unknown {
    return this.#codec === undefined ? copyOf(value) : copyWith(this.#codec, value);
  }

  /** Every verb called from now on rejects with a CacheError. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#held.clear();
    await Promise.all(this.#tails.values());
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Takes all that an entry consists of, now. What it returns writes it: into the cache, or here, after clearing the cache's value. */
  #taking(action: string, key: string, entry: Entry, ttlMs: number): (cache: "cleared" | "as it is") => Promise<Token> {
    this.#assertOpen(action, key);
    if (!(ttlMs > 0)) throw new RangeError(`Cannot ${action} ${quoted(key)}: ttlMs must be > 0, it is ${ttlMs}`);
    if (entry.generations.length > 0) throw noGroups(key);
    const end = this.#clock.now() + ttlMs;
    if (entry.kind !== "value") {
      const held = new Held(key, entry, momentOf(this.#clock), ttlMs);
      return async (cache) => {
        if (cache === "as it is") await this.#cache.delete(key);
        this.#held.put(held);
        return held;
      };
    }
    return this.#sending(key, entry, end, ttlMs === Infinity ? undefined : Math.ceil(ttlMs));
  }

  #sending(key: string, entry: ValueEntry, end: number, ttlMs: number | undefined): () => Promise<Token> {
    const id = this.#ids + (this.#count++).toString(36);
    const text = writeText(id, entry, end, this.#codec);
    return async () => {
      try {
        await this.#cache.set(key, text, ttlMs);
      } catch (error) {
        this.#doubt(id);
        throw error;
      }
      const held = this.#held.peek(key);
      if (held !== undefined) this.#held.delete(held);
      return new Seen(text);
    };
  }

  /** The oldest doubt is the likeliest to be over. */
  #doubt(id: string): void {
    this.#doubtful.add(id);
    if (this.#doubtful.size > MAX_DOUBTFUL) {
      for (const oldest of this.#doubtful) return void this.#doubtful.delete(oldest);
    }
  }

  /** Is what gave this token still there? Asked in turn. */
  async #isThere(key: string, token: Token): Promise<boolean> {
    if (token instanceof Held) return this.#heldAt(key) === token;
    if (!(token instanceof Seen) || this.#heldAt(key) !== undefined) return false;
    return this.#read(await this.#cache.get(key))?.text === token.text;
  }

  #heldAt(key: string): Held | undefined {
    const held = this.#held.use(key);
    if (held === undefined) return held;
    const ms = elapsedMs(this.#clock, held.since);
    // Less than 0: a clock that was set back, and has nothing else to say how long ago that was.
    if (ms >= 0 && ms < held.lifeMs) return held;
    this.#held.delete(held);
    return undefined;
  }

  #read(kept: unknown): PlainText | undefined {
    const read = typeof kept === "string" ? readText(kept, this.#codec) : undefined;
    return read === undefined || this.#doubtful.has(read.id) || this.#clock.now() >= read.end ? undefined : read;
  }

  /** Does it when all that was asked for this key before is done. */
  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const done = before === undefined ? work() : before.then(work);
    const tail: Promise<void> = done.then(() => {}, () => {}).then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    this.#tails.set(key, tail);
    return await done;
  }

  #assertOpen(action: string, key: string): void {
    if (this.#closed) throw new CacheError(`Cannot ${action} ${quoted(key)}: the store is closed`);
  }
}

/** What the cache answers, unless the signal is sooner. */
function orAborted(answer: unknown, signal: AbortSignal | undefined): unknown {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    Promise.resolve(answer).then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

const noGroups = (key: string): TypeError =>
  new TypeError(`Cannot keep ${quoted(key)}: a plain cache has no counters, so there are no groups`);
