import { UserSource } from "./callbacks.ts";

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

/** The random source to use: the given one, guarded against errors of its own, or the runtime's. Throws a TypeError for what is none. */
export function randomOf(given: Random | undefined): Random {
  if (given === undefined) return systemRandom;
  const usable = typeof given?.fraction === "function" && typeof given.uint64 === "function";
  if (!usable) throw new TypeError("Cannot use random: it must have fraction() and uint64()");
  const source = new UserSource("random");
  return {
    fraction: () => source.ask("fraction", () => given.fraction(), isFraction, systemRandom.fraction),
    uint64: () => source.ask("uint64", () => given.uint64(), isUint64, systemRandom.uint64),
  };
}

const isFraction = (answer: unknown): boolean => typeof answer === "number" && answer >= 0 && answer < 1;
const isUint64 = (answer: unknown): boolean =>
  typeof answer === "bigint" && answer >= 0n && answer === BigInt.asUintN(64, answer);
