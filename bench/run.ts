/**
 * Measures, side by side in one run, on each runtime that is there, and keeps the numbers in bench/results; the run of
 * all of it writes docs/BENCHMARKS.md as well:
 *
 *     deno task bench                     all of it, in less than ten minutes
 *     deno task bench --quick             the core of it, in less than 90 seconds
 *     deno task bench --only driver       one case: driver, memory, grouped, grouped-meta, heap, scale, import
 *     deno task bench --only herd         what one expiry costs a database; and cost, what a call and a socket take
 *     deno task bench --only "by wire"    the tables that have this in their title
 *     deno task bench --runtime=bun       on one runtime: deno, bun or node
 *     deno task bench --against PATH      this tree and another checkout in turn, with ratios new/old
 */

import { cpus } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { bun, memcached, node, packages } from "../tests/_install.ts";
import { freshServer } from "../tests/_memcached.ts";
import { run } from "../tools/command.ts";
import { esbuild, installPacked } from "../tools/node_suite.ts";
import { median, type Pace, quantile, type Table } from "./measure.ts";
import { libraries } from "./peers.ts";
import { report } from "./report.ts";
import { judge, print } from "./table.ts";
import type { Faces, Setting } from "./worker.ts";

/** What one run found, as it is kept in bench/results. */
export interface Result {
  readonly date: string;
  readonly commit: string;
  /** The other checkout's commit, of a comparison. */
  readonly against?: string;
  /** How long the run took, without the fetching of packages. */
  readonly seconds: number;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly os: string };
  readonly versions: Readonly<Record<string, string>>;
  readonly pace: Pace;
  readonly measured: readonly Measured[];
}

export interface Measured {
  readonly runtime: string;
  readonly tables: readonly Table[];
  /** The runtime, if it could not be had; cases that ended with an error. */
  readonly failed: readonly string[];
}

const CASES = ["driver", "memory", "grouped", "grouped-meta", "heap", "scale", "import"];
/** Run only when they are named. */
const APART = ["herd", "cost"];
/** Left out of a quick run: collecting all garbage again and again takes long, and the other wire is much like the first. */
const LONG = ["heap", "grouped-meta"];
const RUNTIMES = ["deno", "bun", "node"] as const;
const PACES = { full: { warmMs: 100, rounds: 7, roundMs: 60 }, quick: { warmMs: 50, rounds: 7, roundMs: 12 } };
/** Two trees in one process: more rounds, and some for both to be compiled beside each other. */
const PAIR_PACES = {
  full: { warmMs: 300, dropped: 10, rounds: 20, roundMs: 50 },
  quick: { warmMs: 200, dropped: 10, rounds: 20, roundMs: 20 },
};

const { values: { quick, only, runtime: oneRuntime, against } } = parseArgs({
  args: Deno.args,
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    runtime: { type: "string" },
    against: { type: "string" },
  },
});
const oneCase = against === undefined && only !== undefined && [...CASES, ...APART].includes(only);
const pace = (against === undefined ? PACES : PAIR_PACES)[quick ? "quick" : "full"];
const root = new URL("../", import.meta.url).pathname;
const worker = `${root}bench/worker.ts`;
/** What was measured in which version. */
const versions: Record<string, string> = {};
/** Removed after the run. */
const folder = await Deno.makeTempDir({ prefix: "x-cache-utils-bench-" });

/** How a runtime is started. */
async function runtimeOf(name: typeof RUNTIMES[number]): Promise<Pick<Setting, "start" | "worker" | "faces">> {
  if (name === "deno") {
    const start = [Deno.execPath(), "run", "-A"];
    // The other libraries lie in a folder of their own, one of them (memcached) assigns to `__proto__`, and where memory
    // is measured the collector is called.
    const flags = ["--node-modules-dir=manual", "--unsafe-proto", "--v8-flags=--expose-gc"];
    return { start, worker: [...start, ...flags, worker], faces: facesOf(root) };
  }
  const path = await (name === "bun" ? bun() : node());
  if (name === "bun") return { start: [path, "run"], worker: [path, "run", worker], faces: facesOf(root) };
  // Node 20 reads no TypeScript.
  const faces = await packed(folder);
  await esbuild(["--bundle", "--external:@x/cache-utils", `--outfile=${folder}/worker.mjs`, worker]);
  return { start: [path], worker: [path, "--expose-gc", `${folder}/worker.mjs`], faces };
}

