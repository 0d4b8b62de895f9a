/** Which wire a server speaks: told, or found out by its first connection and kept from then on. */

import type { OpenWire, Wire } from "../protocol/wire.ts";

/** What a client may ask for. */
export type Protocol = "binary" | "meta" | "auto";

let openBinaryWire: OpenWire | undefined;
let openMetaWire: OpenWire | undefined;

/** The wires that this protocol may need are loaded. */
export const hasWires = (protocol: Protocol): boolean =>
  openBinaryWire !== undefined && (protocol === "binary" || openMetaWire !== undefined);

/** Loads them. */
export async function loadWires(protocol: Protocol): Promise<void> {
  const [binary, meta] = await Promise.all([
    import("../protocol/binary/wire.ts"),
    protocol === "binary" ? undefined : import("../protocol/meta/wire.ts"),
  ]);
  openBinaryWire = binary.openBinaryWire;
  openMetaWire ??= meta?.openMetaWire;
}

/** The choice of one server. */
export class Wires {
  readonly #protocol: Protocol;
  #spoken: "binary" | "meta" | undefined;
  /** The last connection was refused in binary, and the next one asks in meta. */
  #refused = false;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    if (protocol !== "auto") this.#spoken = protocol;
  }

  /** It is known. Otherwise a connection begins in binary, or, where that was refused, in meta, and finds out. */
  get known(): boolean {
    return this.#spoken !== undefined;
  }

  /** A wire for a new connection, of a protocol that is loaded. `longestValueBytes`: of a longer value nothing is kept. */
  open(longestValueBytes: number): Wire {
    return (this.#spoken ?? (this.#refused ? "meta" : "binary")) === "meta"
      ? openMetaWire!(longestValueBytes)
      : openBinaryWire!(longestValueBytes);
  }

  /** A connection has found out. */
  found(spoken: "binary" | "meta"): void {
    this.#spoken = spoken;
    this.#refused = false;
  }

  /** By a line of text, or by closing without a word: no verdict on meta, which is asked next. */
  refusedBinary(): void {
    this.#refused = true;
  }

  /** It speaks no longer what it spoke: another server may stand there now. The next connection finds out. */
  doubt(): void {
    this.#refused = false;
    if (this.#protocol === "auto") this.#spoken = undefined;
  }
}
