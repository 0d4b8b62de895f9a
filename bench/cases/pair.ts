/**
 * This tree and another checkout of it, loaded into one process and called in turn. Counted is the processor's time of
 * the process and not the time that passes, so that other programs of the machine, and the server, do not count.
 */

import type * as Public from "@x/cache-utils";
import type * as Driver from "@x/cache-utils/memcached";
import { pathToFileURL } from "node:url";
import { type Contender, inFlight, times } from "../measure.ts";
import type { Bench } from "../worker.ts";
import { importsOf } from "./imports.ts";

/** What `--against` compares, by the name that its table shows. */
type Work = (tree: Loaded, bench: Bench) => Contender["run"] | Promise<Contender["run"]>;

interface Loaded {
  readonly name: "old" | "new";
  readonly all: typeof Public;
  readonly driver: typeof Driver;
}

const AT_ONCE = 128;
const KEYS = 1000;
const city = (id: number) => ({ id, name: `city ${id}`, note: "x".repeat(60) });
const read = (id: number) => Promise.resolve(city(id));
const groupsOf = (id: number) => [`group-0-of-${id}`, `group-1-of-${id}`, `group-2-of-${id}`];
/** Cold calls share their groups, as calls of one application do. */
const sharedGroupsOf = (id: number) => [0, 1, 2].map((n) => `cold-${n}-${id % 100}`);

/** One call after the other: a hit in memory waits for nothing. */
const oneByOne = (call: (n: number) => Promise<unknown>): Contender["run"] => async (count) => {
  for (let n = 0; n < count; n++) await call(n % 100);
};

function client({ driver }: Loaded, { hostname, port }: Bench) {
  return new driver.Memcached(`${hostname}:${port}`, { timeout: "30s" });
}

function onMemcached(tree: Loaded, bench: Bench, group: (id: number) => string[], name: string) {
  const { cached, GroupBackend, MemcachedStore } = tree.all;
  const store = new MemcachedStore(client(tree, bench));
  const backend = new GroupBackend({ store, project: `pair-${tree.name}`, storeTimeout: "30s" });
  return cached(read, { name, ttl: "1h", backend, group });
}

function inMemory({ all: { GroupBackend, MemoryStore } }: Loaded, copy = true) {
  return new GroupBackend({ store: new MemoryStore(copy ? {} : { copy: false }) });
}

async function filled(tree: Loaded, bench: Bench) {
  const memcached = client(tree, bench);
  const keys = Array.from({ length: KEYS }, (_, n) => `pair:${tree.name}:${n}`);
  await inFlight(AT_ONCE, KEYS, (n) => memcached.set(keys[n]!, "x".repeat(100)));
  return { memcached, keys };
}

const gets = (atOnce: number): Work => async (tree, bench) => {
  const { memcached, keys } = await filled(tree, bench);
  return (count) => inFlight(atOnce, count, (n) => memcached.get(keys[n % KEYS]!));
};

const works: Readonly<Record<string, Work>> = {
  "hit in memory, a number": (tree) =>
    oneByOne(tree.all.cached(read, { name: "a", ttl: "1h", backend: inMemory(tree) })),
  "hit in memory, a number, copy: false": (tree) =>
    oneByOne(tree.all.cached(read, { name: "b", ttl: "1h", backend: inMemory(tree, false) })),
  "hit in memory, an object": (tree) => {
    const search = tree.all.cached(({ id }: { id: number; page: number; sort: string }) => read(id), {
      name: "c",
      ttl: "1h",
      backend: inMemory(tree),
    });
    return oneByOne((id) => search({ id, page: 2, sort: "name" }));
  },
  "hit in memory, 3 groups": (tree) =>
    oneByOne(tree.all.cached(read, { name: "d", ttl: "1h", backend: inMemory(tree), group: groupsOf })),
  "hit on memcached, 3 groups, 128 in flight": async (tree, bench) => {
    const call = onMemcached(tree, bench, groupsOf, "hit");
    await inFlight(AT_ONCE, KEYS, call);
    return (count) => inFlight(AT_ONCE, count, (n) => call(n % KEYS));
  },
  "cold miss on memcached, 3 groups, 128 in flight": (tree, bench) => {
    const call = onMemcached(tree, bench, sharedGroupsOf, "miss");
    // No call is made twice, nor one that an earlier process has made.
    let next = Math.floor(Math.random() * 1e9) * 1000;
    return async (count) => {
      const from = next;
      next += count;
      await inFlight(AT_ONCE, count, (n) => call(from + n));
    };
  },
  "driver get, 1 in flight": gets(1),
  "driver get, 128 in flight": gets(128),
  "driver getMulti of 100 keys": async (tree, bench) => {
    const { memcached, keys } = await filled(tree, bench);
    const many = Array.from({ length: KEYS / 100 }, (_, n) => keys.slice(n * 100, (n + 1) * 100));
    return (count) => inFlight(1, count, (n) => memcached.getMulti(many[n % many.length]!));
  },
};

/** Rounds of both trees in ms, as rows of a table: those of several processes are put together by the run. */
export async function pair(bench: Bench): Promise<void> {
  const trees: Loaded[] = [];
  const keep = (title: string, took: readonly (readonly number[])[]) => {
    const rows = took.map((cells, at) => ({ name: trees[at]?.name ?? "empty", cells }));
    bench.keep({ title, columns: [], rows });
  };
  const faces = { old: bench.other!, new: bench.faces };
  for (const name of bench.swapped ? ["new", "old"] as const : ["old", "new"] as const) {
    const [all, driver] = faces[name];
    trees.push({ name, all: await import(pathToFileURL(all).href), driver: await import(pathToFileURL(driver).href) });
  }
  for (const [title, work] of Object.entries(works)) {
    if (!bench.wants(title)) continue;
    const contenders: Contender[] = [];
    for (const tree of trees) contenders.push({ name: tree.name, kind: "ours", run: await work(tree, bench) });
    keep(title, await times(contenders, bench.pace, "processor"));
  }
  const title = "import of mod.ts, ms beyond an empty program";
  if (bench.wants(title)) {
    const [empty, ...took] = await importsOf(bench, trees.map(({ name }) => faces[name][0]), 10);
    keep(title, [...took, empty!]);
  }
}
