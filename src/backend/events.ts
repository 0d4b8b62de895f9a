import { type Clock, ticks } from "../clock.ts";
import { Listeners } from "../listeners.ts";
import type { StoreFailure } from "../store/guarded.ts";

/**
 * What became of a call. hit: fresh. stale: within its window. miss: this call computed (a store that was down
 * included). wait: took another's computation. error: the caller got an error.
 */
export type Outcome = "hit" | "stale" | "miss" | "wait" | "error";

/** What a GroupBackend tells. `key` is the key as kept in the store, as `key()` gives it; `name` the function's, if there is one. */
export interface BackendEvents {
  /** A call of `fetch`, and so of a cached function, was answered. */
  call: { name?: string; key: string; outcome: Outcome; ms: number };
  /** A background refresh ended. */
  refresh: { name?: string; key: string; ms: number; error?: unknown };
  /** An invalidation was confirmed. */
  invalidate: { key?: string; groups?: readonly string[] };
  /**
   * The store failed, timed out, or a value could not be kept; the caller still got an answer. Of a server that does not
   * answer, the first failure is told, and the others are counted until `storeBack`.
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

  /** A reading to hand to `called` or `refreshed`; 0 when nobody would hear it. */
  begin(event: "call" | "refresh"): number {
    return this.heard(event) ? ticks(this.#clock) : 0;
  }

  called(outcome: Outcome, key: string, name: string | undefined, begun: number): void {
    this.stats[outcome]++;
    if (this.heard("call")) this.tell("call", { ...named(name), key, outcome, ms: this.#since(begun) });
  }

  refreshed(key: string, name: string | undefined, begun: number, failed?: { readonly error: unknown }): void {
    if (this.heard("refresh")) this.tell("refresh", { ...named(name), key, ms: this.#since(begun), ...failed });
  }

  /** Somebody may have begun to listen in between: then there is no beginning to count from. */
  #since(begun: number): number {
    return begun === 0 ? 0 : ticks(this.#clock) - begun;
  }
}

const named = (name: string | undefined): { name?: string } => name === undefined ? {} : { name };
