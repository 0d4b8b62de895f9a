import type { Moment } from "../util/clock.ts";
import { assertOptions } from "../util/checks.ts";
import type { LeaseEntry, Owned } from "../store/store.ts";
import type { FetchOptions, ReadOptions } from "./backend.ts";
import { CallerTimeout } from "./caller_timeout.ts";
import type { Result, SharedSlot, Waiter } from "./computations.ts";
import type { Counter } from "./counters.ts";
import { checkedOptions } from "./entry_options.ts";
import type { Outcome, Why } from "./events.ts";
import type { Parts } from "./group_backend.ts";
import type { Label } from "./guarded_store.ts";
import type { PendingTicket } from "./ticket.ts";

/** Which entry a call reads, and what that entry must say to be the call's own. */
export interface Target {
  readonly label: Label;
  /** Only where the store's key is a truncation of it. */
  readonly fullKey: string | undefined;
  /** A short hash of the text of the function that computes. */
  readonly source: string | undefined;
  /** true: an entry that a function of another source has kept is outdated. */
  readonly strictSource: boolean;
  /** Its groups' counters, in the order of its distinct, sorted groups. */
  readonly counters: readonly Counter[];
}

/** Throws a TypeError for a wrong key, group, or options that are none. */
export function targetOf(
  key: string,
  options: ReadOptions,
  { keys, counters }: Pick<Parts, "keys" | "counters">,
): Target {
  assertOptions(options);
  const entry = keys.entry(key);
  return {
    label: { name: options.name, key: entry.key },
    fullKey: entry.fullKey,
    source: options.source,
    strictSource: options.strictSource ?? false,
    counters: counters.of(options.group),
  };
}

/** What every entry of this target says, whatever its kind. `generations`: read before its value is computed. */
export const ownedBy = ({ fullKey, source }: Target, generations: readonly bigint[]): Owned => ({
  fullKey,
  source,
  generations,
});

/** One call of `fetch`. */
export interface Call extends Target {
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
  /** Takes the place of its function: the call is one of `begin`. */
  readonly ticket: PendingTicket | undefined;
  /** For how many leases it has waited. */
  waits: number;
  /** When it began to wait for others. */
  waitsSince: Moment | undefined;
  /** The slot of its last snapshot in the read batch; calls that share a slot may share a computation. */
  slot: SharedSlot | undefined;
  /** The lease that it has waited for, if nobody has renewed that. */
  unrenewed: LeaseEntry | undefined;
  outcome: Outcome;
  /** Why it was not given a fresh value. */
  why: Why | undefined;
}

/** Throws a TypeError or RangeError for options that can never be right. Its timeout begins now. */
export function callOf(
  key: string,
  compute: (signal: AbortSignal) => unknown,
  // deno-lint-ignore no-explicit-any
  options: FetchOptions<any>,
  parts: Pick<Parts, "keys" | "counters" | "settings">,
  bypass: Why | undefined,
  ticket?: PendingTicket,
): Call {
  if (typeof compute !== "function") throw new TypeError("Cannot fetch: `compute` must be a function");
  const { label, fullKey, source, strictSource, counters } = targetOf(key, options, parts);
  const { clock, defaults } = parts.settings;
  const { timeoutMs, mintDelayMs, isCacheable } = checkedOptions(options, defaults);
  // Written out: as a class that extends another one, or with a spread, a hit in memory takes a twentieth longer.
  return {
    label,
    fullKey,
    source,
    strictSource,
    counters,
    compute,
    options,
    mintDelayMs,
    isCacheable,
    bypass,
    timeout: timeoutMs === Infinity && options.signal === undefined
      ? undefined
      : new CallerTimeout(clock, label.key, timeoutMs, options.signal),
    ticket,
    waits: 0,
    waitsSince: undefined,
    slot: undefined,
    unrenewed: undefined,
    outcome: "miss",
    why: undefined,
  };
}

/** How long a call waits for others, in all. */
export const longestWaitMs = ({ mintDelayMs, ticket }: Call): number =>
  ticket?.waitMs === undefined ? mintDelayMs : Math.min(mintDelayMs, ticket.waitMs);

/** Settles as the promise does, or rejects as soon as the caller leaves. */
export function wait<T>({ timeout }: Call, promise: Promise<T>): Promise<T> {
  return timeout === undefined ? promise : timeout.wait(promise);
}

/**
 * Waits for a computation, and leaves it when the caller leaves. `result`: what to await instead of the waiter's own
 * promise, as that promise with a timeout.
 */
export async function resultFor<R = never>(
  { timeout }: Call,
  waiter: Waiter,
  result: Promise<Result | R> = waiter.result,
): Promise<Result | R> {
  if (timeout === undefined) return await result;
  try {
    return await timeout.wait(result);
  } catch (reason) {
    waiter.leave(timeout.why);
    throw reason;
  }
}
