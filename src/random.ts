/** Chance, from outside, so that a test can replay it. */
export interface Random {
  /** In [0, 1). */
  fraction(): number;
  /** In [0, 2^64). */
  uint64(): bigint;
}

const words = new BigUint64Array(1);

/** The runtime's. */
export const systemRandom: Random = {
  fraction: () => Math.random(),
  uint64: () => crypto.getRandomValues(words)[0]!,
};
