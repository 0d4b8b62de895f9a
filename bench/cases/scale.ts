/** What must cost the same however much there is: calls in flight, entries of a group, servers on the ring. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import type { Setting } from "../case.ts";
import { type Contender, inFlight, OURS, race } from "../measure.ts";

const KEYS = 1000;
/** So many entries are written at once. */
const LANES = 256;

export async function scale(setting: Setting): Promise<void> {
  await callsInFlight(setting);
  await groups(setting);
  await servers(setting);
  await wires(setting);
}

async function callsInFlight({ hostname, port, pace, quick, tell }: Setting): Promise<void> {
  await using client = new Memcached(`${hostname}:${port}`, {
    timeout: "60s",
    maxInFlight: Infinity,
    maxBytesInFlight: Infinity,
  });
  const keys = Array.from({ length: KEYS }, (_, n) => `scale:${n}`);
  for (const key of keys) await client.set(key, "x".repeat(100));
  const counts = [10, 100, 1000, 10_000, ...quick ? [] : [100_000]];
  const most = counts.at(-1)!;
  const contenders = counts.map((lanes): Contender => ({
    name: `${lanes === 1000 ? OURS : "ours"}, ${lanes.toLocaleString("en")} in flight`,
    run: async (count) => {
      for (let n = 0; n < count; n++) await inFlight(lanes, most, (index) => client.get(keys[index % KEYS]!));
    },
  }));
  const title = `${most.toLocaleString("en")} gets of 100 bytes, by calls in flight`;
  tell(await race(title, "ns", contenders, pace));
}

async function groups({ hostname, port, pace, quick, tell }: Setting): Promise<void> {
  await using client = new Memcached(`${hostname}:${port}`, { timeout: "60s" });
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "scale", storeTimeout: "30s" });
  const sizes = [10, 1000, 100_000, ...quick ? [] : [1_000_000]];
  const contenders: Contender[] = [];
  for (const size of sizes) {
    const group = `of ${size}`;
    const item = cached((id: number) => Promise.resolve({ id }), { name: `item${size}`, ttl: "1h", group, backend });
    await inFlight(LANES, size, (id) => item(id));
    contenders.push({
      name: `${size === 1000 ? OURS : "ours"}, ${size.toLocaleString("en")} entries`,
      run: async (count) => {
        for (let n = 0; n < count; n++) await backend.invalidateGroup(group);
      },
    });
  }
  tell(await race("invalidating a group, by its entries", "ns", contenders, pace));
}

async function servers({ pace, tell }: Setting): Promise<void> {
  const clients = [1, 2, 8, 64].map((count) =>
    new Memcached(Array.from({ length: count }, (_, n) => `10.0.${n >> 8}.${n & 255}`))
  );
  const contenders = clients.map((client): Contender => ({
    name: `${client.servers.length === 8 ? OURS : "ours"}, ${client.servers.length} servers`,
    run: (count) => {
      for (let n = 0; n < count; n++) client.serverOf(`scale:${n % KEYS}`);
      return Promise.resolve();
    },
  }));
  tell(await race("which server a key lives on, by servers", "ns", contenders, pace));
  for (const client of clients) await client.close();
}

async function wires({ hostname, port, pace, tell }: Setting): Promise<void> {
  const server = `${hostname}:${port}`;
  await using binary = new Memcached(server, { timeout: "30s" });
  await using meta = new Memcached(server, { timeout: "30s", protocol: "meta" });
  await using heard = new Memcached(server, { timeout: "30s" });
  heard.on("operation", () => {});
  const keys = Array.from({ length: KEYS }, (_, n) => `scale:${n}`);
  const asking = (client: Memcached, name: string): Contender => ({
    name,
    run: (count) => inFlight(128, count, (index) => client.get(keys[index % KEYS]!)),
  });
  tell(
    await race("a get of 100 bytes, 128 in flight, by wire", "ns", [
      asking(binary, `${OURS}, binary`),
      asking(meta, "ours, meta"),
      asking(heard, "ours, binary, with a listener of every operation"),
    ], pace),
  );
}
