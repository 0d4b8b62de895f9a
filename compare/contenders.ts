/**
 * Who is compared, each set up as its own README says: with the tiers it has in memory, with its bus between processes,
 * with its stale window. Of each package only what is used is declared, so type checks need none of them.
 */

import { cached, GroupBackend, MemcachedStore, MemoryStore } from "../mod.ts";
import { Memcached } from "../src/memcached/mod.ts";

/** What a cache is opened with. */
export interface Setting {
  /** Of its server on 127.0.0.1; absent: in this process only, in memory. */
  readonly port?: number;
  /** How long it may wait for its server, by what its README or its client has for that; absent: as it comes. */
  readonly storeTimeoutMs?: number;
  /** How long a value is fresh. */
  readonly ttlSeconds: number;
  /** How long it may be served after that, by those that can. */
  readonly staleSeconds: number;
  /** The slow function. */
  compute(key: string): Promise<unknown>;
  /** A package of the contender's own folder. */
  load<M>(name: string): Promise<M>;
}

/** One way to call and to invalidate. */
export interface Verbs {
  call(key: string): Promise<unknown>;
  invalidate(key: string): Promise<unknown>;
}

export interface Cache extends Verbs {
  /** The same by a group or tag, of which each key has one of its own. */
  readonly byGroup?: Verbs;
}

export interface Contender {
  readonly name: string;
  /** Pinned here and nowhere else; the first one names the version that the table shows. */
  readonly packages: Readonly<Record<string, string>>;
  readonly server: "memcached" | "redis";
  /** It invalidates by group or tag. */
  readonly groups?: true;
  /** What it does about values past their time: serves them, or renews them before. Absent: neither. */
  readonly renews?: "stale" | "ahead";
  /** How it is set up, for a footnote. */
  readonly setup: string;
  open(setting: Setting): Promise<Cache> | Cache;
}

type Call = (key: string) => Promise<unknown>;
interface Redis {
  getBuffer(key: string): Promise<Uint8Array | null>;
  set(key: string, value: unknown, ...ttl: [] | ["EX", number]): Promise<unknown>;
  del(key: string): Promise<unknown>;
}
interface IoRedis {
  readonly Redis: new (options: object) => Redis;
}
interface NodeRedis {
  createClient(options: object): {
    on(event: "error", listener: () => void): void;
    connect(): Promise<unknown>;
  };
}
interface KeyvRedis {
  readonly default: new (options: object) => unknown;
  createKeyvNonBlocking(uri: string): unknown;
}
interface BentoStore {
  useL1Layer(driver: unknown): BentoStore;
  useL2Layer(driver: unknown): BentoStore;
  useBus(driver: unknown): BentoStore;
}
interface Bentocache {
  bentostore(): BentoStore;
  readonly BentoCache: new (options: object) => {
    getOrSet(options: object): Promise<unknown>;
    delete(options: { key: string }): Promise<unknown>;
    deleteByTag(options: { tags: string[] }): Promise<unknown>;
  };
}
type Drivers = Record<"memoryDriver" | "redisDriver" | "redisBusDriver", (options: object) => unknown>;
interface Cacheable {
  readonly Cacheable: new (options: object) => {
    get(key: string): Promise<unknown>;
    set(key: string, value: unknown, options: object): Promise<unknown>;
    getOrSet(key: string, compute: () => Promise<unknown>, options: object): Promise<unknown>;
    delete(key: string): Promise<unknown>;
    readonly tags: { invalidateTag(tag: string): Promise<unknown> };
  };
}
interface CachifiedCache {
  delete(key: string): unknown;
}
interface Cachified {
  cachified(options: object): Promise<unknown>;
  totalTtl(metadata: unknown): number;
}
interface Entry {
  readonly metadata: { readonly createdTime: number };
}
interface LruCache {
  readonly LRUCache: new (options: object) => {
    get(key: string): unknown;
    set(key: string, value: unknown, options: object): unknown;
    delete(key: string): unknown;
  };
}
interface AsyncCacheDedupe {
  createCache(options: object): {
    define(name: string, options: object, compute: Call): void;
    readonly value: Call;
    clear(name: string, key: string): Promise<unknown>;
    invalidateAll(reference: string): Promise<unknown>;
  };
}
interface Ocache {
  defineCachedFunction(compute: Call, options: object): Call & { invalidate: Call };
  createBlobStorage(backend: object): unknown;
}
interface Loader {
  init(): Promise<void>;
  get(key: string, group?: string): Promise<unknown>;
  invalidateCacheFor(key: string): Promise<void>;
  invalidateCacheForGroup(group: string): Promise<void>;
}
type New = new (client: Redis, options: object) => unknown;
interface LayeredLoader {
  readonly Loader: new (options: object) => Loader;
  readonly GroupLoader: new (options: object) => Loader;
  readonly RedisCache: New;
  readonly RedisGroupCache: New;
  createNotificationPair(options: object): { publisher: unknown; consumer: unknown };
  createGroupNotificationPair(options: object): { publisher: unknown; consumer: unknown };
}

