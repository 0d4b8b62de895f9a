/**
 * The call of a function, by what its snapshot shows: the entry of its key and its groups' counters, from one round trip.
 *
 *   a snapshot shows                                  the call
 *   ────────────────────────────────────────────────  ──────────────────────────────────────────────────────────────
 *   a fresh value                                     returns it
 *   a stale value                                     returns it; one refreshes it in the background
 *   a lease of this process, its computation open     joins that computation
 *   a lease of another process                        waits until it is gone, then reader again
 *   nothing, an outdated entry, an orphaned lease     takes the lease, computes, keeps over the lease's token
 *   the hit-for-miss marker                           computes uncoordinated, keeps over the marker's token if it can
 *   no whole answer; too many refusals or waits       computes uncoordinated, keeps nothing
 *
 * uncoordinated: without a lease, since there is none to be had; shared in this process by those who call before it
 * begins. unshared: for one caller alone, with whom nothing can be shared: it would wait for itself, its result cannot be
 * copied, its arguments have changed meanwhile, or its ttl is 0.
 */
import { elapsedMs, momentOf } from "../util/clock.ts";
import type { LeaseEntry } from "../store/store.ts";
import { CacheError } from "../errors.ts";
import type { FetchOptions } from "./backend.ts";
import { type Call, callOf, ownedBy, resultFor, wait } from "./call.ts";
import { TIMED_OUT, withTimeout } from "./caller_timeout.ts";
import type { Computation, Result } from "./computations.ts";
import { closesCircle } from "./context.ts";
import type { Counters } from "./counters.ts";
import type { Reason, Why } from "./events.ts";
import { type Freshness, isServable } from "./freshness.ts";
import type { GuardedStore } from "./guarded_store.ts";
import { Leased } from "./leased.ts";
import { Pollers } from "./poller.ts";
import type { Snapshot } from "./read_batch.ts";
import { BackgroundRefreshes, type RefreshParts } from "./refresh.ts";
import { Uncoordinated } from "./uncoordinated.ts";

/** How often a call starts over for a refused lease, before it computes uncoordinated; for how many leases it waits. */
const MAX_REFUSALS = 8, MAX_WAITS = 3; // rule 10: so often, and no more

const because = (reason: Reason): Why => ({ reason });
const FORCED = because("forced");
const UNCACHEABLE = because("uncacheable"), BUSY = because("busy"), STORE = because("store");
/** Why the store is not asked. */
export const DISABLED: Why = because("disabled"), CLOSED: Why = because("closed");

/** A lease whose holder is gone. It stands where nothing was. */
const ORPHANED: Freshness = { is: "outdated", why: because("absent") };

/** The parts of a backend that calls work with. */
export interface FetchParts extends RefreshParts {
  readonly counters: Counters;
  readonly store: GuardedStore;
}

/** The calls of one backend. */
export class Fetcher {
  readonly #parts: FetchParts;
  readonly #leased: Leased;
  readonly #uncoordinated: Uncoordinated;
  readonly #refreshes: BackgroundRefreshes;
  readonly #pollers: Pollers;

  constructor(parts: FetchParts) {
    const { computations, leases, store, writes, settings } = this.#parts = parts;
    const { clock, random, outageConcurrency, inBackground } = settings;
    this.#leased = new Leased(computations, leases, store, writes, inBackground);
    this.#uncoordinated = new Uncoordinated(computations, clock, outageConcurrency, inBackground);
    this.#refreshes = new BackgroundRefreshes(parts);
    this.#pollers = new Pollers(store, clock, random);
  }

