import { CacheValueError } from "../errors.ts";
import { type Codec, decodeWith, encodeWith } from "./codec.ts";
import { join } from "./join.ts";
import type { Entry, UnreadableEntry } from "./store.ts";

/*
 *   c1 75 | version u8 | kind u8 | count u16 | key length u32 | freshUntil f64 | staleUntil f64 | generation u64 × count | full key | rest
 *
 * Big endian; texts are UTF-8; a key length of ffffffff: no full key. The rest is a value as its codec wrote it, or a
 * lease's nonce; a mark has none. The times of what is no value are 0. No text begins with c1, which UTF-8 never uses.
 */
const MAGIC = 0xc175;
/** Another layout, or another meaning of it, is another version: what an older release cannot read is a miss to it. */
const VERSION = 1;
const KINDS: readonly Entry["kind"][] = ["value", "lease", "uncacheable"];
const HEAD_BYTES = 26;
const GENERATION_BYTES = 8;
const NO_KEY = 0xffffffff;
const MAX_GENERATIONS = 0xffff;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOTHING = new Uint8Array(0);
const UNREADABLE: UnreadableEntry = Object.freeze({ kind: "unreadable" });

/** An entry's bytes. Throws CacheValueError for what cannot be kept. */
export function encodeEntry(entry: Entry, codec: Codec): Uint8Array {
  const { generations, fullKey } = entry;
  if (generations.length > MAX_GENERATIONS) {
    throw new CacheValueError(`Cannot keep an entry of ${generations.length} groups: ${MAX_GENERATIONS} are possible`);
  }
  const head = new Uint8Array(HEAD_BYTES + GENERATION_BYTES * generations.length);
  const key = fullKey === undefined ? NOTHING : utf8(fullKey, "full key");
  const view = new DataView(head.buffer);
  view.setUint16(0, MAGIC);
  view.setUint8(2, VERSION);
  view.setUint8(3, KINDS.indexOf(entry.kind));
  view.setUint16(4, generations.length);
  view.setUint32(6, fullKey === undefined ? NO_KEY : key.length);
  if (entry.kind === "value") {
    view.setFloat64(10, entry.freshUntil);
    view.setFloat64(18, entry.staleUntil);
  }
  for (let i = 0; i < generations.length; i++) {
    view.setBigUint64(HEAD_BYTES + GENERATION_BYTES * i, generations[i]!);
  }
  return join([head, key, rest(entry, codec)]);
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

/** The entry of such bytes, on which nothing of it depends afterwards. Never throws: what is no entry is unreadable, and so is one whose value the codec cannot read. */
export function decodeEntry(bytes: Uint8Array, codec: Codec): Entry | UnreadableEntry {
  try {
    return read(bytes, codec) ?? UNREADABLE;
  } catch {
    return UNREADABLE;
  }
}

function read(bytes: Uint8Array, codec: Codec): Entry | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  if (bytes[0] !== MAGIC >> 8 || bytes[1] !== (MAGIC & 0xff) || bytes[2] !== VERSION) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const kind = KINDS[bytes[3]!];
  const count = view.getUint16(4);
  const keyBytes = view.getUint32(6);
  const keyAt = HEAD_BYTES + GENERATION_BYTES * count;
  const restAt = keyAt + (keyBytes === NO_KEY ? 0 : keyBytes);
  if (restAt > bytes.length) return undefined;
  const fullKey = keyBytes === NO_KEY ? undefined : decoder.decode(bytes.subarray(keyAt, restAt));
  const generations: bigint[] = [];
  for (let at = HEAD_BYTES; at < keyAt; at += GENERATION_BYTES) generations.push(view.getBigUint64(at));
  const rest = bytes.subarray(restAt);
  switch (kind) {
    case "value": {
      const freshUntil = view.getFloat64(10), staleUntil = view.getFloat64(18);
      if (Number.isNaN(freshUntil) || Number.isNaN(staleUntil)) return undefined;
      return { kind, value: decodeWith(codec, rest), freshUntil, staleUntil, fullKey, generations };
    }
    case "lease":
      return { kind, nonce: decoder.decode(rest), fullKey, generations };
    case "uncacheable":
      return rest.length === 0 ? { kind, fullKey, generations } : undefined;
    default:
      return undefined;
  }
}
