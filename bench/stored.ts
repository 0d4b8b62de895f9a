/** Other libraries that cache what a function answers, with memcached as their only store. They have no groups. */

import type { Memjs } from "./clients.ts";
import { load } from "./packages.ts";
import type { Cachified, Wrapper } from "./wrappers.ts";

type Read = (id: number) => Promise<unknown>;

interface Cacheable {
  readonly Keyv: new (options: { store: unknown }) => unknown;
  readonly Cacheable: new (options: { primary: unknown }) => {
    wrap(read: Read, options: { ttl: string; keyPrefix: string }): Read;
  };
}

interface KeyvMemcache {
  readonly KeyvMemcache: new (server: string, options: object) => unknown;
}

export function storedIn(folder: string, server: string, read: Read): Record<string, () => Promise<Wrapper>> {
  return {
    "cacheable over @keyv/memcache": () => cacheable(folder, server, read),
    "cachified over memjs": () => cachifiedOverMemjs(folder, server, read),
  };
}

async function cacheable(folder: string, server: string, read: Read): Promise<Wrapper> {
  const { Cacheable, Keyv } = await load<Cacheable>(folder, "cacheable");
  const { KeyvMemcache } = await load<KeyvMemcache>(folder, "@keyv/memcache");
  const store = new KeyvMemcache(server, { timeout: 30, conntimeout: 5, retries: 0 });
  const call = new Cacheable({ primary: new Keyv({ store }) }).wrap(read, { ttl: "1h", keyPrefix: "city" });
  return { name: "cacheable over @keyv/memcache", gives: "ttl, one call at a time in a process", call };
}

async function cachifiedOverMemjs(folder: string, server: string, read: Read): Promise<Wrapper> {
  const { cachified } = await load<Cachified>(folder, "@epic-web/cachified");
  const { Client } = await load<Memjs>(folder, "memjs");
  const client = Client.create(server, { timeout: 30, conntimeout: 5, retries: 0 });
  const decoder = new TextDecoder();
  const cache = {
    name: "memjs",
    async get(key: string) {
      const { value } = await client.get(key);
      return value === null ? undefined : JSON.parse(decoder.decode(value)) as unknown;
    },
    set: (key: string, entry: unknown) => client.set(key, JSON.stringify(entry), { expires: 3600 }),
    delete: (key: string) => client.delete(key),
  };
  return {
    name: "cachified over memjs",
    gives: "ttl, stale, one call at a time in a process",
    call: (id) => cachified({ key: `cachified-city-${id}`, cache, ttl: 3_600_000, getFreshValue: () => read(id) }),
  };
}