  async fetch<T>(
    key: string,
    compute: (signal: AbortSignal) => T | Promise<T>,
    options: FetchOptions<T>,
    bypass: Why | undefined,
  ): Promise<T> {
    const { events, reader } = this.#parts;
    const begun = events.begin("call");
    const call = callOf(key, compute, options, this.#parts, bypass);
    try {
      options.signal?.throwIfAborted();
      if (!call.isCacheable || options.force === true || bypass !== undefined) {
        return await this.#answerUnread(call) as T;
      }
      // Most calls are hits, and a hit waits for one promise and no more. In memory it waits for none: such a snapshot is
      // shared with nobody, so no miss begins with it.
      // rule 5: every call reads before it joins
      let snapshot = reader.readAtOnce(call);
      let seen = snapshot === undefined ? undefined : this.#see(call, snapshot);
      if (seen?.is === "fresh") options.inputs?.unread();
      if (seen === undefined || !isServable(seen)) {
        snapshot = await wait(call, reader.read(call));
        seen = this.#see(call, snapshot);
      }
      return (isServable(seen) ? this.#serve(call, seen) : await this.#answer(call, snapshot!, seen)) as T;
    } catch (error) {
      call.outcome = "error";
      throw error;
    } finally {
      call.timeout?.end();
      events.called(call, begun);
    }
  }

  /** The table. */
  async #answer(call: Call, snapshot: Snapshot, seen: Freshness): Promise<unknown> {
    const { reader, writes } = this.#parts;
    for (let refusals = 0; refusals <= MAX_REFUSALS && call.waits <= MAX_WAITS;) {
      call.slot = snapshot.slot;
      call.why = seen.why;
      let result: Result | typeof TIMED_OUT;
      switch (seen.is) {
        case "fresh":
        case "stale":
          return this.#serve(call, seen);
        case "lease":
          if (++call.waits > MAX_WAITS) continue;
          result = await this.#waitFor(call, snapshot.found!.entry as LeaseEntry);
          break;
        case "nothing":
        case "outdated":
          result = await this.#computeLeased(call, snapshot);
          refusals++;
          break;
        case "uncacheable": {
          const marker = snapshot;
          return await this.#computeUncoordinated(call, UNCACHEABLE, (value) => writes.overMarker(call, value, marker));
        }
        case "unanswered":
          return await this.#computeUncoordinated(call, STORE);
      }
      if (result === TIMED_OUT) break;
      if (result.kind !== "retry") return valueOf(call, result);
      if (result.why === "unknown") return await this.#computeUncoordinated(call, STORE);
      if (refusals > MAX_REFUSALS) break;
      snapshot = await wait(call, reader.read(call));
      seen = this.#see(call, snapshot);
    }
    return await this.#computeUncoordinated(call, BUSY);
  }

  #serve(call: Call, seen: Freshness): unknown {
    call.why = seen.why;
    if (seen.is === "stale") {
      call.outcome = "stale";
      this.#refreshes.start(call);
    } else call.outcome = call.waits === 0 ? "hit" : "wait";
    return seen.value;
  }

