/** The values that travel: what a text stands for, and what it has become on its way through a store. Pure. */

/** Kinds of values that JSON does not have. */
export const exotic = ["Date", "Map", "bigint"] as const;
export type Exotic = typeof exotic[number];

/** What the function computes where the source holds this text. */
export function valueOf(text: string): { readonly part: unknown } {
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
  const part = typeof given === "object" && given !== null && "part" in given ? given.part : given;
  const { part: wanted } = valueOf(text);
  if (isSame(part, wanted)) return "kept";
  if (typeof part !== "object" || part === null) return part === null ? "null" : typeof part;
  if (Object.getPrototypeOf(part) === Object.prototype) return Object.keys(part).length === 0 ? "`{}`" : "object";
  return `another ${part.constructor.name}`;
}

function isSame(part: unknown, wanted: unknown): boolean {
  if (part instanceof Date && wanted instanceof Date) return part.getTime() === wanted.getTime();
  if (part instanceof Map && wanted instanceof Map) return JSON.stringify([...part]) === JSON.stringify([...wanted]);
  return part === wanted;
}
