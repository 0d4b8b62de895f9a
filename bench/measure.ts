/**
 * Side by side, in one run: the contenders take turns, round after round, so that what the machine does meanwhile falls
 * on all of them. Only the ratios travel to other machines.
 */

import process from "node:process";

/**
 * What a row stands for. `floor`: what the runtime allows; `ours`: the one that the others are compared with; `variant`:
 * ours in another way; `peer`: another library; `bare`: one that does less than ours, and shows a limit.
 */
export type Kind = "floor" | "ours" | "variant" | "peer" | "bare";

/** One who does the same work as the others. `run` does it `count` times; the promise settles when all is done. */
export interface Contender {
  readonly name: string;
  readonly kind: Kind;
  /** What its caller gets beside the value. */
  readonly gives?: string;
  /** So many times in each turn, however long it takes. */
  readonly turn?: number;
  run(count: number): Promise<unknown>;
}

export interface Pace {
  /** How long each contender works before anything counts: runtimes optimize what has run for a while. */
  readonly warmMs: number;
  readonly rounds: number;
  /** Rounds before those, in turn as well, since what contenders share is compiled anew once both have used it. Default 0. */
  readonly dropped?: number;
  /** How long one contender's turn is to last. */
  readonly roundMs: number;
}

/** `value`: the median of the rounds, in the table's unit; a spread: half of what lies between the quartiles, as its part. */
export interface Row {
  readonly name: string;
  readonly kind: Kind;
  readonly gives?: string;
  readonly value: number;
  readonly spread: number;
  /** The median of the rounds' own ratios: this row's speed as a part of the base's. */
  readonly ofBase?: number;
  readonly ofBaseSpread?: number;
  /** Likewise: how many times as fast our own row is. */
  readonly ours?: number;
  readonly oursSpread?: number;
}

/** One that could not be measured. */
export interface Missing {
  readonly name: string;
  readonly why: string;
}

export interface Table {
  readonly title: string;
  readonly unit: "per second" | "ns" | "ms" | "bytes";
  /** Whose part `ofBase` tells. */
  readonly base?: string;
  readonly rows: readonly Row[];
  readonly missing?: readonly Missing[];
}

/** So many times as long as before each table. */
const WARM_UPS = 5;

/** The name of our own row. */
export const OURS = "@x/cache-utils";

/** Lets the contenders work in turn, round by round. The first is the base of the ratios; one of them is ours. */
export async function race(
  title: string,
  unit: "per second" | "ns",
  contenders: readonly Contender[],
  pace: Pace,
): Promise<Table> {
  const perSecond = (await times(contenders, pace)).map((rounds) => rounds.map((ms) => 1000 / ms));
  const ours = contenders.findIndex(({ kind }) => kind === "ours");
  const rows = contenders.map(({ name, kind, gives }, at): Row => {
    const own = perSecond[at]!;
    const value = median(own);
    const ofBase = own.map((speed, round) => speed / perSecond[0]![round]!);
    const row = {
      name,
      kind,
      ...(gives === undefined ? {} : { gives }),
      value: unit === "ns" ? 1e9 / value : value,
      spread: spreadOf(own),
      ofBase: median(ofBase),
      ofBaseSpread: spreadOf(ofBase),
    };
    if (at === ours) return row;
    const times = own.map((speed, round) => perSecond[ours]![round]! / speed);
    return { ...row, ours: median(times), oursSpread: spreadOf(times) };
  });
  return { title, unit, base: rows[0]!.name, rows };
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
  const took: number[][] = contenders.map(() => []);
  const dropped = pace.dropped ?? 0;
  for (let round = 0; round < dropped + pace.rounds; round++) {
    for (const at of turns(contenders.length, round)) {
      const start = now();
      await contenders[at]!.run(counts[at]!);
      if (round >= dropped) took[at]!.push((now() - start) / counts[at]!);
    }
  }
  return took;
}

/** In which order they work in a round: another one begins, and each second round is backwards, so that neighbours change. */
export function turns(count: number, round: number): number[] {
  const order = Array.from({ length: count }, (_, turn) => (turn + (round >> 1)) % count);
  return round % 2 === 0 ? order : order.reverse();
}

/** The processor's time that this process has used, in all its threads. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
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

/** `operation` `count` times, `lanes` at once: each lane asks again as soon as it was answered. */
export async function inFlight(
  lanes: number,
  count: number,
  operation: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await operation(next++);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane));
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
