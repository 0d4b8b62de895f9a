/**
 * Other libraries, which the bench fetches into a folder of its own: nothing here depends on them. Of each, only what is
 * used is declared.
 */

import { createRequire } from "node:module";

/** The packages, and the lines of versions that are measured. */
export const packages = { memjs: "1", "memcache-client": "1", "lru-cache": "11", cacheable: "2" } as const;

/** What the driver's case asks of a client. */
export interface Client {
  readonly name: string;
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
  getMulti(keys: readonly string[]): Promise<unknown>;
  close(): unknown;
}

interface Memjs {
  readonly Client: {
    create(servers: string, options: object): {
      get(key: string): Promise<{ readonly value: Uint8Array | null }>;
      set(key: string, value: string, options: { expires: number }): Promise<boolean>;
      close(): void;
    };
  };
}

interface MemcacheClient {
  readonly MemcacheClient: new (options: object) => {
    get(key: string | readonly string[]): Promise<unknown>;
    set(key: string, value: string): Promise<unknown>;
    shutdown(): void;
  };
}

export interface LruCache {
  readonly LRUCache: new <V>(options: {
    max: number;
    ttl: number;
    fetchMethod?: (key: string) => Promise<V>;
  }) => {
    get(key: string): V | undefined;
    set(key: string, value: V): void;
    fetch(key: string): Promise<V | undefined>;
  };
}

export interface Cacheable {
  readonly Cacheable: new (options?: object) => {
    wrap<A extends unknown[], R>(
      fn: (...args: A) => Promise<R>,
      options: { ttl: string; keyPrefix: string },
    ): (...args: A) => Promise<R>;
  };
}

/** A package of the folder. */
export function load<M>(folder: string, name: keyof typeof packages): M {
  return createRequire(`${folder}/here.cjs`)(name) as M;
}

/** The version that was fetched. */
export function versionOf(folder: string, name: keyof typeof packages): string {
  return (createRequire(`${folder}/here.cjs`)(`${folder}/node_modules/${name}/package.json`) as { version: string })
    .version;
}

/** memjs has no multi-get: it is asked for all the keys at once. */
export function memjs(folder: string, server: string): Client {
  const client = load<Memjs>(folder, "memjs").Client.create(server, { timeout: 30, conntimeout: 5, retries: 0 });
  return {
    name: "memjs",
    get: (key) => client.get(key).then(({ value }) => value ?? undefined),
    set: (key, value) => client.set(key, value, { expires: 0 }),
    getMulti: (keys) => Promise.all(keys.map((key) => client.get(key))),
    close: () => client.close(),
  };
}

export function memcacheClient(folder: string, server: string): Client {
  const { MemcacheClient } = load<MemcacheClient>(folder, "memcache-client");
  const client = new MemcacheClient({ server: { server, maxConnections: 1 }, cmdTimeout: 30_000 });
  return {
    name: "memcache-client",
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMulti: (keys) => client.get(keys),
    close: () => client.shutdown(),
  };
}
