/** A table as text, and what was to be reached beside what was. */

import type { Cell, Row, Table } from "./measure.ts";

/** A bound on a row of a table; what is within the row's own spread of it counts as met. */
export interface Target {
  /** The beginning of the table's title. */
  readonly table: string;
  /** The beginning of the row's name. By default our own row. */
  readonly row?: string;
  /** At least this part of the base's speed. */
  readonly ofBase?: number;
  /** At least so many times as fast as the fastest peer, or as the one that is named. */
  readonly ofPeers?: number;
  readonly peer?: string;
  /** At most so many times as slow as our own row, where cost must be flat. */
  readonly ofOurs?: number;
  /** At most this, in the table's unit. */
  readonly most?: number;
}

const FLIGHT = "a get of 100 bytes, by calls in flight", GROUP = "invalidating a group";

/** Set before anything was measured here, from what a bare client reached; docs/BENCHMARKS.md says which are missed and why. */
export const targets: readonly Target[] = [
  { table: "get 100 bytes, 1 in flight", ofBase: 0.95, ofPeers: 1 },
  { table: "get 100 bytes, 16 in flight", ofBase: 0.9, ofPeers: 1.5 },
  { table: "get 100 bytes, 128 in flight", ofBase: 0.85, ofPeers: 6 },
  { table: "get 100 bytes, 1024 in flight", ofBase: 0.85, ofPeers: 6 },
  { table: "get 10 kB, 128 in flight", ofBase: 0.85, ofPeers: 2 },
  { table: "get 500 kB, 16 in flight", ofBase: 0.5, ofPeers: 1 },
  // Its frames are encoded, the floor's were before.
  { table: "set 100 bytes, 128 in flight", ofBase: 0.4, ofPeers: 3 },
  { table: "getMulti of 100 keys, 1 in flight", ofBase: 0.85, ofPeers: 1.8 },
  // The base is the driver fetching the same keys. Peers have no groups.
  { table: "a cached hit on memcached, 3 groups", ofBase: 0.6 },
  // Bare LRU maps are no peers.
  { table: "a hit in memory", ofPeers: 1 },
  { table: "importing", ofPeers: 1, peer: "memjs" },
  { table: "heap of a get in flight", most: 500 },
  ...["10,000", "100,000"].map((count) => ({ table: FLIGHT, row: `ours, ${count} `, ofOurs: 1.25 })),
  ...["10,000", "1,000,000"].map((count) => ({ table: GROUP, row: `ours, ${count} `, ofOurs: 1.25 })),
  { table: "heap of a MemoryStore of 16 MiB", row: "the most", most: 24 * 1024 * 1024 },
];

/** A target, and what was measured; both as text. */
export interface Judged {
  readonly work: string;
  readonly wanted: string;
  readonly found: string;
  readonly missed: boolean;
}

/** Every target that the table has a row for. */
export function judge(table: Table): Judged[] {
  return targets.filter((target) => table.title.startsWith(target.table)).flatMap((target) => {
    const row = table.rows.find(({ name, kind }) =>
      target.row === undefined ? kind === "ours" : name.startsWith(target.row)
    );
    return row === undefined ? [] : [judgeRow(target, table, row)];
  });
}

function judgeRow(target: Target, { title, columns, rows }: Table, row: Row): Judged {
  const [value, spread, ofBase, ofOurs] = row.cells as readonly number[];
  const wanted: string[] = [], found: string[] = [];
  let missed = false;
  const hold = (measured: number, bound: number, sign: ">=" | "<=", unit: string, of: string) => {
    const reach = Math.abs(measured) * (spread ?? 0);
    const met = sign === ">=" ? measured + reach >= bound : measured - reach <= bound;
    missed ||= !met;
    wanted.push(`${sign} ${text(bound)}${unit}${of}`);
    found.push(`${met ? text(measured) : `**${text(measured)}**`}${unit}`);
  };
  if (target.most !== undefined) hold(value!, target.most, "<=", ` ${columns[0]}`, "");
  if (target.ofBase !== undefined) hold(ofBase!, target.ofBase, ">=", "", " of the base");
  if (target.ofOurs !== undefined) hold(ofOurs!, target.ofOurs, "<=", " x", " as slow");
  if (target.ofPeers !== undefined) {
    const peers = rows.filter(({ kind, name }) =>
      kind === "peer" && (target.peer === undefined || name === target.peer)
    );
    const best = peers.toSorted((a, b) => (a.cells[3] as number) - (b.cells[3] as number))[0];
    if (best !== undefined) {
      hold(best.cells[3] as number, target.ofPeers, ">=", " x", ` ${target.peer ?? "the best peer"}`);
    }
  }
  return {
    work: target.row === undefined ? title : `${title}: ${row.name}`,
    wanted: wanted.join(", "),
    found: found.join(", "),
    missed,
  };
}

/** A table as text, and below it what was to be reached. */
export function print(table: Table): string {
  const { title, columns, rows, notes = [] } = table;
  const lines = [["", ...columns], ...rows.map(({ name, cells }) => [name, ...cells.map(text)])];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const body = lines.map((line) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("   ")
  );
  const judged = judge(table).map((one) =>
    `${one.missed ? "missed" : "met, or within its spread"}: ${one.found}; wanted ${one.wanted}`
  );
  const below = [...notes, ...judged].map((note) => `  * ${note}`);
  return [title, ...body.map((line) => `  ${line}`.trimEnd()), ...below, ""].join("\n");
}

/** Three digits that count, and all of them before the point. */
export function text(cell: Cell): string {
  if (typeof cell !== "number") return cell ?? "";
  const size = Math.abs(cell);
  const digits = size >= 100 || Number.isInteger(cell) ? 0 : size >= 10 ? 1 : 2;
  return cell.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
