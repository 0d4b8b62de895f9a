import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import {
  checkCas,
  checkCount,
  checkCounter,
  checkFlags,
  checkValue,
  exptime,
  flushDelay,
  longestValue,
} from "../../../src/memcached/protocol/limits.ts";
import { checkOptions } from "../../../src/memcached/options.ts";
import type { Duration } from "../../../src/util/duration.ts";

const NOW = 1_900_000_000_500;

test("exptime() gives seconds as they are and rounds fractions up, since 0 means for ever", () => {
  assertEquals(exptime(1, NOW), 1);
  assertEquals(exptime(60, NOW), 60);
  assertEquals(exptime("1ms", NOW), 1);
  assertEquals(exptime(0.001, NOW), 1);
  assertEquals(exptime("1500ms", NOW), 2);
  assertEquals(exptime("1.5h", NOW), 5400);
});

test("exptime() says for ever for no ttl, 0 and Infinity", () => {
  for (const ttl of [undefined, 0, -0, Infinity, "0s"] as const) assertEquals(exptime(ttl, NOW), 0);
});

test("exptime() turns more than 30 days into an epoch second, which memcached would read it as", () => {
  assertEquals(exptime(2_592_000, NOW), 2_592_000);
  assertEquals(exptime("30d", NOW), 2_592_000);
  assertEquals(exptime(2_592_000.5, NOW), 1_902_592_001);
  assertEquals(exptime(2_592_001, NOW), 1_902_592_002);
  assertEquals(exptime("31d", NOW), 1_902_678_401);
});

test("exptime() says for ever for an end after January 2038", () => {
  const last = 2 ** 31 - 1;
  assertEquals(exptime(last - 1_900_000_000, 1_900_000_000_000), last);
  assertEquals(exptime(last - 1_900_000_000 + 1, 1_900_000_000_000), 0);
  assertEquals(exptime(1e300, NOW), 0);
});

test("exptime() refuses NaN, negative ttls and what is no duration", () => {
  for (const ttl of [NaN, -1, -0.001, -Infinity]) assertThrows(() => exptime(ttl, NOW), RangeError, "`ttl`");
  for (const ttl of ["5 m", "", "-1s", null, {}]) {
    assertThrows(() => exptime(ttl as unknown as Duration, NOW), TypeError, "`ttl`");
  }
});

test("flushDelay() has no end of time: a flush that never comes is a RangeError", () => {
  assertEquals(flushDelay(undefined, NOW), 0);
  assertEquals(flushDelay(0, NOW), 0);
  assertEquals(flushDelay(0.5, NOW), 1);
  for (const delay of [Infinity, 1e12, NaN, -1]) assertThrows(() => flushDelay(delay, NOW), RangeError, "`delay`");
});

test("checkFlags() takes 32 bits", () => {
  assertEquals(checkFlags(undefined), 0);
  assertEquals(checkFlags(0xffffffff), 0xffffffff);
  for (const flags of [-1, 0.5, 2 ** 32, NaN, Infinity]) assertThrows(() => checkFlags(flags), RangeError, "`flags`");
  assertThrows(() => checkFlags("1" as unknown as number), TypeError, "`flags`");
});

test("checkCounter() takes 64 bits, and numbers only as far as they are exact", () => {
  assertEquals(checkCounter(5, "delta"), 5n);
  assertEquals(checkCounter(2n ** 64n - 1n, "delta"), 2n ** 64n - 1n);
  for (const value of [-1, -1n, 0.5, 2 ** 53, NaN, 2n ** 64n]) {
    assertThrows(() => checkCounter(value, "delta"), RangeError, "`delta`");
  }
  assertThrows(() => checkCounter("1" as unknown as number, "initial"), TypeError, "`initial`");
});

test("checkCas() refuses 0n, which would be a plain write", () => {
  assertEquals(checkCas(1n), 1n);
  for (const cas of [0n, -1n, 2n ** 64n]) assertThrows(() => checkCas(cas), RangeError, "`cas`");
});

test("longestValue() is memcached's item size less the item's overhead", () => {
  assertEquals(longestValue(undefined, 3, 0), 1_048_514);
  assertEquals(longestValue(undefined, 3, 1), 1_048_510);
  assertEquals(longestValue(100, 3, 1), 100);
  const longestRead = (maxValueBytes?: number) => checkOptions({ maxValueBytes }).longestValueBytes;
  assertEquals([longestRead(), longestRead(100)], [1_048_576, 100]);
});

test("checkValue() encodes text only where its length in bytes matters", () => {
  const bytes = new Uint8Array(3);
  assertStrictEquals(checkValue(bytes, 1), bytes);
  assertStrictEquals(checkValue("abc", 100), "abc");
  assertEquals(checkValue("éé", 5), new TextEncoder().encode("éé"));
  assertEquals(checkValue("éé", 3).length, 4);
  assertEquals(checkValue("x".repeat(20_000), 1e6).length, 20_000);
  for (const value of [undefined, null, 1, {}, [1], new Uint16Array(1), new ArrayBuffer(1)]) {
    assertThrows(() => checkValue(value as unknown as string, 100), TypeError, "`value`");
  }
});

test("checkCount() takes integers from 1 on, and Infinity", () => {
  assertEquals(checkCount(undefined, "maxInFlight", 7), 7);
  assertEquals(checkCount(Infinity, "maxInFlight", 7), Infinity);
  for (const value of [0, -1, 1.5, NaN]) {
    assertThrows(() => checkCount(value, "maxInFlight", 7), RangeError, "`maxInFlight`");
  }
  assertThrows(() => checkCount("1" as unknown as number, "maxInFlight", 7), TypeError, "`maxInFlight`");
});
