/** Node's sockets: `node:net`, whose `data` event is the quickest way to read there [measured]. */

import { builtin } from "../builtin.ts";
import type { Address, Connect, Socket, SocketListener } from "./socket.ts";

interface Handle {
  on(event: "connect" | "end", told: () => void): Handle;
  on(event: "data", told: (bytes: Uint8Array) => void): Handle;
  on(event: "error", told: (error: Error) => void): Handle;
  on(event: "close", told: () => void): Handle;
  write(bytes: Uint8Array, taken: (error?: Error | null) => void): unknown;
  destroy(): void;
  ref(): unknown;
  unref(): unknown;
}
interface Net {
  connect(options: { host: string; port: number; noDelay: true } | { path: string }): Handle;
}

class NodeSocket implements Socket {
  readonly #listener: SocketListener;
  readonly #handle: Handle;
  #closed = false;

  constructor(address: Address, listener: SocketListener) {
    this.#listener = listener;
    this.#handle = builtin<Net>("node:net").connect("path" in address ? address : { ...address, noDelay: true })
      .on("connect", () => {
        if (!this.#closed) listener.opened();
      })
      .on("data", (bytes) => {
        // Not a Buffer, whose methods mean other things than a Uint8Array's.
        if (!this.#closed) listener.received(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
      })
      .on("end", () => this.#end(undefined))
      .on("error", (error) => this.#end(error))
      .on("close", () => this.#end(undefined));
  }

  write(bytes: Uint8Array): void {
    if (!this.#closed) this.#handle.write(bytes, this.#taken);
  }

  // A field, so that a write costs no closure. An error is told by the event.
  readonly #taken = (error?: Error | null): void => {
    if (!this.#closed && !error) this.#listener.sent();
  };

  ref(): void {
    this.#handle.ref();
  }

  unref(): void {
    this.#handle.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.destroy();
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.close();
    this.#listener.closed(error);
  }
}

/** Connects with `node:net`. */
export const connect: Connect = (address, listener) => new NodeSocket(address, listener);
