/**
 * The port of the two wires: what a connection needs of a protocol. Requests become bytes, bytes become replies. A wire
 * knows no socket, no promise and no time.
 */

import { Chunks } from "./chunks.ts";
import { LONGEST_REPLY } from "./limits.ts";
import { type Request, VERB } from "./request.ts";

/** The binary protocol's status codes, which both wires speak (the other one translates). */
export const STATUS = {
  ok: 0x00,
  notFound: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  invalid: 0x04,
  notStored: 0x05,
  notNumeric: 0x06,
  auth: 0x20,
  unknownCommand: 0x81,
  outOfMemory: 0x82,
} as const;

/** One reply, understood as far as the wire can. */
export type Reply = Readonly<
  Pick<Wire, "status" | "flaw" | "last" | "index" | "flags" | "casHigh" | "casLow" | "chunk" | "counter" | Offset>
>;
/** Offsets into `chunk`. */
type Offset = "keyStart" | "keyEnd" | "valueStart" | "valueEnd";

/** Writes a request at `at`, under its opaque, and returns where it ends. */
export type Encode = (request: Request, into: Uint8Array, at: number) => number;

/**
 * One connection's protocol. It numbers the requests that it writes, and reads replies in place: `next` returns the wire
 * itself, whose fields say what the reply was until the next call. It dies with its connection.
 */
export abstract class Wire extends Chunks {
  abstract readonly speaks: "binary" | "meta";
  /** The most bytes that a request takes. */
  abstract readonly room: (request: Request) => number;
  protected abstract readonly encode: Encode;
  /** How many bytes of a frame follow its value. */
  abstract readonly bytesBehindValue: number;

  /** One of STATUS, or whatever else the server said. */
  status = 0;
  /** Why its caller gets an error though the bytes are in order: this reply is lost, and nothing else. */
  flaw: string | undefined = undefined;
  /** No further reply to the same request follows. */
  last = true;
  /** Of a multi-get: which of its keys this is. */
  index = 0;
  flags = 0;
  /** Upper and lower half of the cas: a bigint is only made for those who ask. */
  casHigh = 0;
  casLow = 0;
  keyStart = 0;
  keyEnd = 0;
  /** The value, or an error's text. */
  valueStart = 0;
  valueEnd = 0;

  protected readonly longestValueBytes: number;
  /** How far the answer to a multi-get has come: the first of its keys that may still be answered. */
  protected nextIndex = 0;
  /** How far the answer to `stats` has come. */
  #statisticBytes = 0;
  #nextOpaque: number;

  /** `longestValueBytes`: of a longer value nothing is kept. `firstOpaque`: of the first request, 0 to 2^32 - 1. */
  constructor(longestValueBytes: number, firstOpaque = 1) {
    super();
    this.longestValueBytes = longestValueBytes;
    this.#nextOpaque = firstOpaque;
  }

  /** Writes a request at `at`, gives it its opaque, and returns where it ends. `into` has room for it. */
  write(request: Request, into: Uint8Array, at: number): number {
    const { verb, details } = request;
    request.opaque = this.#nextOpaque;
    // A multi-get takes one for each key, and one for what ends it. They wrap at 2^32: `>>> 0` keeps them unsigned.
    this.#nextOpaque = (this.#nextOpaque + (verb === VERB.getMulti ? details!.list!.keys.length + 1 : 1)) >>> 0;
    return this.encode(request, into, at);
  }

  /**
   * The next reply; `undefined` while it is not whole: call again after `push`. `expected` is the request that it has to
   * answer, `undefined` if nothing was asked. Throws Unreadable for what is no such reply.
   */
  abstract next(expected: Request | undefined): Reply | undefined;

  /** The new value of a counter, as the last reply says. */
  abstract counter(): bigint;

  /** No more bytes will come: what is wrong with those left over, if anything is. */
  abstract end(): Unreadable | undefined;

  /** The reply being read has a value, or statistics, longer than may be kept: its caller gets an error instead. */
  protected refuseAsTooLong(bytes: number): void {
    this.flaw = `${bytes} bytes are more than \`maxValueBytes\` lets in`;
    this.status = STATUS.tooLarge;
  }

  /** All statistics of an answer are gathered, so all of them together may be as long as one value and what is around it. */
  protected countStatistic(bytes: number): void {
    this.#statisticBytes += bytes;
    if (this.#statisticBytes > this.longestValueBytes + LONGEST_REPLY) this.refuseAsTooLong(this.#statisticBytes);
    if (this.last) this.#statisticBytes = 0;
  }
}

/** Bytes that are no reply to what was asked: the connection cannot go on. */
export class Unreadable extends Error {
  /** A line of text where a reply should be, printable and cut to a quotable length. */
  readonly text: string | undefined;

  /** `message`: what came instead of what, without subject. */
  constructor(message: string, text?: string) {
    super(message);
    this.text = text;
  }

  /** The same without the text: a server may repeat what it was sent. */
  unquoted(): Unreadable {
    const { message, text } = this;
    return text === undefined
      ? this
      : new Unreadable(message.replace(`"${text}"`, () => "(not shown: it may repeat the login)"));
  }

  static {
    this.prototype.name = "Unreadable";
  }
}

const half = new Uint32Array(2);
const whole = new BigUint64Array(half.buffer);
/** Which half of a 64-bit number comes first in this machine's memory. */
const [HIGH, LOW] = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? [1, 0] : [0, 1];

/** A 64-bit number of its halves. */
export function uint64(high: number, low: number): bigint {
  half[HIGH] = high;
  half[LOW] = low;
  return whole[0]!;
}

/** The upper and the lower half of a 64-bit number. */
export function halves(value: bigint): readonly [high: number, low: number] {
  whole[0] = value;
  return [half[HIGH]!, half[LOW]!];
}
