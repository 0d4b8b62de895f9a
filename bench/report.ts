/**
 * Writes what a full run found into docs/BENCHMARKS.md, between its marks, and draws its plots:
 *
 *     deno run -A --node-modules-dir=manual bench/report.ts bench/results/FILE.json
 */

import { packages } from "../tests/_install.ts";
import { run } from "../tools/command.ts";
import { load } from "./peers.ts";
import type { Result } from "./run.ts";
import { judge } from "./table.ts";

const BEGIN = "<!-- tables: begin -->", END = "<!-- tables: end -->";
/** What draws the plots; nothing here depends on it. */
const drawers = { vega: "6", "vega-lite": "6" };

/** The page with the text between its marks replaced. */
export function spliced(text: string, tables: string): string {
  const begin = text.indexOf(BEGIN), end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`Cannot write the tables: "${BEGIN}" and "${END}" are not in the page`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${tables}\n${text.slice(end)}`;
}

/** The run, and every target with what was measured on each runtime. */
export function markdown({ date, commit, machine, versions, measured, pace, seconds }: Result): string {
  const { cpu, cores, os } = machine;
  const failed = measured.flatMap(({ runtime, failed }) => failed.map((why) => `- Not measured on ${runtime}: ${why}`));
  const judged = measured.map(({ tables }) => tables.flatMap(judge));
  const works = new Map(judged.flat().map(({ work, wanted }) => [work, wanted]));
  const lines = [...works].map(([work, wanted]) => [
    work,
    wanted,
    ...judged.map((all) => all.find((one) => one.work === work)?.found ?? "not measured"),
  ]);
  const head = ["work", "wanted", ...measured.map(({ runtime }) => `${runtime[0]!.toUpperCase()}${runtime.slice(1)}`)];
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return `${
    date.slice(0, 10)
  }, commit ${commit}, ${cpu}, ${cores} cores, ${os}; ${pace.rounds} rounds of ${pace.roundMs} ms for ` +
    `each contender, ${seconds} s in all. ${Object.entries(versions).map((one) => one.join(" ")).join(", ")}.\n\n` +
    failed.map((line) => `${line}\n\n`).join("") +
    [row(head), row(head.map(() => "---")), ...lines.map(row)].join("\n") + "\n";
}

/** The rows of all tables with such a title. `amount`: the number in the title, if the pattern has a group for it. */
function points({ measured }: Result, title: RegExp) {
  return measured.flatMap(({ runtime, tables }) =>
    tables.filter((table) => title.test(table.title)).flatMap((table) =>
      table.rows.filter(({ name }) => name !== "an empty program").map(({ name, cells }) => ({
        runtime,
        name,
        amount: Number(title.exec(table.title)![1]),
        value: cells[0],
      }))
    )
  );
}

/** Lines at the powers of ten only. */
const LOG = {
  scale: { type: "log", nice: false, padding: 10 },
  axis: { values: Array.from({ length: 9 }, (_, power) => 10 ** power), format: "~s" },
};
const field = (name: string, title: string, type = "quantitative") => ({ field: name, type, title });

/** The plots, as specifications of Vega-Lite. */
export function plotsOf(result: Result): Readonly<Record<string, object>> {
  const plot = (title: string, tables: RegExp, rest: object) => ({
    background: "white",
    padding: 12,
    title: { text: title, anchor: "start" },
    data: { values: points(result, tables) },
    ...rest,
  });
  const dots = (value: string, x: object) => ({
    width: 520,
    height: { step: 20 },
    mark: { type: "point", filled: true, size: 70 },
    encoding: {
      x: { ...field("value", value), ...x },
      y: {
        ...field("name", "", "nominal"),
        sort: { field: "value", op: "median" },
        axis: { labelLimit: 300, title: null },
      },
      color: field("runtime", "runtime", "nominal"),
    },
  });
  const columns = { column: { ...field("runtime", "", "nominal"), header: { title: null, labelFontSize: 13 } } };
  return {
    get: plot("A get of 100 bytes, by calls in flight", /^get 100 bytes, (\d+) in flight$/, {
      facet: columns,
      spec: {
        width: 240,
        height: 260,
        mark: { type: "line", point: true },
        encoding: {
          x: { ...field("amount", "calls in flight (log)"), ...LOG },
          y: { ...field("value", "gets a second (log)"), ...LOG },
          color: field("name", "client", "nominal"),
        },
      },
    }),
    memory: plot(
      "A hit in memory, an object of 1 KB: less is better",
      /^a hit in memory/,
      dots("ns a call (log)", LOG),
    ),
    import: plot("Importing, beyond an empty program: less is better", /^importing/, dots("ms", {})),
  };
}

async function draw(plots: Readonly<Record<string, object>>, output: string): Promise<void> {
  const folder = await packages("plots", drawers);
  const { compile } = await load(folder, "vega-lite");
  const { parse, View } = await load(folder, "vega");
  await Deno.mkdir(output, { recursive: true });
  for (const [name, spec] of Object.entries(plots)) {
    const view = new View(parse(compile(spec).spec), { renderer: "none" });
    await Deno.writeTextFile(`${output}/${name}.svg`, `${await view.toSVG()}\n`);
  }
}

/** Writes a full run's result into the page. */
export async function report(result: Result): Promise<void> {
  const root = new URL("../", import.meta.url).pathname;
  const page = `${root}docs/BENCHMARKS.md`;
  await Deno.writeTextFile(page, spliced(await Deno.readTextFile(page), markdown(result)));
  await run(Deno.execPath(), ["fmt", "--quiet", page]);
  await draw(plotsOf(result), `${root}docs/benchmarks`);
  console.log("written: docs/BENCHMARKS.md, docs/benchmarks/*.svg");
}

if (import.meta.main) await report(JSON.parse(await Deno.readTextFile(Deno.args[0]!)) as Result);
