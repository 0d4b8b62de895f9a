/**
 * From a socket that is connected to one that can be used. A successful connect proves nothing: the kernel accepts for a
 * server that is stopped. So each new connection is probed with a NOOP, whose opcode is a line feed: a text-only server
 * answers that with an error at once, where a GET gets nothing at all [measured].
 *
 * TLS comes before this, below in the socket; a login and the choice of the wire belong here, in front of the probe.
 */

import { AuthError, type MemcachedError, ProtocolError } from "../errors.ts";
import { Request, VERB } from "./request.ts";
import { type Reply, STATUS, type Wire } from "./wire.ts";

/** The steps that one connection takes, one write. */
export class Handshake {
  /** What the next reply has to answer. */
  readonly expected: Request = new Request(VERB.noop, "", 0, undefined);
  readonly #server: string;

  constructor(server: string) {
    this.#server = server;
  }

  /** What to send first. */
  begin(wire: Wire): Uint8Array {
    const bytes = new Uint8Array(wire.room(this.expected));
    return bytes.subarray(0, wire.write(this.expected, bytes, 0));
  }

  /** Reads the answer: "ready", or why it will not be. */
  read(reply: Reply): "ready" | MemcachedError {
    const server = this.#server;
    if (reply.status === STATUS.ok) return "ready";
    if (reply.status === STATUS.auth) return new AuthError(`${server} wants a login, and none was given`, server);
    return new ProtocolError(`${server} answered a NOOP with status 0x${reply.status.toString(16)}`, server);
  }
}
