import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { clone, copyOf } from "../../src/data/copy.ts";
import { CacheValueError } from "../../src/errors.ts";
import { defaultCodec } from "../../src/codec/codec.ts";
import { copyOfStored, storeCopy } from "../../src/store/memory/stored_value.ts";
import { readText, writeText } from "../../src/store/key_value/text.ts";
import type { ValueEntry } from "../../src/store/store.ts";
import { argumentText } from "../../src/key/arguments.ts";
import { difference } from "../../src/testing/difference.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";
import { Values } from "./_values.ts";

const codec = defaultCodec();
const always = defaultCodec({ compressOver: 0 });

/** Every way a value is kept and given back. */
const WAYS: Readonly<Record<string, (value: unknown) => unknown>> = {
  "copyOf()": copyOf,
  "copyOf() and clone()": (value) => clone(copyOf(value)),
  "storeCopy()": (value) => copyOfStored(storeCopy(value)),
  "the default codec": (value) => codec.decode(codec.encode(value)),
  "the default codec, compressing": (value) => always.decode(always.encode(value)),
  "a plain cache's text": (value) => {
    const entry: ValueEntry = { kind: "value", value, freshUntil: 1, staleUntil: 2, generations: [] };
    return readText(writeText("id", entry, Infinity, undefined), undefined)!.entry.value;
  },
};

for (const [name, way] of Object.entries(WAYS)) {
  test(`${name} gives thousands of random values back exactly, or refuses what is no data`, { timeout: 60_000 }, () => {
    let kept = 0, refused = 0;
    for (let seed = 0; seed < 2000; seed++) {
      const spoiledAfter = seed % 2 === 0 ? Infinity : seed % 40;
      const values = new Values(new SeededRandom(seed), spoiledAfter);
      const value = values.make();
      if (values.spoiled && spoiledAfter !== Infinity) {
        refused++;
        assertThrows(() => way(value), CacheValueError, undefined, `seed ${seed}`);
      } else {
        kept++;
        const back = way(value);
        assertEquals(
          difference(back, new Values(new SeededRandom(seed), spoiledAfter).make()),
          undefined,
          `seed ${seed}`,
        );
        assertEquals(difference(value, back), undefined, `seed ${seed}: the value was changed`);
      }
    }
    assert(kept > 1000 && refused > 200, `${kept} kept, ${refused} refused`);
  });
}

test("arguments and results accept the same values", { timeout: 60_000 }, () => {
  const accepts = (take: () => unknown) => {
    try {
      take();
      return true;
    } catch {
      return false;
    }
  };
  const counts = { true: 0, false: 0 };
  for (let seed = 0; seed < 2000; seed++) {
    const value = new Values(new SeededRandom(seed), seed % 2 === 0 ? Infinity : seed % 40).make();
    const asResult = accepts(() => copyOf(value));
    assertEquals(accepts(() => argumentText(value, 1)), asResult, `seed ${seed}`);
    counts[`${asResult}`]++;
  }
  assert(counts.true > 1000 && counts.false > 200, JSON.stringify(counts));
});
