/** Two Deno and two Bun processes on one real memcached: one computation for all, one invalidation for all. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { freshServer } from "../_memcached.ts";
import { Processes } from "./_processes.ts";

const GROUPS = ["cities", "all"];

/** Everything each process asked before is answered: requests of one connection are answered in order. */
const looked = (processes: Processes) => processes.all("get", { key: "nothing here" });

for (const protocol of ["binary", "meta"]) {
  test(
    `${protocol}: four processes compute a cold key once, with a group and a version`,
    { timeout: 60_000 },
    async () => {
      await using server = await freshServer();
      await using processes = await Processes.start(server.address, protocol);
      const calls = processes.all("fetch", { key: "cold", groups: GROUPS, callers: 50 });
      await Promise.race(processes.workers.map((worker) => worker.nextComputation));
      await looked(processes);
      await looked(processes);
      assertEquals(processes.computations("cold"), 1);
      await processes.all("end", { key: "cold", value: { city: "oslo" } });
      for (const answers of await calls) {
        assertEquals(answers.length, 50);
        for (const answer of answers) assertEquals(answer, { city: "oslo" });
      }
      assertEquals(processes.computations("cold"), 1);
      const stats = await processes.all("stats");
      assertEquals(stats.reduce((sum, { miss }) => sum + miss, 0), 1);
      assertEquals(stats.reduce((sum, { wait, hit }) => sum + wait + hit, 0), 199);
    },
  );

  test(
    `${protocol}: four processes are served the stale value while one of them refreshes it`,
    { timeout: 60_000 },
    async () => {
      await using server = await freshServer();
      await using processes = await Processes.start(server.address, protocol);
      await processes.workers[0]!.ask("setStale", { key: "stale", groups: GROUPS, value: "old" });
      const computing = Promise.race(processes.workers.map((worker) => worker.nextComputation));
      for (const answers of await processes.all("fetch", { key: "stale", groups: GROUPS, callers: 50 })) {
        assertEquals(new Set(answers), new Set(["old"]));
      }
      await computing;
      await looked(processes);
      for (const answers of await processes.all("fetch", { key: "stale", groups: GROUPS })) {
        assertEquals(answers, ["old"]);
      }
      await looked(processes);
      assertEquals(processes.computations("stale"), 1);
      await processes.all("end", { key: "stale", value: "new" });
      await processes.untilAllGet("stale", GROUPS, "new");
      for (const answers of await processes.all("fetch", { key: "stale", groups: GROUPS })) {
        assertEquals(answers, ["new"]);
      }
      assertEquals(processes.computations("stale"), 1);
    },
  );

  test(
    `${protocol}: an invalidation by one process is seen by all, of a key and of a group`,
    { timeout: 60_000 },
    async () => {
      await using server = await freshServer();
      await using processes = await Processes.start(server.address, protocol);
      for (const verb of ["delete", "invalidateGroup"]) {
        for (const [i, by] of processes.workers.entries()) {
          const old = `${verb} ${i}`;
          await by.ask("set", { key: "k", groups: GROUPS, value: old });
          assertEquals(await processes.all("get", { key: "k", groups: GROUPS }), [old, old, old, old]);
          await by.ask(verb, { key: "k", groups: ["cities"] });
          assertEquals(await processes.all("get", { key: "k", groups: GROUPS }), [null, null, null, null]);
        }
      }
    },
  );

  test(
    `${protocol}: a value computed before another process's invalidation is not kept`,
    { timeout: 60_000 },
    async () => {
      await using server = await freshServer();
      await using processes = await Processes.start(server.address, protocol);
      const [a, b] = processes.workers;
      for (const verb of ["delete", "invalidateGroup"]) {
        const computing = a!.nextComputation;
        const old = a!.ask("fetch", { key: verb, groups: GROUPS });
        await computing;
        await b!.ask(verb, { key: verb, groups: ["cities"] });
        await a!.ask("end", { key: verb, value: "read before" });
        assertEquals(await old, ["read before"]);
        await looked(processes);
        assertEquals(await processes.all("get", { key: verb, groups: GROUPS }), [null, null, null, null]);
      }
    },
  );

  test(
    `${protocol}: a holder killed by SIGKILL costs the others its lease and no more`,
    { timeout: 60_000 },
    async () => {
      await using server = await freshServer();
      await using processes = await Processes.start(server.address, protocol);
      const [a, b] = processes.workers;
      const held = a!.nextComputation;
      a!.ask("fetch", { key: "held" }).catch(() => {});
      await held;
      const taken = b!.nextComputation;
      const call = b!.ask("fetch", { key: "held" });
      a!.kill();
      const begun = performance.now();
      await taken;
      assert(performance.now() - begun < 20_000, "the lease's 6 s and what a busy machine adds, not mintDelay's 30 s");
      await b!.ask("end", { key: "held", value: "mine" });
      assertEquals(await call, ["mine"]);
    },
  );

  test(
    `${protocol}: a server stopped, killed and started again: calls are answered all the while`,
    { timeout: 90_000 },
    async () => {
      await using server = await freshServer();
      await using processes = await Processes.start(server.address, protocol, { timeout: "500ms" });
      const answer = async (key: string, value: unknown) => {
        const calls = processes.all("fetch", { key, groups: GROUPS });
        let open = true;
        calls.then(() => open = false, () => open = false);
        // Without a store each process computes for itself, whenever it has given the store up.
        while (open) {
          await processes.all("end", { key, value });
        }
        return await calls;
      };
      assertEquals(await answer("k", 1), [[1], [1], [1], [1]]);
      await server.stop();
      assertEquals(await answer("stopped", 2), [[2], [2], [2], [2]]);
      await assertRejects(() => processes.workers[0]!.ask("delete", { key: "k" }), Error, "did not confirm");
      await server.kill();
      assertEquals(await answer("killed", 3), [[3], [3], [3], [3]]);
      await assertRejects(
        () => processes.workers[1]!.ask("invalidateGroup", { groups: ["cities"] }),
        Error,
        "did not confirm",
      );
      await server.restart();
      // A dead server is tried again within 1 to 4 s: then values are kept again, without a restart of anything else.
      const [by] = processes.workers;
      while (await by!.ask("set", { key: "again", groups: GROUPS, value: 4 }).then(() => false, () => true));
      for (const worker of processes.workers) {
        while (await worker.ask("get", { key: "again", groups: GROUPS }) !== 4);
      }
    },
  );
}
