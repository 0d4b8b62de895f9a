import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { systemClock } from "../../src/util/clock.ts";

test("a timer of the system's clock never fires before its time: fractions of a millisecond are rounded up", () => {
  const { setTimeout } = globalThis;
  const asked: unknown[] = [];
  globalThis.setTimeout = ((_wake: unknown, ms: unknown) => void asked.push(ms)) as never;
  try {
    for (const ms of [999.8, 1000, 0.1, 0, Infinity]) systemClock.setTimeout(() => {}, ms);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assertEquals(asked, [1000, 1000, 1, 0, 2 ** 31 - 1]);
});
