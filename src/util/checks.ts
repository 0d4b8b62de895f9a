/** Checks of arguments, and values as they stand in error texts. */

/** Throws a TypeError for what is no object: its options would be ignored, or `null` would break far from here. */
export function assertOptions(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new TypeError(`Cannot use ${options === null ? "null" : typeof options} as options: give an object`);
}

/**
 * Throws a TypeError for an option that does not exist: a misspelt one would be ignored for years. `elsewhere`: what to
 * suggest for names that belong to another function, or to other libraries.
 */
export function assertKnown(
  options: object,
  known: Readonly<Record<string, true>>,
  elsewhere: Readonly<Record<string, string>> = {},
): void {
  const isObject = typeof options === "object" && options !== null;
  const prototype = isObject ? Object.getPrototypeOf(options) : undefined;
  if (prototype !== null && prototype !== Object.prototype) {
    // A text is not shown, since it may be a URL with a password.
    const type = isObject ? "an instance of a class" : options === null ? "null" : `a ${typeof options}`;
    const form = isStore(options)
      ? "a store is the option `store`, as in { store }"
      : "give a plain object (and a URL as text)";
    throw new TypeError(`Cannot use ${type} as options: ${form}`);
  }
  const all = Object.keys(known);
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const meant = Object.hasOwn(elsewhere, name) ? elsewhere[name] : closestName(name, all);
    const hint = meant === undefined ? "the" : `did you mean ${meant}? The`;
    throw new TypeError(`Cannot use option ${quoted(name)}: ${hint} options are ${all.join(", ")}`);
  }
}

/** The one of these names that a misspelt name is most like; `undefined` if none is close. */
export function closestName(name: string, names: readonly string[]): string | undefined {
  if (name.length > 30) return undefined;
  const maxDistance = name.length < 5 ? 1 : 2;
  return names.map((one) => ({ one, distance: editDistance(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ distance }) => distance <= maxDistance).sort((a, b) => a.distance - b.distance)[0]?.one;
}

/** Levenshtein's: how many letters have to be inserted, removed or replaced. */
function editDistance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = above[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1));
    }
    above = row;
  }
  return above[other.length]!;
}

/** Whether it is a store, given where something else is expected. */
export const isStore = (value: unknown): boolean =>
  typeof value === "object" && value !== null && typeof (value as { increment?: unknown }).increment === "function" &&
  typeof (value as { counter?: unknown }).counter === "function";

/** A key or a name for an error or a warning: in quotes, cut at 300 characters, without controls. */
export const quoted = (key: string): string =>
  printable(JSON.stringify(key.length > 300 ? `${key.slice(0, 300)}…` : key));

/**
 * Whether a UTF-16 unit makes a text look like another one where it is shown: C1 controls, U+2028 and U+2029, which some
 * programs take for the end of a line, and the controls of bidirectional text.
 */
export const isSpoofingUnit = (unit: number): boolean =>
  unit >= 0x7f && unit < 0xa0 || unit === 0x61c || unit >= 0x200e && unit <= 0x200f ||
  unit >= 0x2028 && unit <= 0x202e || unit >= 0x2066 && unit <= 0x2069;

/** A text from outside, for an error or a warning. Controls become `\uXXXX`, so that they mislead no terminal and no log. */
export function printable(text: string): string {
  let result = "", from = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x20 && !isSpoofingUnit(unit)) continue;
    result += `${text.slice(from, i)}\\u${unit.toString(16).padStart(4, "0")}`;
    from = i + 1;
  }
  return from === 0 ? text : result + text.slice(from);
}

/** What type a value is of, in words. The value itself is not shown, since it may be a secret. */
export function describeType(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  const name: unknown = value.constructor?.name;
  return `an object (${typeof name === "string" ? printable(name) : "without prototype"})`;
}

/** A wrong argument that cannot be a secret: a text or a number as it stands, of others the type. */
export const describeValue = (value: unknown): string =>
  typeof value === "string" ? quoted(value) : typeof value === "number" ? String(value) : describeType(value);

/** Throws a TypeError for what is no signal: an AbortController, say. */
export function assertSignal(signal: AbortSignal): void {
  if (typeof signal?.addEventListener === "function" && typeof signal.aborted === "boolean") return;
  throw new TypeError(`Cannot use ${describeType(signal)} as \`signal\`: it must be an AbortSignal`);
}
