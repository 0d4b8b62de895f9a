/** What ten thousand requests in flight hold in the heap, beyond their bytes on the wire, which lie outside of it. */

import process from "node:process";
import { Memcached } from "@x/cache-utils/memcached";
import type { Bench } from "../case.ts";
import { type Client, clientsIn } from "../clients.ts";
import { median, OURS, type Row, spreadOf } from "../measure.ts";
import { whoever } from "../packages.ts";

const REQUESTS = 10_000;

interface Collectors {
  readonly gc?: () => void;
  readonly Bun?: { gc(force: true): void };
}

export async function heap(bench: Bench): Promise<void> {
  const title = "heap of a get in flight, one of 10,000";
  if (!bench.wants(title)) return;
  const server = `${bench.hostname}:${bench.port}`;
  await using memcached = new Memcached(server, { timeout: "30s" });
  const others = await whoever(clientsIn(bench.peers, server), async (client) => void await client.get("heap:0"));
  const keys = Array.from({ length: REQUESTS }, (_, at) => `heap:${at}`);
  const clients: Pick<Client, "name" | "get">[] = [
    { name: OURS, get: (key) => memcached.get(key) },
    ...others.here,
  ];
  const held: number[][] = clients.map(() => []);
  // The first round does not count: buffers grow in it that are kept.
  for (let round = -1; round < bench.pace.rounds; round++) {
    for (const [at, client] of clients.entries()) {
      const bytes = await holds(client, keys);
      if (round >= 0) held[at]!.push(bytes);
    }
  }
  const rows = clients.map(({ name }, at): Row => {
    const row = { name, value: median(held[at]!), spread: spreadOf(held[at]!) };
    if (at === 0) return { ...row, kind: "ours" };
    const times = held[at]!.map((bytes, round) => bytes / held[0]![round]!);
    return { ...row, kind: "peer", ours: median(times), oursSpread: spreadOf(times) };
  });
  bench.tell({ title, unit: "bytes", rows, ...(others.missing.length === 0 ? {} : { missing: others.missing }) });
}

/** Nothing is answered while all is asked and counted: both happen in one turn of the event loop. */
async function holds({ get }: Pick<Client, "get">, keys: readonly string[]): Promise<number> {
  const asked = new Array<Promise<unknown>>(keys.length).fill(Promise.resolve());
  const before = used();
  for (let at = 0; at < keys.length; at++) asked[at] = get(keys[at]!);
  const bytes = used() - before;
  await Promise.all(asked);
  return bytes / keys.length;
}

function used(): number {
  const { gc, Bun } = globalThis as Collectors;
  if (Bun) Bun.gc(true);
  else gc!();
  return process.memoryUsage().heapUsed;
}
