import { elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import { type Call, ownedBy } from "./call.ts";
import type { Computation } from "./computations.ts";
import type { Label, Written } from "./guarded_store.ts";
import type { Parts } from "./group_backend.ts";
import { LEASE_MS } from "./lease.ts";

/** Refreshes of stale values, in the background: one at a time of a key in the whole fleet, by its refresh lock. */
export class BackgroundRefreshes {
  readonly #parts: Parts;
  /** Keys whose stale value this process is refreshing, or trying to, and since when. */
  readonly #since = new Map<string, Moment>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Refreshes a stale value, if nobody does. One that hangs holds up others no longer than its lock would. false: this
   * process is at it already. `joined`: who waits for it retries if the lock is refused, or the value stale no longer.
   */
  start(call: Call, joined?: Computation): boolean {
    const { key } = call.label;
    const { clock, inBackground } = this.#parts.settings;
    const since = this.#since.get(key);
    if (since !== undefined && elapsedMs(clock, since) < call.mintDelayMs + LEASE_MS) return false;
    const now = momentOf(clock);
    this.#since.set(key, now);
    inBackground(
      this.#refresh(call, joined).finally(() => {
        if (this.#since.get(key) === now) this.#since.delete(key);
      }),
    );
    return true;
  }

  /**
   * Takes the lock, then reads again; sets, then drops the lock. In any other order an expiry would cost two computations:
   *
   *   1. A finds the value stale       2. B, who holds the lock, sets the new value and drops the lock
   *   3. A takes the lock: only a snapshot that is taken now shows that there is nothing left to refresh
   */
  async #refresh(call: Call, joined?: Computation): Promise<void> {
    const { keys, settings, leases, reader, classifier, computations, writes, events } = this.#parts;
    const { name, key } = call.label;
    const label: Label = { name, key: keys.mintLock({ key, fullKey: call.fullKey }) };
    // rule 8: lock
    const lock = await leases.take(label, leases.newEntry({ generations: [] }), undefined, call.mintDelayMs);
    if (typeof lock === "string") return joined?.retry("refused");
    // rule 8: then look
    const snapshot = await reader.read(call);
    // rule 8: no longer stale, so there is nothing to refresh
    if (classifier.classify(call, snapshot).is !== "stale") {
      joined?.retry("over");
      return void await lock.release();
    }
    const begun = events.begin("refresh");
    const computation = joined ?? computations.create();
    const expired = () =>
      computation.fireSignal(new DOMException("the refresh took longer than mintDelay", "TimeoutError"));
    const tooLong = settings.clock.setTimeout(expired, call.mintDelayMs);
    settings.clock.unref?.(tooLong);
    const computed = await computation.run(call);
    settings.clock.clearTimeout(tooLong);
    let writing: Promise<Written> | undefined;
    if (computed.kind === "value" && computed.isShared) { // rule 15: a refresh as well
      // rule 2: stamped with the second snapshot
      const owned = ownedBy(call, snapshot.generations);
      writing = writes.valueOrMarker(call, computed.value, owned, writes.over(call, snapshot));
    }
    // Answered once the write is on its way. Who waits is the holder of a ticket, whom its `keep` tells of the write.
    computation.settle(computed);
    // rule 8: set, then unlock
    const written = writing && await writing;
    const failed = computed.kind === "error" ? computed : written?.kind === "unknown" ? written : undefined;
    // After a failure the lock is left to run out: for so long nobody in the fleet tries again.
    if (failed === undefined) await lock.release();
    else await lock.lapse(LEASE_MS * (0.8 + 0.4 * settings.random.fraction()));
    events.refreshed(call.label, begun, computed.kind === "error" ? { error: computed.error } : undefined);
  }
}
