/**
 * A socket of the runtime: bytes in, bytes out. Nothing here knows what the bytes mean. Deno's own sockets are quicker
 * there than `node:net`, and cannot do all that it can.
 */

import { DenoSocket } from "./deno.ts";
import { NodeSocket } from "./node.ts";

/** Where a server listens. */
export type Address =
  | { readonly host: string; readonly port: number }
  /** A unix socket. */
  | { readonly path: string };

/** How to encrypt: all texts are PEM. */
export interface TlsOptions {
  /** The authorities to trust. Default: the runtime's own; Deno trusts those as well. */
  readonly ca?: string | undefined;
  /** The client's certificate and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must be for. Default: the address's host; of a unix socket "localhost". */
  readonly serverName?: string | undefined;
}

/** What a socket calls: never within `connect`, never after `closed`, and never after its own `close()`. */
export interface SocketListener {
  /** How many bytes one read may bring: more could hold up the event loop. Absent: as many as the socket likes. */
  readonly mostBytes?: number;
  /** It is connected. Nothing is received before. */
  opened(): void;
  /** The bytes are never written again, so views of them may be kept. */
  received(bytes: Uint8Array): void;
  /** All bytes of the last `write` have been taken: their buffer may be used again, and the next `write` may come. */
  sent(): void;
  /** It could not connect, broke, or the other side ended it (no error). */
  closed(error: Error | undefined): void;
}

/** A socket, from the moment it begins to connect. Referenced: while it lives, the process does. */
export interface Socket {
  /** Sends all of it, after `opened`; the next only after `sent`, which may be called within this call. */
  write(bytes: Uint8Array): void;
  ref(): void;
  unref(): void;
  /** Ends it at once, whatever is on its way. Idempotent. */
  close(): void;
}

/**
 * Begins to connect. Every address of a host's name is tried, as the runtime does it. With `tls` it is connected once the
 * certificate was believed; there is no way back to plain text. `keepAliveMs`: idle for so long, TCP asks the other side
 * whether it is still there; `undefined`: it never does. Nothing to a unix socket.
 */
export type Connect = (address: Address, listener: SocketListener, tls?: TlsOptions, keepAliveMs?: number) => Socket;

/** Connects as this runtime does. */
export const connect: Connect = (address, listener, tls, keepAliveMs) => {
  // Deno's own sockets let nobody set the time of keep-alive; its TLS has no keep-alive, no client certificates and no unix
  // sockets.
  const needsNode = "host" in address ? keepAliveMs !== undefined || tls?.cert !== undefined : tls !== undefined;
  return "Deno" in globalThis && !needsNode
    ? new DenoSocket(address, listener, tls)
    : new NodeSocket(address, listener, tls, keepAliveMs);
};
