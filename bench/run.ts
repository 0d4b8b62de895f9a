/**
 * Measures, side by side in one run, on each runtime that is there, and keeps the numbers in bench/results; the run of
 * all of it writes docs/BENCHMARKS.md as well:
 *
 *     deno task bench                     all of it, in less than ten minutes
 *     deno task bench --quick             the core of it, in less than 90 seconds
 *     deno task bench --only driver       one case: driver, memory, grouped, grouped-meta, heap, kept, scale, import
 *     deno task bench --only herd         what one expiry costs a database; and fleet, both left out of the other runs
 *     deno task bench --only "by wire"    the tables that have this in their title
 *     deno task bench --runtime=bun       on one runtime: deno, bun or node
 *     deno task bench --against PATH      this tree and another checkout in turn, with ratios new/old; --quick, --only
 *                                         and --runtime= as above
 */

import { cpus } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { bun, memcached, type Program, run, startServer } from "../tools/machine.ts";
import { against } from "./against.ts";
import type { Setting } from "./case.ts";
import { importBytes } from "./bytes.ts";
import { fleet } from "./fleet/fleet.ts";
import type { Grid } from "./grid.ts";
import { herd } from "./herd/herd.ts";
import { IMPORT_TIME, importTime } from "./imports.ts";
import type { Missing, Table } from "./measure.ts";
import { fetchPackages, packages, versionOf } from "./packages.ts";
import { print } from "./print.ts";
import { report } from "./report.ts";
import type { Measured, Result } from "./result.ts";
import { names, pack, root, type Runtime, runtimeOf } from "./runtimes.ts";
import { judge } from "./targets.ts";

const cases = ["driver", "memory", "grouped", "grouped-meta", "heap", "kept", "scale", "import"];
/** Of minutes each, with tables of their own. */
const apart = ["herd", "fleet"];
/** Left out of a quick run: collecting all garbage again and again takes long, and the other wire is much like the first. */
const long = ["heap", "kept", "grouped-meta"];

/** Runs a case in a process of its own, so that the runtime has optimized nothing for another. */
async function measure<T = Table>(
  runtime: Runtime,
  name: string,
  setting: Setting,
  keep: (table: T) => void,
): Promise<void> {
  const args = [...runtime.beforeWorker, runtime.worker, name, JSON.stringify(setting)];
  const child = new Deno.Command(runtime.command, { args, cwd: root, stdout: "piped", stderr: "inherit" }).spawn();
  // One that hangs must not take the others with it.
  const overdue = setTimeout(() => child.kill("SIGKILL"), setting.quick ? 60_000 : 240_000);
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith("{")) keep(JSON.parse(line) as T);
  }
  clearTimeout(overdue);
  const { code } = await child.status;
  if (code !== 0) throw new Error(`it ended with code ${code}`);
}

/** What is the same on every runtime. */
async function measureBytes(packed: string, peers: string, only = ""): Promise<Result["everywhere"]> {
  try {
    const tables = (await importBytes(packed, peers)).filter(({ title }) => title.includes(only));
    for (const table of tables) console.log(print(table));
    return { tables, judged: judge(tables), failed: [] };
  } catch (error) {
    const why = (error as Error).message;
    console.error(`the bytes of an import could not be counted: ${why}\n`);
    return { tables: [], judged: [], failed: [{ name: "bytes", why }] };
  }
}

/** All that is asked for, on one runtime. */
async function measureAll(
  runtime: Runtime,
  asked: readonly string[],
  setting: Setting,
  folder: string,
): Promise<Measured> {
  const tables: Table[] = [];
  const failed: Missing[] = [];
  const keep = (table: Table) => {
    console.log(print(table));
    tables.push(table);
  };
  for (const name of asked) {
    try {
      if (name !== "import") await measure(runtime, name, setting, keep);
      else if (IMPORT_TIME.includes(setting.only ?? "")) {
        keep(await importTime(runtime, setting.peers, folder, setting.quick ? 5 : 7));
      }
    } catch (error) {
      const why = (error as Error).message;
      console.error(`the case "${name}" failed on ${runtime.name}: ${why}\n`);
      failed.push({ name, why });
    }
  }
  const version = (await firstLine(runtime.command, "--version")).replace(/^(deno |v)/, "").replace(/ .*/, "");
  return { runtime: runtime.name, version, tables, judged: judge(tables), failed };
}

type Found = Exclude<Program, { readonly missing: string }>;

/** The herd, on Bun with processes of Bun, else of Deno, which finds packages only where it is told to; or the fleet. */
async function measureApart(name: string, runtime: string | undefined, program: Found, quick: boolean): Promise<void> {
  const server = await startServer(program);
  if ("missing" in server) throw new Error(server.missing);
  await using _running = server;
  const { port } = server;
  const onBun = runtime === "bun" ? await bun() : undefined;
  if (onBun !== undefined && "missing" in onBun) throw new Error(onBun.missing);
  const how = onBun === undefined
    ? { command: Deno.execPath(), before: ["run", "-A", "--node-modules-dir=manual"] }
    : { command: onBun.path, before: ["run"] };
  const tables = name === "herd"
    ? await herd({ server: `127.0.0.1:${port}`, ...how, quick })
    : await fleet({ hostname: "127.0.0.1", port, program, quick });
  const what = [name, ...(runtime === undefined ? [] : [runtime]), ...(quick ? ["quick"] : [])];
  await save(what, { ...await circumstances(program.path), tables });
}

