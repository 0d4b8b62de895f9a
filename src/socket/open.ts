/** Which runtime's sockets: loaded on first connect, so that a program that never connects never loads any. */

import type { Connect } from "./socket.ts";

let loading: Promise<Connect> | undefined;

/** This runtime's way to connect. */
export function loadConnect(): Promise<Connect> {
  return loading ??= load();
}

async function load(): Promise<Connect> {
  if ("Deno" in globalThis) return (await import("./deno.ts")).connect;
  if ("Bun" in globalThis) return (await import("./bun.ts")).connect;
  return (await import("./node.ts")).connect;
}
