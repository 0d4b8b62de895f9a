import type { Moment } from "../util/clock.ts";
import { CacheError } from "../errors.ts";
import type { Keys } from "../key/key.ts";
import { assertOptions } from "../util/checks.ts";
import type { Label } from "./guarded_store.ts";
import type { Found, LeaseEntry, Owned, UncacheableEntry, ValueEntry } from "../store/store.ts";
import type { FetchOptions, ReadOptions } from "./backend.ts";
import type { Counter, Counters } from "./counters.ts";
import type { Outcome, Why } from "./events.ts";
import type { End, Seat } from "./computation.ts";
import type { Settings } from "./options.ts";
import { Patience } from "./caller_timeout.ts";
import { checkTerms } from "./entry_options.ts";
import type { Asker } from "./freshness.ts";

/** Whose entry it is, and by which counters it is judged. */
export interface Target extends Asker {
  readonly about: Label;
  /** Its groups' counters, in the order of its distinct, sorted groups. */
  readonly counters: readonly Counter[];
}

/** Throws a TypeError for a wrong key, group, or options that are none. */
export function targetOf(key: string, options: ReadOptions, keys: Keys, counters: Counters): Target {
  assertOptions(options);
  const entry = keys.entry(key);
  const about = { name: options.name, key: entry.key };
  const { source, strictSource = false } = options;
  return { about, fullKey: entry.fullKey, source, strictSource, counters: counters.of(options.group) };
}

/** One call of `fetch`. */
export interface Call extends Target {
  readonly compute: (signal: AbortSignal) => unknown;
  // deno-lint-ignore no-explicit-any
  readonly options: FetchOptions<any>;
  readonly patience: Patience | undefined;
  readonly mintDelayMs: number;
  /** false: a fixed ttl of 0 or less. No look, no lease: the function is called each time. */
  readonly kept: boolean;
  /** The store is not asked, and why: it is switched off, or closed. */
  readonly away: Why | undefined;
  /** When it began to wait for others. */
  waitsSince: Moment | undefined;
  /** The lease that it has waited for, if nobody has renewed that. */
  unrenewed: LeaseEntry | undefined;
  outcome: Outcome;
  /** Why it was not given a fresh value, as far as anybody hears it. */
  why: Why | undefined;
}

/** Throws a TypeError or RangeError for options that can never be right. Its patience begins now. */
export function callOf<T>(
  { about, fullKey, source, strictSource, counters }: Target,
  compute: Call["compute"],
  options: FetchOptions<T>,
  { defaults, clock }: Settings,
  away: Why | undefined,
): Call {
  const { timeoutMs, mintDelayMs, kept } = checkTerms(options, defaults);
  const patience = timeoutMs === Infinity && options.signal === undefined
    ? undefined
    : new Patience(clock, about.key, timeoutMs, options.signal);
  // Written out: a spread costs more than all of the rest.
  return {
    about,
    fullKey,
    source,
    strictSource,
    counters,
    compute,
    options,
    patience,
    kept,
    mintDelayMs,
    away,
    waitsSince: undefined,
    unrenewed: undefined,
    outcome: "miss",
    why: undefined,
  };
}

/** May others be given what its function returned? Not where what it read has changed since its key was cut. */
export const isShared = (call: Call): boolean => call.options.inputs === undefined || call.options.inputs.areCurrent();

/** As the promise settles, unless the caller leaves first. */
export function wait<T>(call: Call, promise: Promise<T>): Promise<T> {
  return call.patience === undefined ? promise : call.patience.wait(promise);
}

/** Waits on a seat, and leaves it when the caller does. */
export async function seated<T>(call: Call, seat: Seat, end: Promise<T>): Promise<T> {
  if (call.patience === undefined) return await end;
  try {
    return await call.patience.wait(end);
  } catch (reason) {
    seat.leave(call.patience.why);
    throw reason;
  }
}

/** What the caller is given of a computation. */
export function landed(call: Call, end: End, outcome: Outcome): unknown {
  if (end.kind === "error") throw end.error;
  if (end.kind === "dissolved") throw new CacheError(`Cannot answer ${call.about.key}: its computation was given up`);
  call.outcome = outcome;
  return end.value;
}

/** Does the call's own look still show the lease that it has waited for, and nobody has renewed? */
export const isUnrenewed = ({ unrenewed }: Call, { nonce, beat }: LeaseEntry): boolean =>
  unrenewed !== undefined && unrenewed.nonce === nonce && unrenewed.beat === beat;

/** The value of an entry that was judged fresh or stale. */
export const valueIn = (found: Found): unknown => (found.entry as ValueEntry).value;

/** The mark that says: the last result could not be kept. */
export const mark = ({ fullKey, source, generations }: Owned): UncacheableEntry => ({
  kind: "uncacheable",
  fullKey,
  source,
  generations,
});

/** How long the mark stands. */
export const MARK_MS = 60_000;
