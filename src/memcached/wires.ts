/** Which wire a server speaks: told, or found out by its first connection and kept from then on. */

import { ConnectionError } from "../errors.ts";
import { asError } from "../socket/socket.ts";
import { openBinaryWire } from "./binary/wire.ts";
import type { OpenWire, Wire } from "./wire.ts";

/** What a client may ask for. */
export type Protocol = "binary" | "meta" | "auto";

/** The meta wire is six modules, which a program that speaks binary never loads. */
let openMetaWire: OpenWire | undefined;

/** What this protocol may need is there. */
export const isLoaded = (protocol: Protocol): boolean => protocol === "binary" || openMetaWire !== undefined;

/** Loads it. Rejects with a ConnectionError. */
export async function loadWires(protocol: Protocol): Promise<void> {
  if (isLoaded(protocol)) return;
  try {
    ({ openMetaWire } = await import("./meta/wire.ts"));
  } catch (error) {
    const cause = asError(error);
    throw new ConnectionError(`Cannot load the meta protocol: ${cause.message}; nothing was sent`, "", { cause });
  }
}

/** The choice of one server. */
export class Wires {
  readonly #protocol: Protocol;
  #spoken: "binary" | "meta" | undefined;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    if (protocol !== "auto") this.#spoken = protocol;
  }

  /** It is known. Otherwise a connection begins in binary, and finds out. */
  get known(): boolean {
    return this.#spoken !== undefined;
  }

  /** A wire for a new connection, of a protocol that is loaded. `maxBodyBytes`: a longer body is unreadable. */
  open(maxBodyBytes: number): Wire {
    return this.#spoken === "meta" ? openMetaWire!(maxBodyBytes) : openBinaryWire(maxBodyBytes);
  }

  /** A connection has found out. */
  found(spoken: "binary" | "meta"): void {
    this.#spoken = spoken;
  }

  /** It speaks no longer what it spoke: another server may stand there now. The next connection finds out. */
  doubt(): void {
    if (this.#protocol === "auto") this.#spoken = undefined;
  }
}
