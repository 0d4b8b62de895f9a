/**
 * Side by side, in one run: the contenders take turns, round after round, so that what the machine does meanwhile falls
 * on all of them. Only the ratios travel to other machines.
 */

/** One who does the same work as the others. `run` does it `count` times; the promise settles when all is done. */
export interface Contender {
  readonly name: string;
  run(count: number): Promise<unknown>;
}

export interface Pace {
  readonly rounds: number;
  /** How long one contender's turn is to last. */
  readonly roundMs: number;
}

/** `value`: the median of the rounds, in the table's unit; `spread`: half of what lies between the quartiles, as a part of it. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly spread: number;
  /** The median of the rounds' own ratios: this row's speed as a part of the base's. */
  readonly ofBase?: number;
  /** Likewise: how many times as fast our own row is. */
  readonly ours?: number;
}

export interface Table {
  readonly title: string;
  readonly unit: "per second" | "ns" | "ms";
  /** Whose part `ofBase` tells. */
  readonly base?: string;
  readonly rows: readonly Row[];
}

/** The name of our own row. */
export const OURS = "@x/cache-utils";

/** Lets the contenders work in turn, round by round. The first is the base of the ratios; one of them is ours. */
export async function race(
  title: string,
  unit: "per second" | "ns",
  contenders: readonly Contender[],
  pace: Pace,
): Promise<Table> {
  const counts: number[] = [];
  for (const contender of contenders) counts.push(await countFor(contender, pace.roundMs));
  const perSecond: number[][] = contenders.map(() => []);
  for (let round = 0; round < pace.rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      // Another one begins each round: nobody always runs after the same neighbour.
      const at = (turn + round) % contenders.length;
      const count = counts[at]!;
      const start = performance.now();
      await contenders[at]!.run(count);
      perSecond[at]!.push(count / (performance.now() - start) * 1000);
    }
  }
  const ours = contenders.findIndex((contender) => contender.name.startsWith(OURS));
  const rows = contenders.map(({ name }, at): Row => {
    const own = perSecond[at]!;
    const value = median(own);
    return {
      name,
      value: unit === "ns" ? 1e9 / value : value,
      spread: spreadOf(own) / value,
      ofBase: median(own.map((speed, round) => speed / perSecond[0]![round]!)),
      ...(ours === at ? {} : { ours: median(own.map((speed, round) => perSecond[ours]![round]! / speed)) }),
    };
  });
  return { title, unit, base: rows[0]!.name, rows };
}

/** How many times fit into one turn, found by doubling; it is the warm-up as well. */
async function countFor(contender: Contender, roundMs: number): Promise<number> {
  for (let count = 1;; count *= 2) {
    const start = performance.now();
    await contender.run(count);
    const ms = performance.now() - start;
    if (ms > roundMs / 3) return Math.max(1, Math.round(count * roundMs / ms));
  }
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

/** Half of what lies between the quartiles. */
export function spreadOf(numbers: readonly number[]): number {
  return (quantile(numbers, 0.75) - quantile(numbers, 0.25)) / 2;
}

export function quantile(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const low = sorted[Math.floor(at)]!, high = sorted[Math.ceil(at)]!;
  return low + (high - low) * (at - Math.floor(at));
}
