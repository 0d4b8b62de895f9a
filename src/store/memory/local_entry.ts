import { type Codec, concat, decodeWith, encodeWith } from "../../codec/codec.ts";
import { clone, cloneJson } from "../../data/copy.ts";
import { fromTaggedJson, jsonOf, toTaggedJson } from "../../codec/tagged_json.ts";
import { Layouts, weigh, weighText } from "./size.ts";

/** A value kept in this process, safe from whoever gave it and from whoever is given it. */
export interface Held {
  /** What keeping it costs. */
  readonly bytes: number;
  /** A copy. Throws if a codec of the user's own cannot read what it wrote. */
  give(): unknown;
}

/**
 * Holds a value as a copy of itself, of which copying again is cheap. It is what its encoding is read back as, so that
 * its texts are its own: a text cut from a larger one would keep all of that in memory. Throws CacheValueError for what
 * cannot be kept. `layouts`: those of objects that are kept beside it.
 */
export function hold(value: unknown, layouts: Layouts = new Layouts()): Held {
  const tree = toTaggedJson(value);
  const json = jsonOf(tree.json);
  if (tree.regexps > 0) return new HeldTree(json, concat(tree.bytes), tree.regexps);
  const node = JSON.parse(json);
  return tree.tagged
    ? new HeldCopy(fromTaggedJson(node, concat(tree.bytes), Infinity), clone, layouts)
    : new HeldCopy(node, cloneJson, layouts);
}

/** Holds a value as the bytes that a codec makes of it. */
export function holdEncoded(value: unknown, codec: Codec): Held {
  return new HeldBytes(encodeWith(codec, value), codec);
}

class HeldCopy implements Held {
  readonly bytes: number;
  readonly #value: unknown;
  readonly #copy: (value: unknown) => unknown;

  constructor(value: unknown, copy: (value: unknown) => unknown, layouts: Layouts) {
    this.#value = value;
    this.#copy = copy;
    this.bytes = weigh(value, layouts);
  }

  give(): unknown {
    return this.#copy(this.#value);
  }
}

/** A value with regular expressions, made anew for whoever is given it: the engine remembers each that it has compiled, for a while. */
class HeldTree implements Held {
  readonly bytes: number;
  readonly #json: string;
  readonly #contents: Uint8Array;

  constructor(json: string, contents: Uint8Array, compiled: number) {
    this.#json = json;
    this.#contents = contents;
    this.bytes = weighText(json) + contents.length + VIEW + COMPILED * compiled;
  }

  give(): unknown {
    return fromTaggedJson(JSON.parse(this.#json), this.#contents, Infinity);
  }
}

class HeldBytes implements Held {
  readonly bytes: number;
  readonly #encoded: Uint8Array;
  readonly #codec: Codec;

  /** Copied both ways: a codec may use one buffer again and again, decrypt in place, or give out what it was given. */
  constructor(encoded: Uint8Array, codec: Codec) {
    this.#encoded = new Uint8Array(encoded);
    this.#codec = codec;
    this.bytes = encoded.length + VIEW;
  }

  give(): unknown {
    return decodeWith(this.#codec, new Uint8Array(this.#encoded));
  }
}

/** What the engine remembers of a regular expression. */
const COMPILED = 160;
/** A typed array, its buffer, and this object. */
const VIEW = 240;
