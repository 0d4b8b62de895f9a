import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { test } from "node:test";
import { type Contender, quantile, race, rounds, type Row, type Table } from "../../bench/measure.ts";
import { markdown, spliced } from "../../bench/report.ts";
import { judge, print, text } from "../../bench/table.ts";

const TITLE = "get 100 bytes, 128 in flight";

/** A race's table. Of each row: its part of the base's speed, and how many times as fast ours is. */
function raced(
  rows: readonly (readonly [name: string, kind: Row["kind"], ofBase: number, times: number | null])[],
): Table {
  return {
    title: TITLE,
    columns: ["per second", "spread", "of floor", "ours is x"],
    rows: rows.map(([name, kind, ofBase, times]) => ({ name, kind: kind!, cells: [1000, 0.1, ofBase, times] })),
  };
}

test("rounds() lets all of them work in each round, another one first, and drops what warms up", async () => {
  const order: number[] = [];
  const found = await rounds(3, { rounds: 3, dropped: 1 }, (at) => Promise.resolve(order.push(at)));
  assertEquals(order, [0, 1, 2, 2, 1, 0, 1, 2, 0, 0, 2, 1]);
  assertEquals(found, [[6, 9, 10], [5, 7, 12], [4, 8, 11]]);
});

test("race() tells each row's part of the base's speed, and how many times as fast ours is", async () => {
  const work = (name: string, kind: Contender["kind"], turn: number): Contender => ({
    name,
    kind,
    turn,
    run: () => new Promise((resolve) => setTimeout(resolve, 2)),
  });
  const contenders = [work("floor", "floor", 1000), work("ours", "ours", 100), work("peer", "peer", 10)];
  const { rows, columns } = await race("t", "ns", contenders, { warmMs: 0, rounds: 3, roundMs: 1 });
  assertEquals(columns, ["ns", "spread", "of floor", "ours is x"]);
  assertEquals(rows.map(({ cells }) => cells.slice(2).map((cell) => cell === null)), [
    [false, false],
    [false, true],
    [false, false],
  ]);
  assertEquals(rows[0]!.cells[2], 1);
});

test("quantile() lies between the numbers", () => {
  assertEquals([0, 0.25, 0.5, 1].map((part) => quantile([4, 1, 2, 3], part)), [1, 1.75, 2.5, 4]);
});

test("judge() holds our row against the base and against the best of the peers, not against a bare one", () => {
  const table = raced([
    ["floor", "floor", 1, 0.9],
    ["ours", "ours", 0.9, null],
    ["slow", "peer", 0.1, 9],
    ["quick", "peer", 0.18, 4],
    ["bare", "bare", 0.9, 1],
  ]);
  assertEquals(judge(table), [{
    work: TITLE,
    wanted: ">= 0.85 of the base, >= 6 x the best peer",
    found: "0.90, **4** x",
    missed: true,
  }]);
});

test("judge() counts what is within the row's own spread of the target as met", () => {
  const row = (ofBase: number) => raced([["ours", "ours", ofBase, null]]);
  assertEquals(judge(row(0.78))[0]!.missed, false);
  assertEquals(judge(row(0.77))[0]!.missed, true);
  assertEquals(judge({ ...row(0.1), title: "without a target" }), []);
});

test("text() keeps three digits that count, and all before the point", () => {
  assertEquals([0, 7, 0.1234, 1.234, 12.34, 123.4, 12_345, null, "a"].map(text), [
    "0",
    "7",
    "0.12",
    "1.23",
    "12.3",
    "123",
    "12,345",
    "",
    "a",
  ]);
});

test("print() sets names to the left, cells to the right, notes below", () => {
  const rows = [{ name: "a", cells: [1, "x"] }, { name: "long", cells: [1000, "y"] }];
  assertEquals(
    print({ title: "t", columns: ["n", "w"], rows, notes: ["so"] }),
    "t\n             n   w\n  a          1   x\n  long   1,000   y\n  * so\n",
  );
});

test("spliced() replaces what stands between the marks and nothing else, and refuses a page without them", () => {
  const page = (text: string) => `before\n<!-- tables: begin -->\n${text}\n<!-- tables: end -->\nafter\n`;
  assertEquals(spliced(page("old"), "new"), page("\nnew"));
  assertThrows(() => spliced("a page", "new"), Error, "Cannot write the tables");
});

test("markdown() names the machine, the versions, what was measured, and what was not", () => {
  const page = markdown({
    date: "2026-01-02T03:04:05.678Z",
    commit: "abc",
    seconds: 500,
    machine: { cpu: "a cpu", cores: 2, os: "linux x64" },
    versions: { deno: "2.0.0", other: "1.2.3" },
    pace: { warmMs: 1, rounds: 9, roundMs: 80 },
    measured: [
      { runtime: "deno", tables: [raced([["ours", "ours", 0.9, null]])], failed: [] },
      { runtime: "bun", tables: [], failed: ["the start: it is not there"] },
    ],
  });
  assertStringIncludes(page, "commit abc, a cpu, 2 cores, linux x64; 9 rounds of 80 ms");
  assertStringIncludes(page, "deno 2.0.0, other 1.2.3");
  assertStringIncludes(page, "Not measured on bun: the start: it is not there");
  assertStringIncludes(page, `| ${TITLE} | >= 0.85 of the base | 0.90 | not measured |`);
});
