/**
 * The tests as Node 20 can run them, which reads no TypeScript: each one transpiled, and all of them on the package as
 * npm installs it, whatever they import: `src/key/key.ts` becomes the package's own `src/key/key.js`.
 */

import { importsIn } from "./check_floors.ts";
import { ESBUILD, lastLine } from "../tests/_install.ts";
import { run } from "./command.ts";

/** A test that is about the tree and not about the package. */
const aboutTheTree = "tests/package_test.ts";

/** Where the package lies in the folder. */
const HOME = "node_modules/@x/cache-utils";

/** Why a test cannot run on Node, by what it and the tests' shared files need; `undefined`: it can. */
export async function obstacle(path: string, read: (path: string) => Promise<string>): Promise<string | undefined> {
  if (path === aboutTheTree) return "about the tree";
  const seen = new Set<string>();
  const left = [path];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = await read(file);
    const specifiers = importsIn(text).map(({ specifier }) => specifier);
    if (file === path && !specifiers.includes("node:test")) return "not written for node:test";
    if (/^[ \t]+@\w/m.test(text)) return "Node has no decorators";
    for (const specifier of specifiers) {
      if (!specifier.startsWith(".")) {
        if (/^(bun|npm|jsr|https?):/.test(specifier)) return `needs ${specifier}`;
        continue;
      }
      const target = new URL(specifier, `file:///${file}`).pathname.slice(1);
      if (target.startsWith("tests/")) left.push(target);
      else if (target !== "mod.ts" && !target.startsWith("src/")) return `needs ${target}, which is not in the package`;
    }
  }
}

/** A transpiled file's text with each path to a .ts file turned into the one that is there instead. */
export function redirected(text: string, path: string): string {
  const up = "../".repeat(path.split("/").length - 1);
  return text.replace(/"(\.\.?\/[\w./-]+)\.ts((?:\?[^"]*)?)"/g, (_, stem: string, query: string) => {
    const target = new URL(stem, `file:///${path}`).pathname.slice(1);
    return target.startsWith("tests/") ? `"${stem}.mjs${query}"` : `"${up}${HOME}/${target}.js${query}"`;
  }).replace(/"@std\/assert"/g, `"${up}tests/_assert.mjs"`);
}

/** What `node --test` is given, and one line that says which tests were left out, and why. */
export interface Built {
  readonly files: readonly string[];
  readonly remark: string;
}

/** Packs the library, installs it in `folder`, and puts the tests beside it. Throws an Error that says what failed. */
export async function build(folder: string): Promise<Built> {
  await installPacked(folder);
  const all = await filesUnder("tests");
  const sources = all.filter((path) => path.endsWith(".ts"));
  // Without it esbuild gives a class or function of the tests another name where two of one name meet.
  await esbuild(["--keep-names", `--outdir=${folder}/tests`, "--outbase=tests", ...sources]);
  for (const source of sources) {
    const path = `${folder}/${outputOf(source)}`;
    await Deno.writeTextFile(path, redirected(await Deno.readTextFile(path), source));
  }
  for (const path of all.filter((path) => /\.(json|pem|key)$/.test(path))) {
    await Deno.mkdir(`${folder}/${path}`.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(path, `${folder}/${path}`);
  }
  const files: string[] = [];
  const leftOut = new Map<string, string[]>();
  for (const path of sources.filter((path) => path.endsWith("_test.ts"))) {
    const why = await obstacle(path, Deno.readTextFile);
    if (why === undefined) files.push(outputOf(path));
    else leftOut.set(why, [...leftOut.get(why) ?? [], path]);
  }
  const reasons = [...leftOut].map(([why, paths]) => `${paths.join(", ")} (${why})`);
  return {
    files,
    remark: `node: ${files.length} files against the packed build; left out: ${reasons.join("; ") || "none"}`,
  };
}

function outputOf(source: string): string {
  return source.replace(/\.ts$/, ".mjs");
}

/** Every file in a folder and in those below, by its path, sorted. */
export async function filesUnder(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await filesUnder(path));
    else found.push(path);
  }
  return found.sort();
}

/** Packs the library of a checkout, by default of this one, and installs it in `folder`, as npm would. */
export async function installPacked(folder: string, tree = "."): Promise<void> {
  // Maps within the files would be read by every import.
  const args = ["pack", "--no-source-maps", "--allow-dirty", "-o", `${folder}/packed.tgz`];
  await must("deno pack", run(Deno.execPath(), args, { cwd: tree }));
  await Deno.writeTextFile(`${folder}/package.json`, '{ "private": true, "type": "module" }\n');
  const npm = await run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "packed.tgz"], { cwd: folder });
  if (npm.code !== 127) return await must("npm install of the packed build", Promise.resolve(npm));
  // Where there is only Deno, there is no npm. The package depends on no other, so unpacking it installs it.
  await Deno.mkdir(`${folder}/${HOME}`, { recursive: true });
  const taken = ["-xzf", `${folder}/packed.tgz`, "-C", `${folder}/${HOME}`, "--strip-components=1"];
  await must("unpacking", run("tar", taken));
}

/** TypeScript to what Node 20 knows: that has no `using` either. (`deno bundle` is esbuild, too, but has no target.) */
export async function esbuild(args: readonly string[]): Promise<void> {
  // esbuild drops the attributes of `import … with { type: "json" }` for this target, which Node 20.10 has and wants.
  const asked = ["--format=esm", "--platform=node", "--target=node20", "--supported:import-attributes=true"];
  const out = ["--out-extension:.js=.mjs", "--log-level=warning"];
  await must("esbuild", run(Deno.execPath(), ["run", "-A", ESBUILD, ...asked, ...out, ...args]));
}

async function must(action: string, ended: ReturnType<typeof run>): Promise<void> {
  const { code, output } = await ended;
  if (code !== 0) throw new Error(`${action} failed: ${lastLine(output)}\n${output}`);
}
