import { builtin } from "../util/builtin.ts";

/** What is used of node:zlib. It gives Buffers, which do not leave this file. */
interface Zlib {
  deflateRawSync(bytes: Uint8Array, options: { level: number }): Uint8Array;
  inflateRawSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

/** Of 470 KB of JSON it leaves 75 KB in 2 ms; the default level, 6, leaves as much in 4 ms, and 1 leaves 114 KB. */
const LEVEL = 3;
/** Above this a sample tells whether compressing pays, so that a photograph does not cost its 20 ms a megabyte. */
const SAMPLE_OVER = 64 * 1024;
const SAMPLE = 8 * 1024;

/**
 * Up to this length anything is inflated. Beyond it, a byte may become a hundred bytes at most: real values stay below,
 * and bytes that were planted to exhaust the memory reach a thousand.
 */
const ALWAYS_INFLATED = 1024 * 1024;
const MAX_RATIO = 100;

let loaded: Zlib | undefined;
const zlib = (): Zlib => loaded ??= builtin<Zlib>("node:zlib");

/** The bytes as a raw deflate stream. `undefined` if that is not an eighth smaller, or so small that `decompress` refuses it. */
export function compress(bytes: Uint8Array): Uint8Array | undefined {
  const { length } = bytes;
  if (length > SAMPLE_OVER) {
    const middle = length >> 1;
    if (deflate(bytes.subarray(middle, middle + SAMPLE)) === undefined) return undefined;
  }
  const deflated = deflate(bytes);
  return deflated !== undefined && isInflated(deflated.length, length) ? deflated : undefined;
}

const isInflated = (from: number, to: number): boolean => to <= Math.max(ALWAYS_INFLATED, MAX_RATIO * from);

function deflate(bytes: Uint8Array): Uint8Array | undefined {
  const deflated = zlib().deflateRawSync(bytes, { level: LEVEL });
  return deflated.length > bytes.length * 7 / 8 ? undefined : withoutBuffer(deflated);
}

/** What `compress` was given. `length`: its length, and the most that is allocated. Throws for any other stream. */
export function decompress(bytes: Uint8Array, length: number): Uint8Array {
  if (!isInflated(bytes.length, length)) throw new RangeError(`${bytes.length} bytes would inflate to ${length}`);
  // 0 would mean no limit.
  const inflated = zlib().inflateRawSync(bytes, { maxOutputLength: Math.max(length, 1) });
  if (inflated.length !== length) throw new RangeError(`inflated to ${inflated.length} bytes instead of ${length}`);
  return withoutBuffer(inflated);
}

/** The same bytes as a Uint8Array, which a Buffer is a subclass of. */
const withoutBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
