/** What must cost the same however much there is: calls in flight, entries of a group. And what the other wire costs. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { Floor, gets } from "../floor.ts";
import { type Contender, inFlight, OURS } from "../measure.ts";
import type { Bench } from "../worker.ts";

const KEYS = 1000;
/** So many entries are written at once. */
const WRITES = 256;

export async function scale(bench: Bench): Promise<void> {
  await callsInFlight(bench);
  await groups(bench);
  await wires(bench);
}

/** One of a row of amounts: that of a thousand is our own row, which the others are held against. */
function amount(of: number, what: string, run: Contender["run"], turn?: number): Contender {
  const ours = of === 1000;
  return {
    name: `${ours ? OURS : "ours"}, ${of.toLocaleString("en")} ${what}`,
    kind: ours ? "ours" : "variant",
    turn,
    run,
  };
}

async function callsInFlight(bench: Bench): Promise<void> {
  const title = "a get of 100 bytes, by calls in flight";
  if (!bench.wants(title)) return;
  const unbounded = { timeout: "60s", maxInFlight: Infinity, maxBytesInFlight: Infinity } as const;
  await using client = new Memcached(`${bench.hostname}:${bench.port}`, unbounded);
  const keys = await filled(client);
  const counts = [10, 100, 1000, 10_000, ...bench.quick ? [] : [100_000]];
  // So many are in flight only if there are more of them.
  const turnOf = (atOnce: number) => atOnce < 10_000 ? undefined : 2 * atOnce;
  const floor = await Floor.open(bench.hostname, bench.port);
  const frames = gets(keys);
  await bench.race(title, "ns", [
    ...counts.map((atOnce) => {
      const run = (count: number) => inFlight(atOnce, count, (index) => client.get(keys[index % KEYS]!));
      return amount(atOnce, "in flight", run, turnOf(atOnce));
    }),
    // What so many promises alive at once cost the runtime itself.
    ...counts.filter((atOnce) => atOnce >= 1000).map((atOnce): Contender => ({
      name: `floor, ${atOnce.toLocaleString("en")} in flight`,
      kind: "bare",
      turn: turnOf(atOnce),
      run: (count) => inFlight(atOnce, count, (index) => floor.send(frames[index % KEYS]!)),
    })),
  ]);
  floor.close();
}

async function groups(bench: Bench): Promise<void> {
  const title = "invalidating a group, by its entries";
  if (!bench.wants(title)) return;
  await using client = new Memcached(`${bench.hostname}:${bench.port}`, { timeout: "60s" });
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "scale", storeTimeout: "30s" });
  const contenders: Contender[] = [];
  for (const size of bench.quick ? [10, 1000, 10_000] : [10, 1000, 100_000, 1_000_000]) {
    const group = `of ${size}`;
    const item = cached((id: number) => Promise.resolve({ id }), { name: `item${size}`, ttl: "1h", group, backend });
    await item(0);
    // The others are copies of the first entry's bytes: a million misses would take a minute.
    const { bytes, flags } = (await client.get(item.key(0)))!;
    await inFlight(WRITES, size, (id) => client.set(item.key(id), bytes, { flags, ttl: "1h" }));
    const { hit } = backend.stats;
    await item(size - 1);
    if (backend.stats.hit !== hit + 1) throw new Error(`What was written under ${item.key(size - 1)} is no entry`);
    contenders.push(amount(size, "entries", (count) => inFlight(1, count, () => backend.invalidateGroup(group))));
  }
  await bench.race(title, "ns", contenders);
}

async function wires(bench: Bench): Promise<void> {
  const title = "a get of 100 bytes, 128 in flight, by wire";
  if (!bench.wants(title)) return;
  const server = `${bench.hostname}:${bench.port}`;
  await using binary = new Memcached(server, { timeout: "30s" });
  await using meta = new Memcached(server, { timeout: "30s", protocol: "meta" });
  await using observed = new Memcached(server, { timeout: "30s" });
  observed.on("operation", () => {});
  const keys = await filled(binary);
  const asking = (client: Memcached, name: string, kind: Contender["kind"]): Contender => ({
    name,
    kind,
    run: (count) => inFlight(128, count, (index) => client.get(keys[index % KEYS]!)),
  });
  await bench.race(title, "ns", [
    asking(binary, `${OURS}, binary`, "ours"),
    asking(meta, "ours, meta", "variant"),
    asking(observed, "ours, binary, with a listener of every operation", "variant"),
  ]);
}

/** Keys with 100 bytes under each. */
async function filled(client: Memcached): Promise<string[]> {
  const keys = Array.from({ length: KEYS }, (_, n) => `scale:${n}`);
  await inFlight(WRITES, KEYS, (at) => client.set(keys[at]!, "x".repeat(100)));
  return keys;
}
