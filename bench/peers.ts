/**
 * Other libraries, which the bench fetches into a folder of its own: nothing here depends on them. Each is set up as its
 * own README has it. `gives` says what a caller gets beside the value.
 */

import { pathToFileURL } from "node:url";

/** The packages that are measured, and the lines of their versions. */
export const libraries = {
  memjs: "1",
  "memcache-client": "1",
  memcached: "2",
  memcache: "1",
  cacheable: "2",
  "@keyv/memcache": "2",
  "cache-manager": "7",
  bentocache: "1",
  "async-cache-dedupe": "3",
  "@epic-web/cachified": "5",
  ocache: "0.3",
  "p-memoize": "9",
  "lru-cache": "11",
} as const;

/** What `import * as` gives of a package that is fetched at run time: its types are not here. */
// deno-lint-ignore no-explicit-any
type Package = any;

/** Loads a package of the folder. A bare name is looked up from the file that imports it, so a file there does it. */
export async function load(folder: string, name: string): Promise<Package> {
  const { default: load } = await import(pathToFileURL(`${folder}/load.mjs`).href);
  return await load(name);
}

/** Makes each of them, and proves it. Returns those that passed, and in `missing` why the others could not be measured. */
export async function available<T>(
  makers: Readonly<Record<string, () => Promise<T>>>,
  prove: (made: T) => Promise<unknown> = () => Promise.resolve(),
): Promise<{ readonly here: T[]; readonly missing: string[] }> {
  const here: T[] = [], missing: string[] = [];
  for (const [name, make] of Object.entries(makers)) {
    try {
      const made = await make();
      await prove(made);
      here.push(made);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      missing.push(`not measured: ${name} (${why.replaceAll(/\s+/g, " ").slice(0, 200)})`);
    }
  }
  return { here, missing };
}

/** A memcached client. */
export interface Client {
  readonly name: string;
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
  getMulti(keys: readonly string[]): Promise<unknown>;
  close(): unknown;
}

/** The clients, by the names of their packages: each with one connection, and no time limit that a race could reach. */
export function clientsIn(folder: string, server: string): Record<string, () => Promise<Client>> {
  return {
    /** It has no multi-get: it is asked for all the keys at once. */
    async memjs() {
      const client = await memjs(folder, server);
      return {
        name: "memjs",
        get: async (key) => (await client.get(key)).value ?? undefined,
        set: (key, value) => client.set(key, value, { expires: 0 }),
        getMulti: (keys) => Promise.all(keys.map((key) => client.get(key))),
        close: () => client.close(),
      };
    },
    async "memcache-client"() {
      const { MemcacheClient } = await load(folder, "memcache-client");
      const client = new MemcacheClient({ server: { server, maxConnections: 1 }, cmdTimeout: 30_000 });
      return {
        name: "memcache-client",
        get: (key) => client.get(key),
        set: (key, value) => client.set(key, value),
        getMulti: (keys) => client.get(keys),
        close: () => client.shutdown(),
      };
    },
    /** Its interface is callbacks. */
    async memcached() {
      const { default: Memcached } = await load(folder, "memcached");
      const client = new Memcached(server, { poolSize: 1, timeout: 30_000, idle: 600_000, retries: 0 });
      const call = (verb: string, ...args: unknown[]) =>
        new Promise<unknown>((resolve, reject) =>
          client[verb](...args, (error: unknown, value: unknown) => error ? reject(error) : resolve(value))
        );
      return {
        name: "memcached",
        get: (key) => call("get", key),
        set: (key, value) => call("set", key, value, 0),
        getMulti: (keys) => call("getMulti", keys),
        close: () => client.end(),
      };
    },
    async memcache() {
      const { Memcache } = await load(folder, "memcache");
      const client = new Memcache({ nodes: [server], timeout: 30_000 });
      return {
        name: "memcache",
        get: (key) => client.get(key),
        set: (key, value) => client.set(key, value),
        getMulti: (keys) => client.gets(keys),
        close: () => client.disconnect(),
      };
    },
  };
}

async function memjs(folder: string, server: string): Promise<Package> {
  return (await load(folder, "memjs")).Client.create(server, { timeout: 30, conntimeout: 5, retries: 0 });
}

