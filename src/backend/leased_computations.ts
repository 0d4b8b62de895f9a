import { CacheError } from "../errors.ts";
import type { LeaseEntry } from "../store/store.ts";
import { type Call, ownedBy, resultFor } from "./call.ts";
import { type Computation, type Result, share, type Value } from "./computations.ts";
import type { Parts } from "./group_backend.ts";
import type { Lease } from "./lease.ts";
import type { Snapshot } from "./read_batch.ts";

/** Writes a value over the lease that it was computed under, and answers the waiters. `owned`: the lease's own entry. */
type Finish = (call: Call, value: Value, owned: LeaseEntry, lease: Lease, computation: Computation) => Promise<void>;

/** Computes under a lease: takes it over what a snapshot saw, runs the function, and writes the result over the lease. */
export class LeasedComputations {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Computes for a miss. The computation goes on should its caller leave, and calls that share the snapshot's slot join it.
   */
  compute(call: Call, snapshot: Snapshot): Promise<Result> {
    call.outcome = "miss";
    const { lease, computation } = this.#open(call, snapshot);
    share(call, "leased", computation);
    return this.#lead(call, snapshot, lease, computation, this.#writeAndAnswer);
  }

  /** Computes for the option `force`: answers after the write, deletes what it could not store, and no other call joins by a slot. */
  refresh(call: Call, snapshot: Snapshot): Promise<Result> {
    const { lease, computation } = this.#open(call, snapshot);
    return this.#lead(call, snapshot, lease, computation, this.#writeThenAnswer);
  }

  #open(call: Call, snapshot: Snapshot): { readonly lease: LeaseEntry; readonly computation: Computation } {
    const lease = this.#parts.leases.newEntry(ownedBy(call, snapshot.generations));
    return { lease, computation: this.#parts.computations.open(call.label.key, lease.nonce) };
  }

  #lead(call: Call, snapshot: Snapshot, entry: LeaseEntry, computation: Computation, finish: Finish): Promise<Result> {
    const waiter = computation.join();
    this.#parts.settings.inBackground(this.#run(call, snapshot, entry, computation, finish));
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
    const lease = await this.#parts.leases.take(call.label, entry, snapshot.found?.token, call.mintDelayMs);
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
        call.ticket?.wrote(released);
        computation.settle(computed);
        await released;
      }
    }
    this.#parts.computations.close(entry.nonce);
  }

  /** The value is on its way to the store when its callers are answered; nobody waits for it to arrive. */
  async #writeAndAnswer(call: Call, value: Value, owned: LeaseEntry, lease: Lease, computation: Computation) {
    // rule 9: on its way before its callers have it
    const written = this.#parts.writes.valueOrMarker(call, value.value, owned, (...entry) => lease.replace(...entry));
    computation.settle(value);
    if ((await written).kind !== "refused" || !lease.hasLapsed) return;
    const error = new CacheError(
      `Cannot keep ${call.label.key}: its function ran longer than mintDelay (${call.mintDelayMs} ms), and its lease lapsed`,
    );
    this.#parts.store.failed("set", call.label, error);
  }

  async #writeThenAnswer(call: Call, value: Value, owned: LeaseEntry, lease: Lease, computation: Computation) {
    // rule 13: written, or deleted, before it is answered
    await this.#parts.writes.valueOrDelete(call, value, owned, (...entry) => lease.replace(...entry));
    lease.end();
    computation.settle(value);
  }
}
