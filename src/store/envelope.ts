import { CacheValueError } from "../errors.ts";
import { type Codec, concat, decodeWith, encodeWith } from "../codec/codec.ts";
import type { Entry, UnreadableEntry, ValueEntry } from "./store.ts";

/*
 *   c1 75 | version u8 | kind u8 | generations u16 | fields u8 | flags u8 | freshUntil f64 | staleUntil f64
 *   generation u64, so many | fields, so many: id u8, length u32, that many bytes | rest
 *
 * Big endian; texts are UTF-8. The rest is a value as its codec wrote it, or a lease's nonce; a hit-for-miss marker has
 * none. The times of what is no value are 0. No text begins with c1, which UTF-8 never uses.
 *
 * A reader passes over a field that it does not know, so that later releases may add some. A field whose id is 128 or
 * more, or a flag, changes what the entry means: a reader that does not know it cannot read the entry.
 */
const MAGIC = 0xc175;
/** Another layout, or another meaning of it, is another version. What an older release cannot read is a miss to it. */
const VERSION = 2;
const KINDS: readonly Entry["kind"][] = ["value", "lease", "uncacheable"];
const HEAD_BYTES = 24;
const GENERATION_BYTES = 8;
const FIELD_HEAD_BYTES = 5;
const MAX_GENERATIONS = 0xffff;
/** The ids of fields: the full key, the hash of the function's source, how often a lease was renewed. */
const FULL_KEY = 1, SOURCE = 2, BEAT = 3;
/** From here on a field must be understood. */
const FIRST_CRITICAL = 128;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOTHING = new Uint8Array(0);
const UNREADABLE: UnreadableEntry = Object.freeze({ kind: "unreadable" });

/** An entry's bytes. Throws CacheValueError for what cannot be kept. */
export function encodeEntry(entry: Entry, codec: Codec): Uint8Array {
  const { generations } = entry;
  if (generations.length > MAX_GENERATIONS) {
    throw new CacheValueError(`Cannot keep an entry of ${generations.length} groups: ${MAX_GENERATIONS} are possible`);
  }
  const head = new Uint8Array(HEAD_BYTES + GENERATION_BYTES * generations.length);
  const fields = fieldsOf(entry);
  const view = new DataView(head.buffer);
  view.setUint16(0, MAGIC);
  view.setUint8(2, VERSION);
  view.setUint8(3, KINDS.indexOf(entry.kind));
  view.setUint16(4, generations.length);
  view.setUint8(6, fields.length);
  if (entry.kind === "value") {
    view.setFloat64(8, entry.freshUntil);
    view.setFloat64(16, entry.staleUntil);
  }
  for (let i = 0; i < generations.length; i++) {
    view.setBigUint64(HEAD_BYTES + GENERATION_BYTES * i, generations[i]!);
  }
  return concat([head, ...fields, rest(entry, codec)]);
}

const NO_FIELDS: readonly Uint8Array[] = [];

function fieldsOf(entry: Entry): readonly Uint8Array[] {
  const { fullKey, source } = entry, beat = entry.kind === "lease" ? entry.beat : undefined;
  if (fullKey === undefined && source === undefined && beat === undefined) return NO_FIELDS;
  const fields: Uint8Array[] = [];
  if (fullKey !== undefined) fields.push(field(FULL_KEY, utf8(fullKey, "full key")));
  if (source !== undefined) fields.push(field(SOURCE, utf8(source, "source")));
  if (beat !== undefined) fields.push(field(BEAT, Uint8Array.of(beat >>> 24, beat >>> 16, beat >>> 8, beat)));
  return fields;
}

function field(id: number, bytes: Uint8Array): Uint8Array {
  const made = new Uint8Array(FIELD_HEAD_BYTES + bytes.length);
  const view = new DataView(made.buffer);
  view.setUint8(0, id);
  view.setUint32(1, bytes.length);
  made.set(bytes, FIELD_HEAD_BYTES);
  return made;
}

