import { twins } from "../data/copy.ts";
import { type BytesKind, isTextKind, type TextKind } from "../data/kinds.ts";
import { fromExactText, fromText } from "../data/texts.ts";
import { type Maker, MAX_DEPTH, walk } from "../data/walk.ts";
import { CacheValueError } from "../errors.ts";
import {
  bigintEffort,
  headersEffort,
  MAX_EFFORT,
  regexpEffort,
  sparseEffort,
  TAG_EFFORT,
  textualEffort,
} from "./effort.ts";
import { refuseValue } from "./copy.ts";

/**
 * A value as JSON data. What JSON has no word for is a tag, an object whose only property is "$":
 *
 *   {"$":"undefined" | "NaN" | "Infinity" | "-Infinity" | "-0"}
 *   {"$":["bigint","-ff"]}            hexadecimal, since decimal digits take more than linear time to read
 *   {"$":["Date",ms | null]}          {"$":["RegExp",source,flags,lastIndex]}
 *   {"$":["URL",text]}                also URLSearchParams and what Temporal brings
 *   {"$":["Headers",[name,value,name,value]]}
 *   {"$":["sparse",length,[index,element,index,element]]}
 *   {"$":["Map",[k,v,k,v]]}           {"$":["Set",[item,item]]}
 *   {"$":["bare",{…}]}                an object without a prototype
 *   {"$":["plain",{…}]}               a plain object that itself has a property "$"
 *   {"$":["Int8Array",length]}        so many bytes of those beside the tree, taken in turn
 */
export interface Tree {
  readonly node: unknown;
  /** false: the value is JSON data as it stands, without a tag. */
  readonly tagged: boolean;
  /** How many regular expressions are in it. */
  readonly compiled: number;
  /** The contents of its byte arrays, in the order of their tags. They are the value's own memory. */
  readonly bytes: readonly Uint8Array[];
  /** What reading its tags takes (effort.ts). */
  readonly effort: number;
}

const TAG = "$";
const ODD = new Map<unknown, number | undefined>([
  ["undefined", undefined],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0],
]);

/** A value as a tree. Throws CacheValueError for what cannot be kept. */
export function toTree(value: unknown): Tree {
  const maker = new Tags();
  const node = walk(value, maker);
  return { node, tagged: maker.tagged, compiled: maker.compiled, bytes: maker.contents, effort: maker.effort };
}

/** The JSON of a tree's node, or of what has one in it. Throws CacheValueError where it would be longer than a string can be. */
export function jsonOf(node: unknown): string {
  try {
    return JSON.stringify(node);
  } catch (error) {
    throw new CacheValueError("Cannot keep a value: it is too large for a string", { cause: error });
  }
}

class Tags implements Maker {
  readonly refusal: Maker["refusal"] = refuseValue;
  tagged = false;
  compiled = 0;
  effort = 0;
  readonly contents: Uint8Array[] = [];

  text(value: string): unknown {
    return value;
  }
  simple(value: boolean | number | null): unknown {
    return value;
  }
  odd(value: number | undefined): unknown {
    return this.#tag(Object.is(value, -0) ? "-0" : String(value));
  }
  bigint(value: bigint): unknown {
    const hex = value.toString(16);
    return this.#tag(["bigint", hex], bigintEffort(hex.length));
  }
  plain(made: Record<string, unknown>): unknown {
    return Object.hasOwn(made, TAG) ? this.#tag(["plain", made]) : made;
  }
  bare(made: Record<string, unknown>): unknown {
    return this.#tag(["bare", made]);
  }
  array(made: unknown[]): unknown {
    return made;
  }
  sparse(length: number, elements: [number, unknown][]): unknown {
    return this.#tag(["sparse", length, elements.flat(1)], sparseEffort(length, elements.length));
  }
  date(ms: number): unknown {
    return this.#tag(["Date", ms]);
  }
  map(flat: unknown[]): unknown {
    return this.#tag(["Map", flat]);
  }
  set(items: unknown[]): unknown {
    return this.#tag(["Set", items]);
  }
  headers(flat: unknown[]): unknown {
    return this.#tag(["Headers", flat], headersEffort(flat.length / 2));
  }
  textual(text: string, kind: TextKind): unknown {
    fromExactText(text, kind);
    return this.#tag([kind, text], textualEffort(kind, text));
  }
  regexp(source: string, flags: string, lastIndex: unknown): unknown {
    this.compiled++;
    return this.#tag(["RegExp", source, flags, lastIndex], regexpEffort(source, flags));
  }
  bytes(bytes: Uint8Array, kind: BytesKind): unknown {
    this.contents.push(bytes);
    return this.#tag([kind, bytes.length]);
  }

  #tag(tag: unknown, effort: number = TAG_EFFORT): unknown {
    this.tagged = true;
    this.effort += effort;
    return { [TAG]: tag };
  }
}

