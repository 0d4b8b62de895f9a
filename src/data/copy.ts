/** Copies of data: built by a traversal of what comes from outside, or quicker, of what such a traversal has built. */
import { CacheValueError } from "../errors.ts";
import { printable } from "../util/checks.ts";
import { advice } from "./advice.ts";
import { bytesOf, fromBytes, fromExactText, fromText, textOf } from "./contents.ts";
import { type BuiltinTag, isTextTag, typeTagOf } from "./type_tags.ts";
import { type Builder, validate } from "./validate.ts";

/** Builds the same data again: what a traversal with it gives is a copy. */
export const rebuild: Omit<Builder, "refuse" | "replace"> = {
  text: (value) => value,
  primitive: (value) => value,
  nonJson: (value) => value,
  bigint: (value) => value,
  plain: (built) => built,
  bare: (built) => ({ __proto__: null, ...built }),
  array: (built) => built,
  sparse: (length, elements) => {
    const copy: unknown[] = [];
    if (isSparse(length, elements.length)) {
      // An engine that first sees an element far out keeps a table; otherwise each place would take memory.
      copy[length - 1] = 0;
      delete copy[length - 1];
    }
    for (const [index, part] of elements) copy[index] = part;
    copy.length = length;
    return copy;
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
    const copy = new RegExp(source, flags);
    copy.lastIndex = lastIndex as number;
    return copy;
  },
  bytes: fromBytes,
};

/** Whether an array with holes is kept as a table of its elements, and not as a row of places. */
export const isSparse = (length: number, elements: number): boolean => length > 2048 && 8 * elements < length;

/** For builders of results: the error says which part cannot be kept, why, and what to keep instead. */
export const refuseValue: Builder["refuse"] = (path, fault, words, part, cause) =>
  new CacheValueError(
    printable(`Cannot keep value${path}: ${words}; ${advice(fault, part, "keep")}`),
    cause === undefined ? undefined : { cause },
  );

const copying: Builder = { ...rebuild, refuse: refuseValue };

/** A copy of a result, the same as encoding and decoding it gives. Throws CacheValueError for what cannot be kept. */
export const copyOf = (value: unknown): unknown => validate(value, copying);

/**
 * A copy of a value that is known to be JSON data and nothing else. Spreading an object copies its layout at once, several
 * times faster than parsing JSON or setting property by property.
 */
export const cloneJson = (value: unknown): unknown =>
  typeof value === "object" && value !== null ? cloneJsonObject(value) : value;

function cloneJsonObject(object: object): unknown {
  if (Array.isArray(object)) {
    const copy = object.slice();
    for (let i = 0; i < copy.length; i++) {
      const part = copy[i];
      if (typeof part === "object" && part !== null) copy[i] = cloneJsonObject(part);
    }
    return copy;
  }
  const copy: Record<string, unknown> = { ...object };
  for (const key in copy) {
    const part = copy[key];
    // `in` sees what somebody may have added to Object.prototype as well.
    if (typeof part === "object" && part !== null && Object.hasOwn(copy, key)) copy[key] = cloneJsonObject(part);
  }
  return copy;
}

/** A copy of a value that a traversal has built. */
export function clone(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const tag = typeTagOf(value)!;
  switch (tag) {
    case "plain":
      return cloneParts({ ...value });
    case "bare":
      return cloneParts({ __proto__: null, ...value });
    case "Array":
      return cloneArray(value as unknown[]);
    default:
      return cloneBuiltin(value, tag);
  }
}

function cloneArray(array: readonly unknown[]): unknown {
  const copy: unknown[] = [];
  for (let i = 0; i < array.length; i++) {
    const part = array[i];
    if (part === undefined && !Object.hasOwn(array, i)) {
      // By its keys, since there may be millions of holes.
      const elements = Object.keys(array).map((key): [number, unknown] => [Number(key), clone(array[Number(key)])]);
      return rebuild.sparse(array.length, elements);
    }
    copy.push(clone(part));
  }
  return copy;
}

function cloneParts(copy: Record<string, unknown>): unknown {
  for (const key of Object.keys(copy)) copy[key] = clone(copy[key]);
  return copy;
}

function cloneBuiltin(object: object, tag: BuiltinTag): unknown {
  switch (tag) {
    case "Date":
      return new Date((object as Date).getTime());
    case "Map": {
      const copy = new Map<unknown, unknown>();
      for (const [key, part] of object as Map<unknown, unknown>) copy.set(clone(key), clone(part));
      return copy;
    }
    case "Set": {
      const copy = new Set<unknown>();
      for (const part of object as Set<unknown>) copy.add(clone(part));
      return copy;
    }
    case "Headers":
      return new Headers(object as Headers);
    case "RegExp":
      return Object.assign(new RegExp(object as RegExp), { lastIndex: (object as RegExp).lastIndex });
    default:
      if (isTextTag(tag)) return fromText(textOf(object, tag), tag);
      return fromBytes(bytesOf(object as ArrayBuffer | ArrayBufferView, tag)!, tag);
  }
}
