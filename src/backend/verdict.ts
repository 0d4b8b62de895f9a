import type { Found, Owned } from "../store/store.ts";

/**
 * What an entry means to one call at one moment. "outdated": kept under other generations or another full key,
 * unreadable, or past the stale window; whatever its kind.
 */
export type Verdict = "nothing" | "fresh" | "stale" | "lease" | "uncacheable" | "outdated";

/** Judges what a look found. `call`: the call's own full key and generations; `now`: epoch ms. */
export function verdict(found: Found | undefined, call: Owned, now: number): Verdict {
  if (found === undefined) return "nothing";
  const { entry } = found;
  if (entry.kind === "unreadable" || !sameOwner(entry, call)) return "outdated";
  if (entry.kind !== "value") return entry.kind;
  if (now < entry.freshUntil) return "fresh";
  return now < entry.staleUntil ? "stale" : "outdated";
}

/** Equality only: a counter that was evicted and created again costs misses and never brings an old value back. */
function sameOwner(entry: Owned, call: Owned): boolean {
  const kept = entry.generations, read = call.generations;
  if (entry.fullKey !== call.fullKey || kept.length !== read.length) return false;
  for (let i = 0; i < kept.length; i++) if (kept[i] !== read[i]) return false;
  return true;
}