/**
 * The value of a tree with tags; it is built inside the tree's own arrays and objects. The tree may come from anybody:
 * what it says is believed only as far as it cannot harm. `bytes`: what stands beside it. `maxEffort`: what its tags may
 * take to read; Infinity for a tree of our own. Throws anything for a tree that is none.
 */
export function fromTree(node: unknown, bytes: Uint8Array, maxEffort: number = MAX_EFFORT): unknown {
  const reader = new Reader(bytes, maxEffort);
  const value = reader.part(node, 0);
  reader.assertEmpty();
  return value;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #effortLeft: number;

  constructor(bytes: Uint8Array, maxEffort: number) {
    this.#bytes = bytes;
    this.#effortLeft = maxEffort;
  }

  /** Asked before what takes it is done. */
  #spend(effort: number): void {
    this.#effortLeft -= effort;
    if (!(this.#effortLeft >= 0)) unreadable("reading it would take too long");
  }

  assertEmpty(): void {
    if (this.#at !== this.#bytes.length) unreadable("there are bytes left over");
  }

  part(node: unknown, depth: number): unknown {
    if (typeof node !== "object" || node === null) return node;
    if (depth > MAX_DEPTH) unreadable("it is nested too deep");
    if (Array.isArray(node)) return this.#items(node, depth);
    return Object.hasOwn(node, TAG)
      ? this.#untagged((node as Record<string, unknown>)[TAG], depth)
      : this.#properties(node as Record<string, unknown>, depth);
  }

  #items(items: unknown[], depth: number): unknown[] {
    for (let i = 0; i < items.length; i++) items[i] = this.part(items[i], depth + 1);
    return items;
  }

  /** JSON.parse makes `__proto__` a property like any other, and assigning to one that is there changes no prototype. */
  #properties(object: Record<string, unknown>, depth: number): Record<string, unknown> {
    for (const key of Object.keys(object)) {
      const part = object[key];
      if (typeof part === "object" && part !== null) object[key] = this.part(part, depth + 1);
    }
    return object;
  }

  #untagged(tag: unknown, depth: number): unknown {
    this.#spend(TAG_EFFORT);
    if (!Array.isArray(tag)) return ODD.has(tag) ? ODD.get(tag) : unreadable("a tag is unknown");
    const [name, body, flags, lastIndex] = tag as unknown[];
    switch (name) {
      case "bigint":
        this.#spend(bigintEffort(text(body).length));
        return bigint(text(body));
      case "Date":
        return twins.date(body === null ? NaN : number(body));
      case "sparse":
        return this.#sparse(number(body), array(flags), depth);
      case "Headers":
        this.#spend(headersEffort(array(body).length / 2));
        return twins.headers(array(body).map(text));
      case "RegExp":
        this.#spend(regexpEffort(text(body), text(flags)));
        return twins.regexp(text(body), text(flags), number(this.part(lastIndex, depth)));
      case "Map":
        return twins.map(this.#items(array(body), depth));
      case "Set":
        return twins.set(this.#items(array(body), depth));
      case "bare":
        return twins.bare(this.#properties(object(body), depth));
      case "plain":
        return this.#properties(object(body), depth);
      default:
        if (typeof body !== "string") return twins.bytes(this.#take(number(body)), name as BytesKind, this);
        this.#spend(textualEffort(textKind(name), body));
        return fromText(body, textKind(name));
    }
  }

  #sparse(length: number, flat: unknown[], depth: number): unknown[] {
    this.#spend(sparseEffort(length, flat.length / 2));
    const elements: [number, unknown][] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const index = number(flat[i]);
      if (!(Number.isInteger(index) && index >= 0 && index < length)) malformed();
      elements.push([index, this.part(flat[i + 1], depth + 1)]);
    }
    return twins.sparse(length, elements) as unknown[];
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (!(Number.isInteger(length) && length >= 0 && end <= this.#bytes.length)) unreadable("a length is wrong");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function bigint(hex: string): bigint {
  return hex.startsWith("-") ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`);
}

/** Throws CacheValueError for a tree that would not be read back. */
export function assertReadable({ effort }: Tree): void {
  if (effort <= MAX_EFFORT) return;
  throw new CacheValueError(
    "Cannot keep a value: reading its dates, URLs, regular expressions and the like would take too long; keep fewer of them",
  );
}

const textKind = (name: unknown): TextKind => isTextKind(name) ? name : unreadable("a tag is unknown");
const text = (node: unknown): string => typeof node === "string" ? node : malformed();
const number = (node: unknown): number => typeof node === "number" ? node : malformed();
const array = (node: unknown): unknown[] => Array.isArray(node) ? node : malformed();
const object = (node: unknown): Record<string, unknown> =>
  typeof node === "object" && node !== null && !Array.isArray(node) ? node as Record<string, unknown> : malformed();
const malformed = (): never => unreadable("a tag is malformed");

function unreadable(reason: string): never {
  throw new CacheValueError(`Cannot read a kept value: ${reason}`);
}
