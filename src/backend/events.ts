import { type Clock, monotonicMs } from "../util/clock.ts";
import { Listeners } from "../util/listeners.ts";
import type { Call } from "./call.ts";
import type { Label, StoreFailure } from "./guarded_store.ts";

/**
 * What became of a call. hit: fresh. stale: within its window. miss: this call computed (a store that was down
 * included). wait: took another's computation. error: the caller got an error.
 */
export type Outcome = "hit" | "stale" | "miss" | "wait" | "error";

/**
 * Why a call was not given a fresh value.
 *
 *   absent        nothing was there: never kept, invalidated by its key, or dropped by the store
 *   expired       past its ttl (outcome stale) or its stale window
 *   group         `group` was invalidated since (or the store has lost that group's counter)
 *   other groups  kept under another number of groups: the function's groups have changed
 *   other source  kept by a function of another text, under a name that nobody gave
 *   other key     of two keys that are truncated alike the other one's
 *   unreadable    what is there is no entry, or one that this release or its codec cannot read
 *   uncacheable   its last result could not be kept, or its own ttl is 0
 *   busy          another call computed it for longer than this one waits (`mintDelay`), or lost its lease time and again
 *   store         the store did not answer
 *   forced        `refresh`, or the option `force`
 *   disabled      the backend is switched off (`enabled`)
 *   closed        the backend is closed
 */
export type Reason =
  | "absent"
  | "expired"
  | "group"
  | "other groups"
  | "other source"
  | "other key"
  | "unreadable"
  | "uncacheable"
  | "busy"
  | "store"
  | "forced"
  | "disabled"
  | "closed";

/** A reason, and of "group" which one: of several the first, as they are sorted. */
export interface Why {
  readonly reason: Reason;
  readonly group?: string;
}

/** The events of a GroupBackend. `key` is the key as kept in the store, as `key()` gives it; `name` the function's, if there is one. */
export interface BackendEvents {
  /**
   * A call of `fetch`, and so of a cached function, was answered. `reason`: why it was not given a fresh value. A hit
   * has none, nor has a call that found another one computing; one that joined a computation has its own. `group`: the
   * one that was invalidated. `groups`: all of its groups, sorted, if it has any.
   */
  call: {
    name?: string;
    key: string;
    groups?: readonly string[];
    outcome: Outcome;
    reason?: Reason;
    group?: string;
    ms: number;
  };
  /** A background refresh ended. */
  refresh: { name?: string; key: string; ms: number; error?: unknown };
  /**
   * An invalidation was confirmed, or failed with `error`: then old values may live on. `name`: the function's. Of
   * groups of which some failed there are two events.
   */
  invalidate: { name?: string; key?: string; groups?: readonly string[]; error?: unknown };
  /**
   * The store failed, timed out, or a value could not be kept; the caller still got an answer. Of a server that does not
   * answer only the first failure is an event; the others are counted until `storeBack`.
   */
  storeError: StoreFailure;
  /** A server, or the store, answers again. `failures`: so many operations failed since the first, in so many ms. */
  storeBack: { server?: string; failures: number; ms: number };
}

/** Listeners, diagnostics channels and counts of one backend. */
export class Events extends Listeners<BackendEvents> {
  readonly stats: Record<Outcome, number> = { hit: 0, stale: 0, miss: 0, wait: 0, error: 0 };
  readonly #clock: Clock;

  constructor(clock: Clock) {
    super({
      call: "cache-utils:call",
      refresh: "cache-utils:refresh",
      invalidate: "cache-utils:invalidate",
      storeError: "cache-utils:store-error",
      storeBack: "cache-utils:store-back",
    });
    this.#clock = clock;
  }

  /** A reading of the clock to hand to `called` or `refreshed`; 0 when nobody listens. */
  begin(event: "call" | "refresh"): number {
    return this.hasListeners(event) ? monotonicMs(this.#clock) : 0;
  }

  called({ label, counters, outcome, why }: Call, begun: number): void {
    this.stats[outcome]++;
    if (!this.hasListeners("call")) return;
    const groups = counters.length === 0 ? {} : { groups: counters.map(({ group }) => group) };
    this.emit("call", { ...labelled(label), ...groups, outcome, ...why, ms: this.#since(begun) });
  }

  refreshed(label: Label, begun: number, failed?: { readonly error: unknown }): void {
    if (this.hasListeners("refresh")) this.emit("refresh", { ...labelled(label), ms: this.#since(begun), ...failed });
  }

  /** `failed`: what it rejects with. */
  invalidated(what: Label | { readonly groups: readonly string[] }, failed?: { readonly error: unknown }): void {
    if (!this.hasListeners("invalidate")) return;
    this.emit("invalidate", { ...("groups" in what ? what : labelled(what)), ...failed });
  }

  /** 0 where a listener was added after the beginning, which was not read then. */
  #since(begun: number): number {
    return begun === 0 ? 0 : monotonicMs(this.#clock) - begun;
  }
}

const labelled = ({ name, key }: Label): { name?: string; key: string } => name === undefined ? { key } : { name, key };
