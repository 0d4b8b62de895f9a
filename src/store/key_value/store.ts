import { type Clock, clockOf, elapsedMs, type Moment, momentOf } from "../../util/clock.ts";
import { CacheError } from "../../errors.ts";
import { quoted } from "../../util/checks.ts";
import { systemRandom } from "../../util/random.ts";
import { assertCodec, type Codec, copyWith } from "../../codec/codec.ts";
import { copyOf } from "../../data/copy.ts";
import { readText, type StoredText, writeText } from "./text.ts";
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

/** How a KeyValueStore works. */
export interface KeyValueStoreOptions {
  /** How values become bytes, which stand in the string as base64. Default: JSON, with tags for what JSON has no word for. */
  codec?: Codec | undefined;
  /** Default: the runtime's. */
  clock?: Clock | undefined;
}

/** Leases and markers in this process: the oldest is dropped, which costs a second computation and no more. */
const MAX_LOCAL_ENTRIES = 10_000;
/** Failed writes remembered: the oldest one is the likeliest to be over. */
const MAX_UNCERTAIN = 10_000;

/** A lease or a hit-for-miss marker, which is kept in this process and not in the cache. It is its own token. */
class LocalEntry {
  readonly since: Moment;
  readonly ttlMs: number;
  readonly found: Found;

  constructor(entry: Entry, since: Moment, ttlMs: number) {
    this.since = since;
    this.ttlMs = ttlMs;
    this.found = Object.freeze({ entry: Object.freeze({ ...entry, generations: [] }), token: this });
  }
}

/** The token of a string in the cache: each string that was ever written has an id of its own. */
class TextToken {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Writes a prepared entry: over this token, over "anything", or, given `undefined`, where nothing is. */
type Write = (over: Over | undefined) => Promise<Token>;

/**
 * Any {get, set, delete} as a Store of one process: leases, markers and tokens live here, values in the cache. Whatever
 * changes a key is done one after the other, so a token is proof although the cache knows none, and is slow:
 *
 *   1. A's value, over its lease, is on its way to the cache       2. B deletes the key: it waits for A's write, then
 *   3. C, whose lease is gone, is refused                             deletes; when it resolves nothing of A is left
 *
 * While a lease or marker is kept here, the cache has no value under its key. Other processes that share the cache see
 * this one's values and deletes, but neither its leases nor its tokens. Entries with generations are refused. The cache's
 * own exceptions are rejections. Closing does not close the cache.
 */
export class KeyValueStore implements Store {
  readonly #cache: KeyValueCache;
  readonly #codec: Codec | undefined;
  readonly #clock: Clock;
  readonly #local = new Map<string, LocalEntry>();
  /** For each key the end of all that is to change it, which never rejects. */
  readonly #tails = new Map<string, Promise<unknown>>();
  /** Ids of strings whose write failed: it may land after a later delete, so they are never read. */
  readonly #uncertain = new Set<string>();
  /** Every string has an id: 8 random bytes of this store, and a count. */
  readonly #idPrefix = systemRandom.uint64().toString(36) + ".";
  #count = 0;
  #closed = false;

  /** Throws a TypeError for a cache that lacks get, set or delete. */
  constructor(cache: KeyValueCache, options: KeyValueStoreOptions = {}) {
    for (const verb of ["get", "set", "delete"] as const) {
      if (typeof cache?.[verb] !== "function") throw new TypeError(`Cannot use a cache without the method \`${verb}\``);
    }
    this.#cache = cache;
    assertCodec(options.codec);
    this.#codec = options.codec;
    this.#clock = clockOf(options.clock);
  }

  /** What is kept here, else the value in the cache. A string that cannot be read is a miss. */
  async get(key: string, signal?: AbortSignal): Promise<Found | undefined> {
    this.#assertOpen("get", key);
    signal?.throwIfAborted();
    const local = this.#localAt(key);
    if (local !== undefined) return local.found;
    const stored = this.#read(await this.#cache.get(key));
    // A lease that was taken while the cache answered is newer.
    return this.#localAt(key)?.found ?? (stored && { entry: stored.entry, token: new TextToken(stored.text) });
  }

