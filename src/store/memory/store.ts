// deno-lint-ignore-file require-await -- an async write rejects where another would throw, and costs no more.
import { type Clock, clockOf, ClockReader } from "../../util/clock.ts";
import { CacheError, CacheValueError } from "../../errors.ts";
import { assertKnown, quoted } from "../../util/checks.ts";
import { type Random, randomOf } from "../../util/random.ts";
import { assertCodec, type Codec, copyWith } from "../../codec/codec.ts";
import { copyOf } from "../../data/copy.ts";
import { Lru, LruNode } from "./lru.ts";
import type { Entry, Found, Over, Store, Token, UnreadableEntry, ValueEntry } from "../store.ts";
import { Layouts, weighText } from "./size.ts";
import { copyOfStored, storeCopy, type StoredValue, storeEncodedBy } from "./stored_value.ts";

/** Options of a MemoryStore. */
export interface MemoryStoreOptions {
  /** What all entries may cost, in bytes, keys and bookkeeping included. Infinity: no bound. Default 64 MiB. */
  maxBytes?: number | undefined;
  /** How many entries are kept. Default: no bound; with `copy: false` 10,000. */
  maxEntries?: number | undefined;
  /**
   * false: the very objects are kept and given out, so whoever changes a result changes what is kept, and any value
   * can be kept. Nothing is measured then: only `maxEntries` bounds, and `maxBytes` or `codec` beside it is a
   * TypeError. Default true.
   */
  copy?: boolean | undefined;
  /** How values become bytes. Default: they are kept as copies, which is faster; the same values as `defaultCodec()` takes. */
  codec?: Codec | undefined;
  /** Default: the runtime's. */
  clock?: Clock | undefined;
  /** Where counters start. Default: the runtime's. */
  random?: Random | undefined;
}

/** How full a MemoryStore is. */
export interface MemoryStoreStats {
  /** Values, leases and counters of groups, and what has expired and was neither read nor evicted since. */
  readonly entries: number;
  /** What they cost, as `maxBytes` counts it; with `copy: false` without their values. */
  readonly bytes: number;
  /** How many were dropped to stay within `maxBytes` and `maxEntries`, since the store was made. */
  readonly evictions: number;
}

const KNOWN: Readonly<Record<keyof MemoryStoreOptions, true>> = {
  maxBytes: true,
  maxEntries: true,
  copy: true,
  codec: true,
  clock: true,
  random: true,
};

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_ENTRIES_UNCOPIED = 10_000;
/** A node, its place in the map, its entry without key, generations and value: what V8's heap grows by. */
const ENTRY_BYTES = 396;
/** Up to a sixteenth of `maxBytes` may be layouts that entries use without being charged for them: see `Layouts`. */
const LAYOUTS_SHARE = 16;
const MAX_LAYOUTS_BYTES = 4 * 1024 * 1024;
/** A bigint, and its place in an array. */
const GENERATION_BYTES = 48;
/** Counters start below 2^63, so that 64-bit integers with a sign hold them, too. */
const START_MASK = (1n << 63n) - 1n;

/** Engines copy a text that is cut from another one if it is this short. */
const SHORT_TEXT = 13;
/** The two clocks are read one after the other, so so small a difference means nothing. */
const UNEVEN_MS = 10;

const NO_GENERATIONS: readonly bigint[] = Object.freeze([]);
const UNREADABLE: UnreadableEntry = Object.freeze({ kind: "unreadable" });

/** An entry or a counter under its key. It is its own token: whatever replaces it is another object. */
class StoredRecord extends LruNode {
  /** It counts as absent this long after it was written. */
  readonly ttlMs: number;
  /** Its ttl or the freshness of its value ends some time, so a read has to look at the clock. */
  readonly isTimed: boolean;
  /** The readings of the clock when it was written. */
  readonly wallMs: number;
  readonly monotonicMs: number;
  /** What every get answers; `undefined` where each one is given a copy of the value. */
  readonly found: Found | undefined;
  /** The entry, without its value where that is in `value`; `undefined` for a counter. */
  readonly entry: Entry | undefined;
  readonly value: StoredValue | undefined;
  readonly counter: bigint | undefined;

