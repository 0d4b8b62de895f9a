import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { powerSum, Zipf } from "../../bench/fleet/zipf.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";

const near = (a: number, b: number, part: number) => assert(Math.abs(a - b) <= part * Math.abs(b), `${a}, not ${b}`);

test("powerSum() sums the harmonic numbers, also those that are too many to sum", () => {
  near(powerSum(4, 1), 1 + 1 / 2 + 1 / 3 + 1 / 4, 1e-15);
  // ln n + Euler's constant + 1/2n
  near(powerSum(1e8, 1), Math.log(1e8) + 0.5772156649015329 + 0.5e-8, 1e-13);
  for (const s of [0.8, 1, 1.2]) {
    let sum = 0;
    for (let rank = 1_000_000; rank >= 1; rank--) sum += rank ** -s;
    near(powerSum(1_000_000, s), sum, 1e-12);
  }
});

test("a Zipf load is one in all, and falls with the rank", () => {
  const zipf = new Zipf(1e8, 1);
  near(zipf.head(1e8), 1, 1e-15);
  near(zipf.probability(1) / zipf.probability(1000), 1000, 1e-12);
  near(zipf.head(3), zipf.probability(1) + zipf.probability(2) + zipf.probability(3), 1e-12);
});

test("distinct() is one for one call, and at most all keys", () => {
  const zipf = new Zipf(10_000, 1);
  near(zipf.distinct(1e-6), 1e-6, 1e-3);
  near(zipf.distinct(1e12), 10_000, 1e-9);
});

test("hitRate() is what a simulated cache that drops the least recently used comes to", () => {
  const zipf = new Zipf(10_000, 0.9), room = 500;
  assertEquals(zipf.hitRate(10_000), 1);
  const upTo: number[] = [];
  for (let rank = 1, sum = 0; rank <= zipf.keys; rank++) upTo.push(sum += zipf.probability(rank));
  const random = new SeededRandom(7);
  const kept = new Set<number>();
  let hits = 0;
  const calls = 200_000, warm = 20_000;
  for (let n = 0; n < calls + warm; n++) {
    const at = random.fraction();
    let low = 0, high = upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (upTo[middle]! < at) low = middle + 1;
      else high = middle;
    }
    if (kept.delete(low) && n >= warm) hits++;
    kept.add(low);
    if (kept.size > room) kept.delete(kept.values().next().value!);
  }
  near(zipf.hitRate(room), hits / calls, 0.02);
});
