import type { Found } from "../store/store.ts";

/** Whose entry a call takes for its own. */
export interface Asker {
  /** Only where the store's key is a truncation of it. */
  readonly fullKey: string | undefined;
  /** A short hash of the text of the function that computes. */
  readonly source: string | undefined;
  /** Is what another source has kept outdated? */
  readonly strictSource: boolean;
}

/**
 * What an entry means to one call at one moment. "outdated": kept under other generations, another full key or,
 * where that counts, by another source; unreadable, or past the stale window; whatever its kind.
 */
export type Verdict = "nothing" | "fresh" | "stale" | "lease" | "uncacheable" | "outdated";

/** Judges what a look found for a call with these generations. `now`: epoch ms. */
export function verdict(
  found: Found | undefined,
  { fullKey, source, strictSource }: Asker,
  generations: readonly bigint[],
  now: number,
): Verdict {
  if (found === undefined) return "nothing";
  const { entry } = found;
  if (entry.kind === "unreadable" || entry.fullKey !== fullKey) return "outdated";
  if (strictSource && entry.source !== source) return "outdated";
  if (!areSame(entry.generations, generations)) return "outdated";
  if (entry.kind !== "value") return entry.kind;
  if (now < entry.freshUntil) return "fresh";
  return now < entry.staleUntil ? "stale" : "outdated";
}

/** Equality only: a counter that was evicted and created again costs misses and never brings an old value back. */
function areSame(kept: readonly bigint[], read: readonly bigint[]): boolean {
  if (kept.length !== read.length) return false;
  for (let i = 0; i < kept.length; i++) if (kept[i] !== read[i]) return false;
  return true;
}
