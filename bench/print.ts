import type { Table } from "./measure.ts";

/** A table as text, its ratios beside the numbers. */
export function print({ title, unit, base, rows }: Table): string {
  const head = ["", unit, "spread", base === undefined ? "" : `of ${base}`, "ours is"];
  const body = rows.map(({ name, value, spread, ofBase, ours }) => [
    name,
    unit === "ms" ? value.toFixed(1) : Math.round(value).toLocaleString("en-US"),
    `±${(spread * 100).toFixed(0)} %`,
    ofBase === undefined ? "" : ratio(ofBase),
    ours === undefined ? "" : `${ratio(ours)} x`,
  ]);
  const columns = head.map((_, column) => [head, ...body].map((line) => line[column]!));
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  const text = (line: readonly string[]) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("   ");
  return `${title}\n${[head, ...body].map((line) => `  ${text(line)}`.trimEnd()).join("\n")}\n`;
}

function ratio(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
