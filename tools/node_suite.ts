/**
 * The tests as Node 20 can run them, which reads no TypeScript: bundled to JavaScript, against the package as npm would
 * install it.
 */

import { specifiersIn } from "./check_floors.ts";
import { lastLine, run } from "./machine.ts";

/** How a test file can run on Node. "packed": it needs only the public entry points; "sources": the sources, too. */
export type Sort = { readonly kind: "packed" | "sources" } | { readonly kind: "left out"; readonly why: string };

/** Sorts a test by what it imports, the tests' own shared files included. `read`: a file's text by its path. */
export async function sort(path: string, read: (path: string) => Promise<string>): Promise<Sort> {
  const seen = new Set<string>();
  const left = [path];
  let kind: "packed" | "sources" = "packed";
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = await read(file);
    const specifiers = specifiersIn(text);
    if (file === path && !specifiers.includes("node:test")) return { kind: "left out", why: "not of node:test" };
    for (const specifier of specifiers) {
      if (specifier.startsWith(".")) {
        const target = new URL(specifier, `file:///${file}`).pathname.slice(1);
        if (target.startsWith("tests/")) left.push(target);
        else kind = "sources";
      } else if (!specifier.startsWith("node:") && !/^(@x\/cache-utils|@std\/assert)(\/|$)/.test(specifier)) {
        return { kind: "left out", why: `needs ${specifier}` };
      }
    }
    // A bundle lies elsewhere, so what is found beside the file is not found beside the bundle.
    if (text.includes("import.meta")) return { kind: "left out", why: "looks beside itself" };
  }
  return { kind };
}

/** Test files under `folder`, sorted by path. */
export async function testFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await testFiles(path));
    else if (entry.name.endsWith("_test.ts")) found.push(path);
  }
  return found.sort();
}

/** A folder with what `node --test` can run, and one line that tells what is in it and what is not. */
export interface Built {
  readonly folder: string;
  readonly files: readonly string[];
  readonly remark: string;
}

/** Packs the library, installs it in `folder`, and bundles the tests there. Throws an Error that says what failed. */
export async function build(folder: string): Promise<Built> {
  const files: Record<"packed" | "sources", string[]> = { packed: [], sources: [] };
  const leftOut = new Map<string, string[]>();
  for (const path of await testFiles("tests")) {
    const sorted = await sort(path, Deno.readTextFile);
    if (sorted.kind === "left out") leftOut.set(sorted.why, [...leftOut.get(sorted.why) ?? [], path]);
    else files[sorted.kind].push(path);
  }
  await install(folder);
  await bundle(files.packed, folder, ["--external:@x/cache-utils"]);
  await bundle(files.sources, folder, []);
  const all = [...files.packed, ...files.sources];
  const reasons = [...leftOut].map(([why, paths]) => `${paths.join(", ")} (${why})`);
  return {
    folder,
    files: all.map((path) => path.replace(/\.ts$/, ".mjs")),
    remark: `node: ${all.length} files, ${files.packed.length} of them against the packed build, ` +
      `${files.sources.length} with the sources they test; left out: ${reasons.join("; ") || "none"}`,
  };
}

async function install(folder: string): Promise<void> {
  await must("deno pack", run(Deno.execPath(), ["pack", "--allow-dirty", "-o", `${folder}/packed.tgz`]));
  await Deno.writeTextFile(`${folder}/package.json`, '{ "private": true, "type": "module" }\n');
  const npm = await run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "packed.tgz"], { cwd: folder });
  if (npm.code !== 127) return await must("npm install of the packed build", Promise.resolve(npm));
  // Whoever has only Deno has no npm. The package needs no other, so unpacking it is installing it.
  const home = `${folder}/node_modules/@x/cache-utils`;
  await Deno.mkdir(home, { recursive: true });
  await must("unpacking", run("tar", ["-xzf", `${folder}/packed.tgz`, "-C", home, "--strip-components=1"]));
}

/**
 * esbuild does what `deno bundle` would, since that is esbuild, too; asked itself, it also rewrites `using` and
 * decorators, which Node 20 lacks. It reads the paths of tsconfig.json.
 */
async function bundle(files: readonly string[], folder: string, flags: readonly string[]): Promise<void> {
  if (files.length === 0) return;
  const asked = ["--bundle", "--format=esm", "--platform=node", "--target=node20", "--keep-names"];
  const out = [`--outdir=${folder}/tests`, "--outbase=tests", "--out-extension:.js=.mjs", "--log-level=warning"];
  const esbuild = ["run", "-A", "npm:esbuild@0.25"];
  await must("bundling the tests", run(Deno.execPath(), [...esbuild, ...asked, ...flags, ...out, ...files]));
}

async function must(action: string, ended: ReturnType<typeof run>): Promise<void> {
  const { code, output } = await ended;
  if (code !== 0) throw new Error(`${action} failed: ${lastLine(output)}\n${output}`);
}
