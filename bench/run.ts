/**
 * Measures, side by side in one run, and keeps the numbers in bench/results:
 *
 *     deno task bench                     all of it: some five minutes
 *     deno task bench --quick             the core of it, in less than 90 seconds
 *     deno task bench --only driver       one case: driver, memory, grouped, scale, herd, fleet, import
 *     deno task bench --runtime=bun       the same on Bun (or node)
 */

import { cpus } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { bun, installPackages, memcached, node, run, startServer } from "../tools/machine.ts";
import { esbuild, installPacked } from "../tools/node_suite.ts";
import type { Setting } from "./case.ts";
import { fleet } from "./fleet/fleet.ts";
import type { Grid } from "./grid.ts";
import { herd } from "./herd/herd.ts";
import type { Table } from "./measure.ts";
import { packages, versionOf } from "./peers.ts";
import { print } from "./print.ts";
import { type Program, starts } from "./starts.ts";

const root = new URL("../", import.meta.url).pathname;

/** How a runtime starts a file of this folder or of another. */
interface Runtime {
  readonly name: string;
  readonly command: string;
  readonly before: readonly string[];
  readonly worker: string;
  /** What to import for the whole library, and for the driver alone. */
  readonly faces: readonly [all: string, driver: string];
}

async function runtimeOf(name: string, folder: string): Promise<Runtime> {
  const faces = [`${root}mod.ts`, `${root}src/memcached/mod.ts`] as const;
  const worker = `${root}bench/worker.ts`;
  if (name === "deno") return { name, command: Deno.execPath(), before: ["run", "-A"], worker, faces };
  if (name !== "bun" && name !== "node") throw new Error(`Cannot measure on "${name}": name deno, bun or node`);
  const program = name === "bun" ? await bun() : await node();
  if ("missing" in program) throw new Error(`Cannot measure on ${name}: ${program.missing}`);
  if (name === "bun") return { name, command: program.path, before: ["run"], worker, faces };
  await installPacked(folder);
  await esbuild(["--bundle", "--external:@x/cache-utils", `--outfile=${folder}/worker.mjs`, worker]);
  const packed = `${folder}/node_modules/@x/cache-utils`;
  return {
    name,
    command: program.path,
    before: [],
    worker: `${folder}/worker.mjs`,
    faces: [`${packed}/mod.js`, `${packed}/src/memcached/mod.js`],
  };
}

/** Runs a case in a process of its own, so that the runtime has optimized nothing for another. */
async function measure(runtime: Runtime, name: string, setting: Omit<Setting, "tell">): Promise<Table[]> {
  const args = [...runtime.before, runtime.worker, name, JSON.stringify(setting)];
  const child = new Deno.Command(runtime.command, { args, cwd: root, stdout: "piped", stderr: "inherit" }).spawn();
  const tables: Table[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const table = JSON.parse(line) as Table;
      console.log(print(table));
      tables.push(table);
    }
  }
  const { code } = await child.status;
  if (code !== 0) throw new Error(`The case "${name}" ended with code ${code} on ${runtime.name}`);
  return tables;
}

async function imports(runtime: Runtime, peers: string, folder: string, rounds: number): Promise<Table[]> {
  const program = async (name: string, where: string, code: string): Promise<Program> => {
    const path = `${where}/import ${name.replaceAll("/", " ")}.mjs`;
    await Deno.writeTextFile(path, code);
    return { name, command: runtime.command, args: [...runtime.before, path] };
  };
  const [all, driver] = runtime.faces;
  const table = await starts(await program("nothing", folder, ""), [
    await program("@x/cache-utils", folder, `import "${all}";\n`),
    await program("its driver alone", folder, `import "${driver}";\n`),
    // These lie where their packages are found.
    ...await Promise.all(Object.keys(packages).map((name) => program(name, peers, `import "${name}";\n`))),
  ], rounds);
  console.log(print(table));
  return [table];
}

/** Eight processes of source files: on Bun its own, else Deno's, which finds packages only where it is told to. */
function herdOn({ name, command }: Runtime): { readonly command: string; readonly before: readonly string[] } {
  if (name === "bun") return { command, before: ["run"] };
  return { command: Deno.execPath(), before: ["run", "-A", "--node-modules-dir=manual"] };
}

async function firstLine(command: string, ...args: string[]): Promise<string> {
  const { code, output } = await run(command, args);
  return code === 0 ? output.trim().split("\n")[0]! : "";
}

async function main(): Promise<void> {
  const { values: { quick, only, runtime: wanted } } = parseArgs({
    args: Deno.args,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      runtime: { type: "string", default: "deno" },
    },
  });
  const names = ["driver", "memory", "grouped", "scale", "herd", "fleet", "import"];
  if (only !== undefined && !names.includes(only)) {
    throw new Error(`No case "${only}": name one of ${names.join(", ")}`);
  }

  const program = await memcached();
  const peers = await installPackages("peers", packages);
  if ("missing" in peers) throw new Error(peers.missing);
  const server = await startServer(program);
  if ("missing" in server) throw new Error(server.missing);
  await using _running = server;
  const folder = await Deno.makeTempDir({ prefix: "x-cache-utils-bench-" });
  try {
    const runtime = await runtimeOf(wanted, folder);
    const versions = {
      [runtime.name]: (await firstLine(runtime.command, "--version")).replace(/^(deno |v)/, ""),
      memcached: (await firstLine("memcached", "-V")).replace("memcached ", ""),
      ...Object.fromEntries(
        (Object.keys(packages) as (keyof typeof packages)[]).map((name) => [name, versionOf(peers.path, name)]),
      ),
    };
    const machine = {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      os: `${process.platform} ${process.arch}`,
    };
    console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.os}; ${JSON.stringify(versions)}`);
    console.log("of …: this row's speed as a part of that row's. ours is … x: how many times as fast ours is.\n");

    const pace = quick ? { rounds: 7, roundMs: 60 } : { rounds: 11, roundMs: 250 };
    const setting = { hostname: "127.0.0.1", port: server.port, peers: peers.path, pace, quick };
    const tables: (Table | Grid)[] = [];
    for (const name of names) {
      if (only !== undefined && only !== name) continue;
      tables.push(
        ...name === "import"
          ? await imports(runtime, peers.path, folder, quick ? 15 : 31)
          : name === "fleet"
          ? await fleet({ hostname: "127.0.0.1", port: server.port, program, quick })
          : name === "herd"
          ? await herd({ server: `127.0.0.1:${server.port}`, ...herdOn(runtime), quick })
          : await measure(runtime, name, setting),
      );
    }
    const date = new Date().toISOString();
    const commit = await firstLine("git", "describe", "--always", "--dirty") || "unknown";
    const what = [runtime.name, ...(only === undefined ? [] : [only]), ...(quick ? ["quick"] : [])].join("-");
    const file = `bench/results/${date.slice(0, 16).replaceAll(":", "-")}-${what}.json`;
    const kept = { date, commit, machine, versions, pace, tables };
    await Deno.mkdir(`${root}bench/results`, { recursive: true });
    await Deno.writeTextFile(`${root}${file}`, `${JSON.stringify(kept, undefined, 2)}\n`);
    console.log(`kept in ${file}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
