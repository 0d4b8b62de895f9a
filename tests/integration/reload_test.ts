/**
 * Programs that are run again after an edit: what the run before has configured leaves no connections behind. `bun --hot`
 * runs the modules again in one process, `deno --watch` restarts the program in it.
 */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cached, configure, type GroupBackend, Memcached, MemcachedStore, MemoryStore } from "@x/cache-utils";
import { freshServer } from "../_memcached.ts";

/** How many connections a server has, this one's not counted. */
async function connectionsOf(address: string): Promise<number> {
  await using client = new Memcached(address);
  return Number((await client.stats()).get(address)!.get("curr_connections")) - 1;
}

/** Their number once it is one of those that are expected, or what it is after ten seconds. */
async function settledConnections(address: string, most: number): Promise<number> {
  for (const began = performance.now(); performance.now() - began < 10_000; await sleep(50)) {
    if (await connectionsOf(address) <= most) break;
  }
  return await connectionsOf(address);
}

test(
  "what configure(url) has made lets its connections go once it is replaced, and opens them again for whoever asks",
  {
    timeout: 60_000,
  },
  async () => {
    await using server = await freshServer();
    const nobody = await connectionsOf(server.address);
    const made: GroupBackend[] = [];
    for (let n = 0; n < 10; n++) {
      made.push(configure(`memcached://${server.address}/?project=p${n}`));
      await cached((value: number) => value, { name: "value" })(1);
    }
    assertEquals(await settledConnections(server.address, nobody + 1), nobody + 1, "that of the last one");
    let computed = 0;
    const read = () => made[0]!.fetch("value(1)", () => ++computed);
    assertEquals(await read(), 1);
    assertEquals(computed, 0, "an older one still answers, from what is kept");
    assertEquals(await settledConnections(server.address, nobody + 1), nobody + 1, "and lets go again");
    configure(made[0]!);
    assertEquals(await read(), 1);
    assertEquals(await settledConnections(server.address, nobody + 1), nobody + 1, "the one that was configured again");
    configure("memory:///");
    assertEquals(await settledConnections(server.address, nobody), nobody);
    for (const backend of made) await backend.close();
  },
);

test(
  "a store that somebody else has made keeps its connections, whatever is configured",
  { timeout: 60_000 },
  async () => {
    await using server = await freshServer();
    const nobody = await connectionsOf(server.address);
    const own = configure({ store: new MemcachedStore(server.address) });
    await own.ready();
    configure("memory:///");
    await sleep(300); // longer than an idle connection of a URL's is kept
    assertEquals(await connectionsOf(server.address), nobody + 1);
    await own.close();
  },
);

test(
  "a backend that a URL has made leads to its store, its client and what they say",
  { timeout: 60_000 },
  async () => {
    await using server = await freshServer();
    const backend = configure(`memcached://${server.address}/`);
    await backend.ready();
    assert(backend.store instanceof MemcachedStore);
    assertEquals(backend.store.client.servers, [server.address]);
    await backend.close();
    const inMemory = configure("memory:///");
    await inMemory.ready();
    await inMemory.set("k", 1);
    assert(inMemory.store instanceof MemoryStore);
    assertEquals(inMemory.store.stats.entries, 1);
  },
);

const library = new URL("../../mod.ts", import.meta.url).href;

/** The program's `n`th edit. */
const edited = (n: number, address: string) => `
import { cached, configure } from ${JSON.stringify(library)};
configure("memcached://${address}/?project=p${n}");
const twice = cached((value) => value * 2 + ${n} - ${n}, { name: "twice" });
await twice(21);
console.log("run ${n}");
globalThis.alive ??= setInterval(() => {}, 1000);
`;

const { bun, deno } = process.versions;
const how = bun
  ? ["--hot", "--no-clear-screen"]
  : deno
  ? ["run", "-A", "--quiet", "--no-config", "--no-check", "--watch"]
  : undefined;

test(`${bun ? "bun --hot" : "deno --watch"}: ten edits leave the connections of one run`, {
  timeout: 60_000,
  skip: how === undefined && "only of Bun and Deno",
}, async () => {
  await using server = await freshServer();
  const nobody = await connectionsOf(server.address);
  const folder = await mkdtemp(join(tmpdir(), "cache-utils-reload-"));
  const program = join(folder, "main.ts");
  await writeFile(program, edited(0, server.address));
  const child = spawn(process.execPath, [...how!, program], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  try {
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const ran = async (n: number) => {
      for (let line = await lines.next(); !line.done; line = await lines.next()) if (line.value === `run ${n}`) return;
      throw new Error(`the program has ended before its run ${n}`);
    };
    await ran(0);
    for (let n = 1; n <= 10; n++) {
      await writeFile(program, edited(n, server.address));
      await ran(n);
    }
    assertEquals(await settledConnections(server.address, nobody + 1), nobody + 1);
  } finally {
    child.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
});
