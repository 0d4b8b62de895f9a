import type { Table } from "./measure.ts";
import { type Judged, judgeTable, type Target } from "./targets.ts";

/** A table as text: the ratios beside the numbers, and below them what was to be reached. */
export function print(table: Table): string {
  const { title, unit, base, rows, missing = [] } = table;
  const head = ["", unit, "spread", base === undefined ? "" : `of ${base}`, "ours is"];
  const body = rows.map(({ name, value, spread, ofBase, ours }) => [
    name,
    figure(value, unit),
    unit === "bytes" && spread === 0 ? "" : percent(spread),
    ofBase === undefined ? "" : ratio(ofBase),
    ours === undefined ? "" : `${ratio(ours)} x`,
  ]);
  const columns = head.map((_, column) => [head, ...body].map((line) => line[column]!));
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  const text = (line: readonly string[]) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("   ");
  const lines = [head, ...body].map((line) => `  ${text(line)}`.trimEnd());
  const absent = missing.map(({ name, why }) => `  not measured: ${name} (${why})`);
  const judged = judgeTable(table).map((one) => `  ${told(one)}`);
  return `${title}\n${[...lines, ...absent, ...judged].join("\n")}\n`;
}

function told({ target, row, measured, spread, peer, verdict }: Judged): string {
  const found = `${number(target, measured)} ${percent(spread)}`;
  return `${verdict}: ${row}, ${wording(target, peer)}: ${found}, wanted ${bound(target)}`;
}

/** What a target is held against, in words. */
export function wording(target: Target, peer?: string): string {
  const { against } = target;
  if (against === "floor") return "as a part of the base";
  if (against === "best peer") return `as many times as fast as ${peer ?? target.peer ?? "the best peer"}`;
  return against === "itself" ? "as many times as slow as our own row" : "by itself";
}

export function percent(spread: number): string {
  return spread > 9.99 ? "±999 % and more" : `±${(spread * 100).toFixed(0)} %`;
}

export function bound(target: Target): string {
  const { atLeast, atMost } = target;
  return atLeast === undefined ? `<= ${number(target, atMost!)}` : `>= ${number(target, atLeast)}`;
}

/** A ratio, or a number in the table's unit. */
export function number({ against }: Target, value: number): string {
  if (against === "floor" || against === "best peer" || against === "itself") return ratio(value);
  return `${figure(value, against)} ${against}`;
}

export function figure(value: number, unit: Table["unit"]): string {
  return unit === "ms" ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
}

export function ratio(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
