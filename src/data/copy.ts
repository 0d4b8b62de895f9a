import { advice } from "./advice.ts";
import { CacheValueError } from "../errors.ts";
import { printable } from "../util/checks.ts";
import { type BuiltinTag, isTextTag, typeTagOf } from "./type_tags.ts";
import { bytesOf, fromBytes, fromExactText, fromText, textOf } from "./contents.ts";
import { type Builder, validate } from "./validate.ts";

/** Makes the very things: what a walk with it gives is a copy. */
export const rebuild: Omit<Builder, "refuse" | "replace"> = {
  text: (value) => value,
  primitive: (value) => value,
  nonJson: (value) => value,
  bigint: (value) => value,
  plain: (made) => made,
  bare: (made) => ({ __proto__: null, ...made }),
  array: (made) => made,
  sparse: (length, elements) => {
    const twin: unknown[] = [];
    if (isSparse(length, elements.length)) {
      // Otherwise each place takes memory: engines keep a table for who begins far out.
      twin[length - 1] = 0;
      delete twin[length - 1];
    }
    for (const [index, part] of elements) twin[index] = part;
    twin.length = length;
    return twin;
  },
  date: (ms) => new Date(ms),
  map: (flat) => {
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
    return map;
  },
  set: (items) => new Set(items),
  headers: (flat) => {
    const headers = new Headers();
    for (let i = 0; i < flat.length; i += 2) headers.append(flat[i] as string, flat[i + 1] as string);
    return headers;
  },
  textual: fromExactText,
  regexp: (source, flags, lastIndex) => {
    const twin = new RegExp(source, flags);
    twin.lastIndex = lastIndex as number;
    return twin;
  },
  bytes: fromBytes,
};

/** Is a copy of an array with holes kept as a table of its elements, not as a row of places? */
export const isSparse = (length: number, elements: number): boolean => length > 2048 && 8 * elements < length;

/**
 * A copy of JSON data that is known to be nothing else. Spreading an object copies its layout at once, several times
 * faster than parsing JSON or setting property by property.
 */
export function cloneJson(value: unknown): unknown {
  return typeof value === "object" && value !== null ? jsonObject(value) : value;
}

function jsonObject(value: object): unknown {
  if (Array.isArray(value)) {
    const twin = value.slice();
    for (let i = 0; i < twin.length; i++) {
      const part = twin[i];
      if (typeof part === "object" && part !== null) twin[i] = jsonObject(part);
    }
    return twin;
  }
  const twin: Record<string, unknown> = { ...value };
  for (const key in twin) {
    const part = twin[key];
    // `in` sees what somebody may have added to Object.prototype as well.
    if (typeof part === "object" && part !== null && Object.hasOwn(twin, key)) twin[key] = jsonObject(part);
  }
  return twin;
}

/** A copy of a value that has passed a walk before. */
export function clone(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const kind = typeTagOf(value)!;
  switch (kind) {
    case "plain":
      return cloneParts({ ...value });
    case "bare":
      return cloneParts({ __proto__: null, ...value });
    case "Array":
      return cloneArray(value as unknown[]);
    default:
      return cloneBuiltin(value, kind);
  }
}

function cloneArray(array: readonly unknown[]): unknown[] {
  const twin: unknown[] = [];
  for (let i = 0; i < array.length; i++) {
    const part = array[i];
    if (part === undefined && !Object.hasOwn(array, i)) {
      return rebuild.sparse(array.length, elementsOf(array)) as unknown[];
    }
    twin.push(clone(part));
  }
  return twin;
}

/** The elements of an array with holes, of which there may be millions. */
const elementsOf = (array: readonly unknown[]): [number, unknown][] =>
  Object.keys(array).map((index) => [Number(index), clone(array[Number(index)])]);

function cloneParts(twin: Record<string, unknown>): unknown {
  for (const key of Object.keys(twin)) twin[key] = clone(twin[key]);
  return twin;
}

function cloneBuiltin(value: object, kind: BuiltinTag): unknown {
  switch (kind) {
    case "Date":
      return new Date((value as Date).getTime());
    case "Map": {
      const twin = new Map<unknown, unknown>();
      for (const [key, part] of value as Map<unknown, unknown>) twin.set(clone(key), clone(part));
      return twin;
    }
    case "Set": {
      const twin = new Set<unknown>();
      for (const part of value as Set<unknown>) twin.add(clone(part));
      return twin;
    }
    case "Headers":
      return new Headers(value as Headers);
    case "RegExp": {
      const { source, flags, lastIndex } = value as RegExp;
      return rebuild.regexp(source, flags, lastIndex);
    }
    default:
      if (isTextTag(kind)) return fromText(textOf(value, kind), kind);
      return fromBytes(bytesOf(value as ArrayBuffer | ArrayBufferView, kind)!, kind);
  }
}

/** Says of a result which part of it cannot be kept, why, and what to keep instead. */
export const refuseValue: Builder["refuse"] = (path, fault, words, part, cause) => {
  return new CacheValueError(
    printable(`Cannot keep value${path}: ${words}; ${advice(fault, part, "keep")}`),
    cause === undefined ? undefined : { cause },
  );
};

const copying: Builder = { ...rebuild, refuse: refuseValue };

/** A copy of a result, the same as encoding and decoding it gives. Throws CacheValueError for what cannot be kept. */
export const copyOf = (value: unknown): unknown => validate(value, copying);
