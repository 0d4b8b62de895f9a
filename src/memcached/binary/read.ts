/**
 * Replies out of a stream of bytes, in place: a reply's value is a view of the chunk it came in. Only a frame that was
 * cut is joined, once, into a buffer of its known length.
 *
 *     0      1       2           4              5         6       8            12      16   24
 *     magic | opcode | key length | extras length | datatype | status | body length | opaque | cas | extras | key | value
 */

import { quote, type Request, VERB } from "../request.ts";
import { type Reply, uint64, Unreadable } from "../wire.ts";
import { HEADER, MAGIC, OPCODE, OPCODE_OF_VERB } from "./opcodes.ts";
import { endedText, readText } from "./text.ts";

/** A counter is 64 bits, without extras and key. */
const COUNTER_BYTES = 8;

const NOTHING = new Uint8Array(0);

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The replies of one connection. */
export class FrameReader implements Reply {
  status = 0;
  last = true;
  index = 0;
  flags = 0;
  casHigh = 0;
  casLow = 0;
  keyStart = 0;
  valueStart = 0;
  valueEnd = 0;
  chunk: Uint8Array = NOTHING;

  readonly #maxBodyBytes: number;
  /** Where in `chunk` the next frame begins. */
  #at = 0;
  /** How many bytes of `chunk` have come: all, unless it is the buffer of a frame that was cut. */
  #filled = 0;

  /** `maxBodyBytes`: a longer body is unreadable. */
  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** More bytes. */
  push(bytes: Uint8Array): void {
    const left = this.#filled - this.#at;
    if (left === 0) {
      this.#start(bytes);
      return;
    }
    const chunk = this.chunk;
    if (this.#filled === chunk.length && this.#continues(bytes)) {
      // The socket reads on into the same slab: one longer view, nothing to copy.
      this.chunk = new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset + this.#at, left + bytes.length);
      this.#filled = this.chunk.length;
      this.#at = 0;
      return;
    }
    this.#join(bytes, left);
  }