const facesOf = (tree: string): Faces => [`${tree}/mod.ts`, `${tree}/src/memcached/mod.ts`];

/** A tree as npm installs it. */
async function packed(folder: string, tree?: string): Promise<Faces> {
  await Deno.mkdir(folder, { recursive: true });
  await installPacked(folder, tree);
  const home = `${folder}/node_modules/@x/cache-utils`;
  return [`${home}/mod.js`, `${home}/src/memcached/mod.js`];
}

/** Runs a case in a process of its own, so that the runtime has optimized nothing for another. */
async function measure(name: string, setting: Setting, keep: (table: Table) => void): Promise<void> {
  const [command, ...before] = setting.worker;
  const args = [...before, name, JSON.stringify(setting)];
  const child = new Deno.Command(command!, { args, cwd: root, stdout: "piped", stderr: "inherit" }).spawn();
  // One that hangs must not take the others with it.
  const overdue = setTimeout(() => child.kill("SIGKILL"), quick ? 60_000 : 240_000);
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith("{")) keep(JSON.parse(line) as Table);
  }
  clearTimeout(overdue);
  const { code } = await child.status;
  if (code !== 0) throw new Error(`it ended with code ${code}`);
}

/** What the trees of a comparison took, and an empty program, in ms of each round. */
interface Took {
  readonly old: number[];
  readonly new: number[];
  readonly empty: number[];
}

/** The rounds of several processes as one table. */
async function compare(setting: Setting): Promise<Table> {
  const all = new Map<string, Took>();
  // What is compiled, and how well, differs from process to process, and depends on which tree was loaded first: so there are several.
  for (let n = 0; n < (quick ? 2 : 4); n++) {
    await measure("pair", { ...setting, swapped: n % 2 === 1 }, ({ title, rows }) => {
      if (!all.has(title)) all.set(title, { old: [], new: [], empty: [] });
      for (const { name, cells } of rows) all.get(title)![name as keyof Took].push(...cells as number[]);
    });
  }
  const columns = ["old, ns", "new, ns", "new/old", "quartiles", ""];
  const rows = [...all].map(([name, took]) => ({ name, cells: took.empty.length > 0 ? overEmpty(took) : ratio(took) }));
  return { title: "another checkout (old) and this one (new) in turn, processor time a call", columns, rows };
}

/** Medians, and of each round the ratio. */
function ratio({ old, new: now }: Took): number[] {
  const ratios = now.map((ms, round) => ms / old[round]!);
  const quartiles = [quantile(ratios, 0.25), quantile(ratios, 0.75)];
  return [median(old) * 1e6, median(now) * 1e6, median(ratios), ...quartiles];
}

/** Starts of whole programs. What else the machine does only adds to their time, so the lower quartiles are compared. */
function overEmpty({ old, new: now, empty }: Took): number[] {
  const [before, after] = [old, now].map((ms) => quantile(ms, 0.25) - quantile(empty, 0.25)) as [number, number];
  return [before, after, after / before];
}

async function versionOf(program: string): Promise<string> {
  return /\d+\.\d+\.\d+/.exec((await run(program, ["--version"])).output)?.[0] ?? "unknown";
}

async function commitOf(tree: string): Promise<string> {
  const { code, output } = await run("git", ["describe", "--always", "--dirty"], { cwd: tree });
  return code === 0 ? output.trim() : "unknown";
}

