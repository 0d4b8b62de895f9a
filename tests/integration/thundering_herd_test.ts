/** 8 real processes, 200 callers in each, at one moment. */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freshServer } from "../_memcached.ts";
import { Processes } from "./_processes.ts";

const GROUPS = ["cities", "all"];
const CALLERS = 200;
const ROUNDS = 5;

const computing = (processes: Processes) => Promise.race(processes.workers.map((worker) => worker.nextComputation));
/** Everything each process asked before is answered: requests of one connection are answered in order. */
const looked = (processes: Processes) => processes.all("get", { key: "nothing here" });
/** Whoever computes it is told to end, and so is whoever begins meanwhile. */
const end = (processes: Processes, key: string, value: unknown) => processes.all("end", { key, value });

test("1,600 callers of a cold key in 8 processes cost one computation, each round", { timeout: 120_000 }, async () => {
  await using server = await freshServer();
  await using processes = await Processes.start(server.address, "binary", { count: 8 });
  for (let round = 0; round < ROUNDS; round++) {
    const key = `cold ${round}`;
    const begun = computing(processes);
    const calls = processes.all("fetch", { key, groups: GROUPS, callers: CALLERS });
    await begun;
    await looked(processes);
    await looked(processes);
    await end(processes, key, round);
    for (const answers of await calls) assertEquals([answers.length, new Set(answers)], [CALLERS, new Set([round])]);
    assertEquals(processes.computations(key), 1);
  }
});

test("1,600 callers of a stale key are all served at once, and it costs one computation, each round", {
  timeout: 120_000,
}, async () => {
  await using server = await freshServer();
  await using processes = await Processes.start(server.address, "binary", { count: 8 });
  for (let round = 0; round < ROUNDS; round++) {
    const key = `stale ${round}`;
    await processes.workers[0]!.ask("setStale", { key, groups: GROUPS, value: "old" });
    const begun = computing(processes);
    // The refresh does not end before they are answered: none of them waits for it.
    for (const answers of await processes.all("fetch", { key, groups: GROUPS, callers: CALLERS })) {
      assertEquals([answers.length, new Set(answers)], [CALLERS, new Set(["old"])]);
    }
    await begun;
    await looked(processes);
    await looked(processes);
    await end(processes, key, "new");
    await processes.untilAllGet(key, GROUPS, "new");
    for (const answers of await processes.all("fetch", { key, groups: GROUPS })) assertEquals(answers, ["new"]);
    assertEquals(processes.computations(key), 1);
  }
});

test("a function that is slower than its lease computes once all the same", { timeout: 60_000 }, async () => {
  await using server = await freshServer();
  await using processes = await Processes.start(server.address, "binary", { count: 4 });
  const begun = computing(processes);
  const calls = processes.all("fetch", { key: "slow", groups: GROUPS, callers: CALLERS });
  await begun;
  await sleep(6500); // the lease is 5 s, and is renewed
  assertEquals(processes.computations("slow"), 1);
  await end(processes, "slow", "done");
  for (const answers of await calls) assertEquals(new Set(answers), new Set(["done"]));
  assertEquals(processes.computations("slow"), 1);
});

test("a function that outlasts mintDelay, or never ends, hangs nobody elsewhere", { timeout: 90_000 }, async () => {
  await using server = await freshServer();
  await using processes = await Processes.start(server.address, "binary", { count: 4, mintDelay: "1s" });
  const [holder, ...others] = processes.workers;
  const begun = holder!.nextComputation;
  const never = holder!.ask("fetch", { key: "endless", groups: GROUPS });
  await begun;
  const begunElsewhere = Promise.race(others.map((worker) => worker.nextComputation));
  const calls = Promise.all(
    others.map((worker) => worker.ask("fetch", { key: "endless", groups: GROUPS, callers: CALLERS })),
  );
  await begunElsewhere;
  // Whoever else began alone meanwhile is told to end as well.
  let answered = false;
  calls.then(() => answered = true, () => {});
  while (!answered) {
    await Promise.all(others.map((worker) => worker.ask("end", { key: "endless", value: "taken over" })));
    await sleep(50);
  }
  for (const answers of await calls) assertEquals(new Set(answers), new Set(["taken over"]));
  await holder!.ask("end", { key: "endless", value: "late" });
  assertEquals(await never, ["late"]);
  assert(processes.computations("endless") >= 2);
});
