/** Which protocol a server speaks: given by an option, or detected by its first connection and kept from then on. */

import { BinaryWire } from "../protocol/binary/wire.ts";
import { MetaWire } from "../protocol/meta/wire.ts";
import type { Wire } from "../protocol/wire.ts";

/** What a client may ask for. */
export type Protocol = "binary" | "meta" | "auto";

/** The protocol of one server. All its connections share it. */
export class Negotiation {
  readonly #protocol: Protocol;
  #spoken: "binary" | "meta" | undefined;
  #binaryRefused = false;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    if (protocol !== "auto") this.#spoken = protocol;
  }

  /** Nobody knows yet: a connection asks in binary, or, where that was refused, in meta. */
  get undecided(): boolean {
    return this.#spoken === undefined;
  }

  /** The wire of a new connection. `longestValueBytes`: of a longer value nothing is kept. */
  newWire(longestValueBytes: number): Wire {
    const speaks = this.#spoken ?? (this.#binaryRefused ? "meta" : "binary");
    return speaks === "meta" ? new MetaWire(longestValueBytes) : new BinaryWire(longestValueBytes);
  }

  /** A connection was answered in this protocol. */
  detected(spoken: "binary" | "meta"): void {
    this.#spoken = spoken;
    this.#binaryRefused = false;
  }

  /** The server answered binary by a line of text, or by closing without a word. The next connection asks in meta. */
  binaryRefused(): void {
    this.#binaryRefused = true;
  }

  /** The server no longer answers in the protocol that it spoke: it may be another program now. Begins anew. */
  reset(): void {
    this.#binaryRefused = false;
    if (this.#protocol === "auto") this.#spoken = undefined;
  }
}
