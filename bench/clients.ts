/** Other memcached clients, each with one connection to one server and no time limit that a race could reach. */

import { load } from "./packages.ts";

/** What the driver's case asks of a client. */
export interface Client {
  readonly name: string;
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
  getMulti(keys: readonly string[]): Promise<unknown>;
  close(): unknown;
}

export interface Memjs {
  readonly Client: {
    create(servers: string, options: object): {
      get(key: string): Promise<{ readonly value: Uint8Array | null }>;
      set(key: string, value: string, options: { expires: number }): Promise<boolean>;
      delete(key: string): Promise<boolean>;
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

type Answer = (error: Error | null | undefined, value: unknown) => void;

interface Memcached {
  readonly default: new (server: string, options: object) => {
    get(key: string, answer: Answer): void;
    getMulti(keys: readonly string[], answer: Answer): void;
    set(key: string, value: string, lifetime: number, answer: Answer): void;
    end(): void;
  };
}

interface Memcache {
  readonly Memcache: new (options: object) => {
    get(key: string): Promise<unknown>;
    gets(keys: readonly string[]): Promise<unknown>;
    set(key: string, value: string): Promise<unknown>;
    disconnect(): Promise<void>;
  };
}

/** All of them, by the names of their packages. */
export function clientsIn(folder: string, server: string): Record<string, () => Promise<Client>> {
  return {
    memjs: () => memjs(folder, server),
    "memcache-client": () => memcacheClient(folder, server),
    memcached: () => memcached(folder, server),
    memcache: () => memcache(folder, server),
  };
}

/** memjs has no multi-get: it is asked for all the keys at once. */
async function memjs(folder: string, server: string): Promise<Client> {
  const { Client } = await load<Memjs>(folder, "memjs");
  const client = Client.create(server, { timeout: 30, conntimeout: 5, retries: 0 });
  return {
    name: "memjs",
    get: (key) => client.get(key).then(({ value }) => value ?? undefined),
    set: (key, value) => client.set(key, value, { expires: 0 }),
    getMulti: (keys) => Promise.all(keys.map((key) => client.get(key))),
    close: () => client.close(),
  };
}

async function memcacheClient(folder: string, server: string): Promise<Client> {
  const { MemcacheClient } = await load<MemcacheClient>(folder, "memcache-client");
  const client = new MemcacheClient({ server: { server, maxConnections: 1 }, cmdTimeout: 30_000 });
  return {
    name: "memcache-client",
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMulti: (keys) => client.get(keys),
    close: () => client.shutdown(),
  };
}

/** Its interface is callbacks. */
async function memcached(folder: string, server: string): Promise<Client> {
  const { default: Memcached } = await load<Memcached>(folder, "memcached");
  const client = new Memcached(server, { poolSize: 1, timeout: 30_000, idle: 600_000, retries: 0 });
  const promised = <V>(ask: (answer: Answer) => void) =>
    new Promise<V>((resolve, reject) => ask((error, value) => error ? reject(error) : resolve(value as V)));
  return {
    name: "memcached",
    get: (key) => promised((answer) => client.get(key, answer)),
    set: (key, value) => promised((answer) => client.set(key, value, 0, answer)),
    getMulti: (keys) => promised((answer) => client.getMulti(keys, answer)),
    close: () => client.end(),
  };
}

async function memcache(folder: string, server: string): Promise<Client> {
  const { Memcache } = await load<Memcache>(folder, "memcache");
  const client = new Memcache({ nodes: [server], timeout: 30_000 });
  return {
    name: "memcache",
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMulti: (keys) => client.gets(keys),
    close: () => client.disconnect(),
  };
}
