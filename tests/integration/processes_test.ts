/** What the fleet's tests stand on: whoever waits for a process is told why it ended. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "./_processes.ts";

const TERMS = { server: "127.0.0.1:1", protocol: "binary", mintDelay: "30s", timeout: "1s" };

/** A worker of either runtime that runs this text. */
async function running(text: string, run: (worker: Worker) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "cache-utils-worker-"));
  try {
    await writeFile(join(folder, "worker.mjs"), text);
    for (const runtime of ["deno", "bun"] as const) await run(new Worker(runtime, TERMS, join(folder, "worker.mjs")));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("a worker that ends before it is ready says why", { timeout: 60_000 }, async () => {
  await running('throw new Error("the planted reason")', async (worker) => {
    const error = await assertRejects(() => worker.ready, Error, "the planted reason");
    assert(error.message.startsWith(`${worker.runtime} ended with code 1`), error.message);
  });
});

test("a worker that ends while it is asked says why, to whoever asked and to whoever asks later", {
  timeout: 60_000,
}, async () => {
  const text = `
    console.log('{ "ready": true }');
    process.stdin.on("data", () => { throw new Error("x".repeat(100_000) + " the planted reason"); });`;
  await running(`import process from "node:process";${text}`, async (worker) => {
    await worker.ready;
    const asked = [worker.ask("get", { key: "a" }), worker.ask("get", { key: "b" })];
    const reasons = (await Promise.allSettled(asked)).map((end) => (end as PromiseRejectedResult).reason.message);
    assertEquals(reasons.map((reason) => reason.includes("the planted reason")), [true, true]);
    assert(reasons[0].length < 5000, "bounded");
    await assertRejects(() => worker.ask("get", { key: "c" }), Error, "the planted reason");
  });
});

test("a worker that was killed says by what", { timeout: 60_000 }, async () => {
  await running('console.log(`{ "ready": true }`); setInterval(() => {}, 1000)', async (worker) => {
    await worker.ready;
    const asked = worker.ask("get", { key: "a" });
    worker.kill();
    await assertRejects(() => asked, Error, `${worker.runtime} ended by SIGKILL, and said nothing`);
  });
});