  constructor(
    key: string,
    bytes: number,
    ttlMs: number,
    wallMs: number,
    monotonicMs: number,
    entry: Entry | undefined,
    value: StoredValue | undefined,
    counter: bigint | undefined,
  ) {
    super(key, bytes);
    this.ttlMs = ttlMs;
    this.isTimed = ttlMs !== Infinity || entry?.kind === "value" && entry.freshUntil !== Infinity;
    this.wallMs = wallMs;
    this.monotonicMs = monotonicMs;
    this.entry = entry;
    this.value = value;
    this.counter = counter;
    this.found = value === undefined ? Object.freeze({ entry: entry ?? UNREADABLE, token: this }) : undefined;
  }
}

/**
 * Entries in this process: least recently used out first, expiry on read, bounded by bytes or by count. It starts no
 * timer and needs no permission. Every verb is done when it returns; `get` and `counter` return their answer itself, and
 * throw where others reject. A value larger than `maxBytes` is refused with CacheValueError, and what was kept, under its
 * key too, stays.
 *
 * @example
 * ```ts
 * import { MemoryStore } from "@x/cache-utils";
 *
 * const store = new MemoryStore({ maxBytes: 16_000_000 });
 * const entry = { kind: "value", value: "Oslo", freshUntil: Infinity, staleUntil: Infinity, generations: [] } as const;
 * await store.set("city:1", entry, 60_000, "anything");
 * console.log((await store.get("city:1"))?.entry);
 * ```
 */
export class MemoryStore implements Store {
  /** Every verb is answered within the tick. */
  readonly immediate = true as const;
  /** A copy as a later get would give it; absent with `copy: false`. */
  readonly copy?: (value: unknown) => unknown;
  readonly #records: Lru<StoredRecord>;
  readonly #maxBytes: number;
  readonly #clock: ClockReader;
  readonly #random: Random;
  /** Absent with `copy: false`. */
  readonly #storeValue: ((value: unknown) => StoredValue) | undefined;
  #closed = false;

