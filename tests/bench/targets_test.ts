import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { bytesBundled, bytesRead, type Metafile } from "../../bench/bytes.ts";
import type { Row, Table } from "../../bench/measure.ts";
import { judgeTable, type Target, verdictOf } from "../../bench/targets.ts";

const atLeast: Target = { table: "a", against: "floor", atLeast: 0.9 };
const atMost: Target = { table: "a", against: "ns", atMost: 900 };

test("verdictOf() is met at the bound and beyond it", () => {
  assertEquals(verdictOf(atLeast, { measured: 0.9, spread: 0 }), "met");
  assertEquals(verdictOf(atMost, { measured: 900, spread: 0 }), "met");
});

test("verdictOf() tells what is within its own spread of the bound", () => {
  assertEquals(verdictOf(atLeast, { measured: 0.85, spread: 0.1 }), "within its spread");
  assertEquals(verdictOf(atMost, { measured: 950, spread: 0.1 }), "within its spread");
});

test("verdictOf() is missed where the spread does not reach", () => {
  assertEquals(verdictOf(atLeast, { measured: 0.7, spread: 0.1 }), "missed");
  assertEquals(verdictOf(atMost, { measured: 1100, spread: 0.1 }), "missed");
});

function row(name: string, kind: Row["kind"], ofBase: number, ours?: number): Row {
  return { name, kind, value: 1, spread: 0, ofBase, ofBaseSpread: 0, ...(ours === undefined ? {} : { ours }) };
}

test("judgeTable() holds our row against the floor and against the best of the peers, not against a bare one", () => {
  const table: Table = {
    title: "get 100 bytes, 128 in flight",
    unit: "per second",
    base: "floor",
    rows: [
      row("floor", "floor", 1, 0.9),
      row("ours", "ours", 0.9),
      row("slow", "peer", 0.1, 9),
      row("quick", "peer", 0.18, 5),
      row("bare", "bare", 0.9, 1),
    ],
  };
  const judged = judgeTable(table).map(({ measured, peer, verdict }) => ({ measured, peer, verdict }));
  assertEquals(judged, [
    { measured: 0.9, peer: undefined, verdict: "met" },
    { measured: 5, peer: "quick", verdict: "missed" },
  ]);
});

test("judgeTable() holds our row against the peer that a target names, however quick the others are", () => {
  const table: Table = {
    title: "a hit in memory, 1 KB object, no copies",
    unit: "ns",
    base: "function and Map",
    rows: [
      row("ours", "ours", 0.2),
      row("quick", "peer", 0.9, 0.3),
      row("async-cache-dedupe", "peer", 0.1, 2),
    ],
  };
  const judged = judgeTable(table).map(({ target, measured, peer, verdict }) => [target.peer, peer, measured, verdict]);
  assertEquals(judged.slice(1), [
    ["async-cache-dedupe", "async-cache-dedupe", 2, "met"],
    [undefined, "quick", 0.3, "missed"],
  ]);
});

test("judgeTable() has no verdict where nothing was measured", () => {
  assertEquals(judgeTable({ title: "get 100 bytes, 128 in flight", unit: "per second", rows: [] }), []);
});

test("bytesRead() and bytesBundled() leave out what is imported later", () => {
  const now = { kind: "import-statement" }, later = { kind: "dynamic-import" };
  const metafile: Metafile = {
    inputs: {
      "here/entry.mjs": { bytes: 5, imports: [{ path: "a.js", ...now }] },
      "a.js": { bytes: 100, imports: [{ path: "b.js", ...later }, { path: "node:net", ...now, external: true }] },
      "b.js": { bytes: 1000, imports: [] },
    },
    outputs: {
      "out/entry.mjs": { bytes: 40, entryPoint: "here/entry.mjs", imports: [{ path: "out/chunk.mjs", ...later }] },
      "out/chunk.mjs": { bytes: 300, imports: [] },
    },
  };
  assertEquals(bytesRead(metafile, "/entry.mjs"), 100);
  assertEquals(bytesBundled(metafile, "/entry.mjs"), 40);
});
