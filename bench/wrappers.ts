/** Other libraries that cache what a function answers, each as its own README has it: in memory, for an hour. */

import { load } from "./packages.ts";

/** A cached function, and what its caller gets beside the value. */
export interface Wrapper {
  readonly name: string;
  readonly gives: string;
  /** It does less than the others: a bare map. */
  readonly bare?: boolean;
  call(id: number): Promise<unknown>;
}

type Read = (id: number) => Promise<unknown>;

interface Cacheable {
  readonly Cacheable: new (options?: object) => {
    wrap(read: Read, options: { ttl: string; keyPrefix: string }): Read;
  };
}

interface Bentocache {
  readonly bentostore: () => { useL1Layer(driver: unknown): unknown };
  readonly BentoCache: new (options: object) => {
    getOrSet(options: { key: string; ttl: string; factory: () => Promise<unknown> }): Promise<unknown>;
  };
}

interface BentocacheMemory {
  readonly memoryDriver: (options: object) => unknown;
}

interface Ocache {
  readonly defineCachedFunction: (read: Read, options: { maxAge: number; name: string }) => Read;
}

interface AsyncCacheDedupe {
  readonly createCache: (options: object) => { define(name: string, read: Read): Record<string, Read> };
}

export interface Cachified {
  readonly cachified: (
    options: { key: string; cache: unknown; ttl: number; getFreshValue: () => Promise<unknown> },
  ) => Promise<unknown>;
}

interface PMemoize {
  readonly default: (read: Read, options?: { cacheKey: (parameters: readonly unknown[]) => string }) => Read;
}

interface LruCache {
  readonly LRUCache: new (options: {
    max: number;
    ttl: number;
    fetchMethod?: (key: string) => Promise<unknown>;
  }) => {
    get(key: string): unknown;
    set(key: string, value: unknown): void;
    fetch(key: string): Promise<unknown>;
  };
}

const HOUR_S = 3600, HOUR_MS = 3_600_000;

/** Those whose callers cannot change what is kept: each gets a copy. */
export function copyingIn(folder: string, read: Read): Record<string, () => Promise<Wrapper>> {
  return {
    bentocache: () => bentocache(folder, read, { maxItems: 10_000 }, "copies, ttl, grace, one call at a time, tags"),
    cacheable: () => cacheable(folder, read),
  };
}

/** Those that give out the object they keep. */
export function sharingIn(folder: string, read: Read): Record<string, () => Promise<Wrapper>> {
  const shared = { maxItems: 10_000, serialize: false };
  return {
    "lru-cache": () => lruGet(folder, read),
    "lru-cache fetch": () => lruFetch(folder, read),
    "p-memoize": () => pMemoize(folder, read),
    "p-memoize, all arguments": () => pMemoizeAll(folder, read),
    "async-cache-dedupe": () => asyncCacheDedupe(folder, read),
    "@epic-web/cachified": () => cachifiedOnMap(folder, read),
    ocache: () => ocache(folder, read),
    bentocache: () => bentocache(folder, read, shared, "ttl, grace, one call at a time, tags"),
  };
}

async function ocache(folder: string, read: Read): Promise<Wrapper> {
  const { defineCachedFunction } = await load<Ocache>(folder, "ocache");
  const call = defineCachedFunction(read, { maxAge: HOUR_S, name: "city" });
  return { name: "ocache", gives: "ttl, stale, one call at a time", call };
}

async function cacheable(folder: string, read: Read): Promise<Wrapper> {
  const { Cacheable } = await load<Cacheable>(folder, "cacheable");
  const call = new Cacheable().wrap(read, { ttl: "1h", keyPrefix: "city" });
  return { name: "cacheable wrap", gives: "copies, ttl, one call at a time, a second layer", call };
}

async function bentocache(folder: string, read: Read, options: object, gives: string): Promise<Wrapper> {
  const { BentoCache, bentostore } = await load<Bentocache>(folder, "bentocache");
  const { memoryDriver } = await load<BentocacheMemory>(folder, "bentocache/drivers/memory");
  const cache = new BentoCache({
    default: "memory",
    stores: { memory: bentostore().useL1Layer(memoryDriver(options)) },
  });
  return {
    name: `bentocache getOrSet${"serialize" in options ? ", serialize: false" : ""}`,
    gives,
    call: (id) => cache.getOrSet({ key: `city:${id}`, ttl: "1h", factory: () => read(id) }),
  };
}

async function asyncCacheDedupe(folder: string, read: Read): Promise<Wrapper> {
  const { createCache } = await load<AsyncCacheDedupe>(folder, "async-cache-dedupe");
  const cache = createCache({ ttl: HOUR_S, stale: 5, storage: { type: "memory" } }).define("city", (id) => read(id));
  return { name: "async-cache-dedupe", gives: "ttl, stale, one call at a time", call: (id) => cache.city!(id) };
}

async function cachifiedOnMap(folder: string, read: Read): Promise<Wrapper> {
  const { cachified } = await load<Cachified>(folder, "@epic-web/cachified");
  const cache = new Map<string, unknown>();
  return {
    name: "cachified on a Map",
    gives: "ttl, stale, one call at a time, a check of the value",
    call: (id) => cachified({ key: `city-${id}`, cache, ttl: HOUR_MS, getFreshValue: () => read(id) }),
  };
}

async function pMemoize(folder: string, read: Read): Promise<Wrapper> {
  const { default: memoize } = await load<PMemoize>(folder, "p-memoize");
  return { name: "p-memoize", gives: "one call at a time; the first argument only, for ever", call: memoize(read) };
}

async function pMemoizeAll(folder: string, read: Read): Promise<Wrapper> {
  const { default: memoize } = await load<PMemoize>(folder, "p-memoize");
  const call = memoize(read, { cacheKey: JSON.stringify });
  return { name: "p-memoize, cacheKey of all arguments", gives: "one call at a time; for ever", call };
}

async function lruGet(folder: string, read: Read): Promise<Wrapper> {
  const { LRUCache } = await load<LruCache>(folder, "lru-cache");
  const lru = new LRUCache({ max: 10_000, ttl: HOUR_MS });
  return {
    name: "lru-cache get",
    gives: "ttl",
    bare: true,
    async call(id) {
      const key = `city:${id}`;
      let city = lru.get(key);
      if (city === undefined) lru.set(key, city = await read(id));
      return city;
    },
  };
}

async function lruFetch(folder: string, read: Read): Promise<Wrapper> {
  const { LRUCache } = await load<LruCache>(folder, "lru-cache");
  const fetchMethod = (key: string) => read(Number(key.slice(5)));
  const lru = new LRUCache({ max: 10_000, ttl: HOUR_MS, fetchMethod });
  return {
    name: "lru-cache fetch",
    gives: "ttl, one call at a time",
    bare: true,
    call: (id) => lru.fetch(`city:${id}`),
  };
}
