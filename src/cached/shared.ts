/**
 * What all copies of this library in one program share: two versions in one tree of dependencies would otherwise have a
 * default backend each, and an invalidation through one would not reach what the other keeps.
 */

/** Raised whenever the shape or the meaning of something shared changes: copies that disagree keep to themselves. */
const FORMAT = 1;
const PLACE: unique symbol = Symbol.for("@x/cache-utils.shared");

interface Parts {
  readonly format: number;
  readonly parts: Map<string, object>;
}

const { parts } = place();

/** The part of that name: the one another copy has made, or else what `make` returns. */
export function shared<T extends object>(name: string, make: () => T): T {
  let part = parts.get(name);
  if (part === undefined) parts.set(name, part = make());
  return part as T;
}

function place(): Parts {
  const own: Parts = { format: FORMAT, parts: new Map() };
  const found = (globalThis as { [PLACE]?: Parts })[PLACE];
  if (found?.format === FORMAT) return found;
  // A realm that is frozen, or a copy of another format that came first: this copy is alone.
  if (found === undefined && Object.isExtensible(globalThis)) {
    Object.defineProperty(globalThis, PLACE, { value: own, configurable: true });
  }
  return own;
}