/** What is cached. */
export type Read<V> = (id: number | string) => Promise<V>;

/** How a library is to cache it. `server`: of those that keep values on memcached. */
export interface Terms<V> {
  readonly folder: string;
  readonly read: Read<V>;
  readonly server: string;
  readonly ttlS: number;
  /** How long a value may be served after that, of those that can. */
  readonly staleS: number;
}

/** A library that caches what a function answers. */
export interface Cache {
  readonly gives: string;
  /** It does less than the others: a bare map. */
  readonly bare?: boolean;
  open<V>(terms: Terms<V>): Promise<Read<V>>;
}

const GRACE = "ttl, grace, one call at a time, tags", ONE_CALL = "one call at a time";

const caches: Readonly<Record<string, Cache>> = {
  "lru-cache get": {
    gives: "ttl",
    bare: true,
    async open({ folder, read, ttlS }) {
      const { LRUCache } = await load(folder, "lru-cache");
      const lru = new LRUCache({ max: 10_000, ttl: ttlS * 1000 });
      return async (id) => {
        const key = `city:${id}`;
        let city = lru.get(key);
        if (city === undefined) lru.set(key, city = await read(id));
        return city;
      };
    },
  },
  "lru-cache fetch": {
    gives: `ttl, ${ONE_CALL}`,
    bare: true,
    async open({ folder, read, ttlS }) {
      const { LRUCache } = await load(folder, "lru-cache");
      const fetchMethod = (key: string) => read(Number(key.slice(5)));
      const lru = new LRUCache({ max: 10_000, ttl: ttlS * 1000, fetchMethod });
      return (id) => lru.fetch(`city:${id}`);
    },
  },
  "p-memoize": {
    gives: `${ONE_CALL}; the first argument only, for ever`,
    open: async ({ folder, read }) => (await load(folder, "p-memoize")).default(read),
  },
  "p-memoize, cacheKey of all arguments": {
    gives: `${ONE_CALL}; for ever`,
    open: async ({ folder, read }) => (await load(folder, "p-memoize")).default(read, { cacheKey: JSON.stringify }),
  },
  "p-memoize, a Map with expiry": {
    gives: `ttl, ${ONE_CALL}`,
    open: async ({ folder, read, ttlS }) =>
      (await load(folder, "p-memoize")).default(read, { cache: expiringMap(ttlS * 1000) }),
  },
  "async-cache-dedupe": {
    gives: `ttl, stale, ${ONE_CALL}`,
    async open({ folder, read, ttlS, staleS }) {
      const { createCache } = await load(folder, "async-cache-dedupe");
      const cache = createCache({ ttl: ttlS, stale: staleS, storage: { type: "memory" } }).define("city", read);
      return (id) => cache.city(id);
    },
  },
  "cachified on a Map": {
    gives: `ttl, stale, ${ONE_CALL}, a check of the value`,
    open: (terms) => cachified(terms, new Map(), 0),
  },
  ocache: {
    gives: `ttl, stale, ${ONE_CALL}`,
    open: async ({ folder, read, ttlS }) =>
      (await load(folder, "ocache")).defineCachedFunction(read, { maxAge: ttlS, name: "city" }),
  },
  "bentocache getOrSet": { gives: `copies, ${GRACE}`, open: (terms) => bentocache(terms, {}) },
  "bentocache getOrSet, serialize: false": { gives: GRACE, open: (terms) => bentocache(terms, { serialize: false }) },
  "cacheable wrap": {
    gives: `copies, ttl, ${ONE_CALL}, a second layer`,
    open: (terms) => cacheable(terms, () => ({})),
  },
  "cacheable over @keyv/memcache": {
    gives: `ttl, ${ONE_CALL} in a process`,
    open: (terms) => cacheable(terms, (primary) => ({ primary })),
  },
  "cachified over memjs": {
    gives: `ttl, stale, ${ONE_CALL} in a process`,
    open: async (terms) => cachified(terms, await jsonOver(terms), 0),
  },
  "cachified over memjs, swr": {
    gives: `ttl, stale, ${ONE_CALL} in a process`,
    open: async (terms) => cachified(terms, await jsonOver(terms), terms.staleS),
  },
  "cache-manager over @keyv/memcache": {
    gives: `ttl, ${ONE_CALL} in a process`,
    async open(terms) {
      const { createCache } = await load(terms.folder, "cache-manager");
      const ttl = terms.ttlS * 1000;
      const cache = createCache({ stores: [await keyv(terms)], ttl, refreshThreshold: 0.3 * ttl });
      return (id) => cache.wrap(String(id), () => terms.read(id));
    },
  },
  "get, compute, set on memjs": {
    gives: "ttl",
    async open({ folder, server, read, ttlS }) {
      const client = await memjs(folder, server);
      return async (id) => {
        const { value } = await client.get(id);
        if (value !== null) return JSON.parse(value);
        const row = await read(id);
        await client.set(id, JSON.stringify(row), { expires: ttlS });
        return row;
      };
    },
  },
};

