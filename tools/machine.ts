/** What the tools need of the machine: a command run and heard, and the programs that are missing, fetched. */

import { cacheFolder, missingPackages } from "../tests/_packages.ts";

/** How a command ended: its exit code, and all it printed, in the order in which it came. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Pass on what it prints, as it prints it. */
  readonly show?: boolean;
  /** A command that takes longer is killed, with all it started, and counts as failed. */
  readonly minutes?: number;
}

/** Runs a command to its end. One that is not there ends with code 127, as in a shell. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { cwd, env, show = false, minutes = 10 } = options;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, {
      args: [...args],
      // A group of its own, so that what it starts ends with it.
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    return { code: 127, output: String(error) };
  }
  let output = "";
  const listen = async (from: ReadableStream<Uint8Array>, to: { writeSync(bytes: Uint8Array): number }) => {
    const decoder = new TextDecoder();
    for await (const bytes of from) {
      output += decoder.decode(bytes, { stream: true });
      if (show) writeAll(to, bytes);
    }
  };
  let overdue = false;
  const kill = () => {
    try {
      Deno.kill(Deno.build.os === "windows" ? child.pid : -child.pid, "SIGKILL");
    } catch {
      // It has just ended.
    }
  };
  const timer = setTimeout(() => {
    overdue = true;
    kill();
  }, minutes * 60_000);
  // A group of its own hears no Ctrl-C.
  const interrupted = () => {
    kill();
    Deno.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupted);
  const [status] = await Promise.all([
    child.status,
    listen(child.stdout, Deno.stdout),
    listen(child.stderr, Deno.stderr),
  ]);
  clearTimeout(timer);
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, interrupted);
  if (!overdue) return { code: status.code, output };
  const remark = `\n${command} ${args[0] ?? ""} was killed: it took longer than ${minutes} minutes\n`;
  if (show) writeAll(Deno.stderr, new TextEncoder().encode(remark));
  return { code: 124, output: output + remark };
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

/** A program's path or name, or why it cannot be had. */
export type Program = { readonly path: string } | { readonly missing: string };

const BUN = { bun: "1" };
/** The package that holds this machine's Node. */
function nodePackage(): string {
  const os = Deno.build.os === "windows" ? "win" : Deno.build.os;
  return `node-${os}-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;
}
/** Deno keeps it in its own cache. */
export const ESBUILD = "npm:esbuild@0.25";

/**
 * What the tests of these runtimes need and this machine lacks, each with where it comes from and goes to, in the order
 * in which it is fetched. Fetches nothing.
 */
export async function lacking(runtimes: readonly string[]): Promise<string[]> {
  const cache = await cacheFolder();
  const lacks: string[] = [];
  const manager = await packageManager();
  if (!await works("memcached")) {
    lacks.push(manager === undefined ? "memcached: install it" : `memcached through ${manager}`);
  }
  if (!await works("bun") && !await isInstalled("bun", BUN)) lacks.push(`bun from npm, into ${cache}/bun`);
  lacks.push(...await missingPackages());
  if (runtimes.includes("node")) {
    if (!await hasNode() && !await isInstalled("node", { [nodePackage()]: "22" })) {
      lacks.push(`node from npm, into ${cache}/node`);
    }
    const args = ["run", "--cached-only", "-A", ESBUILD, "--version"];
    if ((await run(Deno.execPath(), args)).code !== 0) lacks.push("esbuild from npm, into Deno's cache");
  }
  return lacks;
}

/** Bun: the one on the PATH, else the package `bun`, kept in the cache folder. */
export async function bun(): Promise<Program> {
  if (await works("bun")) return { path: "bun" };
  return await fetched("bun", BUN, ["node_modules/.bin/bun"], ["--allow-scripts=npm:bun"]);
}

/** Node: the one on the PATH, else the package that holds this machine's binary, kept in the cache folder. */
export async function node(): Promise<Program> {
  if (await hasNode()) return { path: "node" };
  const name = nodePackage();
  return await fetched("node", { [name]: "22" }, [`node_modules/${name}/bin/node`], []);
}

async function hasNode(): Promise<boolean> {
  // Where there is no Node, `deno task` lets Deno stand in for it.
  const own = "process.exit(process.versions.deno ? 1 : 0)";
  return (await run("node", ["-e", own], { minutes: 0.5 })).code === 0;
}

/** The one that this machine installs programs with. */
async function packageManager(): Promise<"apt-get" | "brew" | undefined> {
  return await works("apt-get") ? "apt-get" : await works("brew") ? "brew" : undefined;
}

/** memcached: the one on the PATH, else from apt-get or brew. Debian has its login by name in a package of its own. */
export function memcached(): Promise<Program> {
  const cure = "install memcached, or name a running one as MEMCACHED=host:port";
  return server("memcached", { "apt-get": ["memcached", "libsasl2-modules"], brew: ["memcached"] }, cure);
}

/** Redis: the one on the PATH, else from apt-get or brew. */
export function redis(): Promise<Program> {
  return server("redis-server", { "apt-get": ["redis-server"], brew: ["redis"] }, "install redis-server");
}

async function server(
  name: string,
  packages: Readonly<Record<"apt-get" | "brew", readonly string[]>>,
  cure: string,
): Promise<Program> {
  if (await works(name)) return { path: name };
  const obstacle = await install(name, packages);
  if (obstacle !== undefined) return { missing: `${obstacle}: ${cure}` };
  if (await works(name)) return { path: name };
  return { missing: `${name} was installed, yet \`${name} --version\` fails` };
}

