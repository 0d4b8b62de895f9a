/** Requests of one connection as bytes, while they wait for the next write: it can be asked for more than once. */

import { ConnectionError, type MemcachedError } from "../../errors.ts";
import { lost, queueFull } from "./failure.ts";
import type { Operation } from "./operation.ts";
import { Outgoing } from "./write_buffer.ts";
import type { Wire } from "../protocol/wire.ts";

/** The frames of one connection. */
export class Frames {
  readonly outgoing: Outgoing = new Outgoing();
  /** What the server speaks is not known: what waits may have to be written anew, on another wire. */
  finds: boolean;
  readonly #server: string;
  readonly #wire: Wire;
  readonly #maxBytes: number;

  constructor(server: string, wire: Wire, maxBytesInFlight: number, finds: boolean) {
    this.#server = server;
    this.#wire = wire;
    this.#maxBytes = maxBytesInFlight;
    this.finds = finds;
  }

  /**
   * Writes a request's frame behind those that wait, beside so many requests with so many bytes that are in flight.
   * Returns why not, if it may not: too many bytes, or another kind of server.
   */
  write(operation: Operation, count: number, bytes: number): MemcachedError | undefined {
    const { outgoing } = this;
    const { frame } = operation;
    if (frame !== undefined && (this.finds || operation.frameFor !== this.#wire.constructor)) {
      // Its value is gone, and another kind of server may stand there now.
      const cause = new ConnectionError(`${this.#server} may speak another protocol now`, this.#server);
      return lost(operation, this.#server, cause, false);
    }
    const room = frame === undefined ? this.#wire.room(operation) : frame.length;
    outgoing.reserve(room);
    const start = outgoing.end;
    let end = start + room;
    if (frame === undefined) end = this.#wire.write(operation, outgoing.bytes, start);
    if (count > 0 && bytes + (end - start) > this.#maxBytes) {
      return queueFull(operation, this.#server, `${bytes} bytes are in flight`);
    }
    if (frame !== undefined) {
      this.#wire.rewrite(operation, frame);
      outgoing.bytes.set(frame, start);
      operation.frame = undefined;
    }
    this.#release(operation);
    operation.start = start;
    operation.bytes = end - start;
    outgoing.end = end;
    return undefined;
  }

  /** Its bytes are taken: from now on the caller may change them. They are wanted again only if the wire may change. */
  #release({ details }: Operation): void {
    if (details?.value === undefined) return;
    if (!this.finds) details.value = undefined;
    else if (typeof details.value !== "string") details.value = new Uint8Array(details.value);
  }

  /**
   * Keeps what was written and never sent, for another connection: the caller may have changed the value since. What has
   * none, or a copy, is written anew there.
   */
  keep(operation: Operation): void {
    const { start, bytes, details } = operation;
    if (details === undefined || details.list !== undefined || this.finds) return;
    operation.frame = this.outgoing.bytes.slice(start, start + bytes);
    operation.frameFor = this.#wire.constructor;
  }
}
