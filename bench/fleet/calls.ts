/** What one call of each kind really costs: requests, round trips, bytes, and what is kept. */

import { setTimeout as sleep } from "node:timers/promises";
import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { CountingProxy, type Wire } from "./counting_proxy.ts";

/** What a value and its entry take. */
export interface Kept {
  readonly json: number;
  readonly groups: number;
  readonly key: number;
  /** The item's value: the entry. */
  readonly entry: number;
  /** What memcached takes of its memory for the item, its head and key included, before it rounds up to a chunk. */
  readonly item: number;
  /** And the chunk. */
  readonly chunk: number;
}

export interface Cost extends Wire {
  readonly kind: string;
  readonly requests: number;
}

const SIZES = [100, 1000];
const GROUPS = [0, 1, 3];
/** Behind an answer: the set of a miss, the refresh of a stale value. */
const BEHIND_MS = 60;

/** A value that takes so many bytes as JSON. */
export function valueOf(bytes: number): { readonly id: number; readonly text: string } {
  const empty = JSON.stringify({ id: 7, text: "" }).length;
  return { id: 7, text: "x".repeat(bytes - empty) };
}

/** Groups are named like this; their counters' keys are some 20 bytes. */
const groupsOf = (count: number) => Array.from({ length: count }, (_, n) => `tenant:${n}`);

/** What the store writes for a value in some groups, and what memcached makes of it. The server is emptied. */
export async function kept(server: string): Promise<Kept[]> {
  await using client = new Memcached(server);
  const found: Kept[] = [];
  for (const json of SIZES) {
    for (const groups of GROUPS) {
      await client.flushAll();
      const backend = new GroupBackend({ store: new MemcachedStore(client), project: "shop", version: "42" });
      const offers = cached((_id: number) => valueOf(json), { name: "offers", group: groupsOf(groups), backend });
      await offers(1_000_000);
      await sleep(BEHIND_MS);
      const key = offers.key(1_000_000);
      const entry = (await client.get(key))!.bytes.length;
      // One item of a size of its own: nothing else lies in its class.
      found.push({ json, groups, key: key.length, entry, ...await slab(client, entry) });
    }
  }
  return found;
}

/** The class of slabs that holds items of that size: what one item asks for and what it is given. */
async function slab(client: Memcached, entry: number): Promise<{ item: number; chunk: number }> {
  const items = [...(await client.stats("items")).values()][0]!;
  const slabs = [...(await client.stats("slabs")).values()][0]!;
  for (const [name, size] of slabs) {
    const id = /^(\d+):chunk_size$/.exec(name)?.[1];
    if (id === undefined || items.get(`items:${id}:number`) !== "1" || Number(size) < entry) continue;
    return { item: Number(items.get(`items:${id}:mem_requested`)), chunk: Number(size) };
  }
  throw new Error(`No class of slabs holds one item of ${entry} bytes`);
}

/** Each kind of call, once, through a proxy that counts; values of 1,000 bytes. */
export async function costs(hostname: string, port: number): Promise<Cost[]> {
  using proxy = new CountingProxy(hostname, port);
  await using client = new Memcached(`127.0.0.1:${proxy.port}`);
  await client.flushAll();
  let requests = 0;
  client.on("operation", () => requests++);
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "shop", version: "42" });
  const measured: Cost[] = [];
  const measure = async (kind: string, ask: () => Promise<unknown>) => {
    requests = 0;
    proxy.take();
    await ask();
    await sleep(BEHIND_MS);
    measured.push({ kind, requests, ...proxy.take() });
  };
  for (const groups of GROUPS) {
    const names = groupsOf(groups);
    const of = `${groups} ${groups === 1 ? "group" : "groups"}`;
    const options = { ttl: "1h", group: names, backend } as const;
    const offers = cached((_id: number) => valueOf(1000), { ...options, name: `offers${groups}` });
    const brief = cached((_id: number) => valueOf(1000), { ...options, name: `brief${groups}`, ttl: "200ms" });
    await offers(1_000_000); // the counters are there
    await sleep(BEHIND_MS);
    await measure(`miss, ${of}`, () => offers(1_000_001));
    await measure(`hit, ${of}`, () => offers(1_000_001));
    await measure(
      `1,000 hits of one key in one tick, ${of}`,
      () => Promise.all(Array.from({ length: 1000 }, () => offers(1_000_001))),
    );
    await brief(1_000_001);
    await sleep(300);
    await measure(`stale, ${of}`, () => brief(1_000_001));
    await measure(`set, ${of}`, () => offers.set([1_000_001], valueOf(1000)));
    if (groups === 0) await measure("invalidate", () => offers.invalidate(1_000_001));
    else await measure(`invalidateGroup of ${of}`, () => backend.invalidateGroup(...names));
  }
  return measured;
}
