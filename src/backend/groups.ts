import type { Groups } from "./backend.ts";

const NONE: readonly string[] = [];

/** Groups made distinct and sorted. Throws a TypeError for what is no group's name. */
export function distinct(group: Groups | undefined, besides: readonly string[] = NONE): readonly string[] {
  if (group === undefined) return besides;
  if (typeof group === "string") {
    if (besides.length === 0) return [checked(group)];
    return sorted([...besides, checked(group)]);
  }
  if (!Array.isArray(group)) {
    throw new TypeError(`Cannot use ${typeof group} as group: give a name or an array of names`);
  }
  return sorted([...besides, ...group.map(checked)]);
}

function sorted(groups: string[]): string[] {
  for (let n = 1; n < groups.length; n++) if (!(groups[n - 1]! < groups[n]!)) return [...new Set(groups)].sort();
  return groups; // as they mostly are
}

function checked(group: unknown): string {
  if (typeof group === "string" && group !== "") return group;
  throw new TypeError(
    `Cannot use ${group === "" ? '""' : typeof group} as group: a group's name is a non-empty string`,
  );
}