function rest(entry: Entry, codec: Codec): Uint8Array {
  if (entry.kind === "value") return encodeWith(codec, entry.value);
  return entry.kind === "lease" ? utf8(entry.nonce, "nonce") : NOTHING;
}

/** UTF-8 would fold different lone surrogates into one character, and two keys into one. */
function utf8(text: string, what: string): Uint8Array {
  if (!text.isWellFormed()) throw new CacheValueError(`Cannot keep an entry whose ${what} has a lone surrogate`);
  return encoder.encode(text);
}

/**
 * A value's entry whose value is decoded once, when it is first asked for: of an entry that is outdated, or planted, it
 * never is. Asking throws a CacheValueError, each time, where the codec cannot read it.
 */
class UndecodedEntry implements ValueEntry {
  readonly kind = "value";
  readonly freshUntil: number;
  readonly staleUntil: number;
  readonly fullKey: string | undefined;
  readonly source: string | undefined;
  readonly generations: readonly bigint[];
  readonly #codec: Codec;
  /** The value as its codec wrote it, until it is decoded. */
  #bytes: Uint8Array | undefined;
  #value: unknown;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    bytes: Uint8Array,
    codec: Codec,
    freshUntil: number,
    staleUntil: number,
    fullKey: string | undefined,
    source: string | undefined,
    generations: readonly bigint[],
  ) {
    this.#bytes = bytes;
    this.#codec = codec;
    this.freshUntil = freshUntil;
    this.staleUntil = staleUntil;
    this.fullKey = fullKey;
    this.source = source;
    this.generations = generations;
  }

  get value(): unknown {
    const bytes = this.#bytes;
    if (bytes !== undefined) {
      this.#bytes = undefined;
      try {
        this.#value = decodeWith(this.#codec, bytes);
      } catch (error) {
        this.#failure = { error };
      }
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#value;
  }
}

/** The entry of such bytes, which must not change until a value's is asked for. Never throws: what is no entry is unreadable. */
export function decodeEntry(bytes: Uint8Array, codec: Codec): Entry | UnreadableEntry {
  try {
    return read(bytes, codec) ?? UNREADABLE;
  } catch {
    return UNREADABLE;
  }
}

function read(bytes: Uint8Array, codec: Codec): Entry | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  if (bytes[0] !== MAGIC >> 8 || bytes[1] !== (MAGIC & 0xff) || bytes[2] !== VERSION || bytes[7] !== 0) {
    return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const kind = KINDS[bytes[3]!];
  const fieldsAt = HEAD_BYTES + GENERATION_BYTES * view.getUint16(4);
  if (fieldsAt > bytes.length) return undefined;
  const generations: bigint[] = [];
  for (let at = HEAD_BYTES; at < fieldsAt; at += GENERATION_BYTES) generations.push(view.getBigUint64(at));
  let fullKey: string | undefined, source: string | undefined, beat: number | undefined, at = fieldsAt;
  for (let left = bytes[6]!; left > 0; left--) {
    if (at + FIELD_HEAD_BYTES > bytes.length) return undefined;
    const id = bytes[at]!, from = at + FIELD_HEAD_BYTES;
    at = from + view.getUint32(at + 1);
    if (at > bytes.length || id >= FIRST_CRITICAL) return undefined;
    if (id === FULL_KEY) fullKey = decoder.decode(bytes.subarray(from, at));
    else if (id === SOURCE) source = decoder.decode(bytes.subarray(from, at));
    else if (id === BEAT && at === from + 4) beat = view.getUint32(from);
  }
  const rest = bytes.subarray(at);
  switch (kind) {
    case "value": {
      const freshUntil = view.getFloat64(8), staleUntil = view.getFloat64(16);
      if (Number.isNaN(freshUntil) || Number.isNaN(staleUntil)) return undefined;
      return new UndecodedEntry(rest, codec, freshUntil, staleUntil, fullKey, source, generations);
    }
    case "lease":
      return { kind, nonce: decoder.decode(rest), beat, fullKey, source, generations };
    case "uncacheable":
      return rest.length === 0 ? { kind, fullKey, source, generations } : undefined;
    default:
      return undefined;
  }
}
