/**
 * What a call does, by what its snapshot shows: the entry of its key and its groups' counters, from one round trip.
 *
 *   a snapshot shows                                  the call
 *   ────────────────────────────────────────────────  ──────────────────────────────────────────────────────────────
 *   a fresh value                                     returns it
 *   a stale value                                     returns it; one refreshes it in the background
 *   a lease of this process, its computation open     joins that computation
 *   a lease of another process                        waits until it is gone, then reads again
 *   nothing, an outdated entry, an orphaned lease     takes the lease, computes, keeps over the lease's token
 *   the hit-for-miss marker                           computes uncoordinated, keeps over the marker's token if it can
 *   no whole answer; too many refusals or waits       computes uncoordinated, keeps nothing
 *
 * A call whose ttl is 0 computes unshared; a call on a backend that is switched off or closed computes uncoordinated. Both
 * read and keep nothing. A call with the option `force` computes whatever its snapshot shows: see `#refresh`.
 * A call of `begin` hands a ticket out wherever this says computes; of a stale value it takes the refresh lock first, and
 * returns the value if it is refused.
 *
 * uncoordinated: without a lease, since there is none to be had; shared in this process by those who call before it
 * begins. unshared: for one caller alone, with whom nothing can be shared: it would wait for itself, its result cannot be
 * copied, its arguments have changed meanwhile, or its ttl is 0.
 */
import { elapsedMs, momentOf } from "../util/clock.ts";
import type { LeaseEntry } from "../store/store.ts";
import { CacheError } from "../errors.ts";
import type { FetchOptions } from "./backend.ts";
import { type Call, callOf, longestWaitMs, ownedBy, resultFor, wait } from "./call.ts";
import { TIMED_OUT, withTimeout } from "./caller_timeout.ts";
import { type Computation, type Result, sharedWith, type Value } from "./computations.ts";
import { closesCircle } from "./context.ts";
import type { Reason, Why } from "./events.ts";
import { type Freshness, isServable } from "./freshness.ts";
import type { Parts } from "./group_backend.ts";
import { LeasedComputations } from "./leased_computations.ts";
import { Pollers } from "./poller.ts";
import type { Snapshot } from "./read_batch.ts";
import { BackgroundRefreshes } from "./refresh.ts";
import type { PendingTicket } from "./ticket.ts";
import { type MarkerWrite, Uncoordinated } from "./uncoordinated.ts";

/** How often a call starts over for a refused lease, before it computes uncoordinated; for how many leases it waits. */
export const MAX_REFUSALS = 8, MAX_WAITS = 3; // rule 10: so often, and no more

const because = (reason: Reason): Why => ({ reason });
const FORCED = because("forced");
const UNCACHEABLE = because("uncacheable"), BUSY = because("busy"), STORE = because("store");
/** Why the store is not asked. */
export const DISABLED: Why = because("disabled"), CLOSED: Why = because("closed");

/** A lease whose holder is gone: to be replaced, as if nothing had been there. */
const ORPHANED: Freshness = { is: "outdated", why: because("absent") };

