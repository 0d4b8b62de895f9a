import { CacheValueError } from "../errors.ts";
import { isPromise } from "../util/callbacks.ts";
import { assertKnown } from "../util/checks.ts";
import { errorLine, warn } from "../util/warnings.ts";
import { compress, decompress } from "./compress.ts";
import { hasTooManyParts } from "./read_cost.ts";
import { assertReadable, fromTaggedJson, jsonOf, toTaggedJson } from "./tagged_json.ts";
import { assertDepth, MAX_DEPTH } from "../data/validate.ts";

/** How values become bytes. A codec of one's own may wrap the default one (encryption). */
export interface Codec {
  /**
   * The bytes of a value. What `decode` gives must be accepted as well, as a caller may keep it again. Throws
   * CacheValueError for what it cannot keep.
   */
  encode(value: unknown): Uint8Array;
  /**
   * The value of such bytes, new each time. Throws CacheValueError for bytes that it cannot read: they count as not kept.
   * So do those at which it throws anything else, and one warning tells of that.
   */
  decode(bytes: Uint8Array): unknown;
}

/** Options of the default codec. */
export interface DefaultCodecOptions {
  /** From how many bytes on a value is compressed where that pays. 0: always. Infinity: never. Default 4,096. */
  compressOver?: number | undefined;
  /**
   * The most bytes that a value may have before it is compressed: more are neither encoded nor decoded, whoever wrote
   * them. Default 8 MiB.
   */
  maxBytes?: number | undefined;
}

const DEFAULT_COMPRESS_OVER = 4096;
const DEFAULT_MAX_BYTES = 8 * 1024 * 1024;

/*
 *   form u8 | body
 *
 *   TEXT         UTF-8
 *   BYTES        themselves
 *   JSON_DATA    JSON. The form is a space, so the whole is JSON as it stands
 *   TAGGED       length of the JSON u32 | JSON | contents of typed arrays (tagged_json.ts)
 *   COMPRESSED   length u32 | any of the above, form and body, so long, as a raw deflate stream
 *
 * Numbers are big endian; the contents of typed arrays are as in memory, little endian on every platform we run on.
 */
const TEXT = 0;
const BYTES = 1;
const TAGGED = 2;
const COMPRESSED = 3;
const JSON_DATA = 0x20;

const encoder = new TextEncoder();
// A byte order mark is a character like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
/** Short texts are encoded here and copied, which is faster than two allocations. */
const scratch = new Uint8Array(16 * 1024);
const scratchBody = scratch.subarray(1);

/**
 * The codec that stores use by default. It keeps JSON data, undefined, NaN, Infinity, -Infinity, -0, bigint, Date, Map,
 * Set, URL, URLSearchParams, Headers, RegExp, typed arrays, ArrayBuffer, DataView, Buffer and what Temporal brings,
 * nested anywhere up to 500 levels, holes as holes, objects without a prototype as such, and one object in two places as
 * two. A typed array comes back in a buffer of its own. Anything else (class instances, functions, symbols, accessors,
 * properties added to an array or a Date, cycles) is a CacheValueError that names the part and says what to keep
 * instead. Decoding runs no code and is safe on bytes from anybody: what it cannot read, or not within a fraction of a
 * second, is a CacheValueError, and so is what would be so when it is kept: more than `maxBytes`, a million parts (a
 * name counts as three, an object or array as seven), some thousands of URLs or regular expressions.
 *
 * @throws {RangeError} for an option that is negative or NaN.
 *
 * @example
 * ```ts
 * import { defaultCodec } from "@x/cache-utils";
 *
 * const codec = defaultCodec({ compressOver: 1024 });
 * const bytes = codec.encode({ id: 7n, seen: new Date(), tags: new Set(["new"]) });
 * console.log(codec.decode(bytes));
 * ```
 */
export function defaultCodec(options: DefaultCodecOptions = {}): Codec {
  assertKnown(options, { compressOver: true, maxBytes: true } satisfies Record<keyof DefaultCodecOptions, true>);
  const compressOver = notNegative(options.compressOver ?? DEFAULT_COMPRESS_OVER, "compressOver");
  const maxBytes = notNegative(options.maxBytes ?? DEFAULT_MAX_BYTES, "maxBytes");
  return {
    encode: (value) => {
      const plain = encode(value);
      if (plain.length > maxBytes) throw new CacheValueError(`Cannot keep a value: ${tooLong(plain.length, maxBytes)}`);
      return plain.length > 1 + compressOver ? pack(plain) : plain;
    },
    decode: (bytes) => {
      try {
        const plain = bytes[0] === COMPRESSED ? unpack(bytes, maxBytes) : bytes;
        if (plain.length > maxBytes) {
          throw new CacheValueError(`Cannot read a kept value: ${tooLong(plain.length, maxBytes)}`);
        }
        return decode(plain);
      } catch (error) {
        throw error instanceof CacheValueError ? error : new CacheValueError(UNREADABLE, { cause: error });
      }
    },
  };
}

/** A codec of the user's own failed, which is no fault of the store. */
export class CodecError extends CacheValueError {}

/** Encodes by a codec, which may be the user's own. Throws CacheValueError, whatever the codec throws. */
export function encodeWith(codec: Codec, value: unknown): Uint8Array {
  let bytes: unknown;
  try {
    bytes = codec.encode(value);
  } catch (error) {
    if (error instanceof CacheValueError) throw error;
    throw new CodecError(`Cannot keep a value: encode() of its codec threw: ${errorLine(error)}`, { cause: error });
  }
  if (bytes instanceof Uint8Array) return bytes;
  const given = isPromise(bytes) ? "a promise, and a codec answers at once" : "no Uint8Array";
  throw new CodecError(`Cannot keep a value: encode() of its codec gave ${given}`);
}

