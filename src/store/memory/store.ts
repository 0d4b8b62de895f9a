// deno-lint-ignore-file require-await -- an async verb rejects where another would throw, and costs no more.
import { type Clock, clockOf, ClockReader } from "../../util/clock.ts";
import { CacheError, CacheValueError } from "../../errors.ts";
import { assertKnown, quoted } from "../../util/checks.ts";
import { type Random, randomOf } from "../../util/random.ts";
import { assertCodec, type Codec, copyWith } from "../../codec/codec.ts";
import { copyOf } from "../../data/copy.ts";
import { type Held, hold, holdEncoded } from "./local_entry.ts";
import { Lru, LruNode } from "./lru.ts";
import type { Entry, Found, Over, Store, Token, UnreadableEntry, ValueEntry } from "../store.ts";
import { Layouts, weighText } from "./size.ts";

/** Bounds and habits of a MemoryStore. */
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

/** What a MemoryStore says of itself. */
export interface MemoryStoreStats {
  /** Values, leases and counters of groups, and what has expired and was neither read nor evicted since. */
  readonly entries: number;
  /** What they cost, as `maxBytes` counts it; with `copy: false` without their values. */
  readonly bytes: number;
  /** How many were dropped since `maxBytes` or `maxEntries` was reached, since the store was made. */
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
/** Of `maxBytes`: layouts of objects that are known, and so may be in use by entries that did not pay for them. */
const LAYOUTS_SHARE = 16;
const MAX_LAYOUTS_BYTES = 4 * 1024 * 1024;
/** A bigint, and its place in an array. */
const GENERATION_BYTES = 48;
/** Counters start below 2^63, so that 64-bit integers with a sign hold them, too. */
const START_MASK = (1n << 63n) - 1n;

/** Engines copy what is cut out, if it is so short. */
const SHORT = 13;
/** So much two clocks may differ that go at the same pace, being read one after the other. */
const UNEVEN_MS = 10;

const NO_GENERATIONS: readonly bigint[] = Object.freeze([]);
const UNREADABLE: UnreadableEntry = Object.freeze({ kind: "unreadable" });

/** What is kept under a key. It is its own token: whatever replaces it is another object. */
class Kept extends LruNode {
  /** After so many ms it is as if it were not there. */
  readonly lifeMs: number;
  /** Does anything of it end? */
  readonly isTimed: boolean;
  /** When it was kept: epoch ms, and ticks. */
  readonly wall: number;
  readonly ticks: number;
  /** What a get gives, if that is the same every time. */
  readonly found: Found | undefined;
  /** An entry without its value, and the value, of which every get gives a copy. */
  readonly entry: Entry | undefined;
  readonly held: Held | undefined;
  readonly counter: bigint | undefined;