/** The calls of one backend. */
export class Fetcher {
  readonly #parts: Parts;
  readonly #leased: LeasedComputations;
  readonly #uncoordinated: Uncoordinated;
  readonly #refreshes: BackgroundRefreshes;
  readonly #pollers: Pollers;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#leased = new LeasedComputations(parts);
    this.#uncoordinated = new Uncoordinated(parts);
    this.#refreshes = new BackgroundRefreshes(parts);
    this.#pollers = new Pollers(parts.store, parts.settings.clock, parts.settings.random);
  }

  /** `ticket`: is handed out where the function would run; then what this returns is of no interest. */
  async fetch<T>(
    key: string,
    compute: (signal: AbortSignal) => T | Promise<T>,
    options: FetchOptions<T>,
    bypass: Why | undefined,
    ticket?: PendingTicket,
  ): Promise<T> {
    const { classifier, events, reader } = this.#parts;
    const begun = events.begin("call");
    const call = callOf(key, compute, options, this.#parts, bypass, ticket);
    ticket?.attach(call);
    try {
      options.signal?.throwIfAborted();
      if (!call.isCacheable || options.force === true || bypass !== undefined) {
        return await this.#answerUnread(call) as T;
      }
      // Most calls are hits, so a hit awaits one promise only, and none where the store answers at once. A snapshot that
      // was read at once is shared with no other call, so it only serves a value: a miss reads again, to be shared.
      // rule 5: every call reads before it joins
      let snapshot = reader.readAtOnce(call);
      let seen = snapshot === undefined ? undefined : classifier.classifyAndCopy(call, snapshot);
      if (seen?.is === "fresh") options.inputs?.unread();
      if (seen === undefined || !isServable(seen)) {
        snapshot = await wait(call, reader.read(call));
        seen = this.#classify(call, snapshot);
      }
      const isServed = seen.is === "fresh" || seen.is === "stale" && ticket === undefined;
      return (isServed ? this.#serve(call, seen) : await this.#answer(call, snapshot!, seen)) as T;
    } catch (error) {
      call.outcome = "error";
      throw error;
    } finally {
      call.timeout?.end();
      events.called(call, begun);
    }
  }

  /** Does what the table at the top says; after a refused lease or a wait it reads again, until there is an answer. */
  async #answer(call: Call, snapshot: Snapshot, seen: Freshness): Promise<unknown> {
    const { reader, writes } = this.#parts;
    for (let refusals = 0;;) {
      call.slot = snapshot.slot;
      call.why = seen.why;
      let result: Result | typeof TIMED_OUT;
      switch (seen.is) {
        case "fresh":
          return this.#serve(call, seen);
        case "stale":
          if (call.ticket === undefined) return this.#serve(call, seen);
          result = await this.#refreshOutside(call, call.ticket, seen.value);
          refusals++;
          break;
        case "lease":
          result = ++call.waits > MAX_WAITS ? TIMED_OUT : await this.#waitFor(call, leaseIn(snapshot));
          break;
        case "nothing":
        case "outdated":
          result = await this.#computeLeased(call, snapshot);
          refusals++;
          break;
        case "uncacheable": {
          const write = writes.overMarker(call, snapshot);
          return await this.#computeUncoordinated(call, UNCACHEABLE, write);
        }
        case "unanswered":
          return await this.#computeUncoordinated(call, STORE);
      }
      if (result === TIMED_OUT) return await this.#computeUncoordinated(call, BUSY);
      // rule 17: its ticket has ended, and there is but one
      if (result.kind !== "retry" || call.ticket?.isHandedOut === true) return valueOf(call, result);
      if (result.why === "unknown") return await this.#computeUncoordinated(call, STORE);
      if (refusals > MAX_REFUSALS) return await this.#computeUncoordinated(call, BUSY);
      snapshot = await wait(call, reader.read(call));
      seen = this.#classify(call, snapshot);
    }
  }

  /** Returns the value of a fresh or a stale snapshot; a stale one starts a background refresh. */
  #serve(call: Call, seen: Freshness): unknown {
    call.why = seen.why;
    if (seen.is === "stale") {
      call.outcome = "stale";
      this.#refreshes.start(call);
    } else call.outcome = call.waits === 0 ? "hit" : "wait";
    return seen.value;
  }

  /** A call that no value in the store can answer: its ttl is 0, it is forced, or the store is not asked. */
  async #answerUnread(call: Call): Promise<unknown> {
    if (!call.isCacheable) return await this.#computeUnshared(call, UNCACHEABLE);
    if (call.options.force === true && call.bypass !== CLOSED) return await this.#refresh(call);
    return await this.#computeUncoordinated(call, call.bypass!);
  }

  /** Wakes the calls that wait for leases of other processes, since the backend closes. */
  close(): void {
    this.#pollers.close();
  }

  /** What the snapshot shows, and of a lease whether anybody still computes under it. */
  #classify(call: Call, snapshot: Snapshot): Freshness {
    const seen = this.#parts.classifier.classifyAndCopy(call, snapshot);
    return seen.is === "lease" && this.#isOrphaned(call, leaseIn(snapshot)) ? ORPHANED : seen;
  }

  /** Is the lease's holder gone? It is if the lease is ours and its computation is over, or if nobody renews it. */
  #isOrphaned({ label, unrenewed }: Call, { nonce, beat }: LeaseEntry): boolean {
    if (this.#parts.computations.find(label.key, nonce) !== undefined) return false;
    // rule 9, rule 14: orphaned, or renewed by nobody
    return this.#parts.leases.isOwn(nonce) || unrenewed?.nonce === nonce && unrenewed.beat === beat;
  }

  /** Takes the lease and computes, or joins another call of the same slot that does. */
  #computeLeased(call: Call, snapshot: Snapshot): Promise<Result | typeof TIMED_OUT> {
    const shared = sharedWith(call, "leased");
    return shared === undefined ? this.#leased.compute(call, snapshot) : this.#join(call, shared);
  }

  /** Waits for the computation of a lease of this process, or until another process's lease is gone. */
  async #waitFor(call: Call, lease: LeaseEntry): Promise<Result | typeof TIMED_OUT> {
    const computation = this.#parts.computations.find(call.label.key, lease.nonce);
    if (computation !== undefined) return await this.#join(call, computation);
    const leftMs = this.#leftMs(call);
    if (call.ticket !== undefined && leftMs <= 0) return TIMED_OUT;
    const poll = this.#pollers.wait(call.label, lease);
    try {
      const woken = await wait(call, withTimeout(this.#parts.settings.clock, leftMs, poll.woken));
      if (woken === TIMED_OUT) return TIMED_OUT;
      call.unrenewed = woken;
      return { kind: "retry", why: "over" };
    } finally {
      poll.leave();
    }
  }

  /** Waits for a computation of this process; TIMED_OUT when the call has waited long enough. */
  async #join(call: Call, computation: Computation): Promise<Result | typeof TIMED_OUT> {
    const { computations, settings: { clock, storeTimeoutMs }, warnings } = this.#parts;
    if (closesCircle(computation)) {
      warnings.circle(call.label);
      return await computations.unshared(call);
    }
    // A settled computation has answered its waiters and only waits for its last write: no call waits longer than
    // `storeTimeout` for that.
    const leftMs = this.#leftMs(call);
    if (call.ticket !== undefined && leftMs <= 0) return TIMED_OUT;
    const ms = computation.isSettled ? Math.min(storeTimeoutMs, leftMs) : leftMs;
    call.outcome = "wait";
    const waiter = computation.join();
    const result = await resultFor(call, waiter, withTimeout(clock, ms, waiter.result));
    if (result === TIMED_OUT) waiter.leave("timed out");
    return result;
  }

  /** A call waits for others `mintDelay` in all, one of `begin` as long as its option `wait` says. */
  #leftMs(call: Call): number {
    const { clock } = this.#parts.settings;
    call.waitsSince ??= momentOf(clock);
    // rule 10: for all waits together
    return longestWaitMs(call) - elapsedMs(clock, call.waitsSince);
  }

  /**
   * Of a call of `begin` that sees a stale value: takes the refresh lock for its ticket. Gives the value itself if somebody
   * else refreshes it, or if the ticket's holder has failed, who has that value already.
   */
  async #refreshOutside(call: Call, ticket: PendingTicket, value: unknown): Promise<Result> {
    const stale: Result = { kind: "value", value };
    const computation = this.#parts.computations.create();
    call.outcome = "stale";
    if (!this.#refreshes.start(call, computation)) return stale;
    ticket.stale = { value };
    const result = await resultFor(call, computation.join());
    if (result.kind === "error" || result.kind === "retry" && result.why === "refused") return stale;
    // No longer stale, so there was nothing to refresh.
    if (!ticket.isHandedOut) ticket.stale = undefined;
    return result;
  }

  /** Computes without a lease. `write`: keeps the value, before anybody is answered. */
  async #computeUncoordinated(call: Call, why: Why, write?: MarkerWrite): Promise<unknown> {
    call.why = why;
    const waitMs = call.ticket?.waitMs === undefined ? undefined : this.#leftMs(call);
    if (waitMs !== undefined && waitMs <= 0) return await this.#computeUnshared(call, why, write);
    const result = await this.#uncoordinated.compute(call, write, waitMs);
    const isOver = result.kind !== "retry" || call.ticket?.isHandedOut === true;
    return isOver ? valueOf(call, result) : await this.#computeUnshared(call, why);
  }

  /** Computes for this caller alone, who waits for nobody. */
  async #computeUnshared(call: Call, why: Why, write?: MarkerWrite): Promise<unknown> {
    call.why = why;
    const keep = write && (({ value }: Value) => Promise.resolve(write(call, value)));
    return valueOf(call, await this.#parts.computations.unshared(call, keep));
  }

  /**
   * The option `force`: computes whatever is kept, and waits for nobody. A value that is there is replaced over its
   * token, so readers keep it until then; over anything else, a lease included, the lease is taken. What could not be
   * stored is deleted, so that no older value stays.
   */
  async #refresh(call: Call): Promise<unknown> {
    const { reader, classifier, computations, writes, settings } = this.#parts;
    const why = call.why = call.bypass ?? FORCED;
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
    const answer = this.#computeUncoordinated(call, why);
    const forget = () => writes.delete(call.label);
    // rule 13: nothing was kept, so the older value goes, also when this caller has left
    const deleted = answer.then(forget, () => call.timeout?.hasLeft ? forget() : undefined);
    settings.inBackground(deleted);
    const value = await answer;
    await wait(call, deleted);
    return value;
  }
}

const leaseIn = ({ found }: Snapshot): LeaseEntry => found!.entry as LeaseEntry;

/** What the caller is given of a computation. */
function valueOf({ label, ticket }: Call, result: Result): unknown {
  if (result.kind === "value") return result.value;
  if (result.kind === "error") throw result.error;
  if (ticket?.isHandedOut === true) return undefined;
  throw new CacheError(`Cannot answer ${label.key}: its computation was given up`);
}