  /** Keeps an entry only if nothing is there. */
  async add(key: string, entry: Entry, ttlMs: number): Promise<Token | undefined> {
    const write = this.#prepare("add", key, entry, ttlMs);
    return await this.#inTurn(key, async () => {
      if (this.#localAt(key) !== undefined || this.#read(await this.#cache.get(key)) !== undefined) return undefined;
      return await write(undefined);
    });
  }

  /** Keeps an entry over the one that was seen, or over anything. */
  async set(key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined> {
    const write = this.#prepare("set", key, entry, ttlMs);
    return await this.#inTurn(key, async () => await this.#isThere(key, over) ? await write(over) : undefined);
  }

  /** Forgets the entry that was seen, or anything. Over "anything", absence is fine: true. */
  async delete(key: string, over: Over): Promise<boolean> {
    this.#assertOpen("delete", key);
    return await this.#inTurn(key, async () => {
      if (!await this.#isThere(key, over)) return false;
      this.#local.delete(key);
      if (!(over instanceof LocalEntry)) await this.#cache.delete(key);
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
    this.#local.clear();
    await Promise.all(this.#tails.values());
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Copies or encodes the entry now; returns its write, for when it is its turn. */
  #prepare(action: string, key: string, entry: Entry, ttlMs: number): Write {
    this.#assertOpen(action, key);
    if (!(ttlMs > 0)) throw new RangeError(`Cannot ${action} ${quoted(key)}: ttlMs must be > 0, it is ${ttlMs}`);
    if (entry.generations.length > 0) throw noGroups(key);
    if (entry.kind === "value") return this.#prepareText(key, entry, ttlMs);
    const local = new LocalEntry(entry, momentOf(this.#clock), ttlMs);
    return async (over) => {
      if (over !== undefined && !(over instanceof LocalEntry)) await this.#cache.delete(key);
      this.#local.delete(key);
      this.#local.set(key, local);
      dropOldest(this.#local, MAX_LOCAL_ENTRIES);
      return local;
    };
  }

  #prepareText(key: string, entry: ValueEntry, ttlMs: number): Write {
    const id = this.#idPrefix + (this.#count++).toString(36);
    const text = writeText(id, entry, this.#clock.now() + ttlMs, this.#codec);
    return async () => {
      try {
        await this.#cache.set(key, text, ttlMs === Infinity ? undefined : Math.ceil(ttlMs));
      } catch (error) {
        this.#uncertain.add(id);
        dropOldest(this.#uncertain, MAX_UNCERTAIN);
        throw error;
      }
      this.#local.delete(key);
      return new TextToken(text);
    };
  }

  /** Is what a write or delete is to be over still there? Asked when it is its turn. */
  async #isThere(key: string, over: Over): Promise<boolean> {
    if (over === "anything") return true;
    // rule 1: over the lease, or the text, that was seen
    if (over instanceof LocalEntry) return this.#localAt(key) === over;
    // What is no token of this store's, a lost one included, is no proof.
    if (!(over instanceof TextToken) || this.#localAt(key) !== undefined) return false;
    return this.#read(await this.#cache.get(key))?.text === over.text;
  }

  #localAt(key: string): LocalEntry | undefined {
    const local = this.#local.get(key);
    if (local === undefined) return undefined;
    const ms = elapsedMs(this.#clock, local.since);
    // Less than 0: a clock without `monotonic()` was set back, and nothing else says how long ago it was written.
    if (ms >= 0 && ms < local.ttlMs) return local;
    this.#local.delete(key);
    return undefined;
  }

  #read(value: unknown): StoredText | undefined {
    const stored = typeof value === "string" ? readText(value, this.#codec) : undefined;
    const isValid = stored !== undefined && !this.#uncertain.has(stored.id) && this.#clock.now() < stored.end;
    return isValid ? stored : undefined;
  }

  /** Runs it once all earlier changes of this key have ended. */
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

/** Drops what was put in first, of a Map by its key, where there is more than `max`. */
function dropOldest(entries: Map<string, unknown> | Set<string>, max: number): void {
  if (entries.size > max) { for (const oldest of entries.keys()) return void entries.delete(oldest); }
}

const noGroups = (key: string): TypeError =>
  new TypeError(`Cannot keep ${quoted(key)}: a plain cache has no counters, so there are no groups`);
