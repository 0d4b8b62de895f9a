/** What a fleet of so many processes costs, from what one call costs and what falls on each server. */

import type { Grid } from "../grid.ts";
import { HARDWARE, LOAD } from "./assumed.ts";

/** What one call costs, and what a server and a socket take: measured. */
export interface Unit {
  /** Bytes of a get of an entry in one group, and of its counter, there and back. */
  readonly entryBytes: number;
  readonly counterBytes: number;
  /** Gets a second that one server thread gives. */
  readonly serverRate: number;
  /** Bytes for each idle socket, at the server and at the process; `undefined` where they cannot be measured. */
  readonly socketAtServer: number | undefined;
  readonly socketAtProcess: number | undefined;
}

/** Parts of the calls that come to a server: as a get of an entry, and of a group's counter. */
export interface Part {
  readonly entries: number;
  readonly counters: number;
}

/** What falls where. */
export interface Spread {
  /** The server with the most requests, where groups are many. */
  readonly hottest: Part;
  /** The server of the one group that all calls share. */
  readonly oneGroup: Part;
  /** The same with that group in 16 shards: the most that falls on one server. */
  readonly sharded: Part;
  /** The part of the calls that ask for the first key. */
  readonly hotKey: number;
}

export const FLEETS = [10, 100, 1000, 10_000] as const;

/** A waiting process polls a lease every 100 ms at last, drawn between half and all of it. */
const POLLS_PER_S = 1 / 0.075;
const MB = 1e6;
/** A gigabit in bytes. */
const GBIT = 1e9 / 8;

const requests = ({ entries, counters }: Part) => entries + counters;
const bytes = ({ entries, counters }: Part, unit: Unit) => entries * unit.entryBytes + counters * unit.counterBytes;

/** One column a fleet. */
export function fleets(unit: Unit, { hottest, oneGroup, sharded, hotKey }: Spread): Grid {
  const { servers, callsPerProcess } = LOAD;
  const row = (name: string, of: (processes: number, calls: number) => number) => ({
    name,
    cells: FLEETS.map((processes) => of(processes, processes * callsPerProcess)),
  });
  const { socketAtServer: atServer, socketAtProcess: atProcess } = unit;
  const perCall = unit.entryBytes + unit.counterBytes;
  return {
    title: `a fleet of N processes, ${callsPerProcess.toLocaleString("en-US")} calls a second each, ` +
      `on ${servers.toLocaleString("en-US")} servers`,
    columns: FLEETS.map((processes) => `N = ${processes.toLocaleString("en-US")}`),
    rows: [
      row("calls/s", (_, calls) => calls),
      row("requests/s, in all", (_, calls) => 2 * calls),
      row("requests/s, a server on average", (_, calls) => 2 * calls / servers),
      row("requests/s, the hottest server", (_, calls) => calls * requests(hottest)),
      row("  % of what one thread gives", (_, calls) => 100 * calls * requests(hottest) / unit.serverRate),
      row("requests/s for the hottest key", (_, calls) => calls * hotKey),
      row("one group for all: its server's requests/s", (_, calls) => calls * requests(oneGroup)),
      row("  % of what one thread gives", (_, calls) => 100 * calls * requests(oneGroup) / unit.serverRate),
      row("the same in 16 shards: the hottest server's", (_, calls) => calls * requests(sharded)),
      row("polls/s while one key is computed and all wait", (processes) => processes * POLLS_PER_S),
      row("MB/s, in all", (_, calls) => calls * perCall / MB),
      row("MB/s, a process", () => callsPerProcess * perCall / MB),
      row("MB/s, the hottest server", (_, calls) => calls * bytes(hottest, unit) / MB),
      row("sockets of a process", () => servers),
      row("sockets of a server", (processes) => processes),
      row("sockets, in all", (processes) => processes * servers),
      ...(atProcess === undefined ? [] : [row("MB for sockets, a process", () => servers * atProcess / MB)]),
      ...(atServer === undefined ? [] : [row("MB for sockets, a server", (processes) => processes * atServer / MB)]),
    ],
    notes: [
      "every call is a hit of 1,000 bytes in one group; payload only, without TCP and IP",
      "a fleet whose processes ask for one key in one tick asks less: what is asked in a tick is asked once",
    ],
  };
}

/** How many processes meet each limit, the nearest first. */
export function limits(unit: Unit, { hottest, oneGroup, sharded }: Spread): Grid {
  const { callsPerProcess, servers } = LOAD;
  const byRate = (part: Part) => unit.serverRate / (callsPerProcess * requests(part));
  const byNetwork = (part: Part) => HARDWARE.gbits * GBIT / (callsPerProcess * bytes(part, unit));
  const average: Part = { entries: 1 / servers, counters: 1 / servers };
  const all: [string, number][] = [
    ["one group for all calls: one thread of its counter's server", byRate(oneGroup)],
    ["one group for all calls, in 16 shards: the hottest server's thread", byRate(sharded)],
    [`memcached's default of ${HARDWARE.connections.toLocaleString("en-US")} connections`, HARDWARE.connections],
    ["groups of tenants: one thread of the hottest server", byRate(hottest)],
    [`groups of tenants: ${HARDWARE.gbits} Gbit/s of the hottest server`, byNetwork(hottest)],
    ["one thread of a server on average", byRate(average)],
  ];
  return {
    title: "how many processes meet which limit",
    columns: ["processes"],
    rows: all.sort((a, b) => a[1] - b[1]).map(([name, processes]) => ({ name, cells: [Math.floor(processes)] })),
    notes: [`one thread: ${Math.round(unit.serverRate).toLocaleString("en-US")} gets/s, measured on this machine`],
  };
}
