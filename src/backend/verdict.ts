import type { Found, ValueEntry } from "../store/store.ts";

/**
 * What an entry means to one call at one moment. "outdated": kept under other generations or another full key,
 * unreadable, its value included, or past the stale window; whatever its kind.
 */
export type Verdict = "nothing" | "fresh" | "stale" | "lease" | "uncacheable" | "outdated";

/** Judges what a look found for a call of this full key and these generations. `now`: epoch ms. */
export function verdict(
  found: Found | undefined,
  fullKey: string | undefined,
  generations: readonly bigint[],
  now: number,
): Verdict {
  if (found === undefined) return "nothing";
  const { entry } = found;
  if (entry.kind === "unreadable" || entry.fullKey !== fullKey) return "outdated";
  if (!areSame(entry.generations, generations)) return "outdated";
  if (entry.kind !== "value") return entry.kind;
  if (!(now < entry.freshUntil || now < entry.staleUntil)) return "outdated";
  // Last, since a store may decode the value only now: nobody waits for the decoding of what is outdated anyway.
  if (!isReadable(entry)) return "outdated";
  return now < entry.freshUntil ? "fresh" : "stale";
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

/** Equality only: a counter that was evicted and created again costs misses and never brings an old value back. */
function areSame(kept: readonly bigint[], read: readonly bigint[]): boolean {
  if (kept.length !== read.length) return false;
  for (let i = 0; i < kept.length; i++) if (kept[i] !== read[i]) return false;
  return true;
}
