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
    throw new TypeError(`Cannot use option ${JSON.stringify(name)}: the options are ${Object.keys(known).join(", ")}`);
  }
}

/** A key for an error's text. Keys may be long. */
export const quoted = (key: string): string => JSON.stringify(key.length > 300 ? `${key.slice(0, 300)}…` : key);

/** What a value is, for errors. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? `an object (${value.constructor?.name ?? "without prototype"})` : typeof value;
}
