/** What the comparison makes of what it has seen: cells, columns that failed, the place in a document. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import {
  type Column,
  failures,
  type Findings,
  markdown,
  table,
  verdict,
  waits,
  withText,
} from "../../compare/table.ts";
import { describe, exotic, valueOf } from "../../compare/values.ts";

const findings: Findings = {
  alone: { meanwhile: ["new"], afterwards: ["new"] },
  aloneByGroup: "none",
  shared: { meanwhile: ["new"], afterwards: ["new", "old"] },
  sharedByGroup: "none",
  cold: 8,
  stale: "none",
  hang: [{ ms: 1004, threw: false }, { ms: 3, threw: false }],
  hangBounded: [{ ms: Infinity, threw: false }],
  values: ["kept", "`{}`", "throws"],
};

test("one old value after the computation makes the verdict old, one during it says until when", () => {
  assertEquals(verdict({ meanwhile: ["new"], afterwards: ["new", "new"] }), "new");
  assertEquals(verdict({ meanwhile: ["new"], afterwards: ["new", "old"] }), "old");
  assertEquals(verdict({ meanwhile: ["old"], afterwards: ["new"] }), "old until computed");
  assertEquals(verdict("none"), "none");
});

test("a value that is neither the old nor the new one is shown, not taken for one of them", () => {
  assertEquals(verdict({ meanwhile: ["new"], afterwards: ["undefined"] }), "undefined");
});

test("waits tell their time, what throws, and what was given up", () => {
  assertEquals(waits([{ ms: 1040, threw: false }, { ms: 2, threw: false }]), "1.0 s, at once");
  assertEquals(waits([{ ms: 990, threw: true }, { ms: 1, threw: true }]), "throws after 1.0 s, at once");
  assertEquals(waits([{ ms: 1, threw: true }, { ms: 1500, threw: false }]), "throws at once, answers 1.5 s");
  assertEquals(waits([{ ms: 2100, threw: false }, { ms: Infinity, threw: false }]), "2.1 s, hangs");
});

test("every row has a cell for every column, and a column that failed says why once", () => {
  const columns: Column[] = [
    { name: "one", findings },
    { name: "gone", findings: new Error("npm could not\nbe asked | offline") },
    { name: "half", findings: { ...findings, cold: new Error("it ended") } },
  ];
  const cells = table(columns);
  assert(cells.every((row) => row.length === 4));
  assertEquals(cells[1]!.slice(1), ["new", "failed: npm could not be asked \\| offline", "new"]);
  assert(cells.slice(2).every((row) => row[2] === ""));
  assert(cells.some((row) => row[1] === "8" && row[3] === "failed: it ended"));
  assertEquals(failures(columns), ["gone", "half"]);
});

test("the table is aligned Markdown", () => {
  assertEquals(markdown([["", "a"], ["long row", "1"]]), "|          | a   |\n| -------- | --- |\n| long row | 1   |");
});

test("the text replaces what stood between the marks, and nothing else", () => {
  const marks = /<!-- compare: [^\n]+?-->|<!-- \/compare -->/g;
  const document = (text: string) => `before\n\n${text}\n\nafter\n`;
  const error = assertThrows(() => withText(document("no marks"), "table")) as Error;
  const [start, end] = error.message.match(marks) as [string, string];
  const once = withText(document(`${start}\n${end}`), "table");
  assertEquals(once, document(`${start}\n\ntable\n\n${end}`));
  assertEquals(withText(once, "another"), document(`${start}\n\nanother\n\n${end}`));
  assertThrows(() => withText(document(`${end}\n${start}`), "table"));
  assertThrows(() => withText(once + once, "table"));
});

test("a value is kept if it is of its type and equal, else it is told by what it has become", () => {
  for (const kind of exotic) assertEquals(describe(kind, valueOf(kind)), "kept");
  const throughJson = (value: unknown) => JSON.parse(JSON.stringify(value));
  assertEquals(describe("Date", throughJson(valueOf("Date"))), "string");
  assertEquals(describe("Map", throughJson(valueOf("Map"))), "`{}`");
  assertEquals(describe("Map", { part: new Map() }), "another Map");
  assertEquals(describe("bigint", { part: 12_345_678_901_234_567_000 }), "number");
  assertEquals(describe("Date", { part: new Date(0) }), "another Date");
  assertEquals(describe("bigint", undefined), "undefined");
});
