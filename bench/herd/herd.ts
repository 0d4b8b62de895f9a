/**
 * The herd, costed: 8 processes with 200 callers each ask for one key, or ten, at one moment. What it costs a database
 * that serves four queries at a time, and what the callers wait.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { installPackages } from "../../tools/machine.ts";
import { type Grid, printGrid } from "../grid.ts";
import { median } from "../measure.ts";
import { Child } from "./child.ts";
import { Database, type Load } from "./client.ts";
import { type Contender, contenders, packages, type Scene, TTL_S } from "./contenders.ts";
import { CALLERS, type Order, type Seen } from "./order.ts";

/** Where and how it is run. */
export interface HerdSetting {
  /** The memcached. */
  readonly server: string;
  /** How a program of TypeScript is run. */
  readonly command: string;
  readonly before: readonly string[];
  readonly quick: boolean;
}

const PROCESSES = 8;
/** The database: queries at a time, and what each takes. */
const LANES = 4, SERVICE_MS = 25;
const ROUNDS = 7;
/** 1,600 queries take 10 s, each time: who costs that much is not met seven times, but until this has passed. */
const PATIENCE_MS = 5_000;
/** From the order to the common moment. */
const LEAD_MS = 80;
/** A refresh behind the answers has begun by then. */
const GRACE_MS = 60;

/** What a burst cost. */
interface Burst extends Load {
  readonly waits: readonly number[];
  readonly old: number;
  readonly failed: number;
}

/** A contender's bursts in one scene. */
interface Line {
  readonly contender: Contender;
  readonly bursts: readonly Burst[];
}

export async function herd(setting: HerdSetting): Promise<Grid[]> {
  const installed = await installPackages("herd", packages);
  if ("missing" in installed) throw new Error(installed.missing);
  const here = (name: string) => new URL(name, import.meta.url).pathname;
  const { command, before, quick } = setting;
  await using home = new Child(command, [...before, here("database.ts"), String(LANES), String(SERVICE_MS)]);
  const port = Number(await home.line());
  const database = await Database.open(port);
  // The whole run's keys are new, also on a memcached that has seen another run.
  const run = Date.now().toString(36);

  const lines: Record<Scene, Line[]> = { cold: [], expired: [], "ten cold": [] };
  const standing = contenders.filter(({ slow, keptIn }) => !quick || !slow && keptIn !== "memory");
  for (const [at, contender] of standing.entries()) {
    const order: Order = { contender: contender.name, server: setting.server, database: port, folder: installed.path };
    const start = () => new Child(command, [...before, here("process.ts"), JSON.stringify(order)]);
    const processes = Array.from({ length: PROCESSES }, start);
    try {
      await Promise.all(processes.map((child) => child.line()));
      for (const scene of scenesOf(contender)) {
        const name = `${run}-${scene.replace(" ", "-")}-${at}`;
        const keys = Array.from({ length: quick ? 3 : ROUNDS }, (_, n) => `${name}-${n}`);
        lines[scene].push({ contender, bursts: await meet(database, processes, scene, keys) });
      }
    } finally {
      await Promise.all(processes.map((child) => child[Symbol.asyncDispose]()));
    }
  }
  database.close();
  const versions = `versions: ${(await versionsIn(installed.path)).join(", ")}`;
  const grids = (["cold", "expired", "ten cold"] as const).map((scene) => gridOf(scene, lines[scene], versions));
  for (const grid of grids) console.log(printGrid(grid));
  return grids;
}

async function versionsIn(folder: string): Promise<string[]> {
  return await Promise.all(
    Object.keys(packages).map(async (name) => {
      const text = await Deno.readTextFile(`${folder}/node_modules/${name}/package.json`);
      return `${name} ${(JSON.parse(text) as { version: string }).version}`;
    }),
  );
}

/** Who asks the database for every caller needs ten seconds a round, with one key as with ten. */
function scenesOf({ scenes, slow }: Contender): readonly Scene[] {
  return scenes.includes("cold") && !slow ? [...scenes, "ten cold"] : scenes;
}

async function meet(
  database: Database,
  processes: readonly Child[],
  scene: Scene,
  keys: readonly string[],
): Promise<Burst[]> {
  if (scene === "expired") {
    const [first, ...others] = processes;
    await first!.ask(`prime ${keys.join(" ")}`);
    await Promise.all(others.map((child) => child.ask(`prime ${keys.join(" ")}`)));
    // Whoever primed last kept it last.
    await sleep(TTL_S * 1000 + 200);
  }
  const bursts: Burst[] = [];
  const began = performance.now();
  for (const key of keys) {
    if (performance.now() - began > PATIENCE_MS) break;
    const number = await database.burst();
    const line = `go ${key} ${Date.now() + LEAD_MS} ${number} ${scene === "ten cold" ? 10 : 1}`;
    const said = await Promise.all(processes.map((child) => child.ask(line)));
    const seen = said.map((text) => JSON.parse(text) as Seen);
    bursts.push({
      ...await settled(database),
      waits: seen.flatMap(({ waits }) => waits),
      old: sum(seen.map(({ old }) => old)),
      failed: sum(seen.map(({ failed }) => failed)),
    });
  }
  return bursts;
}

/** The database's load once it has nothing left to do. */
async function settled(database: Database): Promise<Load> {
  for (;;) {
    await sleep(GRACE_MS);
    const load = await database.load();
    if (load.left === 0) return load;
  }
}

function rowOf({ contender: { name, keptIn }, bursts }: Line): Grid["rows"][number] {
  const of = (figure: (burst: Burst) => number) => bursts.map(figure);
  const failed = sum(of((burst) => burst.failed));
  if (failed > 0) console.log(`${name}: ${failed} callers got an error`);
  const slowest = of(({ waits }) => Math.max(...waits));
  const queries = of((burst) => burst.queries);
  return {
    name,
    cells: [
      keptIn,
      bursts.length,
      median(queries),
      Math.max(...queries),
      Math.max(...of(({ most }) => most)),
      median(of(({ busyMs }) => busyMs)),
      median(of(({ waits }) => median(waits))),
      median(slowest),
      Math.max(...slowest),
      median(of(({ old }) => old)),
    ],
  };
}

function gridOf(scene: Scene, lines: readonly Line[], versions: string): Grid {
  const key = { cold: "a cold key", expired: "a key that has just expired", "ten cold": "ten cold keys" }[scene];
  return {
    title: `the herd: ${PROCESSES} processes x ${CALLERS} callers of ${key}; ` +
      `a database of ${LANES} at a time, ${SERVICE_MS} ms each`,
    columns: [
      "kept in",
      "rounds",
      "queries",
      "at worst",
      "most at once",
      "busy, ms",
      "median caller, ms",
      "slowest, ms",
      "at worst",
      "old answers",
    ],
    rows: lines.map(rowOf),
    notes: [...lines.map(({ contender: { name, how } }) => `${name}: ${how}`), versions],
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
