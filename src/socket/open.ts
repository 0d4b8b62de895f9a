/** Which runtime's sockets: loaded on first connect, so that a program that never connects never loads any. */

import type { Address, Connect, TlsTerms } from "./socket.ts";

/** This runtime's way to connect to such an address. */
export async function loadConnect(address: Address, tls: TlsTerms | undefined): Promise<Connect> {
  if ("Deno" in globalThis && (tls === undefined || tls.cert === undefined && "host" in address)) {
    return (await import("./deno.ts")).connect;
  }
  return (await import("./node.ts")).connect;
}
