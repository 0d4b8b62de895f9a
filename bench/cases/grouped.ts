/** Hits and cold misses of `cached` on memcached, in no, one and three groups, beside the driver asking for as much. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { type Contender, inFlight, OURS, warmUp } from "../measure.ts";
import { cacheOf, type Read, whoever } from "../peers.ts";
import type { Bench, Case } from "../worker.ts";

const AT_ONCE = 128;
/** More than are in flight, so that no two calls in flight ask for one key and share its answer. */
const CALLS = 1000;
/** Cold calls share their groups, as calls of one application do. */
const SHARED = 100;
const PEERS: readonly string[] = ["cacheable over @keyv/memcache", "cachified over memjs"];

const read = (id: number | string) => Promise.resolve({ id, name: `city ${id}`, note: "x".repeat(60) });

/** The names of a call's groups, made of its argument, as those of an application are. */
const GROUPS: Readonly<Record<"hit" | "cold", (groups: number, id: number) => string[]>> = {
  hit: (groups, id) => [`group-0-of-${id}`, `group-1-of-${id}`, `group-2-of-${id}`].slice(0, groups),
  cold: (groups, id) => Array.from({ length: groups }, (_, at) => `cold-${at}-${id % SHARED}`),
};

/** On one wire: in a process of its own, since a client speaks one. */
export function grouped(protocol: "binary" | "meta"): Case {
  return async (bench) => {
    await using client = new Memcached(`${bench.hostname}:${bench.port}`, { timeout: "30s", protocol });
    const warm = cachedIn(client, "warm", 3, "hit");
    await warmUp([
      (count) => inFlight(AT_ONCE, count, warm.city),
      (count) => inFlight(AT_ONCE, count, (id) => getAll(client, keysOf("warm", 3, id, "hit"))),
    ], bench.pace);
    for (const groups of [0, 1, 3]) await hits(bench, groups, client, protocol);
    if (protocol === "meta") return;
    for (const groups of [0, 1, 3]) await misses(bench, groups, bench.quick ? 1000 : 10_000, client);
  };
}

/** A cached function in so many groups. Its store does not own the client, so closing the client is enough. */
function cachedIn(client: Memcached, name: string, groups: number, names: keyof typeof GROUPS) {
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "bench", storeTimeout: "30s" });
  const group = groups === 0 ? {} : { group: (id: number) => GROUPS[names](groups, id) };
  return { backend, city: cached((id: number) => read(id), { name, ttl: "1h", backend, ...group }) };
}

/** The keys of a call, as one who asks the driver makes them. The counters are our own: the real ones are nobody's business. */
function keysOf(name: string, groups: number, id: number, names: keyof typeof GROUPS): string[] {
  return [`bench::${name}(${id})`, ...GROUPS[names](groups, id).map((group) => `bench:counter:${group}`)];
}

const inGroups = (groups: number) => groups === 1 ? "1 group" : `${groups} groups`;

async function hits(bench: Bench, groups: number, client: Memcached, protocol: string): Promise<void> {
  const wire = protocol === "meta" ? ", meta wire" : "";
  const title = `a cached hit on memcached, ${inGroups(groups)}, ${AT_ONCE} in flight${wire}`;
  if (!bench.wants(title)) return;
  const name = `city${groups}`;
  const { backend, city } = cachedIn(client, name, groups, "hit");
  await inFlight(AT_ONCE, CALLS, city);
  const made = Array.from({ length: CALLS }, (_, id) => keysOf(name, groups, id, "hit"));
  if (city.key(7) !== made[7]![0]) throw new Error(`The key is ${city.key(7)}`);
  await inFlight(AT_ONCE, CALLS, (id) => makeCounters(client, made[id]!.slice(1)));
  const before = backend.stats.miss;
  const { here, missing } = groups === 0 && wire === "" ? await peers(bench) : { here: [], missing: [] };
  const run = (call: (id: number) => Promise<unknown>) => (count: number) =>
    inFlight(AT_ONCE, count, (index) => call(index % CALLS));
  await bench.race(title, "per second", [
    { name: "driver, the same keys", kind: "floor", run: run((id) => getAll(client, keysOf(name, groups, id, "hit"))) },
    { name: OURS, kind: "ours", run: run(city) },
    { name: "driver, its keys made beforehand", kind: "bare", run: run((id) => getAll(client, made[id]!)) },
    ...here.map(({ call, ...peer }): Contender => ({ ...peer, run: run(call) })),
  ], missing);
  if (backend.stats.miss > before) throw new Error(`${backend.stats.miss - before} of the calls were no hits`);
}

async function misses(bench: Bench, groups: number, turn: number, client: Memcached): Promise<void> {
  const title = `${turn.toLocaleString("en")} cold misses on memcached, ${inGroups(groups)}, ${AT_ONCE} in flight`;
  if (!bench.wants(title)) return;
  const name = `cold${groups}`;
  const { backend, city } = cachedIn(client, name, groups, "cold");
  await inFlight(AT_ONCE, SHARED, (id) => makeCounters(client, keysOf(name, groups, id, "cold").slice(1)));
  const { here, missing } = groups === 0 ? await peers(bench) : { here: [], missing: [] };
  // No call is made twice.
  let next = 0;
  const run = (call: (id: number) => Promise<unknown>) => async (count: number) => {
    const from = next;
    next += count;
    await inFlight(AT_ONCE, count, (index) => call(from + index));
  };
  const computed = backend.stats.miss;
  let asked = 0;
  const getThenSet = async (id: number) => {
    const [key, ...counters] = keysOf(`driver${groups}`, groups, id, "cold");
    if ((await getAll(client, [key!, ...counters]))[0] !== undefined) throw new Error(`${key} was there`);
    await client.set(key!, JSON.stringify(await read(id)), { ttl: "1h" });
  };
  const ours = (id: number) => {
    asked++;
    return city(id);
  };
  await bench.race(title, "per second", [
    { name: "driver: get, then set", kind: "floor", turn, run: run(getThenSet) },
    { name: OURS, kind: "ours", turn, run: run(ours) },
    ...here.map(({ call, ...peer }): Contender => ({ ...peer, turn, run: run(call) })),
  ], missing);
  if (backend.stats.miss - computed !== asked) throw new Error("some of the calls were no misses");
}

/** Other libraries with memcached as their only store. */
function peers({ peers: folder, hostname, port }: Bench) {
  const terms = { folder, read, server: `${hostname}:${port}`, ttlS: 3600, staleS: 0 };
  const open = async (name: string) => {
    const { gives, open } = cacheOf(name);
    return { name, kind: "peer" as const, gives, call: await open(terms) as Read<unknown> };
  };
  return whoever(Object.fromEntries(PEERS.map((name) => [name, () => open(name)])));
}

function makeCounters(client: Memcached, keys: readonly string[]): Promise<unknown> {
  return Promise.all(keys.map((key) => client.incr(key, 0n, { initial: 2n ** 62n })));
}

function getAll(client: Memcached, keys: readonly string[]): Promise<readonly unknown[]> {
  return Promise.all(keys.map((key) => client.get(key)));
}
