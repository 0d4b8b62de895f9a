import type { Clock } from "../util/clock.ts";
import type { ValueEntry } from "../store/store.ts";
import type { Target } from "./call.ts";
import type { Reason, Why } from "./events.ts";
import type { GuardedStore } from "./guarded_store.ts";
import type { Snapshot } from "./read_batch.ts";
import type { ResultWarnings } from "./warnings.ts";

/**
 * What a snapshot shows to one call at one moment, and why that is no fresh value. A lease has no reason: the call that
 * computes under it reports one.
 *
 *   unanswered   not every answer came: generations that cannot be compared prove nothing
 *   nothing      no entry is there
 *   outdated     one that may not be used, whatever its kind: kept under other generations, another full key or, where
 *                that counts, by another source; unreadable, its value included; past its stale window
 *   uncacheable  the hit-for-miss marker: the last result could not be kept
 */
export interface Freshness {
  readonly is: "fresh" | "stale" | "lease" | "uncacheable" | "nothing" | "outdated" | "unanswered";
  readonly why: Why | undefined;
  /** The value for this caller alone, where `classifyAndCopy` found it servable. */
  readonly value?: unknown;
}

const FRESH: Freshness = { is: "fresh", why: undefined };
const STALE: Freshness = { is: "stale", why: { reason: "expired" } };
const LEASE: Freshness = { is: "lease", why: undefined };
const UNCACHEABLE: Freshness = { is: "uncacheable", why: { reason: "uncacheable" } };
const NOTHING: Freshness = { is: "nothing", why: { reason: "absent" } };
const NOT_WHOLE: Freshness = { is: "unanswered", why: { reason: "store" } };

/** May its value be given? */
export const isServable = ({ is }: Freshness): boolean => is === "fresh" || is === "stale";

const outdated = (reason: Reason, group?: string): Freshness => ({
  is: "outdated",
  why: group === undefined ? { reason } : { reason, group },
});

/** What the snapshots of one backend show to its calls. */
export class Classifier {
  readonly #store: GuardedStore;
  readonly #clock: Clock;
  readonly #warnings: ResultWarnings;

  constructor(store: GuardedStore, clock: Clock, warnings: ResultWarnings) {
    this.#store = store;
    this.#clock = clock;
    this.#warnings = warnings;
  }

  /** What a snapshot shows to a call now. */
  classify(target: Target, snapshot: Snapshot): Freshness {
    const freshness = classify(snapshot, target, this.#clock.now());
    if (isServable(freshness) && target.source !== undefined) {
      const { source } = snapshot.found!.entry as ValueEntry;
      if (source !== undefined && source !== target.source) this.#warnings.otherSource(target.label);
    }
    return freshness;
  }

  /** The same, with the value where it is servable: each call may take its copy once, and the last takes the value itself. */
  classifyAndCopy(target: Target, snapshot: Snapshot): Freshness {
    const freshness = this.classify(target, snapshot);
    if (!isServable(freshness)) return freshness;
    const { is, why } = freshness;
    try {
      return { is, why, value: snapshot.takeCopy((snapshot.found!.entry as ValueEntry).value) };
    } catch (error) {
      // The store cannot copy a value that it gave.
      this.#store.failed("get", target.label, error);
      return outdated("unreadable");
    }
  }
}

/** `now`: epoch ms. */
function classify(
  { found, generations, isWhole }: Snapshot,
  { fullKey, source, strictSource, counters }: Target,
  now: number,
): Freshness {
  if (!isWhole) return NOT_WHOLE;
  if (found === undefined) return NOTHING;
  const { entry } = found;
  if (entry.kind === "unreadable") return outdated("unreadable");
  if (entry.fullKey !== fullKey) return outdated("other key");
  if (strictSource && entry.source !== source) return outdated("other source");
  // Equality only: a counter that was evicted and created again costs misses and never brings an old value back.
  const kept = entry.generations;
  if (kept.length !== generations.length) return outdated("other groups");
  // rule 2: under the same generations, each of them
  for (let i = 0; i < kept.length; i++) {
    // rule 5: a lease of other generations is joined by nobody
    if (kept[i] !== generations[i]) return outdated("group", counters[i]!.group);
  }
  if (entry.kind !== "value") return entry.kind === "lease" ? LEASE : UNCACHEABLE;
  const isFresh = now < entry.freshUntil;
  if (!isFresh && !(now < entry.staleUntil)) return outdated("expired");
  // Checked last, since to read the value may mean to decode it, which an outdated entry is not worth.
  if (!isReadable(entry)) return outdated("unreadable");
  return isFresh ? FRESH : STALE;
}

/** Asking for a value throws where it cannot be decoded. */
function isReadable(entry: ValueEntry): boolean {
  try {
    void entry.value;
    return true;
  } catch {
    return false;
  }
}
