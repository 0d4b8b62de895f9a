/**
 * One process of a fleet: `one_process.ts ADDRESSES`. Makes a client of all these servers, asks each of them once, and
 * says what it takes at each step as a line of JSON; waits for a line before it ends.
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../src/memcached/mod.ts";

/** What it has in memory, in bytes: all of it, and what its objects and buffers take. */
export interface Memory {
  readonly resident: number;
  readonly used: number;
}

/** The same at each step. */
export interface Grown {
  readonly empty: Memory;
  readonly ring: Memory;
  readonly ringMs: number;
  /** With all sockets open. */
  readonly sockets: Memory;
}

/** So many connections are opened at once. */
const LANES = 100;

const collected = async (): Promise<Memory> => {
  const { gc } = globalThis as { gc?: () => void };
  for (let n = 0; n < 3; n++) {
    gc?.();
    await sleep(50);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, used: heapUsed + external };
};

const addresses = process.argv[2]!.split(",");
// What hashing loads is there before anything is measured.
new Memcached(["10.0.0.1", "10.0.0.2"]).serverOf("a-key");
const empty = await collected();
const start = performance.now();
const client = new Memcached(addresses, { timeout: "20s", connectTimeout: "20s" });
client.serverOf("a-key");
const ringMs = performance.now() - start;
const ring = await collected();

const keyOf = new Map<string, string>();
for (let n = 0; keyOf.size < addresses.length; n++) {
  const server = client.serverOf(`key-${n}`);
  if (!keyOf.has(server)) keyOf.set(server, `key-${n}`);
}
const keys = [...keyOf.values()];
for (let at = 0; at < keys.length; at += LANES) {
  await Promise.all(keys.slice(at, at + LANES).map((key) => client.get(key)));
}
const grown: Grown = { empty, ring, ringMs, sockets: await collected() };
console.log(JSON.stringify(grown));
createInterface({ input: process.stdin }).once("line", () => process.exit(0));