  /** A call that looks at nothing: its ttl is 0, it is forced, or the store is not asked. */
  async #answerUnread(call: Call): Promise<unknown> {
    if (!call.isCacheable) return await this.#computeUnshared(call, UNCACHEABLE);
    if (call.options.force === true && call.bypass !== CLOSED) return await this.#refresh(call);
    return await this.#computeUncoordinated(call, call.bypass!);
  }

  /** Wakes those who wait for leases: the backend closes. */
  close(): void {
    this.#pollers.close();
  }

  #see(call: Call, snapshot: Snapshot): Freshness {
    const seen = this.#parts.classifier.see(call, snapshot);
    return seen.is === "lease" && this.#isOrphaned(call, snapshot.found!.entry as LeaseEntry) ? ORPHANED : seen;
  }

  /** Is the lease's holder gone? It is this process without an open computation, or nobody renews the lease. */
  #isOrphaned({ about, unrenewed }: Call, { nonce, beat }: LeaseEntry): boolean {
    if (this.#parts.computations.find(about.key, nonce) !== undefined) return false;
    // rule 9, rule 14: orphaned, or renewed by nobody
    return this.#parts.leases.isOwn(nonce) || unrenewed?.nonce === nonce && unrenewed.beat === beat;
  }

  /** Takes the lease and computes, or joins another call of the same slot that does. */
  async #computeLeased(call: Call, snapshot: Snapshot): Promise<Result | typeof TIMED_OUT> {
    const shared = this.#leased.shared(call);
    if (shared !== undefined) return await this.#join(call, shared);
    call.outcome = "miss";
    return await this.#leased.compute(call, snapshot);
  }

  /** Waits for the computation of a lease of this process, or until another process's lease is gone. */
  async #waitFor(call: Call, lease: LeaseEntry): Promise<Result | typeof TIMED_OUT> {
    const computation = this.#parts.computations.find(call.about.key, lease.nonce);
    if (computation !== undefined) return await this.#join(call, computation);
    const poll = this.#pollers.wait(call.about, lease);
    try {
      const woken = await wait(call, withTimeout(this.#parts.settings.clock, this.#leftMs(call), poll.woken));
      if (woken === TIMED_OUT) return TIMED_OUT;
      call.unrenewed = woken.unrenewed;
      return { kind: "retry", why: "over" };
    } finally {
      poll.leave();
    }
  }

  /** Waits for a computation of this process; TIMED_OUT when the call has waited long enough. */
  async #join(call: Call, computation: Computation): Promise<Result | typeof TIMED_OUT> {
    const { clock, storeTimeoutMs } = this.#parts.settings;
    if (closesCircle(computation)) return { kind: "value", value: await this.#computeCircle(call) };
    // One that is settled only waits for its last write, and no call waits longer for the store than it must.
    const leftMs = this.#leftMs(call);
    const ms = computation.isSettled ? Math.min(storeTimeoutMs, leftMs) : leftMs;
    call.outcome = "wait";
    const waiter = computation.join();
    const result = await resultFor(call, waiter, withTimeout(clock, ms, waiter.result));
    if (result === TIMED_OUT) waiter.leave("timed out");
    return result;
  }

  /** A call waits for others `mintDelay` in all. */
  #leftMs(call: Call): number {
    const { clock } = this.#parts.settings;
    call.waitsSince ??= momentOf(clock);
    // rule 10: for all waits together
    return call.mintDelayMs - elapsedMs(clock, call.waitsSince);
  }

  /** `write`: keeps the value, before anybody is answered. */
  async #computeUncoordinated(call: Call, why: Why, write?: (value: unknown) => void): Promise<unknown> {
    call.why = why;
    const joined = this.#uncoordinated.join(call, write);
    if (joined === undefined) return await this.#computeCircle(call);
    return await this.#uncoordinatedResult(call, joined.isLeader, await resultFor(call, joined.waiter));
  }

  async #uncoordinatedResult(call: Call, isLeader: boolean, result: Result): Promise<unknown> {
    // What came of it is another caller's alone.
    if (result.kind === "retry") return await this.#computeUnshared(call, call.why);
    call.outcome = isLeader ? "miss" : "wait";
    return valueOf(call, result);
  }

  async #computeCircle(call: Call): Promise<unknown> {
    this.#parts.warnings.circle(call.about);
    return await this.#computeUnshared(call, call.why);
  }

  /** Computes for this caller alone, who waits for nobody. */
  async #computeUnshared(call: Call, why: Why | undefined): Promise<unknown> {
    call.why = why;
    call.outcome = "miss";
    return valueOf(call, await this.#parts.computations.unshared(call));
  }

  /**
   * The option `force`: computes whatever is kept, and waits for nobody. A value that is there is replaced over its
   * token, so readers keep it until then; over anything else, a lease included, the lease is taken. What could not be
   * stored is deleted, so that no older value stays.
   */
  async #refresh(call: Call): Promise<unknown> {
    const { reader, classifier, computations, writes, settings } = this.#parts;
    call.why = call.bypass ?? FORCED;
    call.outcome = "miss";
    for (let refusals = 0; call.bypass === undefined && refusals <= MAX_REFUSALS; refusals++) {
      const snapshot = await wait(call, reader.read(call));
      call.slot = snapshot.slot;
      if (!snapshot.isWhole) break;
      const owned = ownedBy(call, snapshot.generations), over = writes.over(call, snapshot);
      const result = isServable(classifier.classify(call, snapshot))
        ? await computations.unshared(call, (computed) => writes.valueOrDelete(call, computed, owned, over))
        : await this.#leased.refresh(call, snapshot);
      if (result.kind !== "retry") return valueOf(call, result);
      if (result.why === "unknown") break;
    }
    const joined = this.#uncoordinated.join(call);
    if (joined === undefined) {
      const value = await this.#computeCircle(call);
      await writes.delete(call.about);
      return value;
    }
    const deleted = joined.waiter.result.then(async (result) => {
      // Also when this caller has left: nothing that is computed without a lease is kept, so the older value must go.
      // rule 13: nothing was kept, so the older value goes
      if (result.kind !== "error") await writes.delete(call.about);
      return result;
    });
    settings.inBackground(deleted);
    return await this.#uncoordinatedResult(call, joined.isLeader, await resultFor(call, joined.waiter, deleted));
  }
}

/** What the caller is given of a computation. */
function valueOf({ about }: Call, result: Result): unknown {
  if (result.kind === "value") return result.value;
  if (result.kind === "error") throw result.error;
  throw new CacheError(`Cannot answer ${about.key}: its computation was given up`);
}
