import { CacheValueError } from "../../errors.ts";
import { type Codec, concat, decodeWith, encodeWith } from "../../codec/codec.ts";
import type { ValueEntry } from "../store.ts";
import { assertDepth } from "../../data/validate.ts";
import { hasTooManyPartsAsText } from "../../codec/read_cost.ts";
import { assertReadable, fromTaggedJson, jsonOf, toTaggedJson } from "../../codec/tagged_json.ts";

/*
 *   ["cache-utils 2", id, end, freshUntil, staleUntil, full key | null, source | null, form, value, bytes]
 *
 *   json   value is the value             bytes is absent
 *   tree   value is tagged JSON           bytes are those beside it, as base64
 *   codec  value is null                  bytes are what the codec made of it, as base64
 *
 * A time that JSON has no number for is text: "Infinity". Another layout has another number behind the name.
 */
const MAGIC = "cache-utils 2";
const HEAD = `["${MAGIC}",`;
/** What is read, whoever wrote it: 8 MiB of bytes, as base64, and some more. */
const MAX_LENGTH = 12 * 1024 * 1024;

/** A string of the cache, read. */
export interface StoredText {
  readonly text: string;
  readonly id: string;
  /** Epoch ms from which it counts as not there. */
  readonly end: number;
  readonly entry: ValueEntry;
}

/** The string that a value's entry is kept as. Throws CacheValueError for what cannot be kept. */
export function writeText(id: string, entry: ValueEntry, end: number, codec: Codec | undefined): string {
  const { freshUntil, staleUntil, fullKey, source } = entry;
  const head = [MAGIC, id, time(end), time(freshUntil), time(staleUntil), fullKey ?? null, source ?? null];
  if (codec !== undefined) return jsonOf([...head, "codec", null, toBase64(encodeWith(codec, entry.value))]);
  const tree = toTaggedJson(entry.value), { json, tagged, contents } = tree;
  assertReadable(tree);
  const text = jsonOf(tagged ? [...head, "tree", json, toBase64(concat(contents))] : [...head, "json", json]);
  if (isQuicklyRead(text)) return text;
  throw new CacheValueError(
    `Cannot keep a value: it has more than ${MAX_LENGTH} characters, or too many objects, arrays, numbers and texts; keep it in parts`,
  );
}

const isQuicklyRead = (text: string): boolean => text.length <= MAX_LENGTH && !hasTooManyPartsAsText(text);

/** The entry of such a string. Never throws: `undefined` for what cannot be read. */
export function readText(text: string, codec: Codec | undefined): StoredText | undefined {
  if (!text.startsWith(HEAD) || !isQuicklyRead(text)) return undefined;
  try {
    const [, id, end, freshUntil, staleUntil, fullKey, source, form, value, bytes] = JSON.parse(text);
    const times = [end, freshUntil, staleUntil].map(Number) as [number, number, number];
    if (typeof id !== "string" || times.some(Number.isNaN)) return undefined;
    for (const part of [fullKey, source]) if (part !== null && typeof part !== "string") return undefined;
    const entry: ValueEntry = {
      kind: "value",
      value: valueOf(form, value, bytes, codec),
      freshUntil: times[1],
      staleUntil: times[2],
      fullKey: fullKey ?? undefined,
      source: source ?? undefined,
      generations: [],
    };
    return { text, id, end: times[0], entry };
  } catch {
    return undefined;
  }
}

/** One that was written with a codec is not read without it, nor the other way round. */
function valueOf(form: unknown, value: unknown, bytes: unknown, codec: Codec | undefined): unknown {
  if (form === "codec" && codec !== undefined) return decodeWith(codec, fromBase64(bytes));
  if (form === "tree" && codec === undefined) return fromTaggedJson(value, fromBase64(bytes));
  if (form !== "json" || codec !== undefined) {
    throw new CacheValueError("Cannot read a kept value: it has another form");
  }
  assertDepth(value);
  return value;
}

const time = (ms: number): number | string => Number.isFinite(ms) ? ms : String(ms);

/** So many arguments a call surely takes. */
const CHUNK = 8192;

function toBase64(bytes: Uint8Array): string {
  let latin1 = "";
  for (let at = 0; at < bytes.length; at += CHUNK) latin1 += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(latin1);
}

function fromBase64(base64: unknown): Uint8Array {
  if (typeof base64 !== "string") throw new CacheValueError("Cannot read a kept value: its bytes are missing");
  const latin1 = atob(base64);
  const bytes = new Uint8Array(latin1.length);
  for (let i = 0; i < latin1.length; i++) bytes[i] = latin1.charCodeAt(i);
  return bytes;
}
