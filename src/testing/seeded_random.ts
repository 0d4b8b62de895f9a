import type { Random } from "../util/random.ts";

const WORD = (1n << 64n) - 1n;

/**
 * Chance that is the same in every run: splitmix64, from a seed.
 *
 * @example
 * ```ts
 * import { SeededRandom } from "@x/cache-utils/testing";
 *
 * const random = new SeededRandom(42);
 * console.log(random.fraction(), random.uint64());
 * ```
 */
export class SeededRandom implements Random {
  #state: bigint;

  /** Default seed: 1. */
  constructor(seed: number | bigint = 1) {
    this.#state = BigInt(seed) & WORD;
  }

  /** In [0, 1). */
  fraction(): number {
    return Number(this.uint64() >> 11n) / 2 ** 53;
  }

  /** In [0, 2^64). */
  uint64(): bigint {
    let z = this.#state = (this.#state + 0x9e3779b97f4a7c15n) & WORD;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & WORD;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & WORD;
    return z ^ (z >> 31n);
  }
}
