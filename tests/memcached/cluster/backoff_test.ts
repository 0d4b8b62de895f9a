import { assertAlmostEquals, assertEquals } from "@std/assert";
import { test } from "node:test";
import { pauseMs } from "../../../src/memcached/cluster/server.ts";

test("pauseMs() is 1 s, then 2 s, then 4 s and no more", () => {
  assertEquals([0, 1, 2, 3, 50, 2000].map((tries) => pauseMs(tries, 0.5)), [1000, 2000, 4000, 4000, 4000, 4000]);
});

test("pauseMs() is spread by 20 % to either side", () => {
  assertAlmostEquals(pauseMs(0, 0), 800);
  assertAlmostEquals(pauseMs(0, 1), 1200);
  assertAlmostEquals(pauseMs(2, 0), 3200);
  assertAlmostEquals(pauseMs(9, 1), 4800);
});
