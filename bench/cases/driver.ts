/** The driver against the floor of the runtime, and against other clients. */

import { Memcached } from "@x/cache-utils/memcached";
import { Floor, gets, multiGet, sets } from "../floor.ts";
import { type Contender, inFlight, OURS, warmUp } from "../measure.ts";
import { available, type Client, clientsIn } from "../peers.ts";
import type { Bench } from "../worker.ts";

const KEYS = 1000;
/** Keys asked in one multi-get. */
const MANY = 100;

interface Work {
  readonly verb: "get" | "set" | "getMulti";
  readonly bytes: number;
  readonly atOnce: number;
  /** Left out of a quick run. */
  readonly long?: boolean;
}

const works: readonly Work[] = [
  ...[1, 16, 128, 1024].map((atOnce): Work => ({ verb: "get", bytes: 100, atOnce })),
  { verb: "get", bytes: 10_000, atOnce: 128, long: true },
  { verb: "get", bytes: 500_000, atOnce: 16, long: true },
  { verb: "set", bytes: 100, atOnce: 1, long: true },
  { verb: "set", bytes: 100, atOnce: 128 },
  { verb: "set", bytes: 100, atOnce: 1024, long: true },
  { verb: "getMulti", bytes: 100, atOnce: 1 },
  { verb: "getMulti", bytes: 100, atOnce: 8, long: true },
];

export async function driver(bench: Bench): Promise<void> {
  const server = `${bench.hostname}:${bench.port}`;
  const floor = await Floor.open(bench.hostname, bench.port);
  await using memcached = new Memcached(server, { timeout: "30s" });
  const ours: Client = {
    name: OURS,
    get: (key) => memcached.get(key),
    set: (key, value) => memcached.set(key, value),
    getMulti: (keys) => memcached.getMulti(keys),
    close: () => {},
  };
  const proof: Work = { verb: "get", bytes: 5, atOnce: 128 };
  await ours.set("bench:proof", "found");
  const { here, missing } = await available(
    clientsIn(bench.peers, server),
    (client) => assertFound(client, ["bench:proof"], proof),
  );
  const clients = [ours, ...here];
  await warmUp([
    floorFor(floor, ["bench:proof"], proof, "found").run,
    ...clients.map((client) => contenderFor(client, ["bench:proof"], proof, "").run),
  ], bench.pace);
  for (const work of works) {
    const title = titleOf(work);
    if (work.long && bench.quick || !bench.wants(title)) continue;
    const value = "x".repeat(work.bytes);
    // A thousand values of 500 kB would push each other out of a memcached of 64 MB.
    const count = work.bytes > 50_000 ? 20 : KEYS;
    const keys = Array.from({ length: count }, (_, at) => `bench:${work.verb}:${work.bytes}:${at}`);
    await inFlight(KEYS, count, (at) => ours.set(keys[at]!, value));
    for (const client of clients) await assertFound(client, keys, work);
    await bench.race(title, "per second", [
      floorFor(floor, keys, work, value),
      ...clients.map((client) => contenderFor(client, keys, work, value)),
    ], missing);
  }
  floor.close();
  for (const client of clients) client.close();
}

function titleOf({ verb, bytes, atOnce }: Work): string {
  const size = bytes >= 1000 ? `${bytes / 1000} kB` : `${bytes} bytes`;
  return `${verb === "getMulti" ? `getMulti of ${MANY} keys` : `${verb} ${size}`}, ${atOnce} in flight`;
}

function contenderFor(client: Client, keys: readonly string[], { verb, atOnce }: Work, value: string): Contender {
  const groups = groupsOf(keys);
  const operation = {
    get: (index: number) => client.get(keys[index % keys.length]!),
    set: (index: number) => client.set(keys[index % keys.length]!, value),
    getMulti: (index: number) => client.getMulti(groups[index % groups.length]!),
  }[verb];
  return {
    name: client.name,
    kind: client.name === OURS ? "ours" : "peer",
    run: (count) => inFlight(atOnce, count, operation),
  };
}

function floorFor(floor: Floor, keys: readonly string[], { verb, atOnce }: Work, value: string): Contender {
  const frames = verb === "get" ? gets(keys) : verb === "set" ? sets(keys, value) : groupsOf(keys).map(multiGet);
  return {
    name: "floor",
    kind: "floor",
    run: (count) => inFlight(atOnce, count, (index) => floor.send(frames[index % frames.length]!)),
  };
}

function groupsOf(keys: readonly string[]): string[][] {
  return Array.from({ length: keys.length / MANY }, (_, at) => keys.slice(at * MANY, (at + 1) * MANY));
}

/** A client that finds nothing would be quick: each has to find the right value first. */
async function assertFound(client: Client, keys: readonly string[], { verb, bytes }: Work): Promise<void> {
  const found = await client.get(keys[0]!) as { value?: string; bytes?: Uint8Array; length?: number } | undefined;
  const length = found?.bytes?.length ?? found?.value?.length ?? found?.length;
  if (length !== bytes) throw new Error(`${client.name} found ${length} bytes under ${keys[0]}, not ${bytes}`);
  if (verb !== "getMulti") return;
  const many = await client.getMulti(keys.slice(0, MANY)) as Map<string, unknown> | Record<string, unknown>;
  const count = many instanceof Map ? many.size : Object.keys(many).length;
  if (count !== MANY) throw new Error(`${client.name} found ${count} of ${MANY} keys`);
}
