import { isSparse } from "../../data/copy.ts";
import { type BuiltinTag, isTextTag, typeTagOf } from "../../data/type_tags.ts";
import { bytesOf, textOf } from "../../data/contents.ts";

/*
 * Bytes of heap, as measured in V8 (Deno and Node 20, without pointer compression) and JavaScriptCore; where they differ,
 * nearer to the larger. tests/store/weigh_test.ts has the measurements.
 */
const WORD = 8;
const ARRAY = 6 * WORD;
const STRING = 3 * WORD;
const BOXED_NUMBER = 2 * WORD;
/** An object's header. */
const OBJECT = 3 * WORD;
/** So many properties every object has room for; of more, JavaScriptCore has room for up to twice as many. */
const LEAST_PROPERTIES = 4;
const PROPERTY = 1.25 * WORD;
/** The hidden class of an object with one more property: itself, the property's description, the way to it. */
const LAYOUT = 14 * WORD;
/** Objects with more properties than this are hash tables. */
const LARGEST_RECORD = 128;
/** A hash table, and its share of one entry. */
const TABLE = 8 * WORD;
const TABLE_ENTRY = 3 * WORD;
/** The same of a Map or a Set. */
const COLLECTION = 12 * WORD;
const COLLECTION_ENTRY = 5 * WORD;
/** An array whose elements are a table. */
const SPARSE = 30 * WORD;
const INSTANCE = 12 * WORD;
/** A URL and the like, beside its text, which is often kept twice. */
const TEXTUAL = 20 * WORD;
/** One parameter of URLSearchParams; Deno keeps it as two texts in an array. */
const PARAMETER = 16 * WORD;
const HEADERS = 64 * WORD;
const HEADER = 12 * WORD;
/** A RegExp beside its source, which is kept twice. */
const REGEXP = 16 * WORD;
/** The buffer and its view. */
const VIEW = 24 * WORD;

const notLatin1 = /[^\0-\xff]/;

/** What text costs in memory: one byte a character, or two if any needs them. */
export function weighText(text: string): number {
  return STRING + (notLatin1.test(text) ? 2 : 1) * text.length;
}

/** A layout of objects: which properties they have, in which order. */
class Layout {
  /** The property that mostly comes next, and the layout that it leads to. */
  #name: string | undefined = undefined;
  #next: Layout | undefined = undefined;
  #others: Map<string, Layout> | undefined = undefined;

  with(name: string): Layout | undefined {
    return this.#name === name ? this.#next : this.#others?.get(name);
  }

  add(name: string): Layout {
    const layout = new Layout();
    if (this.#name === undefined) {
      this.#name = name;
      this.#next = layout;
    } else (this.#others ??= new Map()).set(name, layout);
    return layout;
  }
}

/**
 * The layouts that were weighed before. Engines keep the names and the hidden classes of a layout once, however many
 * objects share it: the first one pays for it. Whoever paid may be gone while others stay, and this table takes room
 * itself, so it is forgotten when it comes to `maxBytes`: no more than that is ever kept unweighed, and a layout that
 * is still in use is paid for again.
 */
export class Layouts {
  readonly #maxBytes: number;
  #empty = new Layout();
  #bytes = 0;

  /** Default 0: every object pays for its layout. */
  constructor(maxBytes: number = 0) {
    this.#maxBytes = maxBytes;
  }

