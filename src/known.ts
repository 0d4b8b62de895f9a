/** Throws a TypeError for what is no object: its options would be ignored, or `null` would break far from here. */
export function assertOptions(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new TypeError(`Cannot use ${options === null ? "null" : typeof options} as options: give an object`);
}

/** Throws a TypeError for an option that nobody knows: a misspelt one would be ignored for years. */
export function assertKnown(options: object, known: Readonly<Record<string, true>>): void {
  const prototype = options === null || typeof options !== "object" ? undefined : Object.getPrototypeOf(options);
  if (prototype !== null && prototype !== Object.prototype) {
    const shown = typeof options === "object" && options !== null ? "an instance of a class" : String(options);
    throw new TypeError(`Cannot use ${shown} as options: give a plain object (and a URL as text)`);
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    throw new TypeError(`Cannot use option ${quoted(name)}: the options are ${Object.keys(known).join(", ")}`);
  }
}

/** A key or a name for a text: in quotes, not too long, without controls. */
export const quoted = (key: string): string =>
  printable(JSON.stringify(key.length > 300 ? `${key.slice(0, 300)}…` : key));

/**
 * Is this UTF-16 unit one that makes a text look like another where it is shown? C1 controls, U+2028 and U+2029, which
 * end a line for some, and the bidirectional controls.
 */
export const isMisleading = (unit: number): boolean =>
  unit >= 0x7f && unit < 0xa0 || unit === 0x61c || unit >= 0x200e && unit <= 0x200f ||
  unit >= 0x2028 && unit <= 0x202e || unit >= 0x2066 && unit <= 0x2069;

/** A name, or words of somebody else's, for a warning or an error: controls stand as `\uXXXX`, so that a terminal or a log is not led astray. */
export function printable(text: string): string {
  let made = "", from = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x20 && !isMisleading(unit)) continue;
    made += `${text.slice(from, i)}\\u${unit.toString(16).padStart(4, "0")}`;
    from = i + 1;
  }
  return from === 0 ? text : made + text.slice(from);
}

/** What a value is, for errors. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  const name: unknown = value.constructor?.name;
  return `an object (${typeof name === "string" ? printable(name) : "without prototype"})`;
}
