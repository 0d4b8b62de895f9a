/** What a MemoryStore that is full takes in the heap, whatever it is full of. */

import process from "node:process";
import { MemoryStore } from "@x/cache-utils";
import type { Bench } from "../case.ts";
import type { Row } from "../measure.ts";

const MEGABYTE = 1024 * 1024;
const MAX_BYTES = 16 * MEGABYTE;
/** Kinds of values whose share of the heap is hard to see. Each entry is a key, and a value of some hundred bytes at least. */
const VALUES: Readonly<Record<string, (i: number) => unknown>> = {
  "texts of 1,000 characters": (i) => `${i}`.padEnd(1000, "x"),
  "rows of 20, of one layout": (i) => record(20, (j) => [`field${j}`, i + j]),
  "a hundred rows each": (i) => times(100, (j) => ({ id: i + j, name: `city ${i} ${j}`, open: true, lat: j / 7 })),
  "records of 50 names of their own": (i) => record(50, (j) => [`${i}-${j}-a name of its own`, 1]),
  "rows by their id": (i) => record(20, (j) => [`user:${i * 20 + j}`, { id: j }]),
  "numbers by their id": (i) => record(50, (j) => [`${i * 50 + j}`, 1]),
  "arrays of 1,000 places, one taken": (i) => {
    const array = new Array(1000);
    array[i % 1000] = i;
    return array;
  },
  "regular expressions": (i) => times(50, (j) => new RegExp(`a${i}b${j}`)),
  "dates, Maps and Sets": (i) => times(20, (j) => [new Date(i), new Map([[j, i]]), new Set([i])]),
  "Headers and URLs": (i) => times(10, () => [new Headers({ a: `${i}`, b: "1" }), new URL(`http://a/${i}?b`)]),
};

interface Collectors {
  readonly gc?: () => void;
  readonly Bun?: { gc(force: true): void };
}

export async function kept(bench: Bench): Promise<void> {
  const title = "heap of a MemoryStore of 16 MiB, full";
  if (!bench.wants(title)) return;
  const rows: Row[] = [];
  for (const [name, make] of Object.entries(VALUES)) {
    rows.push({
      name: `ours, ${name}`,
      kind: rows.length === 0 ? "ours" : "variant",
      value: await heapOf(make),
      spread: 0,
    });
  }
  bench.tell({ title, unit: "bytes", rows });
}

/** Twice as many entries as fit: what was dropped must not stay. */
async function heapOf(make: (i: number) => unknown): Promise<number> {
  const store = new MemoryStore({ maxBytes: MAX_BYTES });
  const set = (i: number) => {
    const entry = {
      kind: "value",
      value: make(i),
      freshUntil: Infinity,
      staleUntil: Infinity,
      generations: [],
    } as const;
    return store.set(`k${i}`, entry, Infinity, "anything");
  };
  const isThere = async (i: number) => await store.get(`k${i}`) !== undefined;
  await set(0);
  const before = used();
  let count = 1;
  // The second one is looked at only once it may be gone: a look would keep it.
  for (let next = 256; count < 200_000; next *= 2) {
    for (; count < next; count++) await set(count);
    if (!await isThere(1)) break;
  }
  for (const twice = 2 * count; count < twice; count++) await set(count);
  const bytes = used() - before;
  await store.close();
  return bytes;
}

/** After the second time the engine has forgotten what it remembers of code, too. */
function used(): number {
  const { gc, Bun } = globalThis as Collectors;
  for (let time = 0; time < 2; time++) Bun ? Bun.gc(true) : gc!();
  return process.memoryUsage().heapUsed;
}

function times<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

function record(count: number, make: (at: number) => [string, unknown]): object {
  return Object.fromEntries(times(count, make));
}
