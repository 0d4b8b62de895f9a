/**
 * Who meets the herd. Each is configured as its own documentation says for many callers of one key: `how` tells it in
 * one line. Of each package, only what is used is declared.
 */

import { createRequire } from "node:module";
import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";

/** The packages, and the lines of versions that are measured. */
export const packages = {
  memjs: "1",
  cacheable: "2",
  keyv: "5",
  "@keyv/memcache": "2",
  "@epic-web/cachified": "5",
  "cache-manager": "7",
  "p-memoize": "9",
  bentocache: "1",
  "async-cache-dedupe": "3",
} as const;

/** How long a value is fresh, and how long it may be served after that: the same for all that can. */
export const TTL_S = 1;
export const STALE_S = 30;

/**
 * cold: nothing is kept. expired: a value was kept, in every process that keeps one, and its ttl has just run out.
 * ten cold: ten keys of which nothing is kept, and a tenth of the callers for each.
 */
export type Scene = "cold" | "expired" | "ten cold";

/** What the database's row looks like: about 1 KB. */
export interface Row {
  readonly key: string;
  /** In which burst the database served it. */
  readonly burst: number;
  readonly note: string;
}

/** What a contender is given. */
export interface Surroundings {
  /** The memcached. */
  readonly server: string;
  /** A package from the folder where they lie. */
  load<M>(name: string): M;
  /** The slow function. */
  query(key: string): Promise<Row>;
}

export type Call = (key: string) => Promise<Row>;

export interface Contender {
  readonly name: string;
  readonly how: string;
  readonly keptIn: "memcached" | "memory" | "both";
  /** Those in which it stands; who stands in "cold" stands in "ten cold". */
  readonly scenes: readonly Scene[];
  /** Every caller asks the database. */
  readonly slow?: boolean;
  open(surroundings: Surroundings): Call;
}

/** Loads from the folder with the packages. */
export const loader = (folder: string): Surroundings["load"] => createRequire(`${folder}/here.cjs`);

