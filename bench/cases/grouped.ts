/** Hits and cold misses of `cached` on memcached, in no, one and three groups, beside the driver asking for as much. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import type { Bench } from "../case.ts";
import { type Contender, inFlight, OURS } from "../measure.ts";
import { whoever } from "../packages.ts";
import { storedIn } from "../stored.ts";

const LANES = 128;
const GROUPS = [0, 1, 3] as const;
/** Cold calls share their groups, as calls of one application do. */
const SHARED = 100;

interface City {
  readonly id: number;
  readonly name: string;
  readonly note: string;
}

const read = (id: number): Promise<City> => Promise.resolve({ id, name: `city ${id}`, note: "x".repeat(60) });

export async function grouped(bench: Bench): Promise<void> {
  const server = `${bench.hostname}:${bench.port}`;
  await using binary = new Memcached(server, { timeout: "30s" });
  await using meta = new Memcached(server, { timeout: "30s", protocol: "meta" });
  // More than are in flight, so that no two calls in flight ask for one key and share its look.
  for (const groups of GROUPS) await hits(bench, groups, 1000, binary, meta);
  for (const groups of GROUPS) await misses(bench, groups, bench.quick ? 1000 : 10_000, binary);
}

/** Each on a store that does not own its client, so closing the client is enough. */
function backendOn(client: Memcached): GroupBackend {
  return new GroupBackend({ store: new MemcachedStore(client), project: "bench", storeTimeout: "30s" });
}

function inGroups(groups: number): string {
  return groups === 1 ? "1 group" : `${groups} groups`;
}

async function hits(
  bench: Bench,
  groups: number,
  calls: number,
  binary: Memcached,
  meta: Memcached,
): Promise<void> {
  const title = `a cached hit on memcached, ${inGroups(groups)}, ${LANES} in flight`;
  if (!bench.wants(title)) return;
  const namesOf = (id: number) => Array.from({ length: groups }, (_, at) => `group-${at}-of-${id}`);
  const options = { name: `city${groups}`, ttl: "1h", ...(groups === 0 ? {} : { group: namesOf }) } as const;
  const backends = [backendOn(binary), backendOn(meta)] as const;
  const city = cached(read, { ...options, backend: backends[0] });
  const byMeta = cached(read, { ...options, backend: backends[1] });
  await inFlight(LANES, calls, city);
  // Counters of our own, as long as the real ones, whose keys are nobody's business.
  const keys = Array.from({ length: calls }, (_, id) => [
    city.key(id),
    ...namesOf(id).map((name) => `bench:counter:${name}`),
  ]);
  await inFlight(LANES, calls, (id) => countersFor(binary, keys[id]!.slice(1)));
  const before = backends.map(({ stats }) => stats.miss);
  const { here, missing } = groups === 0 ? await others(bench) : { here: [], missing: [] };
  await bench.race(title, "per second", [
    {
      name: "driver, the same keys",
      kind: "floor",
      run: (count) => inFlight(LANES, count, (index) => getAll(binary, keys[index % calls]!)),
    },
    { name: `${OURS}, cached`, kind: "ours", run: (count) => inFlight(LANES, count, (index) => city(index % calls)) },
    {
      name: "ours, cached, meta wire",
      kind: "variant",
      run: (count) => inFlight(LANES, count, (index) => byMeta(index % calls)),
    },
    ...here.map(({ name, call, gives }): Contender => ({
      name,
      kind: "peer",
      gives,
      run: (count) => inFlight(LANES, count, (index) => call(index % calls)),
    })),
  ], missing);
  const missed = backends.reduce((sum, { stats }, at) => sum + stats.miss - before[at]!, 0);
  if (missed > 0) throw new Error(`${missed} of the calls were no hits`);
}

async function misses(bench: Bench, groups: number, turn: number, client: Memcached): Promise<void> {
  const title = `${turn.toLocaleString("en")} cold misses on memcached, ${inGroups(groups)}, ${LANES} in flight`;
  if (!bench.wants(title)) return;
  const namesOf = (id: number) => Array.from({ length: groups }, (_, at) => `cold-${at}-${id % SHARED}`);
  const backend = backendOn(client);
  const city = cached(read, {
    name: `cold${groups}`,
    ttl: "1h",
    backend,
    ...(groups === 0 ? {} : { group: namesOf }),
  });
  const counters = (id: number) => namesOf(id).map((name) => `bench:counter:${name}`);
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
