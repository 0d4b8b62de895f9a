/**
 * Rare schedules that once showed a rule's absence and lie beyond the seeds that are always run. Whatever changes how a
 * seed is played makes them others: then look for new ones with `deno task simulate --mutants --only NAME --seeds 100000`.
 */
export const KEPT: readonly number[] = [41453];

/** So many seeds from this one on; from the first one on, the kept ones before them. */
export function* seedsFrom(from: number, count: number): Generator<number> {
  if (from === 1) yield* KEPT;
  for (let seed = from; seed < from + count; seed++) yield seed;
}
