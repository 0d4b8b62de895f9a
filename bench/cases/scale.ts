/** What must cost the same however much there is: calls in flight, entries of a group, servers on the ring. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import type { Bench } from "../case.ts";
import { Floor, gets } from "../floor.ts";
import { type Contender, inFlight, OURS } from "../measure.ts";

const KEYS = 1000;
/** So many entries are written at once. */
const LANES = 256;

export async function scale(bench: Bench): Promise<void> {
  await callsInFlight(bench);
  await groups(bench);
  await servers(bench);
  await wires(bench);
}

async function callsInFlight(bench: Bench): Promise<void> {
  const title = "a get of 100 bytes, by calls in flight";
  if (!bench.wants(title)) return;
  await using client = new Memcached(`${bench.hostname}:${bench.port}`, {
    timeout: "60s",
    maxInFlight: Infinity,
    maxBytesInFlight: Infinity,
  });
  const keys = await kept(client);
  const counts = [10, 100, 1000, 10_000, ...bench.quick ? [] : [100_000]];
  const contenders = counts.map((lanes): Contender => ({
    name: `${lanes === 1000 ? OURS : "ours"}, ${lanes.toLocaleString("en")} in flight`,
    kind: lanes === 1000 ? "ours" : "variant",
    // So many are in flight only if there are more of them.
    ...(lanes < 10_000 ? {} : { turn: 2 * lanes }),
    run: (count) => inFlight(lanes, count, (index) => client.get(keys[index % KEYS]!)),
  }));
  const floor = await Floor.open(bench.hostname, bench.port);
  const frames = gets(keys);
  // What so many promises alive at once cost the runtime itself.
  contenders.push(
    ...counts.filter((lanes) => lanes >= 1000).map((lanes): Contender => ({
      name: `floor, ${lanes.toLocaleString("en")} in flight`,
      kind: "bare",
      ...(lanes < 10_000 ? {} : { turn: 2 * lanes }),
      run: (count) => inFlight(lanes, count, (index) => floor.send(frames[index % KEYS]!)),
    })),
  );
  await bench.race(title, "ns", contenders);
  floor.close();
}

async function groups(bench: Bench): Promise<void> {
  const title = "invalidating a group, by its entries";
  if (!bench.wants(title)) return;
  await using client = new Memcached(`${bench.hostname}:${bench.port}`, { timeout: "60s" });
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "scale", storeTimeout: "30s" });
  const sizes = bench.quick ? [10, 1000, 10_000] : [10, 1000, 100_000, 1_000_000];
  const contenders: Contender[] = [];
  for (const size of sizes) {
    const group = `of ${size}`;
    const item = cached((id: number) => Promise.resolve({ id }), { name: `item${size}`, ttl: "1h", group, backend });
    await item(0);
    // The others are copies of the first entry's bytes: a million misses would take a minute.
    const { bytes, flags } = (await client.get(item.key(0)))!;
    await inFlight(LANES, size, (id) => client.set(item.key(id), bytes, { flags, ttl: "1h" }));
    const { hit } = backend.stats;
    await item(size - 1);
    if (backend.stats.hit !== hit + 1) throw new Error(`What was written under ${item.key(size - 1)} is no entry`);
    contenders.push({
      name: `${size === 1000 ? OURS : "ours"}, ${size.toLocaleString("en")} entries`,
      kind: size === 1000 ? "ours" : "variant",
      run: async (count) => {
        for (let n = 0; n < count; n++) await backend.invalidateGroup(group);
      },
    });
  }
  await bench.race(title, "ns", contenders);
}

async function servers(bench: Bench): Promise<void> {
  const clients = [1, 2, 8, 64].map((count) =>
    new Memcached(Array.from({ length: count }, (_, n) => `10.0.${n >> 8}.${n & 255}`))
  );
  const contenders = clients.map((client): Contender => ({
    name: `${client.servers.length === 8 ? OURS : "ours"}, ${client.servers.length} servers`,
    kind: client.servers.length === 8 ? "ours" : "variant",
    run: (count) => {
      for (let n = 0; n < count; n++) client.serverOf(`scale:${n % KEYS}`);
      return Promise.resolve();
    },
  }));
  await bench.race("which server a key lives on, by servers", "ns", contenders);
  for (const client of clients) await client.close();
}

async function wires(bench: Bench): Promise<void> {
  const title = "a get of 100 bytes, 128 in flight, by wire";
  if (!bench.wants(title)) return;
  const server = `${bench.hostname}:${bench.port}`;
  await using binary = new Memcached(server, { timeout: "30s" });
  await using meta = new Memcached(server, { timeout: "30s", protocol: "meta" });
  await using heard = new Memcached(server, { timeout: "30s" });
  heard.on("operation", () => {});
  const keys = await kept(binary);
  const asking = (client: Memcached, name: string, kind: Contender["kind"]): Contender => ({
    name,
    kind,
    run: (count) => inFlight(128, count, (index) => client.get(keys[index % KEYS]!)),
  });
  await bench.race(title, "ns", [
    asking(binary, `${OURS}, binary`, "ours"),
    asking(meta, "ours, meta", "variant"),
    asking(heard, "ours, binary, with a listener of every operation", "variant"),
  ]);
}

/** Keys with 100 bytes under each. */
async function kept(client: Memcached): Promise<string[]> {
  const keys = Array.from({ length: KEYS }, (_, n) => `scale:${n}`);
  await inFlight(LANES, KEYS, (at) => client.set(keys[at]!, "x".repeat(100)));
  return keys;
}
