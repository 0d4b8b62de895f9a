import { isPromise } from "../util/callbacks.ts";
import type { Groups } from "./backend.ts";

const NONE: readonly string[] = [];

/** Groups made distinct and sorted, in no array of the caller's. Throws a TypeError for what is no group's name. */
export function distinct(group: Groups | undefined, besides: readonly string[] = NONE): readonly string[] {
  if (group === undefined) return besides;
  if (typeof group !== "string" && !Array.isArray(group)) {
    throw new TypeError(`Cannot use ${kind(group)} as group: give a name or an array of names`);
  }
  const groups = besides.concat(group);
  for (const name of groups) assertName(name);
  return sorted(groups);
}

function sorted(groups: readonly string[]): readonly string[] {
  for (let n = 1; n < groups.length; n++) if (!(groups[n - 1]! < groups[n]!)) return [...new Set(groups)].sort();
  return groups; // as they mostly are
}

function assertName(group: unknown): void {
  if (typeof group === "string" && group !== "") return;
  throw new TypeError(
    `Cannot use ${group === "" ? '""' : kind(group)} as group: a group's name is a non-empty string`,
  );
}

const kind = (group: unknown): string =>
  isPromise(group) ? "a promise" : group === null ? "null" : Array.isArray(group) ? "an array" : typeof group;
