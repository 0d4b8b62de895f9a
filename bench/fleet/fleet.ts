/**
 * Scale, on paper and simulated: the driver's own ring over 1,000 servers, 10^8 keys under Zipf's law, and what each call
 * and each socket was measured to cost. What is simulated comes out the same each time; what is measured is named so.
 */

import type { Program } from "../../tools/machine.ts";
import { type Grid, printGrid } from "../grid.ts";
import { median, quantile } from "../measure.ts";
import { counterOf, keyOf, LOAD, serverNames } from "./assumed.ts";
import { type Cost, costs, type Kept, kept } from "./calls.ts";
import { fleets, limits, type Part, type Spread } from "./model.ts";
import { type Rates, rates } from "./rates.ts";
import { Circle, loads, ringOf, serversOf } from "./shares.ts";
import { type Sockets, sockets } from "./sockets.ts";
import { Zipf } from "./zipf.ts";

export interface FleetSetting {
  readonly hostname: string;
  readonly port: number;
  /** The memcached's program. */
  readonly program: Program;
  readonly quick: boolean;
}

const MEMORY_MB = [16, 32, 64, 128, 256];
const MIB = 1 << 20;

export async function fleet({ hostname, port, program, quick }: FleetSetting): Promise<Grid[]> {
  const grids: Grid[] = [];
  const tell = (grid: Grid) => {
    console.log(printGrid(grid));
    grids.push(grid);
  };
  const items = await kept(`${hostname}:${port}`);
  const calls = await costs(hostname, port);
  const rate = await rates(hostname, port, quick ? 100 : 500);
  const idle = await sockets(program, LOAD.servers);
  tell(keptGrid(items));
  tell(callsGrid(calls));
  tell(measuredGrid(rate, idle));

  const start = performance.now();
  const ring = ringOf(serverNames);
  const ringMs = performance.now() - start;
  const { shares } = checked(new Circle(serverNames, ring.points), ring);
  const ranks = quick ? LOAD.hashed / 10 : LOAD.hashed;
  const servers = serversOf(ring, ranks, keyOf);
  const zipfs = LOAD.s.map((s) => new Zipf(LOAD.keys, s));
  const spreads = zipfs.map((zipf) => loads(zipf, servers, shares));
  tell(spreadGrid(shares, zipfs, spreads, servers, ringMs, ring.points));
  tell(hitGrid(zipfs, items));

  const entries = spreads[1]!;
  const tenants = loads(
    new Zipf(LOAD.tenants, 1),
    serversOf(ring, LOAD.tenants, (rank) => counterOf(`tenant:${rank}`)),
    shares,
  );
  tell(openedGrid(entries, tenants));
  const shards = Array.from({ length: LOAD.shards }, (_, n) => ring.serverOf(counterOf(`all:${n}`)));
  const on = (counters: (server: number) => number): readonly Part[] =>
    Array.from(entries, (load, server) => ({ entries: load, counters: counters(server) }));
  const most = (parts: readonly Part[]) =>
    parts.reduce((a, b) => a.entries + a.counters >= b.entries + b.counters ? a : b);
  const spread: Spread = {
    hottest: most(on((server) => tenants[server]!)),
    oneGroup: { entries: entries[ring.serverOf(counterOf("all"))]!, counters: 1 },
    sharded: most(on((server) => shards.filter((shard) => shard === server).length / LOAD.shards)),
    hotKey: zipfs[1]!.probability(1),
  };
  const plain = calls.find(({ kind }) => kind === "hit, 0 groups")!;
  const grouped = calls.find(({ kind }) => kind === "hit, 1 group")!;
  // A generation is 8 bytes of the entry.
  const entryBytes = plain.sent + plain.received + 8;
  const unit = {
    entryBytes,
    counterBytes: grouped.sent + grouped.received - entryBytes,
    serverRate: rate.floor,
    socketAtServer: idle?.atServer,
    socketAtProcess: idle?.atClient.resident,
  };
  tell(fleets(unit, spread));
  tell(limits(unit, spread));
  return grids;
}

function checked(circle: Circle, ring: ReturnType<typeof ringOf>): Circle {
  circle.check(ring, Array.from({ length: 2000 }, (_, n) => keyOf(n + 1)));
  return circle;
}

function keptGrid(items: readonly Kept[]): Grid {
  return {
    title: "measured: what a value takes on memcached, in bytes",
    columns: ["key", "entry", "over the JSON", "item", "memcached's own", "its chunk"],
    rows: items.map(({ json, groups, key, entry, item, chunk }) => ({
      name: `${json.toLocaleString("en-US")} bytes of JSON, ${groups} ${groups === 1 ? "group" : "groups"}`,
      cells: [key, entry, entry - json, item, item - entry - key, chunk],
    })),
  };
}

