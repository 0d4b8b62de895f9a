/**
 * Replies out of a stream of bytes, in place: a reply's value is a view of the chunk it came in. Only a frame that was
 * cut is joined, once, into a buffer of its known length.
 *
 *     0      1       2           4              5         6       8            12      16   24
 *     magic | opcode | key length | extras length | datatype | status | body length | opaque | cas | extras | key | value
 */

import { quote } from "../keys.ts";
import { GIVES_VALUES, type Request, VERB, type Verb } from "../request.ts";
import { Chunks } from "../chunks.ts";
import { LONGEST_ITEM, LONGEST_REPLY } from "../limits.ts";
import { endedText, readText } from "../text.ts";
import { type Reply, STATUS, tooLong, uint64, Unreadable } from "../wire.ts";
import { HEADER, MAGIC, OPCODE, OPCODE_OF_VERB } from "./opcodes.ts";

/** A counter is 64 bits, without extras and key. */
const COUNTER_BYTES = 8;

/** What helps against text where a frame should be. */
const CURE = '. A server that speaks only text needs `protocol: "meta"` or `protocol: "auto"`';

/** The replies of one connection. */
export class FrameReader extends Chunks implements Reply {
  status = 0;
  flaw: string | undefined = undefined;
  last = true;
  index = 0;
  flags = 0;
  casHigh = 0;
  casLow = 0;
  keyStart = 0;
  valueStart = 0;
  valueEnd = 0;

  readonly #longestValueBytes: number;
  /** A body up to here is neither a value nor anything else that is too long. */
  readonly #usualBytes: number;
  /** `longestValueBytes`: of a longer value nothing is kept. */
  constructor(longestValueBytes: number) {
    super();
    this.#longestValueBytes = longestValueBytes;
    this.#usualBytes = Math.min(longestValueBytes, LONGEST_REPLY);
  }

  /** The next reply; itself, so it is good until the next call. */
  next(expected: Request | undefined): Reply | undefined {
    const left = this.available();
    if (left === 0) return undefined;
    const at = this.at;
    const chunk = this.chunk;
    if (chunk[at] !== MAGIC.reply) return readText(chunk.subarray(at, this.filled), expected, CURE);
    if (left < HEADER) return undefined;
    if (expected === undefined) throw new Unreadable(`opcode ${hex(chunk[at + 1]!)} where nothing was asked`);

    const opaque = this.#uint32(at + 12);
    const index = (opaque - expected.opaque) >>> 0;
    const list = expected.verb === VERB.getMulti ? expected.details!.list! : undefined;
    const keys = list === undefined ? 0 : list.keys.length;
    if (list === undefined) this.#check(expected.verb, chunk[at + 1]!, index, opaque, expected.opaque);
    else this.#checkOneOf(keys, chunk[at + 1]!, index, opaque);
    const body = this.#uint32(at + 8);
    const extras = chunk[at + 4]!;
    const keyBytes = chunk[at + 2]! << 8 | chunk[at + 3]!;
    if (extras + keyBytes > body) throw new Unreadable("a reply whose key and extras are longer than its body");
    const status = chunk[at + 6]! << 8 | chunk[at + 7]!;
    const isLong = body > this.#usualBytes && this.#isTooLong(expected.verb, status, body, body - extras - keyBytes);
    const read = HEADER + (isLong ? extras + keyBytes : body);
    if (left < read) {
      this.wanted = read;
      return undefined;
    }
    // A hit under a neighbour's opaque would be in its place, and in order: only its key tells.
    const isHit = list !== undefined && index < keys && status === STATUS.ok;
    if (isHit && !list.isAt(index, chunk, at + HEADER + extras, keyBytes)) {
      throw new Unreadable(`a hit of another key where one of ${quote(list.keys[index]!)} was due`);
    }

    this.index = index;
    this.status = status;
    this.casHigh = this.#uint32(at + 16);
    this.casLow = this.#uint32(at + 20);
    const start = at + HEADER;
    this.flags = extras >= 4 ? this.#uint32(start) : 0;
    this.keyStart = start + extras;
    this.valueStart = start + extras + keyBytes;
    this.valueEnd = at + read;
    this.flaw = undefined;
    if (isLong) this.#passOver(body);
    else this.take(start + body);
    if (list === undefined) this.last = this.#isLast(expected.verb, keyBytes, body);
    else {
      this.last = index === keys;
      this.#nextIndex = this.last ? 0 : index + 1;
    }
    return this;
  }

