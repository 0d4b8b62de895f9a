import { builtin } from "../util/builtin.ts";

/** What is used of node:zlib. It gives Buffers, which stay in this file. */
interface Zlib {
  deflateRawSync(bytes: Uint8Array, options: { level: number }): Uint8Array;
  inflateRawSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

/** Of 470 KB of JSON it leaves 75 KB in 2 ms; the default level, 6, leaves as much in 4 ms, and 1 leaves 114 KB. */
const LEVEL = 3;
/** Above this a sample tells whether compressing pays, so that a photograph does not cost its 20 ms a megabyte. */
const SAMPLE_OVER = 64 * 1024;
const SAMPLE = 8 * 1024;

/** Up to so many bytes are inflated from however little. Beyond, a byte gives at most a hundred: data gives less, a trap a thousand. */
const ALWAYS_INFLATED = 1024 * 1024;
const MOST_FROM_ONE = 100;

let loaded: Zlib | undefined;
const zlib = (): Zlib => loaded ??= builtin<Zlib>("node:zlib");

/** The bytes as a raw deflate stream; `undefined` if that would not make them at least an eighth smaller, or so small that nobody would inflate it. */
export function compress(bytes: Uint8Array): Uint8Array | undefined {
  const { length } = bytes;
  if (length > SAMPLE_OVER) {
    const middle = length >> 1;
    if (deflate(bytes.subarray(middle, middle + SAMPLE)) === undefined) return undefined;
  }
  const deflated = deflate(bytes);
  return deflated !== undefined && isInflated(deflated.length, length) ? deflated : undefined;
}

const isInflated = (from: number, to: number): boolean => to <= Math.max(ALWAYS_INFLATED, MOST_FROM_ONE * from);

function deflate(bytes: Uint8Array): Uint8Array | undefined {
  const deflated = zlib().deflateRawSync(bytes, { level: LEVEL });
  return deflated.length > bytes.length * 7 / 8 ? undefined : plain(deflated);
}

/** What `compress` was given. `length`: how much that was; no more than that is ever allocated. Throws for a stream that is none, or whose length is another. */
export function decompress(bytes: Uint8Array, length: number): Uint8Array {
  if (!isInflated(bytes.length, length)) throw new RangeError(`${bytes.length} bytes would inflate to ${length}`);
  // 0 would be no bound.
  const inflated = zlib().inflateRawSync(bytes, { maxOutputLength: Math.max(length, 1) });
  if (inflated.length !== length) throw new RangeError(`inflated to ${inflated.length} bytes instead of ${length}`);
  return plain(inflated);
}

const plain = (buffer: Uint8Array): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
