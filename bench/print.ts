import type { Table } from "./measure.ts";

/** A table as text, its ratios beside the numbers. */
export function print({ title, unit, base, rows, missing = [] }: Table): string {
  const head = ["", unit, "spread", base === undefined ? "" : `of ${base}`, "ours is"];
  const body = rows.map(({ name, value, spread, ofBase, ours }) => [
    name,
    figure(value, unit),
    `±${(spread * 100).toFixed(0)} %`,
    ofBase === undefined ? "" : ratio(ofBase),
    ours === undefined ? "" : `${ratio(ours)} x`,
  ]);
  const columns = head.map((_, column) => [head, ...body].map((line) => line[column]!));
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  const text = (line: readonly string[]) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("   ");
  const lines = [head, ...body].map((line) => `  ${text(line)}`.trimEnd());
  const absent = missing.map(({ name, why }) => `  not measured: ${name} (${why})`);
  return `${title}\n${[...lines, ...absent].join("\n")}\n`;
}

export function figure(value: number, unit: Table["unit"]): string {
  return unit === "ms" ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
}

export function ratio(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