/** Decodes by a codec. Throws CacheValueError, whatever the codec throws; the first other error of a codec is a warning. */
export function decodeWith(codec: Codec, bytes: Uint8Array): unknown {
  try {
    const value = codec.decode(bytes);
    if (!isPromise(value)) return value;
    throw new TypeError("it gave a promise, and a codec answers at once");
  } catch (error) {
    if (error instanceof CacheValueError) throw error;
    if (!failing.has(codec)) {
      failing.add(codec);
      const what = "decode() of a codec failed, so what it cannot read counts as not kept (warned of once per codec)";
      warn("callbacks", what, { error });
    }
    throw new CodecError(UNREADABLE, { cause: error });
  }
}

/** Codecs whose failure in decode was warned of. */
const failing = new WeakSet<Codec>();

/** A copy of a value, as encoding and decoding it gives. The bytes are copied in between, since a codec may keep them. */
export const copyWith = (codec: Codec, value: unknown): unknown =>
  decodeWith(codec, new Uint8Array(encodeWith(codec, value)));

const tooLong = (length: number, maxBytes: number): string =>
  `it has ${length} bytes, and the maxBytes of its codec is ${maxBytes}; keep it in parts, or give defaultCodec a larger one`;

const UNREADABLE = "Cannot read a kept value: its bytes are not what the codec writes";

function encode(value: unknown): Uint8Array {
  if (typeof value === "string" && value.isWellFormed()) return textFrame(TEXT, value);
  const tagged = toTaggedJson(value);
  if (isBytes(value)) return concat([Uint8Array.of(BYTES), tagged.contents[0]!]);
  const json = jsonOf(tagged.json);
  if (!tagged.tagged) {
    const framed = textFrame(JSON_DATA, json);
    assertFewParts(framed, "keep a value");
    return framed;
  }
  assertReadable(tagged);
  const text = encoder.encode(json);
  assertFewParts(text, "keep a value");
  return concat([Uint8Array.of(TAGGED), uint32(text.length), text, ...tagged.contents]);
}

function assertFewParts(json: Uint8Array, action: string): void {
  if (!hasTooManyParts(json)) return;
  throw new CacheValueError(`Cannot ${action}: it has too many objects, arrays, numbers and texts; keep it in parts`);
}

const isBytes = (value: unknown): boolean =>
  value instanceof Uint8Array && Object.getPrototypeOf(value) === Uint8Array.prototype;

/** The text is well formed (JSON escapes lone surrogates), so that UTF-8 loses nothing of it. */
function textFrame(form: number, text: string): Uint8Array {
  // A UTF-16 unit becomes three bytes at most.
  if (3 * text.length > scratchBody.length) return concat([Uint8Array.of(form), encoder.encode(text)]);
  scratch[0] = form;
  const { written } = encoder.encodeInto(text, scratchBody);
  return scratch.slice(0, 1 + written);
}

function decode(bytes: Uint8Array): unknown {
  switch (bytes[0]) {
    case TEXT:
      return textOf(bytes.subarray(1));
    case BYTES:
      return new Uint8Array(bytes.subarray(1));
    case JSON_DATA: {
      assertFewParts(bytes, "read a kept value");
      const value = JSON.parse(textOf(bytes));
      // A level takes two brackets, so fewer bytes cannot be nested too deep.
      if (bytes.length > 2 * MAX_DEPTH) assertDepth(value);
      return value;
    }
    case TAGGED: {
      const end = 5 + readUint32(bytes, 1);
      if (end > bytes.length) throw new RangeError("truncated");
      assertFewParts(bytes.subarray(5, end), "read a kept value");
      return fromTaggedJson(JSON.parse(textOf(bytes.subarray(5, end))), bytes.subarray(end));
    }
    default:
      throw new RangeError("an unknown form");
  }
}

/**
 * Throws for what is no UTF-8. In Deno the strict decoder takes four times as long, so it is used only where the other one
 * gave a replacement character.
 */
function textOf(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  return text.includes("\ufffd") ? strictDecoder.decode(bytes) : text;
}

function pack(plain: Uint8Array): Uint8Array {
  const packed = compress(plain);
  return packed === undefined ? plain : concat([Uint8Array.of(COMPRESSED), uint32(plain.length), packed]);
}

function unpack(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const length = readUint32(bytes, 1);
  if (length > maxBytes) throw new CacheValueError(`Cannot read a kept value: ${tooLong(length, maxBytes)}`);
  return decompress(bytes.subarray(5), length);
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function readUint32(bytes: Uint8Array, at: number): number {
  if (bytes.length < at + 4) throw new RangeError("truncated");
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function notNegative(given: number, name: string): number {
  if (typeof given === "number" && given >= 0) return given;
  const Wrong = typeof given === "number" ? RangeError : TypeError;
  throw new Wrong(`Cannot use ${String(given)} as ${name}: it must be a number >= 0`);
}

/** Throws a TypeError for what is no codec. */
export function assertCodec(codec: Codec | undefined): void {
  if (codec === undefined) return;
  if (typeof codec?.encode === "function" && typeof codec.decode === "function") return;
  throw new TypeError("Cannot use codec: it must have the functions encode and decode, as defaultCodec() has");
}

/** One array of all these bytes, in a buffer of its own. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
