/** One case in one runtime: `worker.ts NAME SETTING`. Prints each table as a line of JSON. */

import process from "node:process";
import { type Contender, type Pace, race, type Table } from "./measure.ts";

/** The files to import for all of this library, and for the driver alone. */
export type Faces = readonly [all: string, driver: string];

/** What a case is given. */
export interface Setting {
  readonly hostname: string;
  readonly port: number;
  /** The memcached's program. */
  readonly memcached: string;
  /** The folder with the other libraries. */
  readonly peers: string;
  /** How this runtime runs a program, and how it runs this file. */
  readonly start: readonly string[];
  readonly worker: readonly string[];
  readonly faces: Faces;
  /** Another checkout's. */
  readonly other?: Faces;
  /** Load the other checkout first. */
  readonly swapped?: boolean;
  /** Of a process of the herd: the library that caches there. */
  readonly contender?: string;
  readonly pace: Pace;
  /** Leave out what takes long. */
  readonly quick: boolean;
  /** Only the tables that have this in their title. */
  readonly only?: string;
}

/** The setting, and where a case puts its tables. */
export interface Bench extends Setting {
  /** Whether a table of this title is asked for: what it needs is prepared only then. */
  wants(title: string): boolean;
  /** Lets the contenders race, and keeps their table if it is asked for. */
  race(
    title: string,
    unit: "per second" | "ns",
    contenders: readonly Contender[],
    notes?: readonly string[],
  ): Promise<void>;
  /** Keeps a table that was measured in another way. */
  keep(table: Table): void;
}

export type Case = (bench: Bench) => Promise<void>;

const cases: Record<string, () => Promise<Case>> = {
  driver: async () => (await import("./cases/driver.ts")).driver,
  memory: async () => (await import("./cases/memory.ts")).memory,
  grouped: async () => (await import("./cases/grouped.ts")).grouped("binary"),
  "grouped-meta": async () => (await import("./cases/grouped.ts")).grouped("meta"),
  heap: async () => (await import("./cases/heap.ts")).heap,
  scale: async () => (await import("./cases/scale.ts")).scale,
  import: async () => (await import("./cases/imports.ts")).imports,
  cost: async () => (await import("./cases/cost.ts")).cost,
  herd: async () => (await import("./cases/herd.ts")).herd,
  "herd-process": async () => (await import("./cases/herd.ts")).herdProcess,
  pair: async () => (await import("./cases/pair.ts")).pair,
};

const [name, text] = process.argv.slice(2);
const setting = JSON.parse(text!) as Setting;
const run = await cases[name!]!();
const wants = (title: string) => setting.only === undefined || title.includes(setting.only);
const keep = (table: Table) => console.log(JSON.stringify(table));
await run({
  ...setting,
  wants,
  keep,
  async race(title, unit, contenders, notes) {
    if (wants(title)) keep(await race(title, unit, contenders, setting.pace, notes));
  },
});
// Some of the others keep a timer or a socket for ever.
process.exit(0);
