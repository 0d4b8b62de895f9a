/** Throws a TypeError for an option that nobody knows: a misspelt one would be ignored for years. */
export function assertKnown(options: object, known: Readonly<Record<string, true>>): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    throw new TypeError(`Cannot use option ${JSON.stringify(name)}: the options are ${Object.keys(known).join(", ")}`);
  }
}