  /** Throws a RangeError or TypeError that names a wrong option. */
  constructor(options: MemoryStoreOptions = {}) {
    assertKnown(options, KNOWN);
    const { codec, copy = true } = options;
    assertCodec(codec);
    if (!copy && (options.maxBytes !== undefined || codec !== undefined)) {
      const name = codec !== undefined ? "codec" : "maxBytes";
      throw new TypeError(`Cannot use \`${name}\` with \`copy: false\`: values are kept as they are, not as bytes`);
    }
    this.#maxBytes = bound(options.maxBytes, copy ? DEFAULT_MAX_BYTES : Infinity, "maxBytes");
    const maxEntries = bound(options.maxEntries, copy ? Infinity : DEFAULT_MAX_ENTRIES_UNCOPIED, "maxEntries");
    this.#records = new Lru(this.#maxBytes, maxEntries);
    this.#clock = new ClockReader(clockOf(options.clock));
    this.#random = randomOf(options.random);
    if (copy) {
      const layouts = new Layouts(Math.min(this.#maxBytes / LAYOUTS_SHARE, MAX_LAYOUTS_BYTES));
      this.#storeValue = codec === undefined ? (value) => storeCopy(value, layouts) : storeEncodedBy(codec);
      this.copy = codec === undefined ? copyOf : (value) => copyWith(codec, value);
    }
  }

  /** How full it is now, and how much it had to drop. */
  get stats(): MemoryStoreStats {
    const { size: entries, bytes, evictions } = this.#records;
    return { entries, bytes, evictions };
  }

  /** The entry under a key, with a copy of its value. A counter's key, or a value its codec cannot read: unreadable. */
  get(key: string, signal?: AbortSignal): Found | undefined | Promise<Found | undefined> {
    signal?.throwIfAborted();
    this.#assertOpen("get", key);
    const record = this.#live(this.#records.use(key));
    if (record === undefined) return undefined;
    const { found, value } = record, entry = record.entry as ValueEntry;
    const setBackMs = record.isTimed ? this.#setBackMs(record) : 0;
    if (found === undefined) {
      return { entry: withCopy(setBackMs === 0 ? entry : shiftedBack(entry, setBackMs), value!), token: record };
    }
    return setBackMs === 0 || entry.kind !== "value" ? found : { entry: shiftedBack(entry, setBackMs), token: record };
  }

  /** Keeps an entry only if nothing is there. Rejects with CacheValueError for a value that can never be kept. */
  async add(key: string, entry: Entry, ttlMs: number): Promise<Token | undefined> {
    return this.#write("add", key, entry, ttlMs, undefined);
  }

  /** Keeps an entry over the one that was seen, or over anything. Rejects with CacheValueError for a value that can never be kept. */
  async set(key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined> {
    return this.#write("set", key, entry, ttlMs, over);
  }

  /** Forgets the entry that was seen, or anything. Over "anything", absence is fine: true. */
  async delete(key: string, over: Over): Promise<boolean> {
    this.#assertOpen("delete", key);
    const record = this.#live(this.#records.peek(key));
    // rule 1: a delete in memory by the record that was seen
    if (over !== "anything" && record !== over) return false;
    if (record !== undefined) this.#records.delete(record);
    return true;
  }

  /** A counter's value. A missing one is created at a random value in [0, 2^63); what is no counter is replaced by one. */
  counter(name: string, signal?: AbortSignal): bigint | Promise<bigint> {
    signal?.throwIfAborted();
    this.#assertOpen("read the counter", name);
    const counter = this.#live(this.#records.use(name))?.counter;
    // rule 12: drawn anew, in memory
    return counter ?? this.#setCounter(ownText(name), this.#random.uint64() & START_MASK);
  }

  /** Adds 1 to a counter; what is no counter is deleted, and absence is fine. After 2^64 - 1 comes 0, as on memcached. */
  async increment(name: string): Promise<void> {
    this.#assertOpen("increment", name);
    const record = this.#live(this.#records.peek(name));
    if (record?.counter !== undefined) this.#setCounter(record.key, BigInt.asUintN(64, record.counter + 1n));
    else if (record !== undefined) this.#records.delete(record);
  }

  /** Forgets everything; from then on every verb rejects with a CacheError. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#records.clear();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #setCounter(name: string, value: bigint): bigint {
    const bytes = ENTRY_BYTES + weighText(name);
    this.#records.put(new StoredRecord(name, bytes, Infinity, 0, 0, undefined, undefined, value));
    return value;
  }

  /** The record, unless its ttl has ended: then it is forgotten. */
  #live(record: StoredRecord | undefined): StoredRecord | undefined {
    if (record === undefined || !record.isTimed) return record;
    const clock = this.#clock;
    clock.read();
    const wallMs = clock.wallMs - record.wallMs, monotonicMs = clock.monotonicMs - record.monotonicMs;
    // Less than 0: a clock without `monotonic()` was set back, and nothing else says how long ago it was written.
    if (wallMs < record.ttlMs && monotonicMs < record.ttlMs && monotonicMs >= 0) return record;
    this.#records.delete(record);
    return undefined;
  }

  /**
   * By how many ms the wall clock was set back since the record was written. The entry's times are of that clock, so they
   * have come so much earlier than they say.
   */
  #setBackMs(record: StoredRecord): number {
    const { wallMs, monotonicMs } = this.#clock;
    const setBackMs = monotonicMs - record.monotonicMs - (wallMs - record.wallMs);
    return setBackMs > UNEVEN_MS ? setBackMs : 0;
  }

  /** Writes over what was seen, over anything, or, `undefined`, where nothing is. Takes all of the entry at once. */
  #write(action: string, key: string, entry: Entry, ttlMs: number, over: Over | undefined): Token | undefined {
    this.#assertOpen(action, key);
    if (!(ttlMs > 0)) throw new RangeError(`Cannot ${action} ${quoted(key)}: ttlMs must be > 0, it is ${ttlMs}`);
    const value = entry.kind === "value" ? this.#storeValue?.(entry.value) : undefined;
    const bytes = ENTRY_BYTES + weighText(key) + weighOwned(entry) + (value?.bytes ?? 0);
    if (bytes > this.#maxBytes) {
      throw new CacheValueError(
        `Cannot ${action} ${quoted(key)}: it would take ${bytes} bytes, and the store's maxBytes is ${this.#maxBytes}`,
      );
    }
    // rule 1: a set in memory over the record that was seen
    if (over !== "anything" && this.#live(this.#records.peek(key)) !== over) return undefined;
    this.#clock.read();
    const { wallMs, monotonicMs } = this.#clock, own = ownEntry(entry, value === undefined);
    const record = new StoredRecord(ownText(key), bytes, ttlMs, wallMs, monotonicMs, own, value, undefined);
    this.#records.put(record);
    return record;
  }

  #assertOpen(action: string, key: string): void {
    if (this.#closed) throw new CacheError(`Cannot ${action} ${quoted(key)}: the store is closed`);
  }
}

/** A text of the store's own: one that was cut from a larger one would keep all of that in memory. */
const ownText = (text: string): string => text.length < SHORT_TEXT ? text : JSON.parse(JSON.stringify(text));

/** An entry of the store's own, which nobody can change. Not spread: Node 20 makes a hash table of a frozen copy. */
function ownEntry(entry: Entry, withValue: boolean): Entry {
  const fullKey = entry.fullKey && ownText(entry.fullKey), source = entry.source && ownText(entry.source);
  const generations = entry.generations.length === 0 ? NO_GENERATIONS : Object.freeze(entry.generations.slice());
  switch (entry.kind) {
    case "value": {
      const { kind, freshUntil, staleUntil } = entry;
      const value = withValue ? entry.value : undefined;
      return Object.freeze({ kind, value, freshUntil, staleUntil, fullKey, source, generations });
    }
    case "lease": {
      const { kind, beat } = entry;
      return Object.freeze({ kind, nonce: ownText(entry.nonce), beat, fullKey, source, generations });
    }
    case "uncacheable":
      return Object.freeze({ kind: entry.kind, fullKey, source, generations });
  }
}

function withCopy(entry: ValueEntry, stored: StoredValue): Entry | UnreadableEntry {
  const { fullKey, source, generations, freshUntil, staleUntil } = entry;
  try {
    return { kind: "value", value: copyOfStored(stored), freshUntil, staleUntil, fullKey, source, generations };
  } catch {
    return UNREADABLE;
  }
}

/** The entry with its times moved back as far as the wall clock was. */
const shiftedBack = (entry: ValueEntry, setBackMs: number): ValueEntry => ({
  ...entry,
  freshUntil: entry.freshUntil - setBackMs,
  staleUntil: entry.staleUntil - setBackMs,
});

function weighOwned(entry: Entry): number {
  let sum = GENERATION_BYTES * entry.generations.length;
  for (const text of [entry.fullKey, entry.source, entry.kind === "lease" ? entry.nonce : undefined]) {
    if (text !== undefined) sum += weighText(text);
  }
  return sum;
}

function bound(given: number | undefined, otherwise: number, name: string): number {
  if (given === undefined) return otherwise;
  if (typeof given !== "number") throw new TypeError(`Cannot use ${String(given)} as ${name}: it must be a number`);
  if (given === Infinity || (Number.isSafeInteger(given) && given > 0)) return given;
  throw new RangeError(`Cannot use ${given} as ${name}: it must be a whole number > 0, or Infinity`);
}
