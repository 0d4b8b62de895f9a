/** Packages of npm that a test compares with or runs under: fetched once, outside of the tree. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

/**
 * The folder where these packages are, or why they are not there: then tests that need them are skipped, but not on a
 * CI machine, where this throws.
 */
export async function fromNpm(name: string, packages: Readonly<Record<string, string>>): Promise<string | Error> {
  try {
    return await fetched(join(tmpdir(), `x-cache-utils-${name}`), packages);
  } catch (error) {
    const why = new Error(`npm could not be asked for ${Object.keys(packages).join(" and ")}: ${error}`);
    if (!["", "0", "false"].includes(process.env.CI ?? "")) throw why;
    return why;
  }
}

async function fetched(path: string, packages: Readonly<Record<string, string>>): Promise<string> {
  const wanted = JSON.stringify({ private: true, type: "commonjs", dependencies: packages });
  if (await readFile(join(path, "complete"), "utf8").catch(() => "") === wanted) return path;
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "package.json"), wanted);
  await promisify(execFile)("npm", ["install", "--no-audit", "--no-fund", "--silent"], { cwd: path, timeout: 120_000 });
  await writeFile(join(path, "complete"), wanted);
  return path;
}
