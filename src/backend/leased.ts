import { CacheError } from "../errors.ts";
import type { LeaseEntry } from "../store/store.ts";
import { type Call, ownedBy, resultFor } from "./call.ts";
import { BySlot, type Computation, type Computations, type Result, type Value } from "./computations.ts";
import type { GuardedStore } from "./guarded_store.ts";
import type { Lease, Leases } from "./lease.ts";
import type { Snapshot } from "./read_batch.ts";
import type { Writes } from "./writes.ts";

/** Keeps a value by the lease it was computed under, and answers those who wait. `owned`: the lease's own entry. */
type Finish = (call: Call, value: Value, owned: LeaseEntry, lease: Lease, computation: Computation) => Promise<void>;

/** Computing under a lease: takes it over what a snapshot saw, runs the function, keeps its result by it. */
export class Leased {
  readonly #computations: Computations;
  readonly #leases: Leases;
  readonly #store: GuardedStore;
  readonly #writes: Writes;
  readonly #inBackground: (work: Promise<unknown>) => void;
  readonly #bySlot = new BySlot();

  constructor(
    computations: Computations,
    leases: Leases,
    store: GuardedStore,
    writes: Writes,
    inBackground: (work: Promise<unknown>) => void,
  ) {
    this.#computations = computations;
    this.#leases = leases;
    this.#store = store;
    this.#writes = writes;
    this.#inBackground = inBackground;
  }

  /** The computation of another call of this slot. */
  shared(call: Call): Computation | undefined {
    return this.#bySlot.find(call);
  }

  /** Of a miss, whose computation goes on should its caller leave. Those who share the snapshot's slot share it. */
  compute(call: Call, snapshot: Snapshot): Promise<Result> {
    const { lease, computation } = this.#open(call, snapshot);
    this.#bySlot.share(call, computation);
    return this.#lead(call, snapshot, lease, computation, this.#writeAndAnswer);
  }

  /** The same of a forced refresh: it answers last, what it could not store it deletes, and it shares nothing. */
  refresh(call: Call, snapshot: Snapshot): Promise<Result> {
    const { lease, computation } = this.#open(call, snapshot);
    return this.#lead(call, snapshot, lease, computation, this.#writeThenAnswer);
  }

  #open(call: Call, snapshot: Snapshot): { readonly lease: LeaseEntry; readonly computation: Computation } {
    const lease = this.#leases.entry(ownedBy(call, snapshot.generations));
    return { lease, computation: this.#computations.open(call.about.key, lease.nonce) };
  }

  #lead(call: Call, snapshot: Snapshot, entry: LeaseEntry, computation: Computation, finish: Finish): Promise<Result> {
    const waiter = computation.join();
    this.#inBackground(this.#run(call, snapshot, entry, computation, finish));
    return resultFor(call, waiter);
  }

  async #run(
    call: Call,
    snapshot: Snapshot,
    entry: LeaseEntry,
    computation: Computation,
    finish: Finish,
  ): Promise<void> {
    // rule 9: nothing is computed before its lease is confirmed
    const lease = await this.#leases.take(call.about, entry, snapshot.found?.token, call.mintDelayMs);
    if (typeof lease === "string") computation.retry(lease); // rule 9: without a lease its joiners start over
    else {
      // rule 9: computed under a confirmed lease
      const computed = await computation.run(call);
      // rule 9: open until its last write is answered
      if (computed.kind === "value" && computed.isShared) {
        // rule 2: stamped with what was read before its lease was taken
        await finish.call(this, call, computed, entry, lease, computation);
      } else {
        // The release is on its way before anybody learns of an error, so who tries again finds no lease. (While a
        // renewal is under way its token is not known yet: who tries again then waits until this is closed.)
        // rule 9: released before its callers learn of an error
        const released = lease.release();
        computation.settle(computed);
        await released;
      }
    }
    this.#computations.close(entry.nonce);
  }

  /** The value is on its way to the store when its callers are answered; nobody waits for it to arrive. */
  async #writeAndAnswer(call: Call, value: Value, owned: LeaseEntry, lease: Lease, computation: Computation) {
    // rule 9: on its way before its callers have it
    const written = this.#writes.valueOrMarker(call, value.value, owned, (...entry) => lease.replace(...entry));
    computation.settle(value);
    if ((await written).kind !== "refused" || !lease.hasLapsed) return;
    const error = new CacheError(
      `Cannot keep ${call.about.key}: its function ran longer than mintDelay (${call.mintDelayMs} ms), and its lease lapsed`,
    );
    this.#store.failed("set", call.about, error);
  }

  async #writeThenAnswer(call: Call, value: Value, owned: LeaseEntry, lease: Lease, computation: Computation) {
    // rule 13: written, or deleted, before it is answered
    await this.#writes.valueOrDelete(call, value, owned, (...entry) => lease.replace(...entry));
    lease.end();
    computation.settle(value);
  }
}
