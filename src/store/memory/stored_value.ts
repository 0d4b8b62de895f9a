import { type Codec, concat, decodeWith, encodeWith } from "../../codec/codec.ts";
import { clone, cloneJson } from "../../data/copy.ts";
import { fromTaggedJson, jsonOf, toTaggedJson } from "../../codec/tagged_json.ts";
import { Layouts, weigh, weighText } from "./size.ts";

/** What the engine remembers of a regular expression. */
const REGEXP_BYTES = 160;
/** A typed array, its buffer, and the StoredValue. */
const VIEW_BYTES = 240;

/** A value kept in this process, safe from whoever gave it and from whoever is given it. */
export interface StoredValue {
  /** What keeping it costs. */
  readonly bytes: number;
  /** A form of the value that nobody else can reach. */
  readonly kept: unknown;
  /** Makes a copy of the value from `kept`. Throws if a codec of the user's own cannot read what it wrote. */
  readonly restore: (kept: never) => unknown;
}

/**
 * Stores a value as a copy of itself, of which copying again is cheap. It is what its encoding is read back as, so that
 * its texts are its own: a text cut from a larger one would keep all of that in memory. Throws CacheValueError for what
 * cannot be kept. `layouts`: those of objects that are kept beside it.
 */
export function storeCopy(value: unknown, layouts: Layouts = new Layouts()): StoredValue {
  const { json, tagged, regexps, contents } = toTaggedJson(value);
  const text = jsonOf(json);
  if (regexps > 0) {
    const bytes = concat(contents);
    const size = weighText(text) + bytes.length + VIEW_BYTES + REGEXP_BYTES * regexps;
    return { bytes: size, kept: { text, contents: bytes }, restore: readTagged };
  }
  const parsed: unknown = JSON.parse(text);
  const kept = tagged ? fromTaggedJson(parsed, concat(contents), Infinity) : parsed;
  return { bytes: weigh(kept, layouts), kept, restore: tagged ? clone : cloneJson };
}

/** Each copy of a value with regular expressions is read anew: an engine remembers each one that it compiled, for a while. */
const readTagged = ({ text, contents }: { readonly text: string; readonly contents: Uint8Array }): unknown =>
  fromTaggedJson(JSON.parse(text), contents, Infinity);

/** A copy of what is stored. */
export const copyOfStored = ({ kept, restore }: StoredValue): unknown => restore(kept as never);

/**
 * Stores values as the bytes that a codec makes of them, copied both ways: a codec may use one buffer again and again,
 * decrypt in place, or give out what it was given.
 */
export function storeEncodedBy(codec: Codec): (value: unknown) => StoredValue {
  const restore = (kept: Uint8Array) => decodeWith(codec, new Uint8Array(kept));
  return (value) => {
    const kept = new Uint8Array(encodeWith(codec, value));
    return { bytes: kept.length + VIEW_BYTES, kept, restore };
  };
}
