/** What is to be reached: each line a row of a table and a bound on it. What was measured is judged here. */

import { BYTES_MINIFIED, BYTES_READ } from "./bytes.ts";
import { IMPORT_TIME } from "./imports.ts";
import type { Row, Table } from "./measure.ts";

/**
 * What the row is held against. `floor`: its part of the base's speed; `best peer`: how many times as fast it is as the
 * fastest of the others; `itself`: how many times as slow it is as our own row, where cost must be flat; else its number.
 */
export type Against = "floor" | "best peer" | "itself" | Table["unit"];

export interface Target {
  /** The beginning of the table's title. */
  readonly table: string;
  /** The row, by the beginning of its name: our own, unless it says otherwise. */
  readonly row?: string;
  readonly against: Against;
  /** Of the peers only this one counts. */
  readonly peer?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What is within its own spread of the target counts as met. */
export type Verdict = "met" | "within its spread" | "missed";

export interface Judged {
  readonly target: Target;
  readonly table: string;
  readonly row: string;
  readonly measured: number;
  readonly spread: number;
  /** Who is the best peer. */
  readonly peer?: string;
  readonly verdict: Verdict;
}

function get(what: string, floor: number, peer: number): Target[] {
  return [
    { table: what, against: "floor", atLeast: floor },
    { table: what, against: "best peer", atLeast: peer },
  ];
}

const COPIES = "a hit in memory, 1 KB object, a fresh copy", SAME = "a hit in memory, 1 KB object, no copies";

export const targets: readonly Target[] = [
  ...get("get 100 bytes, 1 in flight", 0.95, 1),
  ...get("get 100 bytes, 16 in flight", 0.9, 1.5),
  ...get("get 100 bytes, 128 in flight", 0.85, 6),
  ...get("get 100 bytes, 1024 in flight", 0.85, 6),
  ...get("get 10 kB, 128 in flight", 0.85, 2),
  ...get("get 500 kB, 16 in flight", 0.5, 1),
  // Its frames are encoded, the floor's were before.
  ...get("set 100 bytes, 128 in flight", 0.4, 3),
  ...get("getMulti of 100 keys, 100 bytes, 1 in flight", 0.85, 1.8),
  // Here the floor is the driver fetching the same keys. Peers have no groups.
  { table: "a cached hit on memcached, 3 groups", against: "floor", atLeast: 0.6 },
  // So many ns on the machine where these others took so many: there 4,170 (Deno), and 930 (Deno) to 1,170 (Bun).
  { table: COPIES, against: "ns", atMost: 2500 },
  { table: COPIES, against: "best peer", peer: "bentocache getOrSet", atLeast: 1.67 },
  { table: COPIES, against: "best peer", atLeast: 1 },
  { table: SAME, against: "ns", atMost: 900 },
  { table: SAME, against: "best peer", peer: "async-cache-dedupe", atLeast: 1.03 },
  // Bare LRU maps are no peers.
  { table: SAME, against: "best peer", atLeast: 1 },
  { table: IMPORT_TIME, against: "ms", atMost: 15 },
  { table: IMPORT_TIME, against: "best peer", atLeast: 1 },
  { table: BYTES_READ, against: "best peer", atLeast: 1 },
  { table: BYTES_MINIFIED, against: "best peer", atLeast: 1 },
  // Flat: as dear, but for noise, however much there is.
  { table: "a get of 100 bytes, by calls in flight", row: "ours, 10,000 ", against: "itself", atMost: 1.25 },
  { table: "a get of 100 bytes, by calls in flight", row: "ours, 100,000 ", against: "itself", atMost: 1.25 },
  { table: "invalidating a group", row: "ours, 10,000 ", against: "itself", atMost: 1.25 },
  { table: "invalidating a group", row: "ours, 100,000 ", against: "itself", atMost: 1.25 },
  { table: "invalidating a group", row: "ours, 1,000,000 ", against: "itself", atMost: 1.25 },
  { table: "which server a key lives on", row: "ours, 64 ", against: "itself", atMost: 1.25 },
  { table: "heap of a get in flight", against: "bytes", atMost: 500 },
  ...[
    "texts",
    "rows of 20",
    "a hundred rows",
    "records of 50 names",
    "rows by their id",
    "numbers by their id",
    "arrays of 1,000 places",
    "regular expressions",
    "dates",
    "Headers",
  ].map((row): Target => ({
    table: "heap of a MemoryStore of 16 MiB",
    row: `ours, ${row}`,
    against: "bytes",
    atMost: 24 * 1024 * 1024,
  })),
];

/** Every target that the tables have a row for. */
export function judge(tables: readonly Table[]): Judged[] {
  return tables.flatMap((table) => judgeTable(table));
}

export function judgeTable(table: Table): Judged[] {
  return targets.filter(({ table: title }) => table.title.startsWith(title)).flatMap((target) => {
    const row = table.rows.find(({ name, kind }) =>
      target.row === undefined ? kind === "ours" : name.startsWith(target.row)
    );
    const found = row && measured(target, table, row);
    if (row === undefined || found === undefined) return [];
    return [{ target, table: table.title, row: row.name, ...found, verdict: verdictOf(target, found) }];
  });
}

type Found = Pick<Judged, "measured" | "spread" | "peer">;

function measured({ against, peer }: Target, { rows, unit }: Table, row: Row): Found | undefined {
  if (against === "floor") return ratio(row.ofBase, row.ofBaseSpread);
  // `ours` tells how many times as fast our own row is: the best of the others has the least.
  if (against === "itself") return ratio(row.ours, row.oursSpread);
  if (against !== "best peer") return against === unit ? { measured: row.value, spread: row.spread } : undefined;
  const peers = rows.filter(({ kind, name, ours }) =>
    // A difference of two starts may be next to nothing, or less.
    kind === "peer" && ours !== undefined && ours > 0 && (peer === undefined || name === peer)
  );
  if (peers.length === 0) return undefined;
  const best = peers.reduce((best, peer) => peer.ours! < best.ours! ? peer : best);
  return { measured: best.ours!, spread: best.oursSpread ?? 0, peer: best.name };
}

function ratio(measured: number | undefined, spread = 0): Found | undefined {
  return measured === undefined ? undefined : { measured, spread };
}

export function verdictOf({ atLeast = -Infinity, atMost = Infinity }: Target, found: Found): Verdict {
  const { measured, spread } = found;
  if (measured >= atLeast && measured <= atMost) return "met";
  const reach = Math.abs(measured) * spread;
  return measured + reach >= atLeast && measured - reach <= atMost ? "within its spread" : "missed";
}
