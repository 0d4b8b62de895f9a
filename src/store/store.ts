/**
 * The port a GroupBackend keeps entries through, and what an entry is.
 */

/** What every entry says of its call. An entry whose full key or generations are others than a call's is outdated to it. */
export interface Owned {
  /** The full key, above 1 KB its sha-256 in hex. Absent where the store's key is not a truncation of it. */
  readonly fullKey?: string | undefined;
  /** A short hash of the function's source. Absent where the function was given its name: a derived one may be another's. */
  readonly source?: string | undefined;
  /** Each group's generation, read BEFORE the computation began, in the order of the call's distinct, sorted groups. */
  readonly generations: readonly bigint[];
}

/** A result. Epoch ms until which it is fresh, and until which it may be served stale: the writer decides both. */
export interface ValueEntry extends Owned {
  /** Says which entry it is. */
  readonly kind: "value";
  /**
   * The result. Of an entry that was found, a store may decode it when it is asked for, which may throw: an entry whose
   * value cannot be read counts as unreadable. Not to be spread.
   */
  readonly value: unknown;
  /** Epoch ms; Infinity: for ever. */
  readonly freshUntil: number;
  /** Epoch ms; Infinity: for ever. */
  readonly staleUntil: number;
}

/** A placeholder that says who computes. A refresh lock is a lease too, under a key of its own. */
export interface LeaseEntry extends Owned {
  /** Says which entry it is. */
  readonly kind: "lease";
  /** Who computes. */
  readonly nonce: string;
  /** How often its holder has renewed it. Absent: never. */
  readonly beat?: number | undefined;
}

/** The hit-for-miss marker: the last result could not be kept, so calls compute without a lease. */
export interface UncacheableEntry extends Owned {
  /** Says which entry it is. */
  readonly kind: "uncacheable";
}

/** What is no entry of this library. No store writes it, and to every call it is outdated. */
export interface UnreadableEntry {
  /** Says which entry it is. */
  readonly kind: "unreadable";
}

/** What is kept under a key. */
export type Entry = ValueEntry | LeaseEntry | UncacheableEntry;

/** An entry as a get saw it, with the proof that it is still the one. */
export interface Found {
  /** What is kept. */
  readonly entry: Entry | UnreadableEntry;
  /** That it is this one. */
  readonly token: Token;
}

/**
 * Fencing token: proof that an entry is still the one we saw. Whatever object the store likes; opaque to others, never
 * compared; dies with the connection that gave it.
 */
export type Token = object;

/** What a write may replace. No default, so that a lost token can never turn into a plain write. */
export type Over = Token | "anything";

/** What a `read` found, in the order of what it was asked for. */
export interface ReadAnswer {
  /** For each key the entry under it; `undefined` where there is none. */
  readonly entries: readonly (Found | undefined)[];
  /** For each counter its value. */
  readonly counters: readonly bigint[];
}

/**
 * The port a GroupBackend keeps entries through: six atomic single-key verbs. `undefined` or `false`: for certain not done
 * (another entry is there, or none, or the token's connection is gone). A rejection: outcome unknown, a write may still
 * land. A CacheValueError: this value can never be kept here, and what was under the key may be gone. `ttlMs` > 0,
 * Infinity allowed; a store may round it up, never down. `add` and `set` have taken the entry's bytes when they return
 * their promise: a value changed afterwards changes nothing kept. Writes take no signal, since their late answer matters.
 * A store whose server is dead fails at once. `get` and `counter` of a store in memory may return the answer itself, and
 * throw where another store's reject: a hit then waits for nothing.
 */
export interface Store extends AsyncDisposable {
  /** The entry under a key. */
  get(key: string, signal?: AbortSignal): Found | undefined | Promise<Found | undefined>;
  /** Keeps an entry only if nothing is there. */
  add(key: string, entry: Entry, ttlMs: number): Promise<Token | undefined>;
  /** Keeps an entry over the one that was seen, or over anything. */
  set(key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined>;
  /** Forgets the entry that was seen, or anything. false: certainly not done. Over "anything", absence is fine: true. */
  delete(key: string, over: Over): Promise<boolean>;
  /**
   * A counter's value. A missing one is created, atomically, at a random value, drawn anew for every attempt. Something
   * that is no counter is replaced by one.
   */
  counter(name: string, signal?: AbortSignal): bigint | Promise<bigint>;
  /** Resolves once no reader can be given the old value: incremented, absent, or deleted because it was no counter. */
  increment(name: string): Promise<void>;
  /**
   * A copy as a later get would give it, for callers who share a read or a computation. Pure, synchronous. Throws
   * CacheValueError for what can never be kept here. Absent (as with `copy: false`): values are handed out as they are.
   */
  copy?(value: unknown): unknown;
  /**
   * `get` of each key and `counter` of each name that a backend reads in one tick, for a store that answers them all by one
   * command. All or nothing: where it rejects, none of them is known. Absent: `get` and `counter` are called for each.
   */
  read?(keys: readonly string[], counters: readonly string[]): Promise<ReadAnswer>;
  /**
   * For how many ms a request for this key could have been sent: 0 while it waits for its connection.
   * Pure, synchronous, called only for requests that are late. The wait for a connection does not count against
   * `storeTimeout`, so the store bounds it itself. Absent: every request is sent at once.
   */
  sendableMs?(key: string): number;
  /**
   * How full the connection is that a request for this key goes out on, or, without a key, the fullest one: from 0 to 1,
   * where requests are refused. What was asked in this very tick counts. Pure, synchronous. From 0.9 on a backend lets its
   * reads and requests for leases wait. Absent: no request is refused.
   */
  load?(key?: string): number;
  /** The name of the server that requests for this key go to: those held back wait only behind others of its. Absent: behind all. */
  lane?(key: string): string;
  /** true: every verb is answered within the tick (nothing leaves the process), so callers need no timer to bound it. */
  readonly immediate?: boolean | undefined;
  /** Resolves once every server is connected, for start-up and health checks. Absent: nothing has to be connected. */
  ready?(signal?: AbortSignal): Promise<void>;
  /**
   * true: every verb settles within a time of the store's own, as MemcachedStore's by its client's `timeout`. Absent:
   * nobody knows, so verbs that neither read for a call nor take a lease are given `storeTimeout`, and a second at least.
   */
  readonly bounded?: boolean | undefined;
  /** Idempotent. */
  close(): Promise<void>;
}