  /** What an object's layout costs beyond what was paid before. */
  weigh(names: readonly string[]): number {
    let layout = this.#empty, sum = 0;
    for (const name of names) {
      const next = layout.with(name);
      if (next === undefined) sum += LAYOUT + weighText(name);
      layout = next ?? layout.add(name);
    }
    if (sum > 0 && (this.#bytes += sum) > this.#maxBytes) {
      this.#empty = new Layout();
      this.#bytes = 0;
    }
    return sum;
  }
}

/** What keeping a value costs in memory. `value` is one that a traversal has built. */
export function weigh(value: unknown, layouts: Layouts = new Layouts()): number {
  switch (typeof value) {
    case "string":
      return weighText(value);
    case "number":
      return (value | 0) === value ? 0 : BOXED_NUMBER;
    case "bigint":
      return BOXED_NUMBER + value.toString(16).length / 2;
    case "object":
      return value === null ? 0 : weighObject(value, layouts);
    default:
      return 0;
  }
}

function weighObject(value: object, layouts: Layouts): number {
  const kind = typeTagOf(value)!;
  switch (kind) {
    case "plain":
    case "bare":
      return weighProperties(value as Record<string, unknown>, kind === "bare", layouts);
    case "Array":
      return weighArray(value as unknown[], layouts);
    default:
      return weighBuiltin(value, kind, layouts);
  }
}

function weighArray(array: readonly unknown[], layouts: Layouts): number {
  let sum = ARRAY;
  for (let i = 0; i < array.length; i++) {
    const part = array[i];
    if (part === undefined && !Object.hasOwn(array, i)) return weighHoles(array, layouts);
    sum += WORD + weigh(part, layouts);
  }
  return sum;
}

/** An array with holes is a row of places, up to twice as large as other arrays, or a table of its elements. */
function weighHoles(array: readonly unknown[], layouts: Layouts): number {
  const indices = Object.keys(array);
  let sum = ARRAY;
  sum += isSparse(array.length, indices.length) ? SPARSE + table(indices.length) : 1.5 * WORD * array.length;
  for (const index of indices) sum += weigh(array[Number(index)], layouts);
  return sum;
}

function weighProperties(object: Record<string, unknown>, bare: boolean, layouts: Layouts): number {
  const keys = Object.keys(object);
  let sum = OBJECT, indices = 0;
  for (const key of keys) sum += weigh(object[key], layouts);
  // Indices come first, and engines keep what they name as an array's elements.
  while (indices < keys.length && isIndex(keys[indices]!)) indices++;
  if (indices > 0) {
    const length = Number(keys[indices - 1]) + 1;
    sum += length <= 3 * indices ? 1.5 * WORD * length : TABLE + table(indices);
  }
  const names = indices === 0 ? keys : keys.slice(indices);
  if (!bare && names.length <= LARGEST_RECORD) {
    return sum + PROPERTY * Math.max(names.length, LEAST_PROPERTIES) + layouts.weigh(names);
  }
  for (const name of names) sum += weighText(name);
  return sum + TABLE + table(names.length);
}

/** Is it a name that engines take for an array's index? */
const isIndex = (name: string): boolean => {
  const first = name.charCodeAt(0);
  return first >= 0x30 && first <= 0x39 && String(Number(name) >>> 0) === name;
};

/** The entries of a hash table, of which a third is free at least, and two thirds at most. */
const table = (count: number): number => TABLE_ENTRY * 2 ** Math.ceil(Math.log2(Math.max(1.5 * count, 4)));

/** The entries of a Map or a Set, of which half is free at most. */
const collection = (size: number): number =>
  COLLECTION + COLLECTION_ENTRY * 2 ** Math.ceil(Math.log2(Math.max(size, 4)));

function weighBuiltin(value: object, kind: BuiltinTag, layouts: Layouts): number {
  switch (kind) {
    case "Date":
      return INSTANCE;
    case "Map": {
      let sum = collection((value as Map<unknown, unknown>).size);
      for (const [key, part] of value as Map<unknown, unknown>) sum += weigh(key, layouts) + weigh(part, layouts);
      return sum;
    }
    case "Set": {
      let sum = collection((value as Set<unknown>).size);
      for (const part of value as Set<unknown>) sum += weigh(part, layouts);
      return sum;
    }
    case "Headers": {
      let sum = HEADERS;
      for (const [name, text] of value as Headers) sum += HEADER + weighText(name) + weighText(text);
      return sum;
    }
    case "RegExp":
      return INSTANCE + REGEXP + 2 * weighText((value as RegExp).source);
    case "URLSearchParams": {
      const text = textOf(value, kind);
      return INSTANCE + weighText(text) + PARAMETER * text.split("&").length;
    }
    default:
      if (isTextTag(kind)) return INSTANCE + TEXTUAL + 2 * weighText(textOf(value, kind));
      return VIEW + bytesOf(value as ArrayBuffer | ArrayBufferView, kind)!.length;
  }
}
