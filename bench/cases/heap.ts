/** What is held in the heap: by requests in flight, beyond their bytes on the wire; and by a MemoryStore that is full. */

import { MemoryStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { heapUsed, median, OURS, rounds, type Row, spreadOf } from "../measure.ts";
import { available, type Client, clientsIn } from "../peers.ts";
import type { Bench } from "../worker.ts";

export async function heap(bench: Bench): Promise<void> {
  await inFlight(bench);
  await fullStore(bench);
}

async function inFlight(bench: Bench): Promise<void> {
  const title = "heap of a get in flight, one of 10,000";
  if (!bench.wants(title)) return;
  const server = `${bench.hostname}:${bench.port}`;
  await using memcached = new Memcached(server, { timeout: "30s" });
  const { here, missing } = await available(clientsIn(bench.peers, server), (client) => client.get("heap:0"));
  const clients: Pick<Client, "name" | "get">[] = [{ name: OURS, get: (key) => memcached.get(key) }, ...here];
  const keys = Array.from({ length: 10_000 }, (_, at) => `heap:${at}`);
  // The first round does not count: buffers grow in it that are kept.
  const held = await rounds(clients.length, { rounds: bench.pace.rounds, dropped: 1 }, async (at) => {
    // Nothing is answered while all is asked and counted: both happen in one turn of the event loop.
    const asked = new Array<Promise<unknown>>(keys.length).fill(Promise.resolve());
    const before = heapUsed();
    for (let n = 0; n < keys.length; n++) asked[n] = clients[at]!.get(keys[n]!);
    const bytes = heapUsed() - before;
    await Promise.all(asked);
    return bytes / keys.length;
  });
  const rows = clients.map(({ name }, at): Row => {
    const times = at === 0 ? null : median(held[at]!.map((bytes, round) => bytes / held[0]![round]!));
    return { name, kind: at === 0 ? "ours" : "peer", cells: [median(held[at]!), spreadOf(held[at]!), null, times] };
  });
  bench.keep({ title, columns: ["bytes", "spread", "", "of ours"], rows, notes: missing });
}

/** Kinds of values whose share of the heap is hard to see. Each is some hundred bytes at least. */
const VALUES: Readonly<Record<string, (i: number) => unknown>> = {
  "texts of 1,000 characters": (i) => `${i}`.padEnd(1000, "x"),
  "rows of 20, of one layout": (i) => record(20, (j) => [`field${j}`, i + j]),
  "a hundred rows each": (i) => times(100, (j) => ({ id: i + j, name: `city ${i} ${j}`, open: true, lat: j / 7 })),
  "records of 50 names of their own": (i) => record(50, (j) => [`${i}-${j}-a name of its own`, 1]),
  "rows by their id": (i) => record(20, (j) => [`user:${i * 20 + j}`, { id: j }]),
  "numbers by their id": (i) => record(50, (j) => [`${i * 50 + j}`, 1]),
  "arrays of 1,000 places, one taken": (i) => Object.assign(new Array(1000), { [i % 1000]: i }),
  "regular expressions": (i) => times(50, (j) => new RegExp(`a${i}b${j}`)),
  "dates, Maps and Sets": (i) => times(20, (j) => [new Date(i), new Map([[j, i]]), new Set([i])]),
  "Headers and URLs": (i) => times(10, () => [new Headers({ a: `${i}`, b: "1" }), new URL(`http://a/${i}?b`)]),
};

async function fullStore(bench: Bench): Promise<void> {
  const title = "heap of a MemoryStore of 16 MiB, full";
  if (!bench.wants(title)) return;
  const rows: Row[] = [];
  for (const [name, make] of Object.entries(VALUES)) rows.push({ name, cells: [await heapOf(make)] });
  const most = Math.max(...rows.map(({ cells }) => cells[0] as number));
  bench.keep({ title, columns: ["bytes"], rows: [...rows, { name: "the most", cells: [most] }] });
}

/** Twice as many entries as fit: what was dropped must not stay. */
async function heapOf(make: (i: number) => unknown): Promise<number> {
  const store = new MemoryStore({ maxBytes: 16 * 1024 * 1024 });
  const rest = { kind: "value", freshUntil: Infinity, staleUntil: Infinity, generations: [] } as const;
  const set = (i: number) => store.set(`k${i}`, { ...rest, value: make(i) }, Infinity, "anything");
  await set(0);
  const before = heapUsed();
  let count = 1;
  // The second entry is read only once it may be gone: reading would keep it.
  for (let next = 256; count < 200_000; next *= 2) {
    for (; count < next; count++) await set(count);
    if (await store.get("k1") === undefined) break;
  }
  for (const twice = 2 * count; count < twice; count++) await set(count);
  const bytes = heapUsed() - before;
  await store.close();
  return bytes;
}

function times<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

function record(count: number, make: (at: number) => [string, unknown]): object {
  return Object.fromEntries(times(count, make));
}
