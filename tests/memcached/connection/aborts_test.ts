/** Callers that leave, at every moment there is. */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { freshServer } from "../../_memcached.ts";
import { abortByChance } from "../_aborts.ts";

test("of 10,000 requests half are aborted at random: each survivor is right, and one connection does for all", {
  timeout: 60_000,
}, async () => {
  await using server = await freshServer();
  const tally = await abortByChance({ address: server.address, count: 10_000, seed: 1, protocol: "binary" });
  assertEquals([tally.wrong, tally.unsettled, tally.complaint], [0, 0, undefined]);
  assertEquals(tally.connects, 1);
  assert(tally.aborted > 2000 && tally.answered > 4000, JSON.stringify(tally));
});
