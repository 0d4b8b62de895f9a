import { KEPT } from "../../src/testing/samples.ts";
import type { SeededRandom } from "../../src/testing/seeded_random.ts";

const TEXTS = ["", "$", "a", "__proto__", "then", "ø", "🏔", "\ud800", "\u0000\u2028", "01", "1", "length", "a key"];
const NUMBERS = [0, -0, 1, -1, 1.5, 2 ** 31, 2 ** 53, 1e300, 5e-324, NaN, Infinity, -Infinity];

/** What stands somewhere in a value and makes it no data. */
const SPOILING: readonly (() => unknown)[] = [
  () => () => 1,
  () => Symbol("s"),
  () => new Error("no"),
  () => Promise.resolve(1),
  () => /o/.exec("oslo"),
  () => Object.assign([1], { total: 1 }),
  () => Object.assign(new Date(0), { note: 1 }),
  () => ({ [Symbol("s")]: 1 }),
  () => Object.defineProperty({}, "a", { get: () => 1, enumerable: true }),
  () => Object.defineProperty({}, "a", { value: 1 }),
  () => Object.defineProperty([1, 2], 1, { get: () => 1, enumerable: true }),
  () => new (class Own {})(),
  () => new (class Days extends Array {})(),
  () => new Response("a"),
  () => new WeakMap(),
  () => Object.create(Date.prototype),
  () => new Uint8Array(new SharedArrayBuffer(4)),
  () => (function* () {})(),
  () => new Blob(["a"]),
];

/**
 * Values of every kind that can be kept, nested at random. The same seed makes the same value anew, so that a copy can
 * be compared with a second one that nobody has touched.
 */
export class Values {
  readonly #random: SeededRandom;
  /** How many parts are left until the one that is no data; Infinity: all is data. */
  #spoiledAfter: number;
  #samples = Object.entries(KEPT).filter(([what]) => !/large|long|500/.test(what)).map(([, make]) => make);

  constructor(random: SeededRandom, spoiledAfter: number = Infinity) {
    this.#random = random;
    this.#spoiledAfter = spoiledAfter;
  }

  /** Was there something in it that is no data? */
  get spoiled(): boolean {
    return this.#spoiledAfter < 0;
  }

  make(depth = 0): unknown {
    if (this.#spoiledAfter-- === 0) return this.#one(SPOILING)();
    switch (this.#below(depth > 4 ? 6 : 14)) {
      case 0:
        return this.#one(TEXTS);
      case 1:
        return this.#one(NUMBERS);
      case 2:
        return this.#one([null, undefined, true, false]);
      case 3:
        return BigInt(this.#below(1000)) ** BigInt(this.#below(40)) * (this.#below(2) ? 1n : -1n);
      case 4:
        return new Date(this.#below(2) ? this.#below(2 ** 31) * 1000 : NaN);
      case 5:
        return this.#one(this.#samples)();
      case 6:
        return this.#parts(depth);
      case 7: {
        const sparse: unknown[] = new Array(this.#below(1000));
        for (let at = this.#below(500); at < 1000; at += 1 + this.#below(500)) sparse[at] = this.make(depth + 1);
        return sparse;
      }
      case 8: {
        const map = new Map<unknown, unknown>();
        for (const key of this.#parts(depth)) if (!map.has(key)) map.set(key, this.make(depth + 1));
        return map;
      }
      case 9:
        return new Set(this.#parts(depth));
      case 10:
        return Object.assign(Object.create(null), this.#properties(depth));
      case 11: {
        const twice = this.make(depth + 1);
        return [twice, { twice }];
      }
      default:
        return this.#properties(depth);
    }
  }

  #parts(depth: number): unknown[] {
    return Array.from({ length: this.#below(6) }, () => this.make(depth + 1));
  }

  #properties(depth: number): object {
    const made = {};
    for (let n = this.#below(6); n > 0; n--) {
      const key = this.#one(TEXTS);
      if (Object.hasOwn(made, key)) continue;
      const value = this.make(depth + 1);
      Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return made;
  }

  #one<T>(all: readonly T[]): T {
    return all[this.#below(all.length)]!;
  }

  #below(n: number): number {
    return Math.floor(this.#random.fraction() * n);
  }
}
