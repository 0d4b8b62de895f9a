/** The meta protocol: text, and what memcached's own proxy and hosted servers speak. */

import type { Request } from "../request.ts";
import type { OpenWire, Reply, Unreadable, Wire } from "../wire.ts";
import { ReplyReader } from "./read.ts";
import { opaques, rewrite, room, write } from "./write.ts";

/** One connection's lines. */
export class MetaWire implements Wire {
  readonly #reader: ReplyReader;
  #next: number;

  /** `firstOpaque`: of the first request; 0 to 2^32 - 1. */
  constructor(maxBodyBytes: number, firstOpaque = 1) {
    this.#reader = new ReplyReader(maxBodyBytes);
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

  /** It wraps at 2^32, as on the binary wire. */
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

/** A meta wire for a new connection. */
export const openMetaWire: OpenWire = (maxBodyBytes) => new MetaWire(maxBodyBytes);
