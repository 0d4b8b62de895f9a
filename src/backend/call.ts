import type { Moment } from "../util/clock.ts";
import type { Keys } from "../key/key.ts";
import { assertOptions } from "../util/checks.ts";
import type { LeaseEntry, Owned } from "../store/store.ts";
import type { FetchOptions, ReadOptions } from "./backend.ts";
import { CallerTimeout } from "./caller_timeout.ts";
import type { Result, Waiter } from "./computations.ts";
import type { Counter, Counters } from "./counters.ts";
import { checkedOptions } from "./entry_options.ts";
import type { Outcome, Why } from "./events.ts";
import type { Label } from "./guarded_store.ts";
import type { Settings } from "./options.ts";

/** Whose entry a call takes for its own, and by which counters it is judged. */
export class Target {
  readonly about: Label;
  /** Only where the store's key is a truncation of it. */
  readonly fullKey: string | undefined;
  /** A short hash of the text of the function that computes. */
  readonly source: string | undefined;
  /** Is what another source has kept outdated? */
  readonly strictSource: boolean;
  /** Its groups' counters, in the order of its distinct, sorted groups. */
  readonly counters: readonly Counter[];

  /** Throws a TypeError for a wrong key, group, or options that are none. */
  constructor(key: string, options: ReadOptions, keys: Keys, counters: Counters) {
    assertOptions(options);
    const entry = keys.entry(key);
    this.about = { name: options.name, key: entry.key };
    this.fullKey = entry.fullKey;
    this.source = options.source;
    this.strictSource = options.strictSource ?? false;
    this.counters = counters.of(options.group);
  }
}

/** What an entry of this target says besides what it is. `generations`: read before its value is computed. */
export const ownedBy = ({ fullKey, source }: Target, generations: readonly bigint[]): Owned => ({
  fullKey,
  source,
  generations,
});

/** One call of `fetch`. */
export class Call extends Target {
  readonly compute: (signal: AbortSignal) => unknown;
  // deno-lint-ignore no-explicit-any
  readonly options: FetchOptions<any>;
  readonly mintDelayMs: number;
  /** false: a fixed ttl of 0 or less. Nothing is read or kept: the function is called each time. */
  readonly isCacheable: boolean;
  /** Why the store is not asked: the backend is switched off, or closed. Absent: it is asked. */
  readonly bypass: Why | undefined;
  /** Absent: its caller waits until there is an answer. */
  readonly timeout: CallerTimeout | undefined;
  /** When it began to wait for others. */
  waitsSince: Moment | undefined = undefined;
  /** The slot of its last snapshot: those who share it may share a computation. */
  slot: object | undefined = undefined;
  /** The lease that it has waited for, if nobody has renewed that. */
  unrenewed: LeaseEntry | undefined = undefined;
  outcome: Outcome = "miss";
  /** Why it was not given a fresh value. */
  why: Why | undefined = undefined;

  /** Throws a TypeError or RangeError for options that can never be right. Its timeout begins now. */
  constructor(
    key: string,
    compute: (signal: AbortSignal) => unknown,
    // deno-lint-ignore no-explicit-any
    options: FetchOptions<any>,
    { settings, keys, counters }: { readonly settings: Settings; readonly keys: Keys; readonly counters: Counters },
    bypass: Why | undefined,
  ) {
    if (typeof compute !== "function") throw new TypeError("Cannot fetch: `compute` must be a function");
    super(key, options, keys, counters);
    const { timeoutMs, mintDelayMs, isCacheable } = checkedOptions(options, settings.defaults);
    this.compute = compute;
    this.options = options;
    this.mintDelayMs = mintDelayMs;
    this.isCacheable = isCacheable;
    this.bypass = bypass;
    this.timeout = timeoutMs === Infinity && options.signal === undefined
      ? undefined
      : new CallerTimeout(settings.clock, this.about.key, timeoutMs, options.signal);
  }

  /** Settles as the promise does, or rejects as soon as the caller leaves. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return this.timeout === undefined ? promise : this.timeout.wait(promise);
  }

  /** Waits for a computation, and leaves it when the caller does. `result`: what there is to wait for, if more than that. */
  async result<R>(waiter: Waiter, result: Promise<Result | R> = waiter.result): Promise<Result | R> {
    if (this.timeout === undefined) return await result;
    try {
      return await this.timeout.wait(result);
    } catch (reason) {
      waiter.leave(this.timeout.why);
      throw reason;
    }
  }
}