/** The folder with the other libraries. */
async function fetchPeers(): Promise<string> {
  const path = await packages("bench", libraries);
  for (const name of Object.keys(libraries)) {
    const text = await Deno.readTextFile(`${path}/node_modules/${name}/package.json`);
    versions[name] = (JSON.parse(text) as { version: string }).version;
  }
  return path;
}

/** All that is asked for, on one runtime. What fails is named in the result, and the rest goes on. */
async function measureOn(name: typeof RUNTIMES[number], memcached: string, peers: string): Promise<Measured> {
  console.log(`== ${name}\n`);
  const tables: Table[] = [];
  const failed: string[] = [];
  const keep = (table: Table) => {
    console.log(print(table));
    tables.push(table);
  };
  const attempt = async (what: string, act: () => Promise<void>) => {
    await act().catch((error: Error) => {
      console.error(`${what} failed on ${name}: ${error.message}\n`);
      failed.push(`${what}: ${error.message}`);
    });
  };
  await attempt("the start", async () => {
    const runtime = await runtimeOf(name);
    versions[name] = await versionOf(runtime.start[0]!);
    // A server for each runtime, so that it is empty.
    await using server = await freshServer(["-m", "1024"]);
    const at = { hostname: "127.0.0.1", port: server.port, memcached };
    const title = only === undefined || oneCase ? {} : { only };
    const setting: Setting = { ...at, ...runtime, peers, pace, quick, ...title };
    if (against !== undefined) {
      const tree = await Deno.realPath(against);
      const other = name === "node" ? await packed(`${folder}/other`, tree) : facesOf(tree);
      return keep(await compare({ ...setting, other }));
    }
    const asked = oneCase ? [only] : CASES.filter((name) => !quick || only !== undefined || !LONG.includes(name));
    for (const name of asked) await attempt(`the case ${name}`, () => measure(name, setting, keep));
  });
  return { runtime: name, tables, failed };
}

async function main(): Promise<void> {
  const runtimes = RUNTIMES.filter((name) => oneRuntime === undefined || oneRuntime === name);
  if (runtimes.length === 0) throw new Error(`Cannot measure on "${oneRuntime}": name ${RUNTIMES.join(", ")}`);
  const program = await memcached();
  versions["memcached, the server"] = await versionOf(program);
  const peers = against === undefined ? await fetchPeers() : "";
  const began = performance.now();
  const measured: Measured[] = [];
  for (const name of runtimes) measured.push(await measureOn(name, program, peers));
  const result: Result = {
    date: new Date().toISOString(),
    commit: await commitOf(root),
    ...(against === undefined ? {} : { against: await commitOf(against) }),
    seconds: Math.round((performance.now() - began) / 1000),
    machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, os: `${process.platform} ${process.arch}` },
    versions,
    pace,
    measured,
  };
  const what = [oneRuntime, only?.replaceAll(/[^\w]+/g, "-"), against && "against", quick ? "quick" : undefined]
    .filter((part) => part !== undefined);
  const file = `bench/results/${[result.date.slice(0, 16).replaceAll(":", "-"), ...what].join("-")}.json`;
  await Deno.mkdir(`${root}bench/results`, { recursive: true });
  await Deno.writeTextFile(`${root}${file}`, `${JSON.stringify(result, undefined, 2)}\n`);
  console.log(`kept in ${file}; ${result.seconds} s`);
  const [tables, failed] = [measured.flatMap(({ tables }) => tables), measured.flatMap(({ failed }) => failed)];
  if (tables.length + failed.length === 0) throw new Error(`No table has "${only}" in its title`);
  console.log(`targets missed: ${tables.flatMap(judge).filter(({ missed }) => missed).length}`);
  // All of it was measured.
  if (what.length === 0) await report(result);
  if (failed.length > 0) Deno.exitCode = 1;
}

try {
  await main();
} finally {
  await Deno.remove(folder, { recursive: true });
}
