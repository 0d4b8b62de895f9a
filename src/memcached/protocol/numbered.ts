/** What the two wires have in common: each request is written under an opaque of its own, and its replies are read by it. */

import { type Request, VERB } from "./request.ts";
import type { Reply, Unreadable, Wire } from "./wire.ts";

/** How a wire writes. */
export interface Writer {
  room(request: Request): number;
  write(request: Request, into: Uint8Array, at: number): number;
  rewrite(request: Request, frame: Uint8Array): void;
}

/** How a wire reads. */
export type Reader = Pick<Wire, "push" | "next" | "release" | "end">;

/** One connection's wire. */
export abstract class NumberedWire implements Wire {
  abstract readonly speaks: Wire["speaks"];
  readonly #writer: Writer;
  readonly #reader: Reader;
  #next: number;

  /** `firstOpaque`: of the first request; 0 to 2^32 - 1. */
  constructor(writer: Writer, reader: Reader, firstOpaque: number) {
    this.#writer = writer;
    this.#reader = reader;
    this.#next = firstOpaque;
  }

  room(request: Request): number {
    return this.#writer.room(request);
  }

  write(request: Request, into: Uint8Array, at: number): number {
    this.#number(request);
    return this.#writer.write(request, into, at);
  }

  rewrite(request: Request, frame: Uint8Array): void {
    this.#number(request);
    this.#writer.rewrite(request, frame);
  }

  /** A multi-get takes one for each key, and one for what ends it. It wraps at 2^32; `>>> 0` keeps it unsigned, as it comes back. */
  #number(request: Request): void {
    const { verb, details } = request;
    request.opaque = this.#next;
    this.#next = (this.#next + (verb === VERB.getMulti ? details!.list!.keys.length + 1 : 1)) >>> 0;
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  next(expected: Request | undefined): Reply | undefined {
    return this.#reader.next(expected);
  }

  release(): void {
    this.#reader.release();
  }

  end(): Unreadable | undefined {
    return this.#reader.end();
  }
}
