/** A function's text: what tells it from another of its name, as far as anything does. */

/** The text of a function or class. All bound functions have the same. */
export const sourceOf = (fn: unknown): string => Function.prototype.toString.call(fn);

const hashes = new WeakMap<object, string>();

/** A short hash of a function's or class's text. */
export function sourceHash(fn: object): string {
  let hash = hashes.get(fn);
  if (hash === undefined) hashes.set(fn, hash = hashOf(sourceOf(fn)));
  return hash;
}

/** One or two letters, as minifiers give them. */
const MINIFIED = /^[\p{L}_$][\p{L}\p{N}_$]?$/u;

/** Does it look like a name that the next build may give to another function? */
export const isMinified = (name: string): boolean => MINIFIED.test(name);

/**
 * 53 bits of a text, in at most 11 characters (cyrb53). Loading a real hash costs Deno 14 to 19 ms; nobody gains
 * anything by two functions that share this one but a warning that does not come.
 */
function hashOf(text: string): string {
  let high = 0xdeadbeef, low = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ high >>> 16, 2246822507) ^ Math.imul(low ^ low >>> 13, 3266489909);
  low = Math.imul(low ^ low >>> 16, 2246822507) ^ Math.imul(high ^ high >>> 13, 3266489909);
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36);
}
