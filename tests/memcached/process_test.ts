/** What the driver means to the process: when it may end, and what it loads. */

import { assertEquals } from "@std/assert";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";
import { freshServer } from "../_memcached.ts";

const run = promisify(execFile);
const deno = "Deno" in globalThis;

/** A program of this runtime that uses the driver; it is ended after 30 s. */
async function program(text: string): Promise<string> {
  const whole = `import { Memcached } from "@x/cache-utils/memcached";\n${text}`;
  const args = deno ? ["eval", whole] : process.versions.bun ? ["-e", whole] : ["--input-type=module", "-e", whole];
  const { stdout } = await run(process.execPath, args, { timeout: 30_000, killSignal: "SIGKILL" });
  return stdout.trim();
}

test(
  "a process whose connections are idle ends by itself, though nothing was closed",
  { timeout: 60_000 },
  async () => {
    await using server = await freshServer();
    const out = await program(`
    const client = new Memcached("${server.address}");
    await client.set("a", "1");
    console.log((await client.get("a")).text());`);
    assertEquals(out, "1");
  },
);

test("a process that has something in flight does not end before its answer", { timeout: 60_000 }, async () => {
  await using server = await freshServer();
  const out = await program(`
    const client = new Memcached("${server.address}");
    client.set("a", "1").then(() => client.get("a")).then((item) => console.log(item.text()));`);
  assertEquals(out, "1");
});

test("a process with a dead server ends by itself: the pause before the next try keeps nothing alive", {
  timeout: 60_000,
}, async () => {
  await using server = await freshServer();
  await server.kill();
  const out = await program(`
    const client = new Memcached("${server.address}");
    for (let n = 0; n < 3; n++) await client.get("a").catch((error) => console.log(error.name));`);
  assertEquals(out.split("\n"), ["ConnectionError", "ConnectionError", "ConnectionError"]);
});

test(
  "a process whose connection is never accepted ends by itself once its client is closed",
  { timeout: 60_000 },
  async () => {
    // Stopped, and with its queue of two full, it answers no more connections: whoever comes waits, as behind a firewall.
    await using server = await freshServer(["-b", "1"]);
    await server.stop();
    const filling = Array.from({ length: 4 }, () => connect(server.port, "127.0.0.1").on("error", () => {}));
    try {
      await new Promise((resolve) => filling[0]!.once("connect", resolve));
      const out = await program(`
      const client = new Memcached("${server.address}", { connectTimeout: "200ms" });
      await client.get("a").catch((error) => console.log(error.name));
      await client.close();
      console.log("closed");`);
      assertEquals(out.split("\n"), ["ConnectionError", "closed"]);
    } finally {
      for (const socket of filling) socket.destroy();
      server.resume();
    }
  },
);

// On Node the tests run on the packed build, where there are no sources to look at.
test("no file but socket/socket.ts names a runtime's sockets", { skip: !existsSync("src") }, async () => {
  const naming: string[] = [];
  for (const file of await readdir("src", { recursive: true })) {
    if (!file.endsWith(".ts")) continue;
    const text = await readFile(`src/${file}`, "utf8");
    if (/(from|import\()\s*"[^"]*\/(deno|bun|node)\.ts"/.test(text)) naming.push(file);
  }
  assertEquals(naming, [join("socket", "socket.ts")]);
});

test(
  "an application that imports the driver and never connects needs no permission",
  { skip: !deno, timeout: 60_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "cache-utils-process-"));
    try {
      const driver = `${process.cwd()}/src/memcached/mod.ts`;
      const text = `import { Memcached } from "${driver}"; new Memcached("10.0.0.1,10.0.0.2"); console.log("fine");`;
      await writeFile(join(folder, "app.ts"), text);
      const { stdout } = await run(process.execPath, ["run", "--no-prompt", join(folder, "app.ts")], {
        timeout: 30_000,
      });
      assertEquals(stdout.trim(), "fine");
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
