/** Zipf's law over many keys: the key of rank r is asked for in proportion to 1 / r^s. */

/** So many ranks are summed one by one; the rest by Euler and Maclaurin, right to more digits than a double has left. */
const EXACT = 100_000;
/** Ranks up to here stand alone when keys are gathered into classes, those beyond in classes 1 % wide. */
const ALONE = 1000;
const WIDTH = 1.01;

/** Keys of about the same rank. */
interface Class {
  readonly keys: number;
  /** Of each of them. */
  readonly probability: number;
}

export class Zipf {
  readonly keys: number;
  readonly s: number;
  readonly #total: number;
  #classes: Class[] | undefined;

  constructor(keys: number, s: number) {
    this.keys = keys;
    this.s = s;
    this.#total = powerSum(keys, s);
  }

  /** How likely a call asks for the key of this rank; the first is 1. */
  probability(rank: number): number {
    return rank ** -this.s / this.#total;
  }

  /** How likely a call asks for one of the first `ranks`. */
  head(ranks: number): number {
    return powerSum(ranks, this.s) / this.#total;
  }

  /** How many different keys so many calls ask for, on average. */
  distinct(calls: number): number {
    return this.#sum(({ probability }) => -Math.expm1(-calls * probability));
  }

  /**
   * The part of the calls that find their key in a cache of so many of them which drops the least recently used: Che's
   * approximation. A key is there if it was asked for within the time in which as many different ones were asked for as
   * there is room.
   */
  hitRate(room: number): number {
    if (room >= this.keys) return 1;
    let low = 0, high = Math.log(this.keys) * 4 + 20;
    for (let n = 0; n < 100; n++) {
      const middle = (low + high) / 2;
      if (this.distinct(Math.exp(middle)) < room) low = middle;
      else high = middle;
    }
    const calls = Math.exp(high);
    return this.#sum(({ probability }) => -Math.expm1(-calls * probability) * probability);
  }

  #sum(of: (each: Class) => number): number {
    let sum = 0;
    for (const each of this.#classes ??= this.#gather()) sum += each.keys * of(each);
    return sum;
  }

  #gather(): Class[] {
    const classes: Class[] = [];
    for (let first = 1; first <= this.keys;) {
      const last = first <= ALONE ? first : Math.min(this.keys, Math.floor(first * WIDTH));
      const keys = last - first + 1;
      const share = first === last ? this.probability(first) : between(first, last, this.s) / this.#total;
      classes.push({ keys, probability: share / keys });
      first = last + 1;
    }
    return classes;
  }
}

/** 1 + 1/2^s + ... + 1/n^s. */
export function powerSum(n: number, s: number): number {
  const exact = Math.min(n, EXACT);
  let sum = 0;
  // The small ones first: fewer digits are lost.
  for (let rank = exact; rank >= 1; rank--) sum += rank ** -s;
  return n > exact ? sum + between(exact + 1, n, s) : sum;
}

/** The same from `first` to `last`, both of them large. */
function between(first: number, last: number, s: number): number {
  const whole = s === 1 ? Math.log(last / first) : (last ** (1 - s) - first ** (1 - s)) / (1 - s);
  const slope = (x: number) => -s * x ** (-s - 1);
  return whole + (first ** -s + last ** -s) / 2 + (slope(last) - slope(first)) / 12;
}