  #start(bytes: Uint8Array): void {
    this.chunk = bytes;
    this.#filled = bytes.length;
    this.#at = 0;
  }

  #continues(bytes: Uint8Array): boolean {
    const { buffer, byteOffset, length } = this.chunk;
    return bytes.buffer === buffer && bytes.byteOffset === byteOffset + length;
  }

  /**
   * The rest of a cut frame. While its header is cut too, its length is unknown, and the two pieces are simply joined;
   * then its buffer has just its length, and what comes behind it is a chunk of its own: see `#after`.
   */
  #join(bytes: Uint8Array, left: number): void {
    const known = left >= HEADER ? HEADER + this.#uint32(this.#at + 8) : 0;
    if (known === 0 || this.chunk[this.#at] !== MAGIC.reply) {
      const joined = new Uint8Array(left + bytes.length);
      joined.set(this.chunk.subarray(this.#at, this.#filled));
      joined.set(bytes, left);
      this.#start(joined);
      return;
    }
    if (this.chunk.length !== known || this.#at !== 0) {
      const frame = new Uint8Array(known);
      frame.set(this.chunk.subarray(this.#at, this.#filled));
      this.chunk = frame;
      this.#at = 0;
      this.#filled = left;
    }
    const missing = known - this.#filled;
    if (bytes.length <= missing) {
      this.chunk.set(bytes, this.#filled);
      this.#filled += bytes.length;
      return;
    }
    this.chunk.set(bytes.subarray(0, missing), this.#filled);
    this.#filled = known;
    this.#after = bytes.subarray(missing);
  }

  /** What came in one chunk behind the end of a joined frame. */
  #after: Uint8Array | undefined;

  /** The next reply; itself, so it is good until the next call. */
  next(expected: Request | undefined): Reply | undefined {
    let at = this.#at;
    let left = this.#filled - at;
    if (left === 0) {
      if (this.#after === undefined) {
        // A joined frame's buffer, or a slab, is not held while nothing comes.
        this.chunk = NOTHING;
        this.#at = this.#filled = 0;
        return undefined;
      }
      this.#start(this.#after);
      this.#after = undefined;
      at = 0;
      left = this.#filled;
    }
    const chunk = this.chunk;
    if (chunk[at] !== MAGIC.reply) return readText(chunk.subarray(at, this.#filled), expected);
    if (left < HEADER) return undefined;
    if (expected === undefined) throw new Unreadable(`opcode ${hex(chunk[at + 1]!)} where nothing was asked`);

    const opaque = this.#uint32(at + 12);
    const index = (opaque - expected.opaque) >>> 0;
    this.#check(expected, chunk[at + 1]!, index, opaque);
    const body = this.#uint32(at + 8);
    const extras = chunk[at + 4]!;
    const keyBytes = chunk[at + 2]! << 8 | chunk[at + 3]!;
    if (body > this.#maxBodyBytes) {
      throw new Unreadable(
        `a reply of ${body} bytes, at most ${this.#maxBodyBytes} are allowed (see \`maxValueBytes\`)`,
      );
    }
    if (extras + keyBytes > body) throw new Unreadable("a reply whose key and extras are longer than its body");
    if (left < HEADER + body) return undefined;
    const hit = expected.verb === VERB.getMulti && index < expected.details!.keys!.length;
    if (hit && chunk[at + 6] === 0 && chunk[at + 7] === 0) {
      this.#checkKey(expected, index, at + HEADER + extras, keyBytes);
    }

    this.index = index;
    this.status = chunk[at + 6]! << 8 | chunk[at + 7]!;
    this.casHigh = this.#uint32(at + 16);
    this.casLow = this.#uint32(at + 20);
    const start = at + HEADER;
    this.flags = extras >= 4 ? this.#uint32(start) : 0;
    this.keyStart = start + extras;
    this.valueStart = start + extras + keyBytes;
    this.#at = this.valueEnd = start + body;
    this.last = this.#isLast(expected, keyBytes, body);
    return this;
  }

  /** Is this the answer to that? Replies come in the order of their requests, so anything else is out of step. */
  #check(expected: Request, opcode: number, index: number, opaque: number): void {
    if (expected.verb === VERB.getMulti) {
      const keys = expected.details!.keys!.length;
      const wanted = index === keys ? OPCODE.noop : OPCODE.getKeyQuietly;
      // Hits come in the order of their keys: a key that was answered is not answered again.
      if (index <= keys && opcode === wanted && index >= this.#nextIndex) {
        return;
      }
      throw new Unreadable(`opaque ${opaque} and opcode ${hex(opcode)} where another was due`);
    }
    const due = OPCODE_OF_VERB[expected.verb]!;
    if (opcode !== due) throw new Unreadable(`opcode ${hex(opcode)} where ${hex(due)} was due`);
    if (index !== 0) throw new Unreadable(`opaque ${opaque} where ${expected.opaque} was due`);
  }

  /** A hit under a neighbour's opaque would be in its place, and in order: only its key tells. */
  #checkKey({ details }: Request, index: number, start: number, keyBytes: number): void {
    const key = details!.keys![index]!;
    const chunk = this.chunk;
    let same = keyBytes === details!.keysBytes![index];
    if (same && keyBytes === key.length) {
      for (let n = 0; n < keyBytes; n++) same &&= chunk[start + n] === key.charCodeAt(n);
    } else if (same) same = decoder.decode(chunk.subarray(start, start + keyBytes)) === key;
    if (!same) throw new Unreadable(`a hit of another key where one of ${quote(key)} was due`);
  }

  /** Of the multi-get that is being answered: the first key that has not been passed. */
  #nextIndex = 0;

  #isLast(expected: Request, keyBytes: number, body: number): boolean {
    if (expected.verb === VERB.getMulti) {
      const last = this.index === expected.details!.keys!.length;
      this.#nextIndex = last ? 0 : this.index + 1;
      return last;
    }
    // One packet a statistic, then one without key and body; an unknown topic is one error and no such packet.
    const { verb } = expected;
    if (verb === VERB.stats) return this.#isLastStatistic(keyBytes, body);
    if ((verb === VERB.incr || verb === VERB.decr) && this.status === 0 && body !== COUNTER_BYTES) {
      throw new Unreadable(`a counter of ${body} bytes where ${COUNTER_BYTES} were due`);
    }
    return true;
  }

  /** Of the statistics that are being given. */
  #statisticBytes = 0;

  /** All of them are gathered, so all of them together may be as long as one value. */
  #isLastStatistic(keyBytes: number, body: number): boolean {
    this.#statisticBytes += HEADER + body;
    if (this.#statisticBytes > this.#maxBodyBytes) {
      throw new Unreadable(`statistics of more than ${this.#maxBodyBytes} bytes (see \`maxValueBytes\`)`);
    }
    const last = this.status !== 0 || keyBytes === 0 && body === 0;
    if (last) this.#statisticBytes = 0;
    return last;
  }

  /** 64 bits, big endian. */
  counter(): bigint {
    return uint64(this.#uint32(this.valueStart), this.#uint32(this.valueStart + 4));
  }

  /** The connection has ended: a line of text that was not finished says why, perhaps. */
  end(): Unreadable | undefined {
    const rest = this.chunk.subarray(this.#at, this.#filled);
    if (rest.length === 0) return undefined;
    return rest[0] === MAGIC.reply ? new Unreadable("the connection ended within a reply") : endedText(rest);
  }

  #uint32(at: number): number {
    const chunk = this.chunk;
    return (chunk[at]! << 24 | chunk[at + 1]! << 16 | chunk[at + 2]! << 8 | chunk[at + 3]!) >>> 0;
  }
}

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")}`;
