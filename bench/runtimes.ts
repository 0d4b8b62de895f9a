/** The runtimes, and how each of them starts a file. */

import { bun, node } from "../tools/machine.ts";
import { esbuild, installPacked } from "../tools/node_suite.ts";

export const root: string = new URL("../", import.meta.url).pathname;

export interface Runtime {
  readonly name: "deno" | "bun" | "node";
  readonly command: string;
  /** What comes before the path of a program. */
  readonly before: readonly string[];
  /** What comes before the path of the worker. */
  readonly beforeWorker: readonly string[];
  readonly worker: string;
  /** What to import for the whole library, and for the driver alone. */
  readonly faces: readonly [all: string, driver: string];
}

export const names: readonly Runtime["name"][] = ["deno", "bun", "node"];

/** The runtime, or why it cannot be had. `packed`: the library as npm installs it. */
export async function runtimeOf(
  name: Runtime["name"],
  packed: string,
): Promise<Runtime | { readonly missing: string }> {
  const faces = [`${root}mod.ts`, `${root}src/memcached/mod.ts`] as const;
  const worker = `${root}bench/worker.ts`;
  if (name === "deno") {
    const before = ["run", "-A"];
    // The other libraries lie in a folder of their own, one of them (memcached) assigns to `__proto__`, and where memory
    // is measured the collector is called.
    const beforeWorker = [...before, "--node-modules-dir=manual", "--unsafe-proto", "--v8-flags=--expose-gc"];
    return { name, command: Deno.execPath(), before, beforeWorker, worker, faces };
  }
  const program = name === "bun" ? await bun() : await node();
  if ("missing" in program) return program;
  if (name === "bun") return { name, command: program.path, before: ["run"], beforeWorker: ["run"], worker, faces };
  // Node 20 reads no TypeScript.
  await esbuild(["--bundle", "--external:@x/cache-utils", `--outfile=${packed}/worker.mjs`, worker]);
  return {
    name,
    command: program.path,
    before: [],
    beforeWorker: ["--expose-gc"],
    worker: `${packed}/worker.mjs`,
    faces: facesIn(packed),
  };
}

/** Packs the library, this tree's or another's, and installs it in `folder`. */
export async function pack(folder: string, tree: string = root): Promise<void> {
  await installPacked(folder, tree);
}

/** The files behind the entry points of the packed library. */
export function facesIn(packed: string): readonly [all: string, driver: string] {
  const home = `${packed}/node_modules/@x/cache-utils`;
  return [`${home}/mod.js`, `${home}/src/memcached/mod.js`];
}
