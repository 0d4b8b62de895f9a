/**
 * Writes the tables of a full run into docs/BENCHMARKS.md, between their marks, and draws its plots:
 *
 *     deno run -A bench/report.ts bench/results/FILE.json
 */

import { run } from "../tools/machine.ts";
import type { Missing, Row, Table } from "./measure.ts";
import { fetchPackages } from "./packages.ts";
import { bound, figure, number, percent, ratio, wording } from "./print.ts";
import type { Result } from "./result.ts";
import { root } from "./runtimes.ts";
import type { Judged, Target } from "./targets.ts";

export const BEGIN = "<!-- tables: begin -->", END = "<!-- tables: end -->";
/** What draws the plots; nothing here depends on it. */
const drawers = { vega: "6", "vega-lite": "6" };

/** The text with its tables replaced; the prose around them stays. */
export function spliced(text: string, tables: string): string {
  const begin = text.indexOf(BEGIN), end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`Cannot write the tables: "${BEGIN}" and "${END}" do not stand there`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${tables}\n${text.slice(end)}`;
}

/** All that a run found, as markdown. */
export function markdown(result: Result): string {
  const { date, commit, seconds, machine, versions, measured, pace } = result;
  const runtimes = measured.map(({ runtime, version }) => `${called(runtime)} ${version}`);
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const sections = [
    "## The run",
    `${date.slice(0, 10)}, commit ${commit}, ${machine.cpu}, ${machine.cores} cores, ${machine.os}; ` +
    `${pace.rounds} rounds of ${pace.roundMs} ms for each contender, ${seconds} s in all. ` +
    `${[...runtimes, ...others].join(", ")}.`,
    ...absent(result),
    "## Targets",
    targetTable(result),
    "## Tables",
    ...titlesOf(result).map((title) => section(result, title)),
    ...result.everywhere.tables.map((table) => everywhere(table)),
  ];
  return `${sections.join("\n\n")}\n`;
}

function called(runtime: string): string {
  return `${runtime[0]!.toUpperCase()}${runtime.slice(1)}`;
}

function absent({ measured, missing, everywhere }: Result): string[] {
  const failed = [
    ...measured.map((one) => [called(one.runtime), one.failed] as const),
    [
      "every runtime",
      everywhere.failed,
    ] as const,
  ];
  const lines = [
    ...missing.map(({ name, why }) => `- ${called(name)}: ${oneLine(why)}`),
    ...failed.flatMap(([where, cases]) => cases.map(({ name, why }) => `- ${name} on ${where}: ${oneLine(why)}`)),
  ];
  return lines.length === 0 ? [] : [`Not measured:\n\n${lines.join("\n")}`];
}

function targetTable({ measured, everywhere }: Result): string {
  const wanted = new Map<string, { target: Target; table: string; row: string }>();
  const keyOf = ({ target, table, row }: Judged) => `${table} | ${row} | ${target.against} | ${target.peer}`;
  for (const judged of [...measured.flatMap(({ judged }) => judged), ...everywhere.judged]) {
    if (!wanted.has(keyOf(judged))) wanted.set(keyOf(judged), judged);
  }
  const lines = [...wanted].map(([key, { target, table, row }]) => {
    const work = target.row === undefined ? table : `${table}: ${row}`;
    const cells = measured.map(({ judged }) =>
      verdict([...judged, ...everywhere.judged].find((one) => keyOf(one) === key))
    );
    return [work, wording(target), bound(target), ...cells];
  });
  return grid(["work", "held against", "wanted", ...measured.map(({ runtime }) => called(runtime))], lines);
}

function verdict(judged: Judged | undefined): string {
  if (judged === undefined) return "not measured";
  const { target, measured, spread, verdict, peer } = judged;
  const found = `${number(target, measured)} ${percent(spread)}`;
  const word = verdict === "missed" ? "**missed**" : verdict;
  return peer === undefined ? `${found}, ${word}` : `${found} (${peer}), ${word}`;
}

function titlesOf({ measured }: Result): string[] {
  return [...new Set(measured.flatMap(({ tables }) => tables.map(({ title }) => title)))];
}

/** One table over all runtimes. */
function section({ measured }: Result, title: string): string {
  const tables = measured.map(({ tables }) => tables.find((table) => table.title === title));
  const first = tables.find((table) => table !== undefined)!;
  const rows = new Map<string, Row>();
  for (const table of tables) for (const row of table?.rows ?? []) if (!rows.has(row.name)) rows.set(row.name, row);
  const gives = [...rows.values()].some((row) => row.gives !== undefined);
  const head = [first.unit, ...measured.map(({ runtime }) => called(runtime)), ...(gives ? ["gives"] : [])];
  const lines = [...rows.values()].map(({ name, gives: given = "" }) => [
    name,
    ...tables.map((table) => cell(table, name)),
    ...(gives ? [given] : []),
  ]);
  const missing = measured.flatMap(({ runtime }, at) => notes(called(runtime), tables[at]?.missing));
  return [`### ${title}`, grid(head, lines), ...missing].join("\n\n");
}

function cell(table: Table | undefined, name: string): string {
  const row = table?.rows.find((row) => row.name === name);
  if (table === undefined || row === undefined) return "not measured";
  return [
    `${figure(row.value, table.unit)} ${percent(row.spread)}`,
    ...(row.ofBase === undefined || row.kind === "floor" ? [] : [ratio(row.ofBase)]),
    ...(row.ours === undefined || row.kind === "floor" ? [] : [`${ratio(row.ours)} x`]),
  ].join("; ");
}

/** What is the same on every runtime. */
function everywhere({ title, unit, rows }: Table): string {
  const lines = rows.map(({ name, value, ours }) => [
    name,
    figure(value, unit),
    ours === undefined ? "" : `${ratio(ours)} x`,
  ]);
  return `### ${title}\n\n${grid(["", unit, "ours is"], lines)}`;
}

function notes(runtime: string, missing: readonly Missing[] = []): string[] {
  return missing.map(({ name, why }) => `Not measured on ${runtime}: ${name} (${oneLine(why)}).`);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 200);
}

function grid(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const text = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [text(head), text(head.map((_, at) => at === 0 ? "---" : "---:")), ...lines.map(text)].join("\n");
}

/** Writes and draws. `path`: the run's JSON. */
export async function report(path: string): Promise<void> {
  const page = `${root}docs/BENCHMARKS.md`;
  const result = JSON.parse(await Deno.readTextFile(path)) as Result;
  await Deno.writeTextFile(page, spliced(await Deno.readTextFile(page), markdown(result)));
  await must("deno fmt", ["fmt", "--quiet", page]);
  const folder = await fetchPackages("bench-plots", drawers);
  if ("missing" in folder) throw new Error(`Cannot draw the plots: ${folder.missing}`);
  const draw = ["run", "-A", "--node-modules-dir=manual", `${root}bench/draw.ts`];
  await must("drawing the plots", [...draw, path, folder.path, `${root}docs/benchmarks`]);
  console.log("written: docs/BENCHMARKS.md, docs/benchmarks/*.svg");
}

async function must(action: string, args: readonly string[]): Promise<void> {
  const { code, output } = await run(Deno.execPath(), args);
  if (code !== 0) throw new Error(`${action} failed:\n${output}`);
}

if (import.meta.main) await report(Deno.args[0]!);