function callsGrid(calls: readonly Cost[]): Grid {
  return {
    title: "measured: what a call costs on the wire, values of 1,000 bytes",
    columns: ["requests", "round trips", "bytes sent", "received"],
    rows: calls.map(({ kind, requests, trips, sent, received }) => ({
      name: kind,
      cells: [requests, trips, sent, received],
    })),
    notes: ["what goes on behind the answer is counted as well: the set of a miss, the refresh of a stale value"],
  };
}

function measuredGrid({ driver, floor, calls, requests }: Rates, idle: Sockets | undefined): Grid {
  const round = Math.round;
  const of = (name: string, cell: number) => ({ name, cells: [round(cell)] });
  return {
    title: "measured: one server, one process",
    columns: [""],
    rows: [
      of("gets of 100 bytes/s, the driver, 1,024 in flight", driver),
      of("gets of 100 bytes/s, the floor client", floor),
      of("calls/s of one hot key in one group, 1,024 in flight", calls),
      of("  looks/s that the server saw of them", requests),
      ...(idle === undefined ? [] : [
        of(`bytes of memcached for each of ${idle.count.toLocaleString("en-US")} idle sockets`, idle.atServer),
        of("bytes of the process for each, resident", idle.atClient.resident),
        of("  objects and buffers", idle.atClient.used),
        of(`ms for a client's ring of ${LOAD.servers.toLocaleString("en-US")} servers`, idle.ringMs),
        of("bytes for it, resident", idle.ring.resident),
        of("  objects and buffers, once collected", idle.ring.used),
      ]),
    ],
    notes: ["memcached with one thread; client and server share two cores", "kernel memory of sockets is not counted"],
  };
}

function spreadGrid(
  shares: Float64Array,
  zipfs: readonly Zipf[],
  spreads: readonly Float64Array[],
  servers: Uint16Array,
  ringMs: number,
  points: number,
): Grid {
  const n = shares.length;
  const row = (name: string, parts: Float64Array, more: readonly (number | string)[]) => {
    const times = Array.from(parts, (part) => part * n);
    return {
      name,
      cells: [Math.min(...times), median(times), quantile(times, 0.99), Math.max(...times), ...more],
    };
  };
  const count = servers.length.toLocaleString("en-US");
  return {
    title: `simulated: the ring over ${n.toLocaleString("en-US")} servers; times the average`,
    columns: ["least", "median", "p99", "most", "most without key 1", "% of calls: key 1", `the first 1,000`],
    rows: [
      row("keys", shares, ["", "", ""]),
      ...zipfs.map((zipf, at) => {
        const first = servers[0]!;
        const without = Array.from(
          spreads[at]!,
          (load, server) => n * (server === first ? load - zipf.probability(1) : load),
        );
        return row(`load, s = ${zipf.s}`, spreads[at]!, [
          Math.max(...without),
          100 * zipf.probability(1),
          100 * zipf.head(1000),
        ]);
      }),
    ],
    notes: [
      `${points.toLocaleString("en-US")} points, made in ${ringMs.toFixed(0)} ms (measured)`,
      `the first ${count} ranks are on the server that the ring says; the others are spread by its parts of the circle`,
    ],
  };
}

function hitGrid(zipfs: readonly Zipf[], items: readonly Kept[]): Grid {
  const sizes = items.filter(({ groups }) => groups === 1);
  return {
    title: `simulated: % of calls that find their value, by memory of each of ${LOAD.servers} servers`,
    columns: MEMORY_MB.map((mb) => `${mb} MiB`),
    rows: sizes.flatMap(({ json, chunk }) =>
      zipfs.map((zipf) => ({
        name: `${json.toLocaleString("en-US")} bytes of JSON, s = ${zipf.s}`,
        cells: MEMORY_MB.map((mb) => 100 * zipf.hitRate(LOAD.servers * Math.floor(mb * MIB / chunk))),
      }))
    ),
    notes: [
      "Che's approximation of LRU over all servers as one; nothing expires; a chunk of memory as measured for each item",
      `${LOAD.keys.toLocaleString("en-US")} keys`,
    ],
  };
}

/** Of how many servers a process has opened the socket after a while. */
function openedGrid(entries: Float64Array, tenants: Float64Array): Grid {
  const seconds = [1, 10, 60, 600];
  return {
    title: "simulated: sockets that one process has opened",
    columns: seconds.map((each) => `after ${each} s`),
    rows: [1, 10, 100, LOAD.callsPerProcess].map((rate) => ({
      name: `${rate.toLocaleString("en-US")} calls/s`,
      cells: seconds.map((time) =>
        entries.reduce((sum, load, at) => sum - Math.expm1(-rate * time * (load + tenants[at]!)), 0)
      ),
    })),
    notes: ["a server's socket is opened when it is first asked, and stays; one group a call"],
  };
}
