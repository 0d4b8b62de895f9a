/** What the test command says of a machine that has nothing but Deno. */

import { assert, assertEquals } from "@std/assert";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";

const skip = !("Deno" in globalThis) && "the tools are Deno's";

/** What `lacking` says there, of the tests of all runtimes. */
async function lackingOn(env: Record<string, string>): Promise<string[]> {
  const module = new URL("../_install.ts", import.meta.url).href;
  const program = `import { lacking } from "${module}"; console.log(JSON.stringify(await lacking(["deno", "node"])))`;
  const { stdout } = await promisify(execFile)(process.execPath, ["eval", program], { env, timeout: 60_000 });
  return JSON.parse(stdout) as string[];
}

test("the test command names all that is missing and its folder in the user's cache, and fetches nothing by that", {
  skip,
  timeout: 60_000,
}, async () => {
  const home = await mkdtemp(join(tmpdir(), "cache-utils-machine-"));
  try {
    const cache = join(home, ".cache", "x-cache-utils");
    const lines = await lackingOn({ HOME: home, PATH: home });
    const wanted = [
      "memcached: install it",
      "bun from npm",
      "memjs and memcached from npm",
      "vite from npm",
      "node from npm",
      "esbuild",
    ];
    assertEquals(lines.length, wanted.length, lines.join("\n"));
    lines.forEach((line, n) => assert(line.startsWith(wanted[n]!), line));
    for (const line of lines.slice(1, 5)) assert(line.includes(`into ${cache}/`), line);
    assertEquals(await readdir(cache), []);
    const elsewhere = await lackingOn({ HOME: home, PATH: home, XDG_CACHE_HOME: join(home, "xdg") });
    assert(elsewhere[1]!.includes(`into ${join(home, "xdg", "x-cache-utils")}/`), elsewhere[1]);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});