  constructor(
    key: string,
    bytes: number,
    lifeMs: number,
    wall: number,
    ticks: number,
    entry: Entry | undefined,
    held: Held | undefined,
    counter: bigint | undefined,
  ) {
    super(key, bytes);
    this.lifeMs = lifeMs;
    this.isTimed = lifeMs !== Infinity || entry?.kind === "value" && entry.freshUntil !== Infinity;
    this.wall = wall;
    this.ticks = ticks;
    this.entry = entry;
    this.held = held;
    this.counter = counter;
    this.found = held === undefined ? Object.freeze({ entry: entry ?? UNREADABLE, token: this }) : undefined;
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
  readonly #kept: Lru<Kept>;
  readonly #maxBytes: number;
  readonly #readings: ClockReader;
  readonly #random: Random;
  /** Absent with `copy: false`. */
  readonly #hold: ((value: unknown) => Held) | undefined;
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
    this.#kept = new Lru(this.#maxBytes, maxEntries);
    this.#readings = new ClockReader(clockOf(options.clock));
    this.#random = randomOf(options.random);
    if (copy) {
      const layouts = new Layouts(Math.min(this.#maxBytes / LAYOUTS_SHARE, MAX_LAYOUTS_BYTES));
      this.#hold = codec === undefined ? (value) => hold(value, layouts) : (value) => holdEncoded(value, codec);
      this.copy = codec === undefined ? copyOf : (value) => copyWith(codec, value);
    }
  }

  /** How full it is now, and how much it had to drop. */
  get stats(): MemoryStoreStats {
    const { size: entries, bytes, evictions } = this.#kept;
    return { entries, bytes, evictions };
  }

  /** The entry under a key, with a copy of its value. A counter's key, or a value its codec cannot read: unreadable. */
  get(key: string, signal?: AbortSignal): Found | undefined | Promise<Found | undefined> {
    signal?.throwIfAborted();
    this.#assertOpen("get", key);
    const kept = this.#live(key, "use");
    if (kept === undefined) return undefined;
    const { found, held } = kept, entry = kept.entry as ValueEntry;
    const behindMs = kept.isTimed ? this.#behindMs(kept) : 0;
    if (found === undefined) {
      return { entry: give(behindMs === 0 ? entry : earlier(entry, behindMs), held!), token: kept };
    }
    return behindMs === 0 || entry.kind !== "value" ? found : { entry: earlier(entry, behindMs), token: kept };
  }

  /** Keeps an entry only if nothing is there. Rejects with CacheValueError for a value that can never be kept. */
  async add(key: string, entry: Entry, ttlMs: number): Promise<Token | undefined> {
    this.#assertOpen("add", key);
    const kept = this.#keeping("add", key, entry, ttlMs);
    if (this.#live(key, "peek") !== undefined) return undefined;
    this.#kept.put(kept);
    return kept;
  }

  /** Keeps an entry over the one that was seen, or over anything. Rejects with CacheValueError for a value that can never be kept. */
  async set(key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined> {
    this.#assertOpen("set", key);
    const kept = this.#keeping("set", key, entry, ttlMs);
    if (over !== "anything" && this.#live(key, "peek") !== over) return undefined;
    this.#kept.put(kept);
    return kept;
  }

  /** Forgets the entry that was seen, or anything. Over "anything", absence is fine: true. */
  async delete(key: string, over: Over): Promise<boolean> {
    this.#assertOpen("delete", key);
    const kept = this.#live(key, "peek");
    if (over !== "anything" && kept !== over) return false;
    if (kept !== undefined) this.#kept.delete(kept);
    return true;
  }

  /** A counter's value. A missing one is created at a random value in [0, 2^63); what is no counter is replaced by one. */
  counter(name: string, signal?: AbortSignal): bigint | Promise<bigint> {
    signal?.throwIfAborted();
    this.#assertOpen("read the counter", name);
    const counter = this.#live(name, "use")?.counter;
    // rule 12: drawn anew, in memory
    return counter ?? this.#count(ownText(name), this.#random.uint64() & START_MASK);
  }

  /** Adds 1 to a counter; what is no counter is deleted, and absence is fine. After 2^64 - 1 comes 0, as on memcached. */
  async increment(name: string): Promise<void> {
    this.#assertOpen("increment", name);
    const kept = this.#live(name, "peek");
    if (kept?.counter !== undefined) this.#count(kept.key, BigInt.asUintN(64, kept.counter + 1n));
    else if (kept !== undefined) this.#kept.delete(kept);
  }

  /** Forgets everything; from then on every verb rejects with a CacheError. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#kept.clear();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #count(name: string, value: bigint): bigint {
    this.#kept.put(new Kept(name, ENTRY_BYTES + weighText(name), Infinity, 0, 0, undefined, undefined, value));
    return value;
  }

  /** What is there and has not ended. */
  #live(key: string, how: "use" | "peek"): Kept | undefined {
    const kept = how === "use" ? this.#kept.use(key) : this.#kept.peek(key);
    if (kept === undefined || !kept.isTimed) return kept;
    const readings = this.#readings;
    readings.read();
    const wallMs = readings.wallMs - kept.wall, ticksMs = readings.monotonicMs - kept.ticks;
    // From its future is what was kept before a clock was set back that has nothing else to say how long ago that was.
    if (wallMs < kept.lifeMs && ticksMs < kept.lifeMs && ticksMs >= 0) return kept;
    this.#kept.delete(kept);
    return undefined;
  }

  /** How much longer ago it was kept than the wall clock says, which its times are of, as that was set back. */
  #behindMs(kept: Kept): number {
    const { wallMs, monotonicMs } = this.#readings;
    const behindMs = monotonicMs - kept.ticks - (wallMs - kept.wall);
    return behindMs > UNEVEN_MS ? behindMs : 0;
  }

  /** Takes all that an entry consists of, now. */
  #keeping(action: string, key: string, entry: Entry, ttlMs: number): Kept {
    if (!(ttlMs > 0)) throw new RangeError(`Cannot ${action} ${quoted(key)}: ttlMs must be > 0, it is ${ttlMs}`);
    const held = entry.kind === "value" && this.#hold !== undefined ? this.#hold(entry.value) : undefined;
    const bytes = ENTRY_BYTES + weighText(key) + weighOwner(entry) + (held?.bytes ?? 0);
    if (bytes > this.#maxBytes) {
      throw new CacheValueError(
        `Cannot ${action} ${quoted(key)}: it would take ${bytes} bytes, and the store's maxBytes is ${this.#maxBytes}`,
      );
    }
    this.#readings.read();
    const { wallMs, monotonicMs } = this.#readings;
    return new Kept(ownText(key), bytes, ttlMs, wallMs, monotonicMs, own(entry, held === undefined), held, undefined);
  }

  #assertOpen(action: string, key: string): void {
    if (this.#closed) throw new CacheError(`Cannot ${action} ${quoted(key)}: the store is closed`);
  }
}

/** A text of the store's own: one that was cut from a larger one would keep all of that in memory. */
const ownText = (text: string): string => text.length < SHORT ? text : JSON.parse(JSON.stringify(text));

/** An entry of the store's own, which nobody can change. Not spread: Node 20 makes a hash table of a frozen copy. */
function own(entry: Entry, withValue: boolean): Entry {
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

function give(entry: ValueEntry, held: Held): Entry | UnreadableEntry {
  const { fullKey, source, generations, freshUntil, staleUntil } = entry;
  try {
    return { kind: "value", value: held.give(), freshUntil, staleUntil, fullKey, source, generations };
  } catch {
    return UNREADABLE;
  }
}

/** With times that the wall clock, which is so far behind, reaches when they have come. */
const earlier = (entry: ValueEntry, behindMs: number): ValueEntry => ({
  ...entry,
  freshUntil: entry.freshUntil - behindMs,
  staleUntil: entry.staleUntil - behindMs,
});

function weighOwner(entry: Entry): number {
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
