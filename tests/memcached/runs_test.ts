import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { runsOf } from "../../src/memcached/runs.ts";

const even = (key: string): string => Number(key) % 2 === 0 ? "even" : "odd";

test("runsOf() gives each key once to its server, in order, with its length", () => {
  assertEquals(runsOf(["1", "2", "1", "10", "é"], (key) => key === "é" ? "odd" : even(key)), [
    ["odd", { keys: ["1", "é"], keysBytes: [1, 2] }],
    ["even", { keys: ["2", "10"], keysBytes: [1, 2] }],
  ]);
  assertEquals(runsOf([], even), []);
  assertThrows(() => runsOf(["1", "a b"], even), TypeError, '"a b"');
});

test("runsOf() begins another run after a thousand keys of a server", () => {
  const runs = runsOf(Array.from({ length: 4100 }, (_, n) => String(n)), even);
  assertEquals(runs.map(([server, { keys }]) => [server, keys.length]), [
    ["even", 1000],
    ["odd", 1000],
    ["even", 1000],
    ["odd", 1000],
    ["even", 50],
    ["odd", 50],
  ]);
  assertEquals(runs.flatMap(([, { keys }]) => keys).length, 4100);
});
