/** The runtime door: bytes in, bytes out. One file a runtime implements it; nothing here knows what the bytes mean. */

/** Where a server listens. */
export type Address =
  | { readonly host: string; readonly port: number }
  /** A unix socket. */
  | { readonly path: string };

/** How to encrypt: all texts are PEM. */
export interface TlsTerms {
  /** Whom to believe. Default: the runtime's own authorities; Deno believes those besides. */
  readonly ca?: string | undefined;
  /** The client's certificate and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Whose certificate it must be. Default: the address's host; of a unix socket "localhost". */
  readonly serverName?: string | undefined;
}

/** What a socket tells. It tells nothing more after `closed`, and nothing at all after its own `close()`. */
export interface SocketListener {
  /** So many bytes at once are not too many for it: more could hold up the event loop. Absent: a socket's own habit. */
  readonly mostBytes?: number;
  /** It is connected. */
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
  /** Sends all of it, after `opened`; the next only after `sent`, which may be told within this call. */
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
export type Connect = (address: Address, listener: SocketListener, tls?: TlsTerms, keepAliveMs?: number) => Socket;

/** An error, whatever was thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
