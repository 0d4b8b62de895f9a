/** A hit in this process: one call of a cached async function, an object of about 1 KB. */

import { cached, GroupBackend, MemoryStore } from "@x/cache-utils";
import { type Contender, type Kind, OURS } from "../measure.ts";
import { available, cacheOf, type Read } from "../peers.ts";
import type { Bench } from "../worker.ts";

/** So many different calls, taken in turn. */
const CALLS = 100;

/** 1,005 to 1,025 bytes of JSON. */
function cityOf(id: number | string) {
  return {
    id,
    name: `City ${id} on the river`,
    tags: Array.from({ length: 20 }, (_, at) => `a tag, the ${at}th`),
    near: Array.from({ length: 23 }, (_, at) => ({ id: at, km: at * 1.5 })),
  };
}

const read = (id: number | string) => Promise.resolve(cityOf(id));

export async function memory(bench: Bench): Promise<void> {
  const map = new Map<string, unknown>();
  const floor = contender("floor", "function and Map", "nothing", async (id) => {
    const key = `city:${id}`;
    let city = map.get(key);
    if (city === undefined) map.set(key, city = await read(id));
    return city;
  });
  const compare = async (title: string, name: string, store: MemoryStore, copies: boolean, peers: string[]) => {
    if (!bench.wants(title)) return;
    const gives = `${copies ? "copies, " : ""}ttl, stale, one call at a time, groups`;
    const call = cached(read, { name, ttl: "1h", backend: new GroupBackend({ store }) });
    const ours = contender("ours", name, gives, call);
    await assertHit(ours, copies);
    const makers = Object.fromEntries(peers.map((name) => [name, async () => {
      const { gives, bare, open } = cacheOf(name);
      const terms = { folder: bench.peers, read, server: "", ttlS: 3600, staleS: 5 };
      return contender(bare ? "bare" : "peer", name, gives, await open(terms));
    }]));
    const { here, missing } = await available(makers, (peer) => assertHit(peer, copies));
    await bench.race(title, "ns", [floor, ours, ...here], missing);
  };
  const copying: string[] = ["bentocache getOrSet", "cacheable wrap"];
  await compare(
    "a hit in memory, 1 KB object, a fresh copy each time (the floor gives none)",
    OURS,
    new MemoryStore(),
    true,
    copying,
  );
  await compare(
    "a hit in memory, 1 KB object, no copies",
    `${OURS}, copy: false`,
    new MemoryStore({ copy: false }),
    false,
    [
      "lru-cache get",
      "lru-cache fetch",
      "p-memoize",
      "p-memoize, cacheKey of all arguments",
      "async-cache-dedupe",
      "cachified on a Map",
      "ocache",
      "bentocache getOrSet, serialize: false",
    ],
  );
}

type Caller = Contender & { readonly call: Read<unknown> };

function contender(kind: Kind, name: string, gives: string, call: Read<unknown>): Caller {
  return {
    name,
    kind,
    gives,
    call,
    async run(count) {
      for (let index = 0; index < count; index++) await call(index % CALLS);
    },
  };
}

/** Each library has to give the right value, and to copy it or not as the table says. */
async function assertHit({ name, call }: Caller, copies: boolean): Promise<void> {
  await call(7);
  const [first, second] = [await call(7), await call(7)];
  if (JSON.stringify(second) !== JSON.stringify(cityOf(7))) throw new Error(`${name} answers something else`);
  if (first === second === copies) throw new Error(`${name} ${copies ? "gives no copies" : "copies"}`);
}
