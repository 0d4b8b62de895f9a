/** Throws a TypeError for what is no object: its options would be ignored, or `null` would break far from here. */
export function assertOptions(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new TypeError(`Cannot use ${options === null ? "null" : typeof options} as options: give an object`);
}

/**
 * Throws a TypeError for an option that nobody knows: a misspelt one would be ignored for years. `elsewhere`: where what
 * others call so, or what belongs to something else, is to be found.
 */
export function assertKnown(
  options: object,
  known: Readonly<Record<string, true>>,
  elsewhere: Readonly<Record<string, string>> = {},
): void {
  const prototype = options === null || typeof options !== "object" ? undefined : Object.getPrototypeOf(options);
  if (prototype !== null && prototype !== Object.prototype) {
    // A text may be a URL with a password.
    const isInstance = typeof options === "object" && options !== null;
    const shown = isInstance ? "an instance of a class" : options === null ? "null" : `a ${typeof options}`;
    const form = isStore(options)
      ? "a store is the option `store`, as in { store }"
      : "give a plain object (and a URL as text)";
    throw new TypeError(`Cannot use ${shown} as options: ${form}`);
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const all = Object.keys(known), meant = Object.hasOwn(elsewhere, name) ? elsewhere[name] : closestName(name, all);
    const hint = meant === undefined ? "the" : `did you mean ${meant}? The`;
    throw new TypeError(`Cannot use option ${quoted(name)}: ${hint} options are ${all.join(", ")}`);
  }
}

/** Which of these names a misspelt one is most like; `undefined`: it is like none. */
export function closestName(name: string, names: readonly string[]): string | undefined {
  const [given, most] = [name.toLowerCase(), name.length < 5 ? 1 : 2];
  if (given.length > 30) return undefined;
  const [best] = names.map((one) => ({ one, steps: editDistance(given, one.toLowerCase()) }))
    .filter(({ steps }) => steps <= most).sort((a, b) => a.steps - b.steps);
  return best?.one;
}

/** How many letters have to be put in, left out or changed; two that changed places are two. */
function editDistance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const changed = above[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      row.push(Math.min(changed, above[j]! + 1, row[j - 1]! + 1));
    }
    above = row;
  }
  return above[other.length]!;
}

/** Is it a store, where something else is wanted? */
export const isStore = (value: unknown): boolean =>
  typeof value === "object" && value !== null && typeof (value as { increment?: unknown }).increment === "function" &&
  typeof (value as { counter?: unknown }).counter === "function";

/** A key or a name for a text: in quotes, not too long, without controls. */
export const quoted = (key: string): string =>
  printable(JSON.stringify(key.length > 300 ? `${key.slice(0, 300)}…` : key));

/**
 * Is this UTF-16 unit one that makes a text look like another where it is shown? C1 controls, U+2028 and U+2029, which
 * end a line for some, and the bidirectional controls.
 */
export const isSpoofingUnit = (unit: number): boolean =>
  unit >= 0x7f && unit < 0xa0 || unit === 0x61c || unit >= 0x200e && unit <= 0x200f ||
  unit >= 0x2028 && unit <= 0x202e || unit >= 0x2066 && unit <= 0x2069;

/** A name, or words of somebody else's, for a warning or an error: controls stand as `\uXXXX`, so that a terminal or a log is not led astray. */
export function printable(text: string): string {
  let made = "", from = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x20 && !isSpoofingUnit(unit)) continue;
    made += `${text.slice(from, i)}\\u${unit.toString(16).padStart(4, "0")}`;
    from = i + 1;
  }
  return from === 0 ? text : made + text.slice(from);
}

/** What a value is, for errors. */
export function describeType(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  const name: unknown = value.constructor?.name;
  return `an object (${typeof name === "string" ? printable(name) : "without prototype"})`;
}
