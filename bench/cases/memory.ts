/** A hit in this process: one call of a cached async function, an object of about 1 KB. */

import { cached, GroupBackend, MemoryStore } from "@x/cache-utils";
import type { Setting } from "../case.ts";
import { type Contender, OURS, race } from "../measure.ts";
import { type Cacheable, load, type LruCache } from "../peers.ts";

/** So many different calls, taken in turn. */
const CALLS = 100;

interface City {
  readonly id: number;
  readonly name: string;
  readonly tags: readonly string[];
  readonly near: readonly { readonly id: number; readonly km: number }[];
}

/** 1,005 to 1,025 bytes of JSON. */
function cityOf(id: number): City {
  return {
    id,
    name: `City ${id} on the river`,
    tags: Array.from({ length: 20 }, (_, at) => `a tag, the ${at}th`),
    near: Array.from({ length: 23 }, (_, at) => ({ id: at, km: at * 1.5 })),
  };
}

export async function memory({ peers, pace, tell }: Setting): Promise<void> {
  const read = (id: number): Promise<City> => Promise.resolve(cityOf(id));
  const wrapped = (store: MemoryStore, name: string) =>
    cached(read, { name, ttl: "1h", backend: new GroupBackend({ store }) });

  const map = new Map<string, City>();
  const { LRUCache } = load<LruCache>(peers, "lru-cache");
  const lru = new LRUCache<City>({ max: 10_000, ttl: 3_600_000 });
  const fetching = new LRUCache<City>({
    max: 10_000,
    ttl: 3_600_000,
    fetchMethod: (key) => read(Number(key.slice(5))),
  });
  const { Cacheable } = load<Cacheable>(peers, "cacheable");
  const viaMap = async (id: number): Promise<City> => {
    const key = `city:${id}`;
    let city = map.get(key);
    if (city === undefined) map.set(key, city = await read(id));
    return city;
  };
  const viaLru = async (id: number): Promise<City> => {
    const key = `city:${id}`;
    let city = lru.get(key);
    if (city === undefined) lru.set(key, city = await read(id));
    return city;
  };

  const floor = contender("function and Map", viaMap);
  tell(
    await race("a hit in memory, 1 KB object, a fresh copy each time (the floor gives none)", "ns", [
      floor,
      contender(OURS, wrapped(new MemoryStore(), "copies")),
      contender("cacheable wrap", new Cacheable().wrap(read, { ttl: "1h", keyPrefix: "city" })),
    ], pace),
  );
  tell(
    await race("a hit in memory, 1 KB object, no copies", "ns", [
      floor,
      contender(`${OURS}, copy: false`, wrapped(new MemoryStore({ copy: false }), "same")),
      contender("lru-cache get", viaLru),
      contender("lru-cache fetch", (id) => fetching.fetch(`city:${id}`)),
    ], pace),
  );
}

function contender(name: string, call: (id: number) => Promise<unknown>): Contender {
  return {
    name,
    async run(count) {
      for (let index = 0; index < count; index++) await call(index % CALLS);
    },
  };
}
