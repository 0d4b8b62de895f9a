/**
 * Under Vite's own SSR runtime, as SvelteKit, Astro, Nuxt and React Router run an application while it is developed: the
 * library stays loaded, and the application's modules are run again after each edit.
 */
import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { testPackages, unlessOnCi } from "../_install.ts";

const folder = await testPackages("vite").catch(unlessOnCi);
const skip = folder instanceof Error && `npm could not be asked for vite: ${folder.message}`;

const library = new URL("../../mod.ts", import.meta.url).href;

/** The application: a page, and a module that the page imports (not in the first column: no import of this file). */
const PAGE = `
 import { cached } from "@x/cache-utils";
 import { greeting } from "./greeting.js";
const list = cached(async function list(n) {
  globalThis.runs.push("list one " + greeting());
  return "one " + greeting() + " " + n;
}, { ttl: "1h" });
const slow = cached(async (n) => (await globalThis.gate, "slow one " + n), { name: "slow" });
const Findable = (Base) => {
  class Findable extends Base {
    async find(n) {
      return this.table + " " + greeting() + " " + n;
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(Findable.prototype, "find");
  Object.defineProperty(Findable.prototype, "find", cached({ ttl: "1h" })(Findable.prototype, "find", descriptor));
  return Findable;
};
class Users extends Findable(Object) { table = "users"; }
class Posts extends Findable(Object) { table = "posts"; }
export const pages = { list, slow, users: (n) => new Users().find(n), posts: (n) => new Posts().find(n) };
`;

/** The host: answers requests, edits modules, tells what it saw. */
const HOST = `
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "vite";
const [, , library, root, options] = process.argv;
// Loaded here, so that Deno has seen all of its modules before one in a folder of packages asks for them.
const { configure } = await import(library);
const server = await createServer({
  root,
  configFile: false,
  logLevel: "silent",
  appType: "custom",
  cacheDir: root + "/.vite",
  optimizeDeps: { noDiscovery: true, include: [] },
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
});
const backend = configure(JSON.parse(options));
globalThis.runs = [];
const warnings = [];
console.warn = (...words) => void warnings.push(words.join(" "));
const request = async (page, n) => {
  try {
    return await (await server.ssrLoadModule("/page.js")).pages[page](n);
  } catch (error) {
    return error.name + ": " + error.message;
  }
};
const edit = async (name, from, to) => {
  const path = root + "/" + name;
  await writeFile(path, (await readFile(path, "utf8")).replaceAll(from, to));
  server.environments.ssr.moduleGraph.onFileChange(path);
};
const seen = [];
const visit = async () => {
  for (const page of ["list", "list", "users", "posts", "users"]) seen.push(await request(page, 1));
};
await visit();
let open;
globalThis.gate = new Promise((resolve) => open = resolve);
const before = request("slow", 1);
await request("list", 1);
await edit("page.js", "one", "two");
await visit();
const gate = globalThis.gate;
globalThis.gate = undefined;
seen.push(await request("slow", 1));
open();
await gate;
seen.push(await before, await request("slow", 1));
await edit("greeting.js", "hello", "good bye");
await visit();
console.log(JSON.stringify({ seen, warnings, runs: globalThis.runs, hits: backend.stats.hit }));
await server.close();
process.exit();
`;

interface Seen {
  readonly seen: readonly string[];
  readonly warnings: readonly string[];
  readonly runs: readonly string[];
  readonly hits: number;
}

/** Runs the host on this runtime, over an application of its own. */
async function underVite(options: object): Promise<Seen> {
  const root = await mkdtemp(join(tmpdir(), "x-cache-utils-app-"));
  try {
    const home = join(root, "node_modules/@x/cache-utils");
    await mkdir(home, { recursive: true });
    await writeFile(
      join(home, "package.json"),
      '{ "name": "@x/cache-utils", "type": "module", "exports": "./index.js" }',
    );
    await writeFile(join(home, "index.js"), `export * from ${JSON.stringify(library)};\n`);
    await writeFile(join(root, "package.json"), '{ "type": "module" }');
    await writeFile(join(root, "page.js"), PAGE);
    await writeFile(join(root, "greeting.js"), 'export const greeting = () => "hello";\n');
    const host = join(folder as string, "host.mjs");
    await writeFile(host, HOST);
    const args = ["Deno" in globalThis ? ["run", "-A"] : [], host, library, root, JSON.stringify(options)].flat();
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder as string, timeout: 60_000 });
    return JSON.parse(stdout.trim().split("\n").at(-1)!);
  } finally {
    await rm(root, { recursive: true });
  }
}

test("with `redefine: true` an edited module is asked anew, and what it imports as well", { skip }, async () => {
  const { seen, warnings, runs, hits } = await underVite({ redefine: true });
  const page = (list: string, greeting: string) => [
    `${list} ${greeting} 1`,
    `${list} ${greeting} 1`,
    `users ${greeting} 1`,
    `posts ${greeting} 1`,
    `users ${greeting} 1`,
  ];
  assertEquals(seen, [
    ...page("one", "hello"),
    ...page("two", "hello"),
    // While the older definition's request was still running, and after it had ended.
    "slow two 1",
    "slow one 1",
    "slow two 1",
    ...page("two", "good bye"),
  ]);
  assertEquals(runs, ["list one hello", "list two hello", "list two good bye"]);
  assertEquals(warnings.filter((warning) => !warning.includes("two instances or classes")), []);
  assert(hits >= 8, `${hits} hits`);
});

test("without it every request after an edit is a TypeError that names the option", { skip }, async () => {
  const { seen } = await underVite({});
  assertEquals(seen.slice(0, 5), ["one hello 1", "one hello 1", "users hello 1", "posts hello 1", "users hello 1"]);
  for (const answer of seen.slice(5, 10)) {
    assertStringIncludes(answer, 'TypeError: Cannot cache "list": another function of this name is cached');
    assertStringIncludes(answer, "the option `redefine: true`");
  }
});
