/** npm packages that tests need, fetched once for this user. */

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

/** What is fetched under which name. The test command tells of them before it begins. */
const PACKAGES: Readonly<Record<"clients" | "vite", Readonly<Record<string, string>>>> = {
  clients: { memjs: "1.3.2", memcached: "2.2.2" },
  vite: { vite: "7.3.8" },
};

let found: Promise<string> | undefined;

/** Where what was fetched stays between runs: this user's cache, else a folder that is made for this run. */
export function cacheFolder(): Promise<string> {
  return found ??= findCache();
}

async function findCache(): Promise<string> {
  const { XDG_CACHE_HOME, HOME } = process.env;
  for (const cache of [XDG_CACHE_HOME, join(HOME || homedir(), ".cache")]) {
    if (!cache) continue;
    const folder = join(cache, "x-cache-utils");
    if (await mkdir(folder, { recursive: true }).then(() => true, () => false)) return folder;
  }
  return await mkdtemp(join(tmpdir(), "x-cache-utils-"));
}

/** The folder's name says what is in it: other versions are another folder. */
function nameOf(packages: Readonly<Record<string, string>>): string {
  return `npm-${Object.entries(packages).map((parts) => parts.join("-")).join("-").replace(/[^\w.-]/g, "_")}`;
}

/** What would have to be fetched now, each with the folder that it goes to. */
export async function missingPackages(): Promise<string[]> {
  const cache = await cacheFolder();
  const missing: string[] = [];
  for (const packages of Object.values(PACKAGES)) {
    const path = join(cache, nameOf(packages));
    if (!await isThere(path)) missing.push(`${Object.keys(packages).join(" and ")} from npm, into ${path}`);
  }
  return missing;
}

/**
 * The folder whose node_modules has them. Another run may fetch the same at this moment: each fetches into a folder of
 * its own, and the first one to be done gives it its name.
 */
export async function packages(name: keyof typeof PACKAGES): Promise<string> {
  const cache = await cacheFolder();
  const path = join(cache, nameOf(PACKAGES[name]));
  if (await isThere(path)) return path;
  const own = await mkdtemp(join(cache, "fetching-"));
  try {
    await writeFile(
      join(own, "package.json"),
      JSON.stringify({ private: true, type: "commonjs", dependencies: PACKAGES[name] }),
    );
    const args = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
    await promisify(execFile)("npm", args, { cwd: own, timeout: 120_000 });
    await rename(own, path).catch(async (error) => {
      if (!await isThere(path)) throw error;
    });
    return path;
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** What could not be fetched skips its tests, but on a CI machine, where it fails them. */
export function unlessOnCi(error: Error): Error {
  if (!["", "0", "false"].includes(process.env.CI ?? "")) throw error;
  return error;
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