/** The library of that name, in one of the ways above. */
export function cacheOf(name: string): Cache {
  const cache = caches[name];
  if (cache === undefined) throw new Error(`There is no "${name}" among the libraries`);
  return cache;
}

async function bentocache<V>({ folder, read, ttlS, staleS }: Terms<V>, options: object): Promise<Read<V>> {
  const { BentoCache, bentostore } = await load(folder, "bentocache");
  const { memoryDriver } = await load(folder, "bentocache/drivers/memory");
  const memory = bentostore().useL1Layer(memoryDriver({ maxItems: 10_000, ...options }));
  // A timeout of 0 serves the old value at once.
  const grace = staleS === 0 ? {} : { grace: `${staleS}s`, timeout: 0 };
  const cache = new BentoCache({ default: "memory", ...grace, stores: { memory } });
  return (id) => cache.getOrSet({ key: `city:${id}`, ttl: `${ttlS}s`, factory: () => read(id) });
}

async function keyv({ folder, server }: Pick<Terms<unknown>, "folder" | "server">): Promise<Package> {
  const { Keyv } = await load(folder, "cacheable");
  const { KeyvMemcache } = await load(folder, "@keyv/memcache");
  return new Keyv({ store: new KeyvMemcache(server, { timeout: 30, conntimeout: 5, retries: 0 }) });
}

async function cacheable<V>(terms: Terms<V>, layers: (store: Package) => object): Promise<Read<V>> {
  const { Cacheable } = await load(terms.folder, "cacheable");
  const options = layers(terms.server === "" ? undefined : await keyv(terms));
  return new Cacheable(options).wrap(terms.read, { ttl: `${terms.ttlS}s`, keyPrefix: "city" });
}

async function cachified<V>({ folder, read, ttlS }: Terms<V>, cache: object, swrS: number): Promise<Read<V>> {
  const { cachified } = await load(folder, "@epic-web/cachified");
  const times = { ttl: ttlS * 1000, ...(swrS === 0 ? {} : { swr: swrS * 1000 }) };
  return (id) => cachified({ key: `cachified-${id}`, cache, ...times, getFreshValue: () => read(id) });
}

/** A small adapter, as cachified's README describes one: the value and its metadata as JSON, for ttl and swr together. */
async function jsonOver({ folder, server }: Pick<Terms<unknown>, "folder" | "server">): Promise<object> {
  const client = await memjs(folder, server);
  const { totalTtl } = await load(folder, "@epic-web/cachified");
  return {
    name: "memjs",
    async get(key: string) {
      const { value } = await client.get(key);
      return value === null ? undefined : JSON.parse(value);
    },
    set: (key: string, entry: { readonly metadata: unknown }) =>
      client.set(key, JSON.stringify(entry), { expires: Math.ceil(totalTtl(entry.metadata) / 1000) }),
    delete: (key: string) => client.delete(key),
  };
}

/** What expiry-map is, which p-memoize's README takes. */
function expiringMap(ttlMs: number) {
  const entries = new Map<unknown, { readonly value: unknown; readonly until: number }>();
  return {
    has: (key: unknown) => (entries.get(key)?.until ?? 0) > Date.now(),
    get: (key: unknown) => entries.get(key)?.value,
    set: (key: unknown, value: unknown) => void entries.set(key, { value, until: Date.now() + ttlMs }),
  };
}
