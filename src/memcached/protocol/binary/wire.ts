/**
 * The binary protocol: frames out of a stream of bytes, read in place. A reply's value is a view of the chunk it came in.
 * Only a frame that was cut is joined, once, into a buffer of its known length.
 *
 *     0      1       2           4              5         6       8            12      16   24
 *     magic | opcode | key length | extras length | datatype | status | body length | opaque | cas | extras | key | value
 */

import { LONGEST_ITEM, LONGEST_REPLY } from "../limits.ts";
import { GIVES_VALUES, type Request, VERB, type Verb } from "../request.ts";
import { endedText, readText } from "../text.ts";
import { quote } from "../keys.ts";
import { type Encode, type Reply, STATUS, uint64, Unreadable, Wire } from "../wire.ts";
import { GET_KEY_QUIETLY, HEADER, MAGIC, NOOP, OPCODE_OF_VERB, room, write } from "./write.ts";

/** A counter is 64 bits, without extras and key. */
const COUNTER_BYTES = 8;

/** What helps against text where a frame should be. */
const CURE = '. A server that speaks only text needs `protocol: "meta"` or `protocol: "auto"`';

/** One connection's frames. */
export class BinaryWire extends Wire {
  readonly speaks = "binary";
  readonly room: Wire["room"] = room;
  protected readonly encode: Encode = write;
  readonly bytesBehindValue = 0;
  /** A longer body is looked at twice: it must be a value, and may be too long. */
  readonly #usualBytes: number = Math.min(this.longestValueBytes, LONGEST_REPLY);

  next(expected: Request | undefined): Reply | undefined {
    const left = this.available();
    if (left === 0) return undefined;
    const { at, chunk } = this;
    if (chunk[at] !== MAGIC.reply) return readText(chunk.subarray(at, this.filled), expected, CURE);
    if (left < HEADER) return undefined;
    if (expected === undefined) throw new Unreadable(`opcode ${hex(chunk[at + 1]!)} where nothing was asked`);

    const { verb } = expected;
    const opaque = this.#uint32(at + 12);
    const index = (opaque - expected.opaque) >>> 0;
    const list = verb === VERB.getMulti ? expected.details!.list! : undefined;
    const keys = list === undefined ? 0 : list.keys.length;
    if (list === undefined) checkStep(verb, chunk[at + 1]!, index, opaque, expected.opaque);
    else this.#checkStepOfMulti(keys, chunk[at + 1]!, index, opaque);
    const body = this.#uint32(at + 8);
    const extras = chunk[at + 4]!;
    const keyBytes = chunk[at + 2]! << 8 | chunk[at + 3]!;
    const valueBytes = body - extras - keyBytes;
    if (valueBytes < 0) throw new Unreadable("a reply whose key and extras are longer than its body");
    const status = chunk[at + 6]! << 8 | chunk[at + 7]!;
    const isTooLong = body > this.#usualBytes && this.#isTooLong(verb, status, body, valueBytes);
    const frame = HEADER + (isTooLong ? extras + keyBytes : body);
    if (left < frame) {
      this.wanted = frame;
      return undefined;
    }
    // A hit under a neighbour's opaque would look right, and in order: only its key tells.
    const isHit = list !== undefined && index < keys && status === STATUS.ok;
    if (isHit && !list.isAt(index, chunk, at + HEADER + extras, keyBytes)) {
      throw new Unreadable(`a hit of another key where one of ${quote(list.keys[index]!)} was due`);
    }

    this.index = index;
    this.status = status;
    this.flaw = undefined;
    this.casHigh = this.#uint32(at + 16);
    this.casLow = this.#uint32(at + 20);
    const start = at + HEADER;
    this.flags = extras >= 4 ? this.#uint32(start) : 0;
    this.keyStart = start + extras;
    this.keyEnd = this.valueStart = start + extras + keyBytes;
    this.valueEnd = at + frame;
    if (isTooLong) {
      this.refuseAsTooLong(valueBytes);
      this.passOver(HEADER + body);
    } else this.take(start + body);
    this.last = true;
    if (list !== undefined) {
      this.last = index === keys;
      this.nextIndex = this.last ? 0 : index + 1;
    } else if (verb === VERB.stats) {
      // One packet a statistic, then one without key and body. An unknown topic is one error and no such packet.
      this.last = status !== STATUS.ok || keyBytes === 0 && body === 0;
      this.countStatistic(HEADER + body);
    } else if ((verb === VERB.incr || verb === VERB.decr) && status === STATUS.ok && body !== COUNTER_BYTES) {
      this.flaw = `a counter of ${body} bytes where ${COUNTER_BYTES} were due`;
    }
    return this;
  }

  /** The same as `checkStep` for a multi-get. Hits come in the order of their keys, and each key once. */
  #checkStepOfMulti(keys: number, opcode: number, index: number, opaque: number): void {
    const due = index === keys ? NOOP : GET_KEY_QUIETLY;
    if (opcode === due && index <= keys && index >= this.nextIndex) return;
    throw new Unreadable(`opaque ${opaque} and opcode ${hex(opcode)} where another was due`);
  }

  /** Is it a value, or a statistic, of which nothing is kept? Throws for what is neither, and as long. */
  #isTooLong(verb: Verb, status: number, body: number, valueBytes: number): boolean {
    const isValue = status === STATUS.ok && GIVES_VALUES.has(verb);
    const most = isValue ? LONGEST_ITEM : LONGEST_REPLY;
    if (body > most) throw new Unreadable(`a reply of ${body} bytes where at most ${most} were due`);
    return isValue && valueBytes > this.longestValueBytes + (verb === VERB.stats ? LONGEST_REPLY : 0);
  }

  counter(): bigint {
    return uint64(this.#uint32(this.valueStart), this.#uint32(this.valueStart + 4));
  }

  end(): Unreadable | undefined {
    const { rest } = this;
    if (rest.length === 0) return undefined;
    return rest[0] === MAGIC.reply ? new Unreadable("the connection ended within a reply") : endedText(rest, CURE);
  }

  #uint32(at: number): number {
    const chunk = this.chunk;
    return (chunk[at]! << 24 | chunk[at + 1]! << 16 | chunk[at + 2]! << 8 | chunk[at + 3]!) >>> 0;
  }
}

/** Replies come in the order of their requests: anything but the answer to the one that is due is out of step. */
function checkStep(verb: Verb, opcode: number, index: number, opaque: number, dueOpaque: number): void {
  const due = OPCODE_OF_VERB[verb]!;
  if (opcode !== due) throw new Unreadable(`opcode ${hex(opcode)} where ${hex(due)} was due`);
  if (index !== 0) throw new Unreadable(`opaque ${opaque} where ${dueOpaque} was due`);
}

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")}`;
