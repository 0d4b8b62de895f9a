import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { test } from "node:test";
import { amountIn } from "../../bench/plots.ts";
import { BEGIN, END, markdown, spliced } from "../../bench/report.ts";
import type { Table } from "../../bench/measure.ts";
import type { Result } from "../../bench/result.ts";
import { judge } from "../../bench/targets.ts";

const title = "get 100 bytes, 128 in flight";

function table(missing: Table["missing"] = []): Table {
  return {
    title,
    unit: "per second",
    base: "floor",
    rows: [
      { name: "floor", kind: "floor", value: 1_000_000, spread: 0.01, ofBase: 1, ours: 0.9 },
      { name: "ours", kind: "ours", value: 900_000, spread: 0.02, ofBase: 0.9 },
      { name: "other", kind: "peer", value: 180_000, spread: 0.03, ofBase: 0.18, ours: 5 },
    ],
    missing,
  };
}

function resultOf(tables: readonly Table[]): Result {
  return {
    date: "2026-01-02T03:04:05.678Z",
    commit: "abc",
    seconds: 500,
    machine: { cpu: "a cpu", cores: 2, os: "linux x64" },
    versions: { other: "1.2.3" },
    pace: { warmMs: 1, rounds: 9, roundMs: 80 },
    measured: [{ runtime: "deno", version: "2.0.0", tables, judged: judge(tables), failed: [] }],
    everywhere: { tables: [], judged: [], failed: [] },
    missing: [{ name: "bun", why: "it is\nnot there" }],
  };
}

test("spliced() replaces what stands between the marks, and nothing else", () => {
  const page = `before\n${BEGIN}\nold\n${END}\nafter\n`;
  assertEquals(spliced(page, "new"), `before\n${BEGIN}\n\nnew\n${END}\nafter\n`);
});

test("spliced() refuses a page without its marks", () => {
  assertThrows(() => spliced("a page", "new"), Error, "Cannot write the tables");
});

test("markdown() tells numbers, ratios and verdicts", () => {
  const text = markdown(resultOf([table()]));
  assertStringIncludes(text, "| ours | 900,000 ±2 %; 0.90 |");
  assertStringIncludes(text, "| other | 180,000 ±3 %; 0.18; 5.00 x |");
  assertStringIncludes(text, "| >= 0.85 | 0.90 ±0 %, met |");
  assertStringIncludes(text, "| >= 6.00 | 5.00 ±0 % (other), **missed** |");
});

test("markdown() names the machine, the versions, and who could not be measured", () => {
  const text = markdown(resultOf([table([{ name: "third", why: "it does not load" }])]));
  assertStringIncludes(text, "a cpu, 2 cores, linux x64");
  assertStringIncludes(text, "Deno 2.0.0, other 1.2.3");
  assertStringIncludes(text, "- Bun: it is not there");
  assertStringIncludes(text, "Not measured on Deno: third (it does not load).");
});

test("amountIn() reads how much there is from a row's name", () => {
  assertEquals(amountIn({ name: "@x/cache-utils, 1,000 in flight" }), 1000);
  assertEquals(amountIn({ name: "ours, 1,000,000 entries" }), 1_000_000);
});
