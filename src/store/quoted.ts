/** A key for an error's text. Keys may be long. */
export const quoted = (key: string): string => JSON.stringify(key.length > 300 ? `${key.slice(0, 300)}…` : key);
