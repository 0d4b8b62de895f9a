import type { Duration } from "../util/duration.ts";

/** One group, or several; order and repetition do not matter. */
export type Groups = string | readonly string[];

/** How one entry is kept. */
export interface EntryOptions<T = unknown> {
  /** How long it is fresh; a function sees the value. 0 or less: not kept. Default: the backend's. */
  ttl?: Duration | ((value: T) => Duration) | undefined;
  /** How long past `ttl` it may still be served. Default: the backend's. 0: never. */
  stale?: Duration | undefined;
  /** Name the same groups in every verb: an entry kept under others is not found. Order and repetition do not matter. */
  group?: Groups | undefined;
  /**
   * A short hash of the text of the function that computes, where its name is a guess. It is kept with the value. What
   * another source has kept is served, with one warning a name. Default: nothing is kept or compared.
   */
  source?: string | undefined;
  /** The function's, for events and warnings. */
  name?: string | undefined;
  /** true: what is kept by another source, or by an unknown one, is outdated. */
  strictSource?: boolean | undefined;
}

/**
 * What a computation reads, for a caller whose objects may change while it waits: `cached` gives it, so that a result is
 * kept only under the key that it was computed from.
 */
export interface Inputs {
  /** Called within `fetch` if the value is at hand there: `compute` will not run, so nothing has to be copied. */
  unread(): void;
  /** Called when `compute` has ended. false: its result is given to this caller alone, and not kept. */
  areCurrent(): boolean;
}

/** How one value is fetched: kept, or computed and kept. */
export interface FetchOptions<T = unknown> extends EntryOptions<T> {
  /** Keep this result? Default: everything but `undefined` and `null`. */
  when?: ((value: T) => boolean) | undefined;
  /** How long this call waits, whoever computes: then CacheTimeoutError, while the computation goes on and is kept. Default: no bound. */
  timeout?: Duration | undefined;
  /** Upper bound on how long this value takes to compute. Default: the backend's. */
  mintDelay?: Duration | undefined;
  /** Compute even if a value is kept. */
  force?: boolean | undefined;
  /** This caller leaves: it rejects with the signal's reason, the others go on. */
  signal?: AbortSignal | undefined;
  /** What `compute` reads, where that may change while the call waits. A backend that does not know it loses nothing but speed. */
  inputs?: Inputs | undefined;
}

/** How a value is looked for that the caller computes itself, if it is not there. */
export interface BeginOptions extends Omit<FetchOptions, "ttl" | "when" | "force" | "inputs"> {
  /** How long it is fresh, unless `keep` says otherwise. 0 or less: nothing is looked for, and nothing kept. Default: the backend's. */
  ttl?: Duration | undefined;
  /** Bounds the wait of this call for a ticket or a value: then CacheTimeoutError. Default: wait. */
  timeout?: Duration | undefined;
  /** The longest a ticket is held: then it drops itself. Default: the backend's. */
  mintDelay?: Duration | undefined;
  /** Ends the wait with its reason; afterwards it gives the ticket back, if nobody else waits for it. */
  signal?: AbortSignal | undefined;
  /**
   * How long it waits for another's computation of this value: then it gets a ticket that has no right to keep. 0: not at
   * all. Default: `mintDelay`.
   */
  wait?: Duration | undefined;
}

/** How a value is kept by a ticket, where that is known only now. */
export interface KeepOptions {
  /** 0 or less: not kept; calls of the next minute then do not wait for each other. Default: that of `begin`. */
  ttl?: Duration | undefined;
  /** Default: that of `begin`. */
  stale?: Duration | undefined;
}

/** `begin` has found a value. There is nothing to drop: it can be held as a ticket is, by `await using`. */
export interface Kept<T> extends AsyncDisposable {
  /** A value was found. */
  readonly hit: true;
  /** This caller's own, as of `fetch`. */
  readonly value: T;
  /** hit: fresh. stale: within its window, and somebody else refreshes it. wait: another has just computed it. */
  readonly outcome: "hit" | "stale" | "wait";
}

