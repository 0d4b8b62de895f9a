/**
 * Other libraries, which the bench fetches into a folder of its own: nothing here depends on them.
 */

import { installPackages, type Program } from "../tools/machine.ts";
import { pathToFileURL } from "node:url";
import type { Missing } from "./measure.ts";

/** The packages that are measured, and the lines of their versions. */
export const packages = {
  memjs: "1",
  "memcache-client": "1",
  memcached: "2",
  memcache: "1",
  cacheable: "2",
  "@keyv/memcache": "2",
  bentocache: "1",
  "async-cache-dedupe": "3",
  "@epic-web/cachified": "5",
  ocache: "0.3",
  "p-memoize": "9",
  "lru-cache": "11",
} as const;

/** The folder that holds them. */
export async function fetchPackages(folder: string, wanted: Record<string, string>): Promise<Program> {
  const installed = await installPackages(folder, wanted);
  if ("missing" in installed) return installed;
  // A bare name is looked up from the file that names it, so a file of that folder does it.
  await Deno.writeTextFile(`${installed.path}/load.mjs`, "export default (name) => import(name);\n");
  return installed;
}

/** Loads a package of the folder: what `import * as` would give. Of each, only what is used is declared. */
export async function load<M>(folder: string, name: string): Promise<M> {
  const { default: from } = await import(pathToFileURL(`${folder}/load.mjs`).href) as {
    default(name: string): Promise<unknown>;
  };
  return await from(name) as M;
}

/** The version that was fetched. */
export async function versionOf(folder: string, name: string): Promise<string> {
  const text = await Deno.readTextFile(`${folder}/node_modules/${name}/package.json`);
  return (JSON.parse(text) as { version: string }).version;
}

/** Those that can be had here and pass the proof, and why the others do not. */
export async function whoever<T>(
  makers: Readonly<Record<string, () => Promise<T>>>,
  prove: (made: T) => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly here: T[]; readonly missing: Missing[] }> {
  const here: T[] = [], missing: Missing[] = [];
  for (const [name, make] of Object.entries(makers)) {
    try {
      const made = await make();
      await prove(made);
      here.push(made);
    } catch (error) {
      missing.push({ name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { here, missing };
}
