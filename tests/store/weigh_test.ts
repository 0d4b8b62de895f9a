import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { copyOf } from "../../src/data/copy.ts";
import { Layouts, weigh, weighText } from "../../src/store/memory/size.ts";

const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const record = (count: number, make: (at: number) => [string, unknown]): object =>
  Object.fromEntries(times(count, make));
/** A name of 28 characters that no other value has. */
const name = (i: number, j: number): string => `${i}-${j}-`.padEnd(28, "name of its own");

function sparse(length: number, at: number): unknown[] {
  const array: unknown[] = [];
  array[length - 1] = array[at] = at;
  array.length = length;
  return array;
}

/**
 * Bytes of heap for each value, beside its entry, in a MemoryStore of 16 MiB full of such values, after collecting all
 * garbage: on Deno 2.9, Bun 1.4 and Node 20. What a runtime keeps outside of the heap is not in it. `deno task bench
 * --only kept` measures anew.
 */
const MEASURED: Readonly<Record<string, [make: (i: number) => unknown, deno: number, bun: number, node: number]>> = {
  "a number": [(i) => i, 0, 0, 0],
  "text of 1,000 Latin characters": [(i) => `${i}`.padEnd(1000, "x"), 1002, 1074, 1013],
  "text of 1,000 other characters": [(i) => `${i}`.padEnd(1000, "€"), 1994, 2033, 1999],
  "50 short texts": [(i) => times(50, (j) => `value ${i} ${j}`), 2026, 1903, 2033],
  "a row of 5": [(i) => ({ id: i, name: `city ${i}`, country: "NO", lat: i / 7, lon: i / 3 }), 101, 120, 103],
  "a row of 20 integers": [(i) => record(20, (j) => [`field${j}`, i + j]), 164, 265, 167],
  "a row of 20 texts": [(i) => record(20, (j) => [`field${j}`, `value ${i} ${j}`]), 801, 854, 789],
  "a row of 100 integers": [(i) => record(100, (j) => [`field${j}`, i + j]), 815, 1361, 819],
  "100 rows": [
    (i) => times(100, (j) => ({ id: i + j, name: `city ${i} ${j}`, open: true, lat: j / 7 })),
    11130,
    10066,
    11178,
  ],
  "nested objects": [
    (i) => ({ a: { b: { c: { d: [i, { e: `${i}` }] } } }, list: [[1], [2], { x: i }] }),
    442,
    621,
    448,
  ],
  "1 name of its own": [(i) => ({ [name(i, 0)]: 1 }), 272, 406, 265],
  "5 names of its own": [(i) => record(5, (j) => [name(i, j), 1]), 669, 977, 659],
  "50 names of its own": [(i) => record(50, (j) => [name(i, j), 1]), 6177, 8210, 6254],
  "200 names of its own": [(i) => record(200, (j) => [name(i, j), 1]), 21607, 8731, 21774],
  "20 long names of its own": [(i) => record(20, (j) => [name(i, j).repeat(5), 1]), 4486, 4252, 4472],
  "rows by their id": [(i) => record(20, (j) => [`user:${i * 20 + j}`, { id: j, name: `u${i}` }]), 2556, 4475, 2597],
  "a row with a name of its own": [
    (i) => ({ id: i, name: "n", country: "NO", [name(i, 0)]: 1, lat: 1 }),
    415,
    537,
    428,
  ],
  "50 numbers by their id": [(i) => record(50, (j) => [`${i * 50 + j}`, 1]), 3068, 2134, 3146],
  "50 numbers by their place": [(i) => record(50, (j) => [`${j}`, i]), 442, 521, 446],
  "100 integers": [(i) => times(100, (j) => i + j), 828, 939, 832],
  "50 empty arrays": [() => times(50, () => []), 1998, 3692, 2014],
  "50 empty objects": [() => times(50, () => ({})), 3216, 3721, 3225],
  "an array of 1,000 places, one of them taken": [(i) => sparse(1000, i % 1000), 9446, 10525, 9480],
  "an array of millions of places": [(i) => sparse(2_000_000, i), 173, 505, 177],
  "an array of 30,000 places, all free": [() => new Array(30_000), 183, 506, 176],
  "50 regular expressions": [(i) => times(50, (j) => new RegExp(`a${i}b${j}`)), 7978, 6106, 8041],
  "a long regular expression": [(i) => new RegExp(`${i}`.padEnd(1000, "x")), 1130, 134, 2131],
  "50 dates": [(i) => times(50, (j) => new Date(i + j)), 5239, 2875, 5261],
  "a Map of 50": [(i) => new Map(times(50, (j) => [j, i])), 1864, 2744, 1873],
  "a Map of 50 texts": [(i) => new Map(times(50, (j) => [name(i, j), i])), 4253, 4930, 4271],
  "50 Maps of 1": [(i) => times(50, () => new Map([[1, i]])), 9601, 13283, 9654],
  "50 empty Sets": [() => times(50, () => new Set()), 11989, 2098, 8068],
  "a Set of 33": [(i) => new Set(times(33, (j) => i + j)), 1348, 2741, 1363],
  "20 URLs": [(i) => times(20, (j) => new URL(`https://example.com/a/${i}/${j}?q=1#x`)), 3723, 3702, 5496],
  "20 URLSearchParams of 3": [(i) => times(20, (j) => new URLSearchParams(`a=${i}&b=${j}&c=3`)), 7335, 911, 5479],
  "URLSearchParams of 100": [(i) => new URLSearchParams(times(100, (j) => [`k${j}`, `${i}`])), 12014, 91, 6663],
  "20 Headers of 3": [
    (i) => times(20, (j) => new Headers({ a: `${i}`, b: `${j}`, "content-type": "text/html" })),
    21264,
    3161,
    13868,
  ],
  "Headers of 100": [(i) => new Headers(times(100, (j) => [`k${j}`, `${i}`])), 16346, 217, 14981],
  "50 bigints": [(i) => times(50, (j) => BigInt(i) ** 5n + BigInt(j)), 1840, 1998, 1848],
  "a bigint of 8,000 bits": [(i) => 2n ** 8000n + BigInt(i), 1045, 1291, 1049],
  "1,000 bytes": [() => new Uint8Array(1000), 1164, 1171, 1150],
  "50 single bytes": [(i) => times(50, () => Uint8Array.of(i)), 10459, 10134, 9719],
  "a DataView": [() => new DataView(new ArrayBuffer(8)), 169, 236, 156],
  "5 properties without a prototype": [
    (i) => Object.assign(Object.create(null), { id: i, name: "a", b: 1, c: 2, d: 3 }),
    238,
    147,
    242,
  ],
  "5 names of its own without a prototype": [
    (i) => Object.assign(Object.create(null), record(5, (j) => [name(i, j), 1])),
    483,
    932,
    488,
  ],
};

