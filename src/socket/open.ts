/** Which runtime's sockets: loaded on first connect, so that a program that never connects never loads any. */

import type { Address, Connect, TlsTerms } from "./socket.ts";

/** This runtime's way to connect to such an address. */
export async function loadConnect(
  address: Address,
  tls: TlsTerms | undefined,
  keepAliveMs?: number,
): Promise<Connect> {
  // Deno's own keep-alive takes no time, and its TLS has none at all.
  const asks = keepAliveMs !== undefined && "host" in address;
  if ("Deno" in globalThis && !asks && (tls === undefined || tls.cert === undefined && "host" in address)) {
    return (await import("./deno.ts")).connect;
  }
  return (await import("./node.ts")).connect;
}
