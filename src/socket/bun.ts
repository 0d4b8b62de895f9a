/** Bun's sockets, without TLS: its `node:tls` is as quick. */

import { type Address, asError, type Connect, type Socket, type SocketListener } from "./socket.ts";

interface Handle {
  /** How many bytes were taken; fewer than given: `drain` tells when to go on. -1: it is closed. */
  write(bytes: Uint8Array): number;
  terminate(): void;
  ref(): void;
  unref(): void;
  setNoDelay(on: boolean): void;
}
interface Handlers {
  /** Not a Buffer, whose methods mean other things than a Uint8Array's. */
  readonly binaryType: "uint8array";
  readonly open: (handle: Handle) => void;
  readonly data: (handle: Handle, bytes: Uint8Array) => void;
  readonly drain: () => void;
  readonly end: () => void;
  readonly close: (handle: Handle, error?: Error) => void;
  readonly error: (handle: Handle, error: Error) => void;
  readonly connectError: (handle: Handle, error: Error) => void;
}
interface Runtime {
  readonly Bun: {
    connect(
      options: { socket: Handlers } & ({ hostname: string; port: number } | { unix: string }),
    ): Promise<unknown>;
  };
}

class BunSocket implements Socket {
  readonly #listener: SocketListener;
  #handle: Handle | undefined;
  #closed = false;
  #referenced = true;
  #left: Uint8Array | undefined;

  constructor(address: Address, listener: SocketListener) {
    this.#listener = listener;
    const { Bun } = globalThis as unknown as Runtime;
    const place = "path" in address ? { unix: address.path } : { hostname: address.host, port: address.port };
    const socket: Handlers = {
      binaryType: "uint8array",
      open: (handle) => this.#opened(handle),
      data: (_, bytes) => {
        if (!this.#closed) this.#listener.received(bytes);
      },
      drain: () => this.#go(),
      end: () => this.#end(undefined),
      close: (_, error) => this.#end(error),
      error: (_, error) => this.#end(error),
      connectError: (_, error) => this.#end(error),
    };
    Bun.connect({ ...place, socket }).catch((error) => this.#end(asError(error)));
  }

  #opened(handle: Handle): void {
    if (this.#closed) return handle.terminate();
    this.#handle = handle;
    handle.setNoDelay(true);
    if (!this.#referenced) handle.unref();
    this.#listener.opened();
  }

  write(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#left = bytes;
    this.#go();
  }

  #go(): void {
    const left = this.#left;
    if (left === undefined || this.#closed) return;
    const taken = this.#handle!.write(left);
    if (taken < 0) return this.#end(undefined);
    if (taken < left.length) {
      this.#left = left.subarray(taken);
      return;
    }
    this.#left = undefined;
    this.#listener.sent();
  }

  ref(): void {
    this.#referenced = true;
    this.#handle?.ref();
  }

  unref(): void {
    this.#referenced = false;
    this.#handle?.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle?.terminate();
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.close();
    this.#listener.closed(error);
  }
}

/** Connects with `Bun.connect`. */
export const connect: Connect = (address, listener) => new BunSocket(address, listener);
