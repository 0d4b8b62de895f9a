/** The plots of a run, as specifications of Vega-Lite. */

import { IMPORT_TIME } from "./imports.ts";
import { OURS, type Row } from "./measure.ts";
import type { Result } from "./result.ts";

export interface Plot {
  readonly name: string;
  readonly spec: object;
}

interface Point {
  readonly runtime: string;
  readonly name: string;
  readonly value: number;
  /** How much there is: calls in flight, entries. */
  readonly amount: number;
}

/** Lines at the powers of ten only. */
const LOG = {
  scale: { type: "log", nice: false, padding: 10 },
  axis: { values: Array.from({ length: 9 }, (_, power) => 10 ** power), format: "~s" },
};

export function plotsOf(result: Result): Plot[] {
  const gets = points(result, /^get 100 bytes, (\d+) in flight$/);
  const copies = points(result, /^a hit in memory, 1 KB object, (?:a fresh copy|no copies)/);
  const flights = amounts(points(result, /^a get of 100 bytes, by calls in flight$/))
    .filter(({ name }) => !name.startsWith("floor"));
  const groups = amounts(points(result, /^invalidating a group/));
  const imports = points(result, new RegExp(`^${IMPORT_TIME}$`)).filter(({ name }) => name !== "an empty program");
  const lines = (amount: string, value: string) => ({
    mark: { type: "line", point: true },
    encoding: { x: log("amount", amount), y: log("value", value), color: field("name", "nominal", "client") },
  });
  const byRuntime = (amount: string, value: string) => {
    const plot = lines(amount, value);
    const y = { ...field("value", "quantitative", value), scale: { zero: true } };
    return { ...plot, encoding: { ...plot.encoding, y, color: field("runtime", "nominal", "runtime") } };
  };
  const dots = (value: string, x: object) => ({
    mark: { type: "point", filled: true, size: 70, tooltip: null },
    encoding: {
      x: { ...field("value", "quantitative", value), ...x },
      y: {
        ...field("name", "nominal", ""),
        sort: { field: "value", op: "median" },
        axis: { labelLimit: 300, title: null },
      },
      color: field("runtime", "nominal", "runtime"),
    },
  });
  const one = { width: 520, height: 300 };
  return [
    {
      name: "get",
      spec: {
        ...head("A get of 100 bytes, by calls in flight", gets),
        facet: { column: { ...field("runtime", "nominal", ""), header: { title: null, labelFontSize: 13 } } },
        spec: { width: 240, height: 260, ...lines("calls in flight", "gets a second") },
      },
    },
    {
      name: "memory",
      spec: {
        ...head("A hit in memory, an object of 1 KB: less is better", copies),
        width: 520,
        height: { step: 20 },
        ...dots("ns a call (log)", LOG),
      },
    },
    {
      name: "in-flight",
      spec: {
        ...head("What one get costs, by calls in flight", flights),
        ...one,
        ...byRuntime("calls in flight", "ns a get"),
      },
    },
    {
      name: "groups",
      spec: {
        ...head(
          "Invalidating a group, by its entries",
          groups.map((point) => ({ ...point, value: point.value / 1000 })),
        ),
        ...one,
        ...byRuntime("entries of the group", "µs an invalidation"),
      },
    },
    {
      name: "import",
      spec: {
        ...head("Importing, beyond an empty program: less is better", imports),
        width: 520,
        height: { step: 20 },
        ...dots("ms", {}),
      },
    },
  ].filter(({ spec }) => spec.data.values.length > 0);
}

function head(title: string, values: readonly Point[]) {
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 12,
    title: { text: title, anchor: "start" },
    data: { values },
  };
}

function field(name: string, type: string, title: string) {
  return { field: name, type, title };
}

function log(name: string, title: string) {
  return { ...field(name, "quantitative", `${title} (log)`), ...LOG };
}

/** The rows of the tables with such a title; the title may tell how much there is. */
function points({ measured }: Result, title: RegExp): Point[] {
  return measured.flatMap(({ runtime, tables }) =>
    tables.flatMap((table) => {
      const found = title.exec(table.title);
      if (found === null) return [];
      return table.rows.map(({ name, value }) => ({ runtime, name, value, amount: Number(found[1] ?? 0) }));
    })
  );
}

/** Where each row tells how much there is: "ours, 1,000 entries". */
function amounts(points: readonly Point[]): Point[] {
  return points.map((point) => ({ ...point, amount: amountIn(point) }));
}

export function amountIn({ name }: Pick<Row, "name">): number {
  const [digits] = /\d[\d,]*/.exec(name.replace(OURS, "")) ?? ["0"];
  return Number(digits.replaceAll(",", ""));
}
