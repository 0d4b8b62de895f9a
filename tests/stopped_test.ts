/** A test run that is stopped leaves nothing on the machine: no memcached, and none of their folders. */

import { assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const PROGRAM = `
  import { freshServer } from ${JSON.stringify(new URL("./_memcached.ts", import.meta.url).href)};
  const servers = [await freshServer(), await freshServer([], { listen: "unix" })];
  await servers[0].stop();
  console.log(servers[0].port, servers[1].address);
  setInterval(() => {}, 1000);`;

/** Is somebody listening there? */
const isThere = (where: { readonly port: number; readonly host: string } | { readonly path: string }) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(where);
    socket.once("connect", () => (socket.destroy(), resolve(true))).once("error", () => resolve(false));
  });

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  test(
    `a test run that is stopped by ${signal} leaves no memcached and no folder behind`,
    { timeout: 60_000 },
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "cache-utils-stopped-"));
      try {
        const { bun, deno } = process.versions;
        const args = deno ? ["eval", PROGRAM] : bun ? ["-e", PROGRAM] : ["--input-type=module", "-e", PROGRAM];
        const child = spawn(process.execPath, args, {
          env: { ...process.env, TMPDIR: folder },
          stdio: ["ignore", "pipe", "inherit"],
        });
        const { value } = await createInterface({ input: child.stdout! })[Symbol.asyncIterator]().next();
        const [port, path] = String(value).split(" ") as [string, string];
        assertEquals(await isThere({ path }), true);
        child.kill(signal);
        const left = async () => [
          ...await readdir(folder),
          await isThere({ port: Number(port), host: "127.0.0.1" }),
          await isThere({ path }),
        ];
        const isClean = async () => (await left()).every((one) => one === false);
        for (const began = performance.now(); performance.now() - began < 20_000 && !await isClean();) await sleep(20);
        assertEquals(await left(), [false, false]);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
}