/**
 * `begin` has found nothing that it may give: the caller computes, and whoever else wants the value waits for it. What is
 * kept by a ticket must have been read after `begin` gave it, so find a ticket by what you do with it, never by its key.
 */
export interface Ticket<T> extends AsyncDisposable {
  /** No value was found. */
  readonly hit: false;
  /** The old value, where this ticket is to refresh a stale one: answer with it, and keep the new one afterwards. */
  readonly stale: { readonly value: T } | undefined;
  /**
   * Fires when nobody waits for the value any more (the option `signal` has fired, and nobody has joined), when the ticket
   * was held for `mintDelay`, and when the backend closes.
   */
  readonly signal: AbortSignal;
  /**
   * Keeps the value, `null` and `undefined` included, as it is now, and gives it to those who wait. Tells whether it was
   * kept: not by a ticket that has ended, nor after an invalidation of its key, nor without a store; after one of its groups
   * it may be, and is served to nobody. Rejects for wrong arguments alone.
   */
  keep(value: T, options?: KeepOptions): Promise<boolean>;
  /** Gives the right back. Those who wait for the value get the error, if there is one; else they look again. */
  drop(error?: unknown): Promise<void>;
  /** Drops it, unless it has ended. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What `begin` gives: look at `hit`. */
export type Begun<T> = Kept<T> | Ticket<T>;

/** What an entry must have besides its key to be found, and the function's name for events and warnings. */
export type ReadOptions = Pick<FetchOptions, "group" | "source" | "strictSource" | "name">;

/** The function's name, for the event of an invalidation. */
export type DeleteOptions = Pick<EntryOptions, "name">;

/** How long one waits for a backend to be ready: until the signal fires. */
export interface ReadyOptions {
  /** Rejects the wait with its reason. */
  signal?: AbortSignal | undefined;
}

/** The port: what `cached` talks to. Any object with this shape works. */
export interface Backend extends AsyncDisposable {
  /** false: `group` is refused in every verb, so `cached` can say so when a function is wrapped. Absent: groups work. */
  readonly groups?: false | undefined;
  /** true: a function that is wrapped later under a name takes it over from the older one. Absent: that is a TypeError. */
  readonly redefine?: boolean | undefined;
  /**
   * The value kept under `key`, or else what `compute` returns, kept. The signal given to `compute` fires when every
   * caller that waited for it has aborted.
   */
  fetch<T>(key: string, compute: (signal: AbortSignal) => T | Promise<T>, options?: FetchOptions<T>): Promise<T>;
  /**
   * The value kept under `key`, or else a ticket: the right to keep what the caller computes. Absent: this backend gives
   * no tickets.
   */
  begin?<T>(key: string, options?: BeginOptions): Promise<Begun<T>>;
  /** The value kept under `key`, fresh or stale; else `undefined`. */
  get<T>(key: string, options?: ReadOptions): Promise<T | undefined>;
  /** Many at once: one round trip per server (more than 5,000 keys go in rounds). Absent keys are not in the map. */
  getMany<T>(keys: readonly string[], options?: ReadOptions): Promise<Map<string, T>>;
  /** Keeps a value. Rejects when it is unknown whether it was kept, and with CacheValueError if it never can be. */
  set<T>(key: string, value: T, options?: EntryOptions<T>): Promise<void>;
  /** Keeps it only where `get` would find nothing. Tells whether it was kept. */
  add<T>(key: string, value: T, options?: EntryOptions<T>): Promise<boolean>;
  /** Forgets what is kept under `key`, in every process, when it resolves. Rejects if the store did not confirm. */
  delete(key: string, options?: DeleteOptions): Promise<void>;
  /** Everything kept under these groups is gone, in every process, when this resolves: O(1), however many entries. */
  invalidateGroup(...groups: string[]): Promise<void>;
  /** The key as kept in the store. */
  key(key: string): string;
  /** Resolves once its store is connected; rejects with what is wrong. Absent: nothing has to be waited for. */
  ready?(options?: ReadyOptions): Promise<void>;
  /** Closes its store. Idempotent; afterwards `fetch` computes and keeps nothing, and what would promise something rejects. */
  close(): Promise<void>;
}
