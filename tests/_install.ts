/**
 * The one place that fetches what a machine lacks: programs, and npm packages, each into a folder of this user's cache.
 * The tools, the benches and the tests use it, on Deno, Bun and Node. Each function rejects with what could not be had,
 * why, and what to do instead.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

/** npm packages, by the name of their folder, with the lines of their versions. */
type Packages = Readonly<Record<string, string>>;

/** The lines of the runtimes that the tree is written for. `.ci/run`, which fetches Deno, names its line once more. */
const LINES = { bun: "1", node: "22" } as const;
/** Deno runs it from its own cache. */
export const ESBUILD = "npm:esbuild@0.25";
/** What the tests need. They ask for it by the name of its folder. */
const TESTS: Readonly<Record<"clients" | "vite", Packages>> = {
  clients: { memjs: "1.3.2", memcached: "2.2.2" },
  vite: { vite: "7.3.8" },
};

/** npm 12 and Deno run a package's install script only where it is named. */
const WITH_SCRIPTS = "bun";

let cache: Promise<string> | undefined;

/** Where what was fetched stays between runs: this user's cache, else a folder that is made for this run. */
function cacheFolder(): Promise<string> {
  return cache ??= findCache();
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

/** Other versions are another folder. */
async function folderOf(name: string, packages: Packages): Promise<string> {
  const versions = createHash("md5").update(JSON.stringify(packages)).digest("hex").slice(0, 8);
  return join(await cacheFolder(), `${name}-${versions}`);
}

/**
 * The folder whose node_modules has these packages. Another run may fetch the same at this moment: each fetches into a
 * folder of its own, and the first one to be done gives it its name.
 */
export async function packages(name: string, wanted: Packages): Promise<string> {
  const path = await folderOf(name, wanted);
  if (await isThere(path)) return path;
  const own = await mkdtemp(join(await cacheFolder(), "fetching-"));
  try {
    const names = Object.keys(wanted);
    const manifest = { private: true, type: "commonjs", dependencies: wanted, allowScripts: { [WITH_SCRIPTS]: true } };
    await writeFile(join(own, "package.json"), JSON.stringify(manifest));
    // A bare name is looked up from the file that imports it: this one imports for files that lie elsewhere.
    await writeFile(join(own, "load.mjs"), "export default (name) => import(name);\n");
    const [command, ...args] = await works("npm")
      ? ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
      : [deno(), "install", ...(names.includes(WITH_SCRIPTS) ? [`--allow-scripts=npm:${WITH_SCRIPTS}`] : [])];
    await execute(command!, args, { cwd: own, timeout: 300_000 }).catch((error) => {
      throw new Error(`Cannot fetch ${names.join(", ")} from npm (${lastLine(error)})`);
    });
    await rename(own, path).catch(async (error) => {
      if (!await isThere(path)) throw error;
    });
    return path;
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** The folder with packages that a test needs. */
export function testPackages(name: keyof typeof TESTS): Promise<string> {
  return packages(name, TESTS[name]);
}

/** What could not be fetched skips its tests, but on a CI machine, where it fails them. */
export function unlessOnCi(error: Error): Error {
  if (onCi()) throw error;
  return error;
}

export function onCi(): boolean {
  return !["", "0", "false"].includes(process.env.CI ?? "");
}

/** Bun: the one on the PATH, if it is of our line, else the package `bun`. */
export async function bun(): Promise<string> {
  return await isOfLine("bun") ? "bun" : await program("bun", bunPackage, "node_modules/.bin/bun");
}

const bunPackage: Packages = { bun: LINES.bun };

/** Node: the one on the PATH, whatever its line, else the package that holds this machine's binary. */
export async function node(): Promise<string> {
  return await hasNode() ? "node" : await program("node", nodePackage(), `node_modules/${nodeName()}/bin/node`);
}

function nodeName(): string {
  return `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
}

const nodePackage = (): Packages => ({ [nodeName()]: LINES.node });

async function hasNode(): Promise<boolean> {
  // Where there is no Node, `deno task` lets Deno stand in for it.
  return await works("node", ["-e", "process.exit(process.versions.deno ? 1 : 0)"]);
}

async function program(name: string, wanted: Packages, path: string): Promise<string> {
  console.log(`fetching ${name} from npm`);
  const found = join(await packages(name, wanted), path);
  if (await works(found)) return found;
  throw new Error(`${name} was fetched, yet it does not start: put ${name} on the PATH`);
}

/** memcached: the one on the PATH, else from the machine's own package manager, which puts it there. */
export function memcached(): Promise<string> {
  // Debian has the login by name and password in a package of its own.
  const names = { "apt-get": ["memcached", "libsasl2-modules"], brew: ["memcached"] };
  return server("memcached", names, "install memcached, or name a running one as MEMCACHED=host:port");
}

/** Redis, likewise. */
export function redis(): Promise<string> {
  return server("redis-server", { "apt-get": ["redis-server"], brew: ["redis"] }, "install redis-server");
}

async function server(
  name: string,
  names: Readonly<Record<"apt-get" | "brew", readonly string[]>>,
  cure: string,
): Promise<string> {
  if (await works(name)) return name;
  const manager = await packageManager();
  if (manager === undefined) throw new Error(`There is neither apt-get nor brew: ${cure}`);
  console.log(`fetching ${name} through ${manager}`);
  const install = manager === "brew"
    ? execute("brew", ["install", ...names.brew], { timeout: 360_000 })
    : aptGet(names["apt-get"]);
  await install.catch((error) => {
    throw new Error(`${manager} could not install ${name} (${lastLine(error)}): ${cure}`);
  });
  if (!await works(name)) throw new Error(`${name} was installed, yet \`${name} --version\` fails: ${cure}`);
  return name;
}

async function aptGet(names: readonly string[]): Promise<void> {
  // Nobody is asked for a password: the message says what to do instead.
  const [command, ...before] = process.getuid!() === 0 ? ["apt-get"] : ["sudo", "-n", "apt-get"];
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 240_000 };
  // Where the lists cannot be had anew, the old ones may do.
  await execute(command!, [...before, "update"], options).catch(() => {});
  await execute(command!, [...before, "install", "-y", "--no-install-recommends", ...names], options);
}

async function packageManager(): Promise<"apt-get" | "brew" | undefined> {
  return await works("apt-get") ? "apt-get" : await works("brew") ? "brew" : undefined;
}

/**
 * What the tests of these runtimes need and this machine lacks, each with where it comes from and goes to, in the order
 * in which it is fetched. Fetches nothing.
 */
export async function lacking(runtimes: readonly string[]): Promise<string[]> {
  const lacks: string[] = [];
  if (!await works("memcached")) {
    const manager = await packageManager();
    lacks.push(manager === undefined ? "memcached: install it" : `memcached through ${manager}`);
  }
  const fetched = async (name: string, wanted: Packages, what = name) => {
    const path = await folderOf(name, wanted);
    if (!await isThere(path)) lacks.push(`${what} from npm, into ${path}`);
  };
  if (!await isOfLine("bun")) await fetched("bun", bunPackage);
  for (const [name, wanted] of Object.entries(TESTS)) await fetched(name, wanted, Object.keys(wanted).join(" and "));
  if (!runtimes.includes("node")) return lacks;
  if (!await hasNode()) await fetched("node", nodePackage());
  const esbuild = ["run", "--cached-only", "-A", ESBUILD, "--version"];
  if (!await works(deno(), esbuild)) lacks.push("esbuild from npm, into Deno's cache");
  return lacks;
}

/** The Deno that runs this, or that started the tests which do. */
function deno(): string {
  return process.versions.deno !== undefined ? process.execPath : process.env.DENO ?? "deno";
}

async function isOfLine(name: keyof typeof LINES): Promise<boolean> {
  const { stdout } = await execute(name, ["--version"]).catch(() => ({ stdout: "" }));
  return stdout.startsWith(`${LINES[name]}.`);
}

async function works(program: string, args: readonly string[] = ["--version"]): Promise<boolean> {
  return await execute(program, args).then(() => true, () => false);
}

async function execute(program: string, args: readonly string[], options: object = {}): Promise<{ stdout: string }> {
  const { stdout } = await promisify(execFile)(program, [...args], { timeout: 30_000, ...options });
  return { stdout: String(stdout) };
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}

/** The last line that a command printed: where it says what was wrong. */
export function lastLine(failure: string | { readonly stderr?: string; readonly message: string }): string {
  const output = typeof failure === "string" ? failure : failure.stderr || failure.message;
  // deno-lint-ignore no-control-regex
  const lines = output.replace(/\x1b\[[0-9;]*m/g, "").split("\n").map((line) => line.trim()).filter(Boolean);
  return (lines.findLast((line) => /^(error|E:|Error)/.test(line)) ?? lines.at(-1) ?? "it said nothing").slice(0, 200);
}
