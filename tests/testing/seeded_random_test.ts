import { test } from "node:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { SeededRandom } from "../../src/testing/mod.ts";

test("SeededRandom gives the same for the same seed, and something else for another", () => {
  const draw = (seed: number | bigint) => {
    const random = new SeededRandom(seed);
    return [random.uint64(), random.fraction(), random.uint64()];
  };
  assertEquals(draw(42), draw(42n));
  assertNotEquals(draw(42), draw(43));
  assertEquals(new SeededRandom(0).uint64(), 0xe220a8397b1dcdafn, "splitmix64's first word of seed 0");
});

test("SeededRandom stays in its ranges and fills them", () => {
  const random = new SeededRandom(7);
  let sum = 0, high = 0;
  for (let i = 0; i < 2000; i++) {
    const fraction = random.fraction();
    assert(fraction >= 0 && fraction < 1);
    sum += fraction;
    const word = random.uint64();
    assert(word >= 0n && word < 2n ** 64n);
    if (word >= 2n ** 63n) high++;
  }
  assert(sum > 900 && sum < 1100, `the mean is ${sum / 2000}`);
  assert(high > 900 && high < 1100);
});
