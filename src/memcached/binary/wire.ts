/** The binary protocol. */

import type { Request } from "../request.ts";
import type { Reply, Unreadable, Wire } from "../wire.ts";
import { FrameReader } from "./read.ts";
import { opaques, rewrite, room, write } from "./write.ts";

/** One connection's frames. */
export class BinaryWire implements Wire {
  readonly #reader: FrameReader;
  #next: number;

  /** `firstOpaque`: of the first request; 0 to 2^32 - 1. */
  constructor(maxBodyBytes: number, firstOpaque = 1) {
    this.#reader = new FrameReader(maxBodyBytes);
    this.#next = firstOpaque;
  }

  room(request: Request): number {
    return room(request);
  }

  write(request: Request, into: Uint8Array, at: number): number {
    this.#number(request);
    return write(request, into, at);
  }

  rewrite(request: Request, frame: Uint8Array): void {
    this.#number(request);
    rewrite(request, frame);
  }

  /** It wraps at 2^32; `>>> 0` keeps it unsigned, as it comes back. */
  #number(request: Request): void {
    request.opaque = this.#next;
    this.#next = (this.#next + opaques(request)) >>> 0;
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  next(expected: Request | undefined): Reply | undefined {
    return this.#reader.next(expected);
  }

  end(): Unreadable | undefined {
    return this.#reader.end();
  }
}

/** A binary wire for a new connection. */
export const openBinaryWire = (maxBodyBytes: number): Wire => new BinaryWire(maxBodyBytes);
