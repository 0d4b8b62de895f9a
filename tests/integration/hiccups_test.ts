/** What is no outage: a real memcached that pauses, a burst of calls, a group that several processes begin to use at once. */
import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { GroupBackend, MemcachedStore } from "@x/cache-utils";
import { freshServer } from "../_memcached.ts";

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("a pause of memcached of 400 ms leaves fresh values hits", { timeout: 60_000 }, async () => {
  await using server = await freshServer();
  // Patient: what is tried here is that a pause is no outage, not how long this machine takes.
  const store = new MemcachedStore(server.address, { timeout: "20s", connectTimeout: "20s" });
  await using backend = new GroupBackend({ store, project: "pause", storeTimeout: "20s", ttl: "1h" });
  let runs = 0;
  const ask = () => Promise.all(Array.from({ length: 200 }, (_, n) => backend.fetch(`k${n}`, () => ++runs)));
  await ask();
  await later(100); // the sets are on their way
  await backend.getMany(Array.from({ length: 200 }, (_, n) => `k${n}`)); // and behind us on the connection
  await server.stop();
  const asked = ask();
  await later(400);
  server.resume();
  await asked;
  assertEquals(runs, 200);
});

for (const servers of [1, 2]) {
  test(`15,000 calls with groups in one tick are hits on ${servers} server(s), and what must pass is not refused`, {
    timeout: 120_000,
  }, async () => {
    const fresh = await Promise.all(Array.from({ length: servers }, () => freshServer(["-m", "256"])));
    const store = new MemcachedStore(fresh.map(({ address }) => address), { timeout: "30s", connectTimeout: "20s" });
    const backend = new GroupBackend({ store, project: "burst", storeTimeout: "30s", ttl: "1h" });
    const refusals: string[] = [];
    backend.on("storeError", ({ error }) => {
      // On a machine that takes longer than a lease lasts for all of them, a value may come too late to be kept.
      if (!String(error).includes("its lease lapsed")) refusals.push(String(error));
    });
    let runs = 0;
    const ask = (prefix: string, from: number, to: number) =>
      Promise.all(Array.from({ length: to - from }, (_, i) => {
        const n = from + i;
        return backend.fetch(`${prefix}${n}`, () => ++runs, { group: ["a", `g${n}`] });
      }));
    await ask("cold", 0, 5000); // looks, leases and sets: more than the driver takes at once
    assertEquals([runs, refusals], [5000, []]);
    for (let from = 0; from < 15_000; from += 500) await ask("k", from, from + 500);
    await backend.getMany(Array.from({ length: 200 }, (_, n) => `own${n}`)); // behind all the sets, on each server
    runs = 0;
    const burst = ask("k", 0, 15_000);
    await backend.invalidateGroup("other"); // passes while the burst waits
    await burst;
    assertEquals([runs, refusals], [0, []]);
    await backend.close();
    for (const server of fresh) await server[Symbol.asyncDispose]();
  });
}

test("four processes that begin to use new groups at the same moment compute each key once", {
  timeout: 60_000,
}, async () => {
  await using server = await freshServer();
  const backends = Array.from({ length: 4 }, () => {
    const store = new MemcachedStore(server.address, { timeout: "20s", connectTimeout: "20s" });
    return new GroupBackend({ store, project: "new", storeTimeout: "20s" });
  });
  let runs = 0;
  for (let n = 0; n < 100; n++) {
    const group = [`city:${n}`, `user:${n}`];
    const compute = async () => {
      runs++;
      await later(5);
      return n;
    };
    await Promise.all(backends.map((backend) => backend.fetch(`k${n}`, compute, { group })));
  }
  for (const backend of backends) await backend.close();
  assertEquals(runs, 100);
});
