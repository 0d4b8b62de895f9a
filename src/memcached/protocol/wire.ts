/**
 * The port of the two wires: what a connection needs of a protocol. Requests become bytes, bytes become replies. A wire
 * knows no socket, no promise and no time.
 */

import type { Request } from "./request.ts";

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

/** One connection's protocol: how requests become bytes and bytes become replies. Dies with its connection. */
export interface Wire {
  readonly speaks: "binary" | "meta";
  /** The most bytes that this request takes. */
  room(request: Request): number;
  /** Writes a request at `at`, gives it its opaque, and returns where it ends. `into` has room for it. */
  write(request: Request, into: Uint8Array, at: number): number;
  /** A frame of one request (no multi-get) that another connection wrote and never sent: gives it a new opaque. */
  rewrite(request: Request, frame: Uint8Array): void;
  /** More bytes have come; replies may be views of them. */
  push(bytes: Uint8Array): void;
  /**
   * The next reply, or `undefined`: not yet. `expected` is what it has to answer, `undefined`: nothing was asked. The
   * object is the wire's own and good until the next call. Throws Unreadable.
   */
  next(expected: Request | undefined): Reply | undefined;
  /** Lets go of what was not read. */
  release(): void;
  /** No more bytes will come: what is wrong with those left over, if anything is. */
  end(): Unreadable | undefined;
}

/** A wire for a new connection. `longestValueBytes`: of a longer value nothing is kept. */
export type OpenWire = (longestValueBytes: number) => Wire;

/** One reply, understood as far as the wire can. Its places are offsets into `chunk`. */
export interface Reply {
  /** One of STATUS, or whatever else the server said. */
  readonly status: number;
  /** Why it cannot be given, though its bytes are in order: this reply is lost, and nothing else. */
  readonly flaw: string | undefined;
  /** No further reply to the same request follows. */
  readonly last: boolean;
  /** Of a multi-get: which of its keys this is. */
  readonly index: number;
  readonly flags: number;
  /** Upper and lower half of the cas: a bigint only for those who ask. */
  readonly casHigh: number;
  readonly casLow: number;
  readonly chunk: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  /** The value, or an error's text; it ends at `valueEnd`. */
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Of incr and decr that were done: the counter. */
  counter(): bigint;
}

/** The flaw of a value, or of statistics, that are longer than may be kept. Their status is `tooLarge`. */
export const tooLong = (bytes: number): string => `${bytes} bytes are more than \`maxValueBytes\` lets in`;

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
