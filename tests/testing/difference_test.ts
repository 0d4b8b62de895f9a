import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { difference } from "../../src/testing/difference.ts";
import { KEPT } from "../../src/testing/samples.ts";

test("difference() finds none between a value and the same made again", () => {
  for (const [what, make] of Object.entries(KEPT)) assertEquals(difference(make(), make()), undefined, what);
});

test("difference() tells every sample from every other", () => {
  const samples = Object.entries(KEPT);
  for (const [one, make] of samples) {
    for (const [other, makeOther] of samples) {
      if (one !== other) assert(difference(make(), makeOther()) !== undefined, `${one} and ${other}`);
    }
  }
});

test("difference() sees what the usual deep equality does not, and where", () => {
  const all: [unknown, unknown, string][] = [
    [0, -0, "value is 0 instead of -0"],
    [{ a: [1, 0] }, { a: [1, -0] }, "value.a.1"],
    // deno-lint-ignore no-sparse-arrays
    [[, 1], [undefined, 1], "has the parts"],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, "has the parts"],
    [Object.create(null), {}, "prototype"],
    [Uint8Array.of(1), Int8Array.of(1), "prototype"],
    [/a/g, Object.assign(/a/g, { lastIndex: 1 }), "part 2"],
    [new Map([[1, 1], [2, 2]]), new Map([[2, 2], [1, 1]]), "part 0"],
    [{ a: undefined }, {}, "parts a instead of none"],
    [new Date(NaN), new Date(0), "part 0"],
    ["a", "b", 'value is "a" instead of "b"'],
    [1n, 1, "1n instead of 1"],
  ];
  for (const [actual, expected, where] of all) {
    const found = difference(actual, expected);
    assert(found?.includes(where), `${found} does not say ${where}`);
  }
});
