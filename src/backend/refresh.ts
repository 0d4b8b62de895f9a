import { elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import type { Keys } from "../key/key.ts";
import { type Call, ownedBy } from "./call.ts";
import type { Computations } from "./computations.ts";
import type { Events } from "./events.ts";
import type { Classifier } from "./freshness.ts";
import type { Label } from "./guarded_store.ts";
import { LEASE_MS, type Leases } from "./lease.ts";
import type { Settings } from "./options.ts";
import type { SnapshotReader } from "./read_batch.ts";
import type { ResultWarnings } from "./warnings.ts";
import type { Writes } from "./writes.ts";

/** The parts of a backend that a refresh works with. */
export interface RefreshParts {
  readonly settings: Settings;
  readonly keys: Keys;
  readonly events: Events;
  readonly reader: SnapshotReader;
  readonly classifier: Classifier;
  readonly computations: Computations;
  readonly leases: Leases;
  readonly writes: Writes;
  readonly warnings: ResultWarnings;
}

/** Refreshes of stale values, in the background: one at a time of a key in the whole fleet, by its mint lock. */
export class BackgroundRefreshes {
  readonly #parts: RefreshParts;
  /** Keys whose stale value this process is refreshing, or trying to, and since when. */
  readonly #since = new Map<string, Moment>();

  constructor(parts: RefreshParts) {
    this.#parts = parts;
  }

  /** Refreshes a stale value, if nobody does. One that hangs holds up others no longer than its lock would. */
  start(call: Call): void {
    const { key } = call.about;
    const { clock, inBackground } = this.#parts.settings;
    const since = this.#since.get(key);
    if (since !== undefined && elapsedMs(clock, since) < call.mintDelayMs + LEASE_MS) return;
    const now = momentOf(clock);
    this.#since.set(key, now);
    inBackground(
      this.#refresh(call).finally(() => {
        if (this.#since.get(key) === now) this.#since.delete(key);
      }),
    );
  }

  /**
   * Lock, then look; set, then unlock. Any overlap costs a second computation when lock and entry are on two servers:
   *
   *   1. A finds the value stale       2. B, who holds the lock, sets the new value and drops the lock
   *   3. A takes the lock: only a look that is sent now shows it that there is nothing to refresh
   */
  async #refresh(call: Call): Promise<void> {
    const { keys, settings, leases, reader, classifier, computations, writes, events } = this.#parts;
    const { name, key } = call.about;
    const about: Label = { name, key: keys.mintLock({ key, fullKey: call.fullKey }) };
    // rule 8: lock
    const lock = await leases.take(about, leases.entry({ generations: [] }), undefined, call.mintDelayMs);
    if (typeof lock === "string") return;
    // rule 8: then look
    const snapshot = await reader.read(call);
    // rule 8: no longer stale, so there is nothing to refresh
    if (classifier.classify(call, snapshot).is !== "stale") return await lock.release();
    const begun = events.begin("refresh");
    const computation = computations.create();
    const tooLong = settings.clock.setTimeout(() => computation.expire(), call.mintDelayMs);
    settings.clock.unref?.(tooLong);
    const computed = await computation.run(call);
    settings.clock.clearTimeout(tooLong);
    // rule 8: set, then unlock
    let failed: { readonly error: unknown } | undefined;
    if (computed.kind === "error") failed = { error: computed.error };
    else if (computed.kind === "value" && computed.isShared) {
      // rule 2: stamped with the second snapshot
      const owned = ownedBy(call, snapshot.generations);
      const written = await writes.valueOrMarker(call, computed.value, owned, writes.over(call, snapshot));
      if (written.kind === "unknown") failed = written;
    }
    // A lock that is left to run out is the whole fleet's pause before the next try.
    if (failed === undefined) await lock.release();
    else await lock.lapse(LEASE_MS * (0.8 + 0.4 * settings.random.fraction()));
    events.refreshed(call.about, begun, computed.kind === "error" ? failed : undefined);
  }
}