  /** Is this the answer to that? Replies come in the order of their requests, so anything else is out of step. */
  #check(verb: Verb, opcode: number, index: number, opaque: number, dueOpaque: number): void {
    const due = OPCODE_OF_VERB[verb]!;
    if (opcode !== due) throw new Unreadable(`opcode ${hex(opcode)} where ${hex(due)} was due`);
    if (index !== 0) throw new Unreadable(`opaque ${opaque} where ${dueOpaque} was due`);
  }

  /** Of the multi-get that is being answered: the first key that has not been passed. */
  #nextIndex = 0;

  /** Hits come in the order of their keys: a key that was answered is not answered again. */
  #checkOneOf(keys: number, opcode: number, index: number, opaque: number): void {
    const due = index === keys ? OPCODE.noop : OPCODE.getKeyQuietly;
    if (opcode === due && index <= keys && index >= this.#nextIndex) return;
    throw new Unreadable(`opaque ${opaque} and opcode ${hex(opcode)} where another was due`);
  }

  #isLast(verb: Verb, keyBytes: number, body: number): boolean {
    // One packet a statistic, then one without key and body; an unknown topic is one error and no such packet.
    if (verb === VERB.stats) return this.#isLastStatistic(keyBytes, body);
    if ((verb === VERB.incr || verb === VERB.decr) && this.status === 0 && body !== COUNTER_BYTES) {
      this.flaw = `a counter of ${body} bytes where ${COUNTER_BYTES} were due`;
    }
    return true;
  }

  /** A value, or a statistic, of which nothing is kept. Throws for what is none and as long. */
  #isTooLong(verb: Verb, status: number, body: number, value: number): boolean {
    const isValue = status === STATUS.ok && GIVES_VALUES.has(verb);
    const most = isValue ? LONGEST_ITEM : LONGEST_REPLY;
    if (body > most) throw new Unreadable(`a reply of ${body} bytes where at most ${most} were due`);
    return isValue && value > this.#longestValueBytes + (verb === VERB.stats ? LONGEST_REPLY : 0);
  }

  /** A value that is too long ends with its body, of which nothing is kept. */
  #passOver(body: number): void {
    this.flaw = tooLong(body - (this.valueStart - this.at - HEADER));
    this.status = STATUS.tooLarge;
    this.passOver(HEADER + body);
  }

  /** The value follows the key at once. */
  get keyEnd(): number {
    return this.valueStart;
  }

  /** Of the statistics that are being given. */
  #statisticBytes = 0;

  /** All of them are gathered, so all of them together may be as long as one value and what is around it. */
  #isLastStatistic(keyBytes: number, body: number): boolean {
    const last = this.status !== STATUS.ok && this.flaw === undefined || keyBytes === 0 && body === 0;
    this.#statisticBytes += HEADER + body;
    if (this.#statisticBytes > this.#longestValueBytes + LONGEST_REPLY) {
      this.flaw = tooLong(this.#statisticBytes);
      this.status = STATUS.tooLarge;
    }
    if (last) this.#statisticBytes = 0;
    return last;
  }

  /** 64 bits, big endian. */
  counter(): bigint {
    return uint64(this.#uint32(this.valueStart), this.#uint32(this.valueStart + 4));
  }

  /** The connection has ended: a line of text that was not finished says why, perhaps. */
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

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")}`;
