import type { Entry, Found, UnreadableEntry, ValueEntry } from "../store/store.ts";
import type { Counter } from "./counters.ts";
import type { Why } from "./events.ts";

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
 * where that counts, by another source; unreadable, its value included, or past the stale window; whatever its kind.
 */
export type Verdict = "nothing" | "fresh" | "stale" | "lease" | "uncacheable" | "outdated";

/** Judges what a look found for a call with these generations. `now`: epoch ms. */
export function verdict(
  found: Found | undefined,
  asker: Asker,
  generations: readonly bigint[],
  now: number,
): Verdict {
  if (found === undefined) return "nothing";
  const { entry } = found;
  if (foreign(entry, asker) !== undefined || entry.kind === "unreadable") return "outdated";
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

/** Whatever its age and its groups, an entry that is not this call's. */
function foreign(
  entry: Entry | UnreadableEntry,
  { fullKey, source, strictSource }: Asker,
): "unreadable" | "other key" | "other source" | undefined {
  if (entry.kind === "unreadable") return "unreadable";
  if (entry.fullKey !== fullKey) return "other key";
  return strictSource && entry.source !== source ? "other source" : undefined;
}

/**
 * Why a call is not given a fresh value of what a look found, in the order of `verdict`. `undefined`: somebody computes
 * it, and that one's call tells why.
 */
export function whyNot(
  found: Found | undefined,
  asker: Asker & { readonly counters: readonly Counter[] },
  generations: readonly bigint[],
  now: number,
): Why | undefined {
  if (found === undefined) return { reason: "absent" };
  const { entry } = found;
  const reason = foreign(entry, asker);
  if (reason !== undefined || entry.kind === "unreadable") return { reason: reason ?? "unreadable" };
  if (entry.generations.length !== generations.length) return { reason: "other groups" };
  const changed = entry.generations.findIndex((generation, i) => generation !== generations[i]);
  if (changed !== -1) return { reason: "group", group: asker.counters[changed]!.group };
  if (entry.kind === "lease") return undefined;
  if (entry.kind === "uncacheable") return { reason: "uncacheable" };
  // In its time, and yet not given: its value cannot be decoded.
  return { reason: now < entry.freshUntil || now < entry.staleUntil ? "unreadable" : "expired" };
}

/** Equality only: a counter that was evicted and created again costs misses and never brings an old value back. */
function areSame(kept: readonly bigint[], read: readonly bigint[]): boolean {
  if (kept.length !== read.length) return false;
  for (let i = 0; i < kept.length; i++) if (kept[i] !== read[i]) return false;
  return true;
}