/** This tree and another, on each of the runtimes. */
async function compare(
  other: string,
  runtimes: readonly Runtime["name"][],
  program: Found,
  quick: boolean,
  only: string | undefined,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "x-cache-utils-bench-" });
  try {
    if (runtimes.includes("node")) await pack(folder);
    const tables: Grid[] = [];
    for (const name of runtimes) {
      const runtime = await runtimeOf(name, folder);
      if ("missing" in runtime) {
        console.log(`not measured on ${name}: ${runtime.missing}\n`);
        continue;
      }
      const server = await startServer(program);
      if ("missing" in server) throw new Error(server.missing);
      await using _running = server;
      const pace = quick
        ? { warmMs: 200, dropped: 10, rounds: 20, roundMs: 20 }
        : { warmMs: 300, dropped: 10, rounds: 20, roundMs: 50 };
      const setting: Setting = {
        hostname: "127.0.0.1",
        port: server.port,
        peers: "",
        pace,
        quick,
        ...(only === undefined ? {} : { only }),
      };
      tables.push(
        await against(other, runtime, setting, folder, (setting, keep) => measure(runtime, "pair", setting, keep)),
      );
    }
    const of = await run("git", ["describe", "--always", "--dirty"], { cwd: other });
    const found = { ...await circumstances(program.path), against: of.output.trim(), tables };
    await save(["against", ...(quick ? ["quick"] : [])], found);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** When, of what and on what it was measured. */
async function circumstances(program: string) {
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    os: `${process.platform} ${process.arch}`,
  };
  const versions: Record<string, string> = {
    "memcached, the server": (await firstLine(program, "-V")).replace("memcached ", ""),
  };
  const commit = await firstLine("git", "describe", "--always", "--dirty") || "unknown";
  return { date: new Date().toISOString(), commit, machine, versions };
}

/** Keeps what was found. */
async function save<R extends { readonly date: string }>(what: readonly string[], result: R): Promise<string> {
  const file = `bench/results/${[result.date.slice(0, 16).replaceAll(":", "-"), ...what].join("-")}.json`;
  await Deno.mkdir(`${root}bench/results`, { recursive: true });
  await Deno.writeTextFile(`${root}${file}`, `${JSON.stringify(result, undefined, 2)}\n`);
  console.log(`kept in ${file}`);
  return file;
}

async function firstLine(command: string, ...args: string[]): Promise<string> {
  const { code, output } = await run(command, args);
  return code === 0 ? output.trim().split("\n")[0]! : "";
}

async function main(): Promise<void> {
  const { values: { quick, only, runtime: wanted, against: other } } = parseArgs({
    args: Deno.args,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      runtime: { type: "string" },
      against: { type: "string" },
    },
  });
  const runtimes = names.filter((name) => wanted === undefined || wanted === name);
  if (runtimes.length === 0) throw new Error(`Cannot measure on "${wanted}": name ${names.join(", ")}`);
  const oneCase = only !== undefined && cases.includes(only);
  const asked = oneCase ? [only] : cases.filter((name) => !quick || only !== undefined || !long.includes(name));
  const title = oneCase ? undefined : only;

  const program = await memcached();
  if ("missing" in program) throw new Error(program.missing);
  if (only !== undefined && apart.includes(only)) return await measureApart(only, wanted, program, quick);
  if (other !== undefined) return await compare(await Deno.realPath(other), runtimes, program, quick, only);
  const peers = await fetchPackages("bench", packages);
  if ("missing" in peers) throw new Error(peers.missing);
  const began = performance.now();
  const folder = await Deno.makeTempDir({ prefix: "x-cache-utils-bench-" });
  try {
    await pack(folder);
    const { date, commit, machine, versions } = await circumstances(program.path);
    for (const name of Object.keys(packages)) versions[name] = await versionOf(peers.path, name);
    console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.os}; ${JSON.stringify(versions)}`);
    console.log("of …: this row's speed as a part of that row's. ours is … x: how many times as fast ours is.");
    console.log("Below a table its targets: met, within its own spread (which counts as met) or missed.\n");

    const pace = quick ? { warmMs: 50, rounds: 7, roundMs: 12 } : { warmMs: 100, rounds: 7, roundMs: 60 };
    const measured: Measured[] = [];
    const missing: Missing[] = [];
    for (const name of runtimes) {
      const runtime = await runtimeOf(name, folder);
      if ("missing" in runtime) {
        console.log(`not measured on ${name}: ${runtime.missing}\n`);
        missing.push({ name, why: runtime.missing });
        continue;
      }
      // One for each: nobody finds it filled by another.
      const server = await startServer(program);
      if ("missing" in server) throw new Error(server.missing);
      await using _running = server;
      const setting: Setting = {
        hostname: "127.0.0.1",
        port: server.port,
        peers: peers.path,
        pace,
        quick,
        ...(title === undefined ? {} : { only: title }),
      };
      console.log(`== ${name}\n`);
      measured.push(await measureAll(runtime, asked, setting, folder));
    }
    const everywhere = asked.includes("import")
      ? await measureBytes(folder, peers.path, title)
      : { tables: [], judged: [], failed: [] };
    const seconds = Math.round((performance.now() - began) / 1000);
    const result: Result = { date, commit, seconds, machine, versions, pace, measured, everywhere, missing };
    const what = [
      ...(wanted === undefined ? [] : [wanted]),
      ...(only === undefined ? [] : [only.replaceAll(/[^\w]+/g, "-")]),
      ...(quick ? ["quick"] : []),
    ];
    const file = await save(what, result);
    console.log(`${seconds} s`);
    if (!quick && only === undefined && wanted === undefined) await report(`${root}${file}`);
    const all = [...measured, everywhere];
    if (all.every(({ tables, failed }) => tables.length + failed.length === 0)) {
      throw new Error(`No table has "${only}" in its title`);
    }
    if (all.some(({ failed }) => failed.length > 0)) Deno.exitCode = 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
