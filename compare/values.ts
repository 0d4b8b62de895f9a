/** The values that travel: what a text stands for, and what it has become on its way through a store. */

/** Kinds of values that JSON does not have. */
export const exotic = ["Date", "Map", "bigint"] as const;
export type Exotic = typeof exotic[number];

/** What the function computes where the source holds this text. */
export function valueOf(text: string): unknown {
  switch (text as Exotic) {
    case "Date":
      return { part: new Date(1_700_000_000_000) };
    case "Map":
      return { part: new Map([["tea", 3]]) };
    case "bigint":
      return { part: 12_345_678_901_234_567_890n };
    default:
      return { part: text };
  }
}

/** What a caller was given for the value of that text: "kept" where it is the same, else what it has become. */
export function describe(text: string, given: unknown): string {
  if (typeof given !== "object" || given === null || !("part" in given)) return nameOf(given);
  const { part } = given;
  const { part: wanted } = valueOf(text) as { part: unknown };
  const isKept = typeof part === "object" && part !== null
    ? Object.getPrototypeOf(part) === Object.getPrototypeOf(wanted) && contentOf(part) === contentOf(wanted)
    : part === wanted;
  return isKept ? "kept" : nameOf(part);
}

function contentOf(part: unknown): string {
  return part instanceof Map ? JSON.stringify([...part]) : JSON.stringify(part);
}

function nameOf(part: unknown): string {
  if (part === null || part === undefined) return String(part);
  if (typeof part !== "object") return typeof part;
  return Object.keys(part).length === 0 ? "`{}`" : "object";
}
