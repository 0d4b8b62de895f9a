/** Hits of `cached` on memcached, in no, one and three groups, beside the driver asking for as much. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { type Contender, inFlight, OURS, warmUp } from "../measure.ts";
import { available, cacheOf } from "../peers.ts";
import type { Bench, Case } from "../worker.ts";

const AT_ONCE = 128;
/** More than are in flight, so that no two calls in flight ask for one key and share its answer. */
const CALLS = 1000;
/** Other libraries with memcached as their only store. They have no groups. */
const PEERS = ["cacheable over @keyv/memcache", "cachified over memjs"];

const read = (id: number | string) => Promise.resolve({ id, name: `city ${id}`, note: "x".repeat(60) });

/** The names of a call's groups, made of its argument, as those of an application are. */
function namesOf(groups: number, id: number): string[] {
  return [`group-0-of-${id}`, `group-1-of-${id}`, `group-2-of-${id}`].slice(0, groups);
}

/** The keys of a call, as a user of the driver would make them. The counters are made here: the backend's keys are private. */
function keysOf(groups: number, id: number): string[] {
  return [`bench::city${groups}(${id})`, ...namesOf(groups, id).map((group) => `bench:counter:${group}`)];
}

/** On one wire: in a process of its own, since a client speaks one. */
export function grouped(protocol: "binary" | "meta"): Case {
  return async (bench) => {
    await using client = new Memcached(`${bench.hostname}:${bench.port}`, { timeout: "30s", protocol });
    for (const groups of [0, 1, 3]) await hits(bench, groups, client, protocol);
  };
}

async function hits(bench: Bench, groups: number, client: Memcached, protocol: string): Promise<void> {
  const of = groups === 1 ? "1 group" : `${groups} groups`;
  const title = `a cached hit on memcached, ${of}, ${AT_ONCE} in flight${protocol === "meta" ? ", meta wire" : ""}`;
  if (!bench.wants(title)) return;
  // A store that does not own its client: closing the client is enough.
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "bench", storeTimeout: "30s" });
  const group = groups === 0 ? {} : { group: (id: number) => namesOf(groups, id) };
  const city = cached((id: number) => read(id), { name: `city${groups}`, ttl: "1h", backend, ...group });
  await inFlight(AT_ONCE, CALLS, city);
  const made = Array.from({ length: CALLS }, (_, id) => keysOf(groups, id));
  if (city.key(7) !== made[7]![0]) throw new Error(`The key is ${city.key(7)}`);
  for (const counter of made.flatMap((keys) => keys.slice(1))) await client.incr(counter, 0n, { initial: 2n ** 62n });
  const before = backend.stats.miss;
  const { here, missing } = groups === 0 && protocol === "binary" ? await peers(bench) : { here: [], missing: [] };
  const getAll = (keys: readonly string[]) => Promise.all(keys.map((key) => client.get(key)));
  const run = (call: (id: number) => Promise<unknown>) => (count: number) =>
    inFlight(AT_ONCE, count, (index) => call(index % CALLS));
  const contenders: Contender[] = [
    { name: "driver, the same keys", kind: "floor", run: run((id) => getAll(keysOf(groups, id))) },
    { name: OURS, kind: "ours", run: run(city) },
    { name: "driver, its keys made beforehand", kind: "bare", run: run((id) => getAll(made[id]!)) },
    ...here.map(({ call, ...peer }): Contender => ({ ...peer, run: run(call) })),
  ];
  if (groups === 0) await warmUp(contenders.map(({ run }) => run), bench.pace);
  await bench.race(title, "per second", contenders, missing);
  if (backend.stats.miss > before) throw new Error(`${backend.stats.miss - before} of the calls were no hits`);
}

function peers({ peers: folder, hostname, port }: Bench) {
  const terms = { folder, read, server: `${hostname}:${port}`, ttlS: 3600, staleS: 0 };
  const open = (name: string) => async () => {
    const { gives, open } = cacheOf(name);
    return { name, kind: "peer" as const, gives, call: await open(terms) };
  };
  return available(Object.fromEntries(PEERS.map((name) => [name, open(name)])));
}
