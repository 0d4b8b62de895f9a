import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { printGrid, text } from "../../bench/grid.ts";

test("text() keeps three digits that count, and all before the point", () => {
  assertEquals([0, 7, 0.1234, 1.234, 12.34, 123.4, 12_345].map(text), [
    "0",
    "7",
    "0.123",
    "1.23",
    "12.3",
    "123",
    "12,345",
  ]);
});

test("printGrid() sets names to the left, cells to the right, notes below", () => {
  const rows = [{ name: "a", cells: [1, "x"] }, { name: "long", cells: [1000, "y"] }];
  assertEquals(
    printGrid({ title: "t", columns: ["n", "w"], rows, notes: ["so"] }),
    "t\n             n   w\n  a          1   x\n  long   1,000   y\n  * so\n",
  );
});
