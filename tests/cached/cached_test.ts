import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { cached, cacheKey, configure } from "@x/cache-utils";
import { FakeBackend, warnings } from "./_fake_backend.ts";

// deno-lint-ignore require-await
const fn = async (n: number) => n * 2;

test("cached(fn, options) wraps, cached(options)(fn) and cached(ttl, group)(fn) do, too", async () => {
  const backend = new FakeBackend();
  assertEquals(await cached(fn, { backend })(1), 2);
  assertEquals(await cached({ backend, ttl: 9, group: "g" })(fn)(2), 4);
  assertEquals([backend.last.key, backend.last.options.ttl, backend.last.options.group], ["fn(2)", 9, "g"]);
  const [ttl, group] = ["1m", "cities"] as const;
  assertEquals(cached(ttl, group)(fn).original, fn);
  assertEquals(cached(60)(fn).name, "fn");
});

test("one curried form wraps many functions", async () => {
  const backend = new FakeBackend();
  const daily = cached({ ttl: "1d", backend });
  const one = daily(function one() {
    return 1;
  });
  const two = daily(function two() {
    return 2;
  });
  assertEquals([await one(), await two()], [1, 2]);
});

test("what cannot be cached is a TypeError that says what to give", () => {
  const wrong = cached as (...given: unknown[]) => unknown;
  for (const given of [[], [null], [undefined, {}], [true], [5n]]) {
    assertThrows(() => wrong(...given), TypeError, ": give a function, as in cached(fn,");
  }
  assertThrows(() => wrong({}, 5), TypeError, "the function comes first");
  const curried = cached(60) as (...given: unknown[]) => unknown;
  assertThrows(() => curried(undefined), TypeError, "Cannot cache undefined: after cached(ttl)");
  assertThrows(() => curried({}), TypeError, "Cannot cache an object (Object): after cached(ttl)");
  assertThrows(() => wrong(class Repo {}), TypeError, "Cannot cache a class");
  assertThrows(() => wrong(fn, 60), TypeError, "Cannot use a number as options: give an object");
  assertThrows(() => wrong(fn, "5m"), TypeError, "Cannot use a string as options");
  assertThrows(() => wrong(fn, null), TypeError, "Cannot use null as options");
  assertThrows(() => wrong(fn, [60]), TypeError, "Cannot use an array as options");
});

test("wrong options throw at once in every form", () => {
  assertThrows(() => cached(NaN), RangeError, "Cannot use NaN as ttl");
  assertThrows(() => cached("5min" as never), TypeError, 'Cannot use "5min" as ttl');
  assertThrows(() => cached(60, ""), TypeError, "as group");
  assertThrows(() => cached({ stale: -1 }), RangeError, "stale");
  assertThrows(() => cached(fn, { groups: "cities" } as never), TypeError, 'Cannot use option "groups"');
});

test("a result that is a promise of a sync function is awaited once", async () => {
  const wrapped = cached((n: number) => Promise.resolve(n), { name: "later", backend: new FakeBackend() });
  const promise = wrapped(1);
  assert(promise instanceof Promise);
  assertEquals(await promise, 1);
});

test("the verbs of a function that objects with [cacheKey] call need a receiver, as its key has one", async () => {
  const backend = configure(new FakeBackend());
  class City {
    [cacheKey]() {
      return 7;
    }
    offers = cached(async function offers(day: string) {
      return await Promise.resolve(day);
    });
  }
  const city = new City();
  await city.offers("hot");
  assertEquals(backend.last.key, 'City(7).offers("hot")');
  await assertRejects(() => city.offers.invalidate("hot"), TypeError, ".on(receiver)");
  await city.offers.on(city).invalidate("hot");
});

test("bound functions under one name are warned about, since nothing tells them apart", async () => {
  configure(new FakeBackend());
  const make = (options: { name: string; key?: (n: number) => unknown }) => {
    for (const self of [{ n: 1 }, { n: 2 }]) {
      cached(
        function (this: { n: number }, n: number) {
          return this.n * n;
        }.bind(self),
        { ...options, backend: own },
      );
    }
  };
  const own = new FakeBackend();
  const [warning, ...more] = await warnings(async () => await Promise.resolve(make({ name: "times" })));
  assertStringIncludes(warning!, '"times" was wrapped more than once');
  assertEquals(more, []);
  assertEquals(await warnings(async () => await Promise.resolve(make({ name: "told", key: (n) => n }))), []);
});
