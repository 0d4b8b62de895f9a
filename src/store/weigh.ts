import { type BuiltinKind, bytesOf, isTextKind, kindOf } from "../data/kinds.ts";
import { textOf } from "../data/texts.ts";

/*
 * Bytes of heap, as V8 lays things out without pointer compression (JavaScriptCore comes close): a header of three
 * words and one word a property or element, rounded up where engines leave room to grow.
 */
const WORD = 8;
const OBJECT = 4 * WORD;
const ARRAY = 6 * WORD;
const STRING = 3 * WORD;
const BOXED_NUMBER = 2 * WORD;
/** A hash table's share of one entry. */
const TABLE_ENTRY = 5 * WORD;
/** The smallest one. */
const TABLE = 20 * WORD;
const INSTANCE = 12 * WORD;
/** A URL is a record of its parts; what else a text says in full is no larger. */
const URL_PARTS = 50 * WORD;
/** A RegExp beside its source. */
const REGEXP = 20 * WORD;
/** The buffer and its view. */
const VIEW = 24 * WORD;
/** Objects with more properties than this are hash tables in V8. */
const LARGEST_RECORD = 128;

const notLatin1 = /[^\0-\xff]/;

/** What text costs in memory: one byte a character, or two if any needs them. */
export function weighText(text: string): number {
  return STRING + (notLatin1.test(text) ? 2 : 1) * text.length;
}

/** What keeping a value costs in memory. `value` has passed a walk. */
export function weigh(value: unknown): number {
  switch (typeof value) {
    case "string":
      return weighText(value);
    case "number":
      return (value | 0) === value ? 0 : BOXED_NUMBER;
    case "bigint":
      return BOXED_NUMBER + value.toString(16).length / 2;
    case "object":
      return value === null ? 0 : weighObject(value);
    default:
      return 0;
  }
}

function weighObject(value: object): number {
  const kind = kindOf(value)!;
  switch (kind) {
    case "plain":
    case "bare":
      return weighProperties(value as Record<string, unknown>, kind === "bare");
    case "Array":
      return weighArray(value as unknown[]);
    default:
      return weighBuiltin(value, kind);
  }
}

function weighArray(array: readonly unknown[]): number {
  let sum = ARRAY;
  for (let i = 0; i < array.length; i++) {
    const part = array[i];
    if (part === undefined && !Object.hasOwn(array, i)) return weighSparse(array);
    sum += WORD + weigh(part);
  }
  return sum;
}

/** One with holes may be a table of its elements. */
function weighSparse(array: readonly unknown[]): number {
  let sum = ARRAY + TABLE;
  for (const index of Object.keys(array)) sum += TABLE_ENTRY + weigh(array[Number(index)]);
  return sum;
}

/** Records of one layout share their keys; a table, as what has no prototype always is, has its own. */
function weighProperties(object: Record<string, unknown>, bare: boolean): number {
  const keys = Object.keys(object);
  const table = bare || keys.length > LARGEST_RECORD;
  let sum = OBJECT + (table ? TABLE : 0);
  for (const key of keys) sum += (table ? TABLE_ENTRY + weighText(key) : WORD) + weigh(object[key]);
  return sum;
}

function weighBuiltin(value: object, kind: BuiltinKind): number {
  let sum = INSTANCE;
  switch (kind) {
    case "Date":
      return sum;
    case "Map":
      for (const [key, part] of value as Map<unknown, unknown>) sum += TABLE_ENTRY + weigh(key) + weigh(part);
      return sum;
    case "Set":
      for (const part of value as Set<unknown>) sum += TABLE_ENTRY + weigh(part);
      return sum;
    case "Headers":
      for (const [name, text] of value as Headers) sum += TABLE_ENTRY + weighText(name) + weighText(text);
      return sum + TABLE;
    case "RegExp":
      return sum + REGEXP + weighText((value as RegExp).source);
    default:
      if (isTextKind(kind)) return sum + URL_PARTS + 2 * weighText(textOf(value, kind));
      return VIEW + bytesOf(value as ArrayBuffer | ArrayBufferView, kind)!.length;
  }
}