/** Installs with the machine's own package manager. Answers why it could not. */
async function install(
  name: string,
  packages: Readonly<Record<"apt-get" | "brew", readonly string[]>>,
): Promise<string | undefined> {
  const manager = await packageManager();
  if (manager === "apt-get") {
    const root = Deno.uid() === 0;
    if (!root && !(await works("sudo"))) return "apt-get needs root and there is no sudo";
    const apt = async (...args: string[]) => {
      const env = { DEBIAN_FRONTEND: "noninteractive" };
      // Nobody is asked for a password: the message says what to do instead.
      const [command, ...before] = root ? ["apt-get"] : ["sudo", "-n", "apt-get"];
      return await run(command!, [...before, ...args], { env, minutes: 4 });
    };
    console.log(`fetching ${name} through apt-get`);
    await apt("update");
    const { code, output } = await apt("install", "-y", "--no-install-recommends", ...packages[manager]);
    return code === 0 ? undefined : `apt-get could not install it (${lastLine(output)})`;
  }
  if (manager === "brew") {
    console.log(`fetching ${name} through brew`);
    const { code, output } = await run("brew", ["install", ...packages[manager]], { minutes: 6 });
    return code === 0 ? undefined : `brew could not install it (${lastLine(output)})`;
  }
  return "there is neither apt-get nor brew";
}

/** npm packages in a folder of the cache, through `deno install`: Deno is there, since it runs this; npm may not be. */
async function fetched(
  name: string,
  packages: Record<string, string>,
  paths: readonly string[],
  flags: readonly string[],
): Promise<Program> {
  const installed = await installPackages(name, packages, flags);
  if ("missing" in installed) return installed;
  for (const path of paths) {
    const program = `${installed.path}/${path}`;
    if (await works(program)) return { path: program };
  }
  return { missing: `${name} was fetched, yet it does not start: put ${name} on the PATH` };
}

/** A folder of the cache with these packages in its node_modules. */
export async function installPackages(
  folder: string,
  packages: Record<string, string>,
  flags: readonly string[] = [],
): Promise<Program> {
  const path = `${await cacheFolder()}/${folder}`;
  if (await isInstalled(folder, packages)) return { path };
  await Deno.mkdir(path, { recursive: true });
  console.log(`fetching ${Object.keys(packages).join(", ")} from npm`);
  await Deno.writeTextFile(`${path}/package.json`, manifest(packages));
  const { code, output } = await run(Deno.execPath(), ["install", ...flags], { cwd: path, minutes: 5 });
  if (code !== 0) return { missing: `npm could not be asked for ${Object.keys(packages)} (${lastLine(output)})` };
  await Deno.writeTextFile(`${path}/complete`, "");
  return { path };
}

const manifest = (packages: Record<string, string>): string =>
  JSON.stringify({ private: true, dependencies: packages });

async function isInstalled(folder: string, packages: Record<string, string>): Promise<boolean> {
  const path = `${await cacheFolder()}/${folder}`;
  const before = await Deno.readTextFile(`${path}/package.json`).catch(() => "");
  return before === manifest(packages) && await Deno.stat(`${path}/complete`).then(() => true, () => false);
}

async function works(program: string): Promise<boolean> {
  return (await run(program, ["--version"], { minutes: 0.5 })).code === 0;
}

/** The last line that a command printed: where it says what was wrong. */
export function lastLine(output: string): string {
  // deno-lint-ignore no-control-regex
  const lines = output.replace(/\x1b\[[0-9;]*m/g, "").split("\n").map((line) => line.trim()).filter(Boolean);
  return (lines.findLast((line) => /^(error|E:|Error)/.test(line)) ?? lines.at(-1) ?? "it said nothing").slice(0, 200);
}

/** A memcached that runs, and how to end it. */
export interface Server extends AsyncDisposable {
  readonly port: number;
}

/** A memcached on 127.0.0.1:11211 for the documentation's examples: the one that is there, else one of our own. */
export async function defaultServer(program: Program): Promise<Server | { readonly missing: string }> {
  if (await answers(11211)) return { port: 11211, [Symbol.asyncDispose]: () => Promise.resolve() };
  return await startServer(program, 11211);
}

/** A memcached of our own on 127.0.0.1, with 256 MB, and one thread: each connection finds it as busy as the others. */
export async function startServer(
  program: Program,
  port: number = freePort(),
): Promise<Server | { readonly missing: string }> {
  if ("missing" in program) return program;
  const user = Deno.uid() === 0 ? ["-u", "root"] : [];
  const child = new Deno.Command(program.path, {
    args: ["-l", "127.0.0.1", "-p", String(port), "-U", "0", "-m", "256", "-t", "1", ...user],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  child.status.then(() => ended = true);
  // SIGTERM would take a second.
  const kill = () => void (ended || child.kill("SIGKILL"));
  globalThis.addEventListener("unload", kill);
  const stop = async () => {
    globalThis.removeEventListener("unload", kill);
    kill();
    await child.status;
  };
  for (let tries = 0; tries < 50 && !ended; tries++) {
    if (await answers(port)) return { port, [Symbol.asyncDispose]: stop };
    await new Promise((wake) => setTimeout(wake, 100));
  }
  await stop();
  return { missing: `memcached does not answer on 127.0.0.1:${port}` };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