const HOST = "127.0.0.1";
const ENTRIES = 1000;
/** The options of the two Redis clients. */
const ioRedis = (port: number, timeoutMs?: number) => ({
  host: HOST,
  port,
  ...(timeoutMs === undefined ? {} : { commandTimeout: timeoutMs }),
});
const nodeRedis = (port: number, timeoutMs?: number) => ({
  url: `redis://${HOST}:${port}`,
  // It has no timeout for a command that was sent, only one for a connection that is silent.
  ...(timeoutMs === undefined ? {} : { socket: { socketTimeout: timeoutMs }, pingInterval: timeoutMs / 2 }),
});
const groupOf = (key: string) => `group-of-${key}`;

export const contenders: readonly Contender[] = [
  {
    name: "@x/cache-utils",
    packages: {},
    server: "memcached",
    groups: true,
    renews: "stale",
    setup: "`MemcachedStore`",
    open({ port, ttlSeconds, staleSeconds, compute }) {
      const store = port === undefined ? new MemoryStore() : new MemcachedStore(`${HOST}:${port}`);
      const backend = new GroupBackend({ store, project: `compare-${ttlSeconds}` });
      const options = { name: "value", ttl: ttlSeconds, stale: staleSeconds, group: groupOf, backend };
      const call = cached(compute, options);
      return {
        call,
        invalidate: (key) => call.invalidate(key),
        byGroup: { call, invalidate: (key) => backend.invalidateGroup(groupOf(key)) },
      };
    },
  },
  {
    name: "bentocache",
    packages: { bentocache: "1.6.1", ioredis: "5.11.1" },
    server: "redis",
    groups: true,
    renews: "stale",
    setup: "memory, Redis, bus, `grace`",
    async open({ port, storeTimeoutMs, ttlSeconds, staleSeconds, compute, load }) {
      const { BentoCache, bentostore } = await load<Bentocache>("bentocache");
      const { memoryDriver } = await load<Drivers>("bentocache/drivers/memory");
      let store = bentostore().useL1Layer(memoryDriver({ maxItems: ENTRIES }));
      if (port !== undefined) {
        const { redisDriver, redisBusDriver } = await load<Drivers>("bentocache/drivers/redis");
        const connection = ioRedis(port, storeTimeoutMs);
        store = store.useL2Layer(redisDriver({ connection })).useBus(redisBusDriver({ connection }));
      }
      const cache = new BentoCache({ default: "store", stores: { store }, prefix: `compare-${ttlSeconds}` });
      const times = { ttl: `${ttlSeconds}s`, grace: `${staleSeconds}s` };
      const call = (key: string) =>
        cache.getOrSet({ key, tags: [groupOf(key)], ...times, factory: () => compute(key) });
      return {
        call,
        invalidate: (key) => cache.delete({ key }),
        byGroup: { call, invalidate: (key) => cache.deleteByTag({ tags: [groupOf(key)] }) },
      };
    },
  },
  {
    name: "cacheable",
    packages: {
      cacheable: "2.5.0",
      "@keyv/redis": "5.1.6",
      keyv: "5.6.0",
      "@qified/redis": "0.10.1",
      qified: "0.10.1",
    },
    server: "redis",
    groups: true,
    setup: "memory, Redis, sync; `get` and `set` with tags, which `getOrSet` does not take",
    async open({ port, storeTimeoutMs, ttlSeconds, compute, load }) {
      const { Cacheable } = await load<Cacheable>("cacheable");
      let tiers = () => ({});
      if (port !== undefined) {
        const { default: KeyvRedis, createKeyvNonBlocking } = await load<KeyvRedis>("@keyv/redis");
        const uri = `redis://${HOST}:${port}`;
        const { RedisMessageProvider } = await load<{ RedisMessageProvider: new (options: object) => unknown }>(
          "@qified/redis",
        );
        // `nonBlocking` is what its README has against hangs.
        tiers = () =>
          storeTimeoutMs === undefined
            ? { secondary: new KeyvRedis({ url: uri }), sync: { qified: new RedisMessageProvider({ uri }) } }
            : { secondary: createKeyvNonBlocking(uri), nonBlocking: true };
      }
      const namespace = `compare-${ttlSeconds}`;
      const cache = new Cacheable({ ...tiers(), namespace });
      const tagged = new Cacheable({ ...tiers(), namespace: `${namespace}-tagged`, tags: true });
      const ttl = `${ttlSeconds}s`;
      return {
        call: (key) => cache.getOrSet(key, () => compute(key), { ttl, throwErrors: true }),
        invalidate: (key) => cache.delete(key),
        byGroup: {
          async call(key) {
            const found = await tagged.get(key);
            if (found !== undefined) return found;
            const value = await compute(key);
            await tagged.set(key, value, { ttl, tags: [groupOf(key)] });
            return value;
          },
          invalidate: (key) => tagged.tags.invalidateTag(groupOf(key)),
        },
      };
    },
  },
  {
    name: "cachified",
    packages: {
      "@epic-web/cachified": "5.6.3",
      "cachified-redis-adapter": "2.0.2",
      redis: "5.12.1",
      "lru-cache": "11.5.3",
    },
    server: "redis",
    renews: "stale",
    setup: "Redis alone, by its adapter, `swr`",
    async open({ port, storeTimeoutMs, ttlSeconds, staleSeconds, compute, load }) {
      const { cachified, totalTtl } = await load<Cachified>("@epic-web/cachified");
      let cache: CachifiedCache;
      if (port === undefined) {
        const { LRUCache } = await load<LruCache>("lru-cache");
        const lru = new LRUCache({ max: ENTRIES });
        cache = {
          get: (key: string) => lru.get(key),
          set: (key: string, entry: Entry) =>
            lru.set(key, entry, { ttl: totalTtl(entry.metadata), start: entry.metadata.createdTime }),
          delete: (key: string) => lru.delete(key),
        } as CachifiedCache;
      } else {
        const { createClient } = await load<NodeRedis>("redis");
        const { redisCacheAdapter } = await load<{ redisCacheAdapter(client: unknown): CachifiedCache }>(
          "cachified-redis-adapter",
        );
        const client = createClient(nodeRedis(port, storeTimeoutMs));
        // Whoever does not listen is ended by an error of the connection.
        client.on("error", () => {});
        await client.connect();
        cache = redisCacheAdapter(client);
      }
      const options = { cache, ttl: ttlSeconds * 1000, swr: staleSeconds * 1000 };
      const under = (key: string) => `compare-${ttlSeconds}-${key}`;
      return {
        call: (key) => cachified({ ...options, key: under(key), getFreshValue: () => compute(key) }),
        invalidate: async (key) => await cache.delete(under(key)),
      };
    },
  },
  {
    name: "async-cache-dedupe",
    packages: { "async-cache-dedupe": "3.4.0", ioredis: "5.11.1" },
    server: "redis",
    groups: true,
    renews: "stale",
    setup: "Redis alone, `stale`",
    async open({ port, storeTimeoutMs, ttlSeconds, staleSeconds, compute, load }) {
      const { createCache } = await load<AsyncCacheDedupe>("async-cache-dedupe");
      let storage: object = { type: "memory", options: { size: ENTRIES, invalidation: true } };
      if (port !== undefined) {
        const { Redis } = await load<IoRedis>("ioredis");
        const client = new Redis({ ...ioRedis(port, storeTimeoutMs), keyPrefix: `compare-${ttlSeconds}-` });
        const invalidation = { referencesTTL: ttlSeconds + staleSeconds };
        storage = { type: "redis", options: { client, invalidation } };
      }
      const cache = createCache({ ttl: ttlSeconds, stale: staleSeconds, storage });
      cache.define("value", { references: (key: string) => [groupOf(key)] }, compute);
      const call = (key: string) => cache.value(key);
      return {
        call,
        invalidate: (key) => cache.clear("value", key),
        byGroup: { call, invalidate: (key) => cache.invalidateAll(groupOf(key)) },
      };
    },
  },
  {
    name: "ocache",
    packages: { ocache: "0.3.2", ioredis: "5.11.1" },
    server: "redis",
    renews: "stale",
    setup: "Redis alone, by `createBlobStorage`, `swr`",
    async open({ port, storeTimeoutMs, ttlSeconds, staleSeconds, compute, load }) {
      const { defineCachedFunction, createBlobStorage } = await load<Ocache>("ocache");
      let shared = {};
      if (port !== undefined) {
        const { Redis } = await load<IoRedis>("ioredis");
        const client = new Redis(ioRedis(port, storeTimeoutMs));
        const storage = createBlobStorage({
          get: (key: string) => client.getBuffer(key),
          set: async (key: string, bytes: Uint8Array | null, options?: { ttl?: number }) => {
            if (bytes === null) return await client.del(key);
            const seconds = Math.ceil(options?.ttl ?? 0);
            return await client.set(key, Buffer.from(bytes), ...(seconds > 0 ? ["EX", seconds] as const : []));
          },
        });
        shared = { storage };
      }
      const times = { maxAge: ttlSeconds, swr: true, staleMaxAge: staleSeconds };
      const options = { ...times, ...shared, name: `value-${ttlSeconds}`, getKey: (key: string) => key };
      const call = defineCachedFunction((key) => compute(key), options);
      return { call: (key) => call(key), invalidate: (key) => call.invalidate(key) };
    },
  },
  {
    name: "layered-loader",
    packages: { "layered-loader": "16.1.0", ioredis: "6.0.0" },
    server: "redis",
    groups: true,
    renews: "ahead",
    setup: "memory, Redis with `timeoutInMsecs` of 1 s, notification pair, `ttlLeftBeforeRefreshInMsecs`",
    async open({ port, storeTimeoutMs, ttlSeconds, staleSeconds, compute, load }) {
      const { Loader, GroupLoader, RedisCache, RedisGroupCache, ...pairs } = await load<LayeredLoader>(
        "layered-loader",
      );
      // A value is to be renewed once it is older than the ttl, and gone after the window in which others serve it stale.
      const times = {
        ttlInMsecs: (ttlSeconds + staleSeconds) * 1000,
        ttlLeftBeforeRefreshInMsecs: staleSeconds * 1000,
      };
      const prefix = `compare-${ttlSeconds}`;
      const cache = { ...times, json: true, timeoutInMsecs: 1000 };
      let shared = {}, sharedGroups = {};
      if (port !== undefined) {
        const { Redis } = await load<IoRedis>("ioredis");
        const client = () => new Redis(ioRedis(port, storeTimeoutMs));
        const clients = (channel: string) => ({ channel, consumerRedis: client(), publisherRedis: client() });
        const pair = pairs.createNotificationPair(clients(prefix));
        const groupPair = pairs.createGroupNotificationPair(clients(`${prefix}-groups`));
        shared = {
          asyncCache: new RedisCache(client(), { ...cache, prefix }),
          notificationConsumer: pair.consumer,
          notificationPublisher: pair.publisher,
        };
        sharedGroups = {
          asyncCache: new RedisGroupCache(client(), { ...cache, prefix: `${prefix}-groups` }),
          notificationConsumer: groupPair.consumer,
          notificationPublisher: groupPair.publisher,
        };
      }
      const loader = new Loader({
        ...shared,
        inMemoryCache: { ...times, cacheType: "lru-map", maxItems: ENTRIES },
        dataSourceGetOneFn: compute,
      });
      const groups = new GroupLoader({
        ...sharedGroups,
        inMemoryCache: { ...times, maxGroups: ENTRIES, maxItemsPerGroup: ENTRIES },
        dataSources: [{ name: "source", isCache: false, getFromGroup: compute, getManyFromGroup: () => [] }],
      });
      await Promise.all([loader.init(), groups.init()]);
      return {
        call: (key) => loader.get(key),
        invalidate: (key) => loader.invalidateCacheFor(key),
        byGroup: {
          call: (key) => groups.get(key, groupOf(key)),
          invalidate: (key) => groups.invalidateCacheForGroup(groupOf(key)),
        },
      };
    },
  },
  {
    name: "get, compute, set",
    packages: {},
    server: "memcached",
    setup: "JSON, this library's driver",
    open({ port, ttlSeconds, compute }) {
      if (port === undefined) {
        const kept = new Map<string, unknown>();
        return {
          async call(key) {
            if (!kept.has(key)) kept.set(key, await compute(key));
            return kept.get(key);
          },
          invalidate: (key) => Promise.resolve(kept.delete(key)),
        };
      }
      const client = new Memcached(`${HOST}:${port}`);
      const under = (key: string) => `compare-${ttlSeconds}-${key}`;
      return {
        async call(key) {
          const item = await client.get(under(key));
          if (item !== undefined) return JSON.parse(item.text());
          const value = await compute(key);
          await client.set(under(key), JSON.stringify(value), { ttl: ttlSeconds });
          return value;
        },
        invalidate: (key) => client.delete(under(key)),
      };
    },
  },
];
