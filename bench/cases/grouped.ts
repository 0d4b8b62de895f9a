/** Hits and cold misses of `cached` on memcached, in no, one and three groups, beside the driver asking for as much. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import type { Bench } from "../case.ts";
import { type Contender, inFlight, OURS, warmUp } from "../measure.ts";
import { whoever } from "../packages.ts";
import { storedIn } from "../stored.ts";

const LANES = 128;
const GROUPS = [0, 1, 3] as const;
/** More than are in flight, so that no two calls in flight ask for one key and share its look. */
const CALLS = 1000;
/** Cold calls share their groups, as calls of one application do. */
const SHARED = 100;

interface City {
  readonly id: number;
  readonly name: string;
  readonly note: string;
}

const read = (id: number): Promise<City> => Promise.resolve({ id, name: `city ${id}`, note: "x".repeat(60) });

export async function grouped(bench: Bench): Promise<void> {
  await using client = new Memcached(`${bench.hostname}:${bench.port}`, { timeout: "30s" });
  await warm(bench, client);
  for (const groups of GROUPS) await hits(bench, groups, client, "");
  for (const groups of GROUPS) await misses(bench, groups, bench.quick ? 1000 : 10_000, client);
}

/** The same hits on the other wire: in a process of its own, since a client speaks one. */
export async function groupedMeta(bench: Bench): Promise<void> {
  await using client = new Memcached(`${bench.hostname}:${bench.port}`, { timeout: "30s", protocol: "meta" });
  await warm(bench, client);
  for (const groups of GROUPS) await hits(bench, groups, client, ", meta wire");
}

async function warm(bench: Bench, client: Memcached): Promise<void> {
  const group = (id: number) => namesOf(3, id);
  const city = cached(read, { name: "warm", ttl: "1h", group, backend: backendOn(client) });
  await warmUp([
    (count) => inFlight(LANES, count, city),
    (count) => inFlight(LANES, count, (id) => getAll(client, keysOf(3, id))),
  ], bench.pace);
}

/** On a store that does not own its client, so closing the client is enough. */
function backendOn(client: Memcached): GroupBackend {
  return new GroupBackend({ store: new MemcachedStore(client), project: "bench", storeTimeout: "30s" });
}

function inGroups(groups: number): string {
  return groups === 1 ? "1 group" : `${groups} groups`;
}

/** The names of a call's groups, made of its argument, as those of an application are. */
function namesOf(groups: number, id: number): string[] {
  if (groups === 0) return [];
  return groups === 1 ? [`group-0-of-${id}`] : [`group-0-of-${id}`, `group-1-of-${id}`, `group-2-of-${id}`];
}

/** The keys of a call, as one who asks the driver makes them. The counters are our own: the real ones are nobody's business. */
function keysOf(groups: number, id: number): string[] {
  const keys = [`bench::city${groups}(${id})`];
  for (const name of namesOf(groups, id)) keys.push(`bench:counter:${name}`);
  return keys;
}

async function hits(bench: Bench, groups: number, client: Memcached, wire: string): Promise<void> {
  const title = `a cached hit on memcached, ${inGroups(groups)}, ${LANES} in flight${wire}`;
  if (!bench.wants(title)) return;
  const backend = backendOn(client);
  const city = cached(read, {
    name: `city${groups}`,
    ttl: "1h",
    backend,
    ...(groups === 0 ? {} : { group: (id: number) => namesOf(groups, id) }),
  });
  await inFlight(LANES, CALLS, city);
  if (city.key(7) !== keysOf(groups, 7)[0]) throw new Error(`The key is ${city.key(7)}`);
  const made = Array.from({ length: CALLS }, (_, id) => keysOf(groups, id));
  await inFlight(LANES, CALLS, (id) => countersFor(client, made[id]!.slice(1)));
  const before = backend.stats.miss;
  const { here, missing } = groups === 0 && wire === "" ? await others(bench) : { here: [], missing: [] };
  const run = (call: (id: number) => Promise<unknown>) => (count: number) =>
    inFlight(LANES, count, (index) => call(index % CALLS));
  await bench.race(title, "per second", [
    { name: "driver, the same keys", kind: "floor", run: run((id) => getAll(client, keysOf(groups, id))) },
    { name: `${OURS}, cached`, kind: "ours", run: run(city) },
    { name: "driver, its keys made beforehand", kind: "bare", run: run((id) => getAll(client, made[id]!)) },
    ...here.map(({ name, call, gives }): Contender => ({ name, kind: "peer", gives, run: run(call) })),
  ], missing);
  if (backend.stats.miss > before) throw new Error(`${backend.stats.miss - before} of the calls were no hits`);
}

async function misses(bench: Bench, groups: number, turn: number, client: Memcached): Promise<void> {
  const title = `${turn.toLocaleString("en")} cold misses on memcached, ${inGroups(groups)}, ${LANES} in flight`;
  if (!bench.wants(title)) return;
  const coldNames = (id: number) => Array.from({ length: groups }, (_, at) => `cold-${at}-${id % SHARED}`);
  const backend = backendOn(client);
  const city = cached(read, {
    name: `cold${groups}`,
    ttl: "1h",
    backend,
    ...(groups === 0 ? {} : { group: coldNames }),
  });
  const counters = (id: number) => coldNames(id).map((name) => `bench:counter:${name}`);
  await inFlight(LANES, SHARED, (id) => countersFor(client, counters(id)));
  const { here, missing } = groups === 0 ? await others(bench) : { here: [], missing: [] };
  /** No call is made twice. */
  let next = 0;
  const cold = (call: (id: number) => Promise<unknown>) => async (count: number) => {
    const from = next;
    next += count;
    await inFlight(LANES, count, (index) => call(from + index));
  };
  const computed = backend.stats.miss;
  let asked = 0;
  await bench.race(title, "per second", [
    {
      name: "driver: get, then set",
      kind: "floor",
      turn,
      run: cold(async (id) => {
        const key = `bench:cold${groups}:${id}`;
        if ((await getAll(client, [key, ...counters(id)]))[0] !== undefined) throw new Error(`${key} was there`);
        await client.set(key, JSON.stringify(await read(id)), { ttl: "1h" });
      }),
    },
    {
      name: `${OURS}, cached`,
      kind: "ours",
      turn,
      run: cold((id) => {
        asked++;
        return city(id);
      }),
    },
    ...here.map(({ name, call, gives }): Contender => ({ name, kind: "peer", gives, turn, run: cold(call) })),
  ], missing);
  if (backend.stats.miss - computed !== asked) throw new Error("some of the calls were no misses");
}

function others({ peers, hostname, port }: Bench) {
  return whoever(storedIn(peers, `${hostname}:${port}`, read));
}

function countersFor(client: Memcached, keys: readonly string[]): Promise<unknown> {
  return Promise.all(keys.map((key) => client.incr(key, 0n, { initial: 2n ** 62n })));
}

function getAll(client: Memcached, keys: readonly string[]): Promise<readonly unknown[]> {
  return Promise.all(keys.map((key) => client.get(key)));
}
