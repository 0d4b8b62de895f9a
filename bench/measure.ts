/**
 * The one way to measure: contenders take turns, round after round, so that what the machine does meanwhile falls on all
 * of them; and the one form of a result: a table. Only ratios within one run travel to another machine.
 */

import process from "node:process";

/** The name of our own row. */
export const OURS = "@x/cache-utils";

/**
 * What a row shows. `floor`: what the runtime allows; `ours`: the row that the others are compared with; `variant`:
 * ours in another way; `peer`: another library; `bare`: one that does less than ours, and shows a limit.
 */
export type Kind = "floor" | "ours" | "variant" | "peer" | "bare";

/** A client or library that does the same work as the others of its table. */
export interface Contender {
  readonly name: string;
  readonly kind: Kind;
  /** What its caller gets beside the value. */
  readonly gives?: string | undefined;
  /** So many times in each turn, however long that takes. By default as many as fit into a turn. */
  readonly turn?: number | undefined;
  /** Does the work `count` times; resolves when all of it is done. */
  run(count: number): Promise<unknown>;
}

/** How long to measure. */
export interface Pace {
  /** How long each contender works before anything counts: runtimes optimize what has run for a while. */
  readonly warmMs: number;
  readonly rounds: number;
  /** Rounds before those, in turn as well: what contenders share is compiled anew once all of them have used it. */
  readonly dropped?: number;
  /** How long one contender's turn is to last. */
  readonly roundMs: number;
}

/** A figure, a word, or nothing. */
export type Cell = number | string | null;

export interface Row {
  readonly name: string;
  readonly kind?: Kind;
  readonly cells: readonly Cell[];
}

/** What was found. A race's columns are its unit, the spread, the part of the base's speed, and how fast ours is. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** What a reader has to know, and which libraries could not be measured and why. */
  readonly notes?: readonly string[];
}

/** So many times as long as before each table. */
const WARM_UPS = 5;

/** Lets the contenders work in turn. The first is the base of the ratios; one of them is ours. */
export async function race(
  title: string,
  unit: "per second" | "ns",
  contenders: readonly Contender[],
  pace: Pace,
  notes: readonly string[] = [],
): Promise<Table> {
  const took = await times(contenders, pace);
  const ours = took[contenders.findIndex(({ kind }) => kind === "ours")]!;
  const given = contenders.some(({ gives }) => gives !== undefined);
  const rows = contenders.map(({ name, kind, gives = null }, at): Row => {
    const own = took[at]!;
    const value = unit === "ns" ? median(own) * 1e6 : 1000 / median(own);
    // Of each round: its own ratio. Below the base's speed it is less than 1.
    const ofBase = median(own.map((ms, round) => took[0]![round]! / ms));
    const times = own === ours ? null : median(own.map((ms, round) => ms / ours[round]!));
    return { name, kind, cells: [value, spreadOf(own), ofBase, times, ...(given ? [gives] : [])] };
  });
  const columns = [unit, "spread", `of ${contenders[0]!.name}`, "ours is x", ...(given ? ["gives"] : [])];
  return { title, columns, rows, notes };
}

/** What each contender took for one run of its work, in ms, round by round. All of them work in each round, in turn. */
export async function times(
  contenders: readonly Contender[],
  pace: Pace,
  clock: "wall" | "processor" = "wall",
): Promise<number[][]> {
  const now = clock === "wall" ? () => performance.now() : processorMs;
  const counts: number[] = [];
  for (const contender of contenders) counts.push(await countFor(contender, pace));
  return await rounds(contenders.length, pace, async (at) => {
    const start = now();
    await contenders[at]!.run(counts[at]!);
    return (now() - start) / counts[at]!;
  });
}

/** A figure of each of so many in each round. Another one begins, and each second round is backwards: neighbours change. */
export async function rounds(
  count: number,
  { rounds, dropped = 0 }: Pick<Pace, "rounds" | "dropped">,
  measure: (at: number) => Promise<number>,
): Promise<number[][]> {
  const found: number[][] = Array.from({ length: count }, () => []);
  for (let round = 0; round < dropped + rounds; round++) {
    const order = Array.from({ length: count }, (_, turn) => (turn + (round >> 1)) % count);
    for (const at of round % 2 === 0 ? order : order.reverse()) {
      const figure = await measure(at);
      if (round >= dropped) found[at]!.push(figure);
    }
  }
  return found;
}

/**
 * Lets each of them work for a while before the first table of a process, which else would show what no runtime has
 * optimized yet: most of all of those who have the most code.
 */
export async function warmUp(runs: readonly Contender["run"][], { warmMs }: Pace): Promise<void> {
  for (const run of runs) {
    const end = performance.now() + WARM_UPS * warmMs;
    while (performance.now() < end) await run(200);
  }
}

/** How many times fit into one turn, found by doubling; it is the warm-up as well. */
async function countFor(contender: Contender, { warmMs, roundMs }: Pace): Promise<number> {
  const began = performance.now();
  let count = contender.turn ?? 1;
  // The first time that is long enough may have connected, or loaded something: it takes two.
  for (let enough = 0; enough < 2 || performance.now() - began < warmMs;) {
    const start = performance.now();
    await contender.run(count);
    const ms = performance.now() - start;
    if (contender.turn !== undefined) enough = 2;
    else if (ms <= roundMs / 3) count *= 2;
    else {
      enough++;
      count = Math.max(1, Math.round(count * roundMs / ms));
    }
  }
  return count;
}

/** Calls `operation` `count` times, `atOnce` of them in flight: each one that is answered is followed by the next. */
export async function inFlight(
  atOnce: number,
  count: number,
  operation: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const caller = async () => {
    while (next < count) await operation(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, caller));
}

/** The processor's time that this process has used, in all its threads. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Bytes of the heap after all garbage is collected, twice: then the engine has forgotten what it remembers of code, too. */
export function heapUsed(): number {
  const { gc, Bun } = globalThis as { readonly gc?: () => void; readonly Bun?: { gc(force: true): void } };
  for (let time = 0; time < 2; time++) Bun ? Bun.gc(true) : gc!();
  return process.memoryUsage().heapUsed;
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** Half of what lies between the quartiles, as a part of the median. */
export function spreadOf(numbers: readonly number[]): number {
  return (quantile(numbers, 0.75) - quantile(numbers, 0.25)) / 2 / Math.abs(median(numbers));
}

export function quantile(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const low = sorted[Math.floor(at)]!, high = sorted[Math.ceil(at)]!;
  return low + (high - low) * (at - Math.floor(at));
}
