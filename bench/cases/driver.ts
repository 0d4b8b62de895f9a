/** The driver against the floor of the runtime, and against other clients. */

import { Memcached } from "@x/cache-utils/memcached";
import type { Bench } from "../case.ts";
import { type Client, clientsIn } from "../clients.ts";
import { Floor, gets, multiGet, sets } from "../floor.ts";
import { type Contender, inFlight, OURS, warmUp } from "../measure.ts";
import { whoever } from "../packages.ts";

const KEYS = 1000;
/** Keys asked in one multi-get. */
const MANY = 100;

interface Work {
  readonly verb: "get" | "set" | "getMulti";
  readonly bytes: number;
  readonly lanes: number;
  /** Left out of a quick run. */
  readonly long?: boolean;
}

const works: readonly Work[] = [
  ...[1, 16, 128, 1024].map((lanes): Work => ({ verb: "get", bytes: 100, lanes })),
  { verb: "get", bytes: 10_000, lanes: 128, long: true },
  { verb: "get", bytes: 500_000, lanes: 16, long: true },
  { verb: "set", bytes: 100, lanes: 1, long: true },
  { verb: "set", bytes: 100, lanes: 128 },
  { verb: "set", bytes: 100, lanes: 1024, long: true },
  { verb: "getMulti", bytes: 100, lanes: 1 },
  { verb: "getMulti", bytes: 100, lanes: 8, long: true },
];

export async function driver(bench: Bench): Promise<void> {
  const { hostname, port, peers, quick } = bench;
  const server = `${hostname}:${port}`;
  const floor = await Floor.open(hostname, port);
  await using ours = new Memcached(server, { timeout: "30s" });
  await ours.set("bench:proof", "found");
  const proof: Work = { verb: "get", bytes: 5, lanes: 1 };
  const others = await whoever(
    clientsIn(peers, server),
    (client) => assertFound(client, ["bench:proof"], proof),
  );
  const clients: Client[] = [
    {
      name: OURS,
      get: (key) => ours.get(key),
      set: (key, value) => ours.set(key, value),
      getMulti: (keys) => ours.getMulti(keys),
      close: () => {},
    },
    ...others.here,
  ];
  const warming: Work = { verb: "get", bytes: 5, lanes: 128 };
  await warmUp([
    floorFor(floor, ["bench:proof"], warming, "found").run,
    ...clients.map((client) => (count: number) => inFlight(128, count, operation(client, ["bench:proof"], "get", ""))),
  ], bench.pace);
  for (const work of works) {
    const title = titleOf(work);
    if (work.long && quick || !bench.wants(title)) continue;
    const value = "x".repeat(work.bytes);
    // A thousand values of 500 kB would push each other out of a memcached of 64 MB.
    const keys = Array.from(
      { length: work.bytes > 50_000 ? 20 : KEYS },
      (_, at) => `bench:${work.verb}:${work.bytes}:${at}`,
    );
    await inFlight(KEYS, keys.length, (at) => ours.set(keys[at]!, value));
    for (const client of clients) await assertFound(client, keys, work);
    const asked: Contender[] = clients.map((client) => ({
      name: client.name,
      kind: client.name === OURS ? "ours" : "peer",
      run: (count) => inFlight(work.lanes, count, operation(client, keys, work.verb, value)),
    }));
    await bench.race(title, "per second", [floorFor(floor, keys, work, value), ...asked], others.missing);
  }
  floor.close();
  for (const client of clients) client.close();
}

function titleOf({ verb, bytes, lanes }: Work): string {
  const size = bytes >= 1000 ? `${bytes / 1000} kB` : `${bytes} bytes`;
  return `${verb === "getMulti" ? `getMulti of ${MANY} keys,` : verb} ${size}, ${lanes} in flight`;
}

function operation(client: Client, keys: readonly string[], verb: Work["verb"], value: string) {
  if (verb === "get") return (index: number) => client.get(keys[index % keys.length]!);
  if (verb === "set") return (index: number) => client.set(keys[index % keys.length]!, value);
  const groups = groupsOf(keys);
  return (index: number) => client.getMulti(groups[index % groups.length]!);
}

function floorFor(floor: Floor, keys: readonly string[], { verb, lanes }: Work, value: string): Contender {
  const frames = verb === "get"
    ? gets(keys)
    : verb === "set"
    ? sets(keys, new TextEncoder().encode(value))
    : groupsOf(keys).map(multiGet);
  return {
    name: "floor",
    kind: "floor",
    run: (count) => inFlight(lanes, count, (index) => floor.send(frames[index % frames.length]!)),
  };
}

function groupsOf(keys: readonly string[]): string[][] {
  return Array.from({ length: keys.length / MANY }, (_, at) => keys.slice(at * MANY, (at + 1) * MANY));
}

/** Nobody wins by not finding anything. */
async function assertFound(client: Client, keys: readonly string[], { verb, bytes }: Work): Promise<void> {
  const found = await client.get(keys[0]!) as { value?: string; bytes?: Uint8Array; length?: number } | undefined;
  const length = found?.bytes?.length ?? found?.value?.length ?? found?.length;
  if (length !== bytes) throw new Error(`${client.name} found ${length} bytes under ${keys[0]}, not ${bytes}`);
  if (verb !== "getMulti") return;
  const many = await client.getMulti(keys.slice(0, MANY)) as Map<string, unknown> | Record<string, unknown>;
  const count = many instanceof Map ? many.size : Object.keys(many).length;
  if (count !== MANY) throw new Error(`${client.name} found ${count} of ${MANY} keys`);
}