/** What one of many such values weighs. */
function weighed(make: (i: number) => unknown): number {
  const layouts = new Layouts(1_000_000);
  const values = times(1000, (i) => copyOf(make(i + 20_000)));
  return values.reduce((sum: number, value) => sum + weigh(value, layouts), 0) / values.length;
}

for (const [what, [make, ...measured]] of Object.entries(MEASURED)) {
  test(`weigh() is within a half of what ${what} took on the runtime where it took most`, () => {
    // The entry belongs to it: a store holds no value without one.
    const entry = 370, taken = entry + Math.max(...measured), sum = entry + weighed(make);
    assert(taken < 1.45 * sum, `${taken} bytes were taken, and it weighs ${sum}`);
    const over = what.includes("regular expressions") ? 2 : 1.5; // compiled code comes later, with the first use
    assert(sum < over * taken, `it weighs ${sum}, and ${taken} bytes were taken`);
  });
}

test("weigh() counts the layout of ordinary rows once: they weigh what they take on every runtime", () => {
  for (const [what, [make, ...measured]] of Object.entries(MEASURED)) {
    if (!what.includes("row of") && what !== "100 rows") continue;
    const sum = 370 + weighed(make);
    for (const taken of measured) assert(sum < 1.5 * (370 + taken), `${what}: ${sum} for ${taken}`);
  }
});

test("weigh() grows with what is kept", () => {
  const text = "x".repeat(1000);
  assert(weigh({ text }) > 1000 && weigh({ text }) < 1300);
  assert(weigh("ø".repeat(1000)) < 1100, "Latin text takes one byte a character");
  assert(weigh("€".repeat(1000)) > 2000, "other text takes two");
  assert(weigh(new Map([["k", text]])) > 1000);
  assert(weigh(new Set([text])) > 1000);
  assert(weigh([new Uint8Array(5000)]) > 5000);
  assert(weigh(2n ** 80_000n) > 10_000);
  assert(weigh(new URL(`http://a.b/${text}`)) > 1000);
  assert(weigh(new RegExp(text)) > 1000);
  assert(weigh(Array.from({ length: 1000 }, (_, i) => i + 0.5)) > 8000);
  const table = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`a long enough key ${i}`, i]));
  assert(weigh(table) > 40_000, "a large object has its own keys");
});

test("weigh() counts what only Temporal's own memory holds", () => {
  const { Temporal } = globalThis as unknown as { Temporal?: { Instant: { from(text: string): unknown } } };
  if (Temporal !== undefined) assert(weigh(Temporal.Instant.from("2030-01-02T03:04:05Z")) > 200);
});

test("Layouts are paid for by the first object, whatever stands in it", () => {
  const layouts = new Layouts(100_000);
  const first = weigh({ id: 1, name: "a" }, layouts), second = weigh({ id: 2, name: "b" }, layouts);
  assert(first > second + weighText("id") + weighText("name"));
  assertEquals(weigh({ id: 3, name: "c" }, layouts), second);
  assert(weigh({ name: "c", id: 3 }, layouts) > second, "another order is another layout");
  const longer = weigh({ id: 1, name: "a", age: 3 }, layouts);
  assert(longer > second && longer < first, "what goes on from a layout pays for what it adds");
  assertEquals(
    weigh([{ id: 4, name: "d" }, { id: 5, name: "e" }], layouts),
    weigh([{ id: 4, name: "d" }, { id: 5, name: "e" }], layouts),
  );
});

test("Layouts are forgotten before those that nobody paid for come to maxBytes", () => {
  const layouts = new Layouts(10_000);
  const first = weigh({ id: 1, name: "a" }, layouts);
  for (let i = 0; i < 10; i++) weigh(record(10, (j) => [name(i, j), 1]), layouts);
  assertEquals(weigh({ id: 2, name: "b" }, layouts), first);
  const none = new Layouts();
  assertEquals(
    weigh({ id: 1, name: "a" }, none),
    weigh({ id: 2, name: "b" }, none),
    "by default nothing is remembered",
  );
});