interface Memjs {
  readonly Client: {
    create(servers: string): {
      get(key: string): Promise<{ readonly value: Uint8Array | null }>;
      set(key: string, value: string, options: { expires: number }): Promise<boolean>;
      delete(key: string): Promise<boolean>;
    };
  };
}
interface Keyv {
  readonly Keyv: new (options: { store: object }) => object;
}
interface KeyvMemcache {
  readonly KeyvMemcache: new (server: string) => object;
}
interface Cacheable {
  readonly Cacheable: new (options: object) => {
    wrap(fn: Call, options: { ttl: string; keyPrefix: string }): Call;
  };
}
interface CacheManager {
  createCache(options: object): { wrap(key: string, fn: () => Promise<Row>): Promise<Row> };
}
interface Cachified {
  totalTtl(metadata: unknown): number;
  cachified(options: object): Promise<Row>;
}
interface PMemoize {
  default(fn: Call, options: { cache: object }): Call;
}
interface Bentocache {
  readonly BentoCache: new (options: object) => {
    getOrSet(options: { key: string; ttl: string; factory: () => Promise<Row> }): Promise<Row>;
  };
  bentostore(): { useL1Layer(driver: unknown): unknown };
}
interface AsyncCacheDedupe {
  createCache(options: object): { define(name: string, fn: Call): void; query: Call };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function ours(stale: number): Contender["open"] {
  return ({ server, query }) => {
    const backend = new GroupBackend({ store: new MemcachedStore(server), project: "herd" });
    return cached(query, { name: "row", ttl: TTL_S, stale, group: "rows", backend });
  };
}

/** On a small adapter, as its README describes one: the value and its metadata as JSON, kept for ttl and swr together. */
function cachified(options: object): Contender["open"] {
  return ({ server, load, query }) => {
    const { cachified, totalTtl } = load<Cachified>("@epic-web/cachified");
    const client = load<Memjs>("memjs").Client.create(server);
    const cache = {
      name: "memcached",
      get: async (key: string) => {
        const { value } = await client.get(key);
        return value === null ? undefined : JSON.parse(text(value));
      },
      set: (key: string, entry: { metadata: unknown }) =>
        client.set(key, JSON.stringify(entry), { expires: Math.ceil(totalTtl(entry.metadata) / 1000) }),
      delete: (key: string) => client.delete(key),
    };
    return (key) => cachified({ key, cache, ttl: TTL_S * 1000, ...options, getFreshValue: () => query(key) });
  };
}

export const contenders: readonly Contender[] = [
  {
    name: "@x/cache-utils",
    how: `cached() in one group on a MemcachedStore, ttl and \`stale: ${STALE_S}\``,
    keptIn: "memcached",
    scenes: ["cold", "expired"],
    open: ours(STALE_S),
  },
  {
    name: "@x/cache-utils, stale: 0",
    how: "the same, nothing served past its ttl: all wait for the one computation",
    keptIn: "memcached",
    scenes: ["expired"],
    open: ours(0),
  },
  {
    name: "get, compute, set on memjs",
    how: "the usual three lines; its client's defaults",
    keptIn: "memcached",
    scenes: ["cold", "expired"],
    slow: true,
    open: ({ server, load, query }) => {
      const client = load<Memjs>("memjs").Client.create(server);
      return async (key) => {
        const { value } = await client.get(key);
        if (value !== null) return JSON.parse(text(value)) as Row;
        const row = await query(key);
        await client.set(key, JSON.stringify(row), { expires: TTL_S });
        return row;
      };
    },
  },
  {
    name: "cacheable",
    how: "wrap() with @keyv/memcache as secondary; its memory is the primary",
    keptIn: "both",
    scenes: ["cold", "expired"],
    open: ({ server, load, query }) => {
      const { KeyvMemcache } = load<KeyvMemcache>("@keyv/memcache");
      const secondary = new (load<Keyv>("keyv").Keyv)({ store: new KeyvMemcache(server) });
      const cache = new (load<Cacheable>("cacheable").Cacheable)({ secondary });
      return cache.wrap(query, { ttl: `${TTL_S}s`, keyPrefix: "row" });
    },
  },
  {
    name: "cachified",
    how: "cachified() on a memjs adapter with ttl",
    keptIn: "memcached",
    scenes: ["cold", "expired"],
    open: cachified({}),
  },
  {
    name: "cachified, swr",
    how: `the same with \`swr\` of ${STALE_S} s`,
    keptIn: "memcached",
    scenes: ["expired"],
    open: cachified({ swr: STALE_S * 1000 }),
  },
  {
    name: "cache-manager",
    how: "wrap() on Keyv and @keyv/memcache; refreshThreshold helps only while calls come before the ttl ends",
    keptIn: "memcached",
    scenes: ["cold", "expired"],
    open: ({ server, load, query }) => {
      const { KeyvMemcache } = load<KeyvMemcache>("@keyv/memcache");
      const store = new (load<Keyv>("keyv").Keyv)({ store: new KeyvMemcache(server) });
      const { createCache } = load<CacheManager>("cache-manager");
      const cache = createCache({ stores: [store], ttl: TTL_S * 1000, refreshThreshold: TTL_S * 300 });
      return (key) => cache.wrap(key, () => query(key));
    },
  },
  {
    name: "p-memoize",
    how: "a Map with expiry as its `cache`, as its readme does with expiry-map",
    keptIn: "memory",
    scenes: ["cold", "expired"],
    open: ({ load, query }) => load<PMemoize>("p-memoize").default(query, { cache: new ExpiringMap() }),
  },
  {
    name: "bentocache",
    how: `getOrSet() on the memory driver, \`grace: ${STALE_S}s\` and \`timeout: 0\`: the old value is served at once`,
    keptIn: "memory",
    scenes: ["cold", "expired"],
    open: ({ load, query }) => {
      const { BentoCache, bentostore } = load<Bentocache>("bentocache");
      const { memoryDriver } = load<{ memoryDriver(options: object): unknown }>("bentocache/drivers/memory");
      const cache = new BentoCache({
        default: "memory",
        grace: `${STALE_S}s`,
        timeout: 0,
        stores: { memory: bentostore().useL1Layer(memoryDriver({})) },
      });
      return (key) => cache.getOrSet({ key, ttl: `${TTL_S}s`, factory: () => query(key) });
    },
  },
  {
    name: "async-cache-dedupe",
    how: `memory storage, ttl and \`stale: ${STALE_S}\``,
    keptIn: "memory",
    scenes: ["cold", "expired"],
    open: ({ load, query }) => {
      const { createCache } = load<AsyncCacheDedupe>("async-cache-dedupe");
      const cache = createCache({ ttl: TTL_S, stale: STALE_S, storage: { type: "memory" } });
      cache.define("query", query);
      return (key) => cache.query(key);
    },
  },
];

/** What expiry-map is. */
class ExpiringMap {
  readonly #kept: Map<string, { readonly row: Row; readonly until: number }> = new Map();

  has(key: string): boolean {
    return (this.#kept.get(key)?.until ?? 0) > Date.now();
  }
  get(key: string): Row | undefined {
    return this.#kept.get(key)?.row;
  }
  set(key: string, row: Row): void {
    this.#kept.set(key, { row, until: Date.now() + TTL_S * 1000 });
  }
}
