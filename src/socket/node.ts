/** Node's and Bun's sockets, and what Deno's own cannot do (some TLS, keep-alive): `node:net`, whose `data` event is the quickest way to read there [measured]. */

import { builtin } from "../util/builtin.ts";
import type { Address, Socket, SocketListener, TlsOptions } from "./socket.ts";

interface Handle {
  on(event: "connect" | "secureConnect" | "end", listener: () => void): Handle;
  on(event: "data", listener: (bytes: Uint8Array) => void): Handle;
  on(event: "error", listener: (error: Error) => void): Handle;
  on(event: "close", listener: () => void): Handle;
  write(bytes: Uint8Array, taken?: (error?: Error | null) => void): unknown;
  readonly writableLength: number;
  destroy(): void;
  setKeepAlive(enable: true, afterMs: number): unknown;
  ref(): unknown;
  unref(): unknown;
}
type Target = { host: string; port: number; noDelay: true } | { path: string };
interface Net {
  connect(options: Target): Handle;
}
interface Tls {
  connect(
    options: Target & { ca?: string; cert?: string; key?: string; servername?: string; rejectUnauthorized: true },
  ): Handle;
}

const NOTHING = new Uint8Array(0);

/** A socket of `node:net`, or `node:tls`. */
export class NodeSocket implements Socket {
  readonly #listener: SocketListener;
  readonly #handle: Handle;
  readonly #encrypts: boolean;
  #closed = false;

  constructor(
    address: Address,
    listener: SocketListener,
    tls: TlsOptions | undefined,
    keepAliveMs: number | undefined,
  ) {
    this.#listener = listener;
    this.#encrypts = tls !== undefined;
    const target: Target = "path" in address ? address : { ...address, noDelay: true };
    this.#handle = (tls === undefined ? builtin<Net>("node:net").connect(target) : connectTls(target, tls))
      .on(tls === undefined ? "connect" : "secureConnect", () => {
        if (this.#closed) return;
        if (keepAliveMs !== undefined && "host" in address) this.#handle.setKeepAlive(true, keepAliveMs);
        listener.opened();
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
    if (this.#closed) return;
    // With TLS `writableLength` does not show whether the kernel has taken the bytes, so the callback says it.
    if (this.#encrypts) return void this.#handle.write(bytes, this.#taken);
    this.#handle.write(bytes);
    // As nearly always, the kernel has taken it within the call: a callback for that would cost another turn.
    if (this.#handle.writableLength === 0) this.#listener.sent();
    else this.#handle.write(NOTHING, this.#taken);
  }

  // A field, so that a write costs no closure. An error comes by its event.
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

function connectTls(target: Target, { ca, cert, key, serverName }: TlsOptions): Handle {
  return builtin<Tls>("node:tls").connect({
    ...target,
    ...ca !== undefined && { ca },
    ...cert !== undefined && { cert },
    ...key !== undefined && { key },
    ...serverName !== undefined && { servername: serverName },
    // Set, since the environment variable NODE_TLS_REJECT_UNAUTHORIZED changes the default.
    rejectUnauthorized: true,
  });
}
