import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { type Duration, toMs, toMsFromZero } from "../../src/util/duration.ts";

test("toMs() takes a number for seconds, and text with its unit", () => {
  const all: [Duration, number][] = [
    [60, 60_000],
    [0.25, 250],
    [0, 0],
    [-1, -1000],
    [Infinity, Infinity],
    ["250ms", 250],
    ["0.5ms", 0.5],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1.5h", 5_400_000],
    ["1d", 86_400_000],
  ];
  for (const [duration, ms] of all) assertEquals(toMs(duration, "ttl"), ms);
});

test("toMs() refuses everything else and names the argument", () => {
  for (
    const wrong of [
      "",
      "5",
      "5 m",
      "m",
      "1.h",
      ".5h",
      "-5m",
      "5M",
      "5min",
      "1e3s",
      "5m ",
      null,
      undefined,
      {},
      5n,
      true,
    ]
  ) {
    assertThrows(() => toMs(wrong as never, "stale"), TypeError, "as stale: a duration is a number of seconds");
  }
  assertThrows(() => toMs("5min" as never, "ttl"), TypeError, 'Cannot use "5min" as ttl');
  assertThrows(() => toMs(NaN, "ttl"), RangeError, "Cannot use NaN as ttl");
});

test("toMsFromZero() refuses what is negative", () => {
  assertEquals(toMsFromZero(0, "stale"), 0);
  assertEquals(toMsFromZero("2s", "stale"), 2000);
  assertThrows(() => toMsFromZero(-1, "stale"), RangeError, "Cannot use -1 as stale: it must be >= 0");
  assertThrows(() => toMsFromZero(NaN, "stale"), RangeError, "stale");
});
