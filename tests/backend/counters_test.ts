import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { Counters } from "../../src/backend/counters.ts";
import { Keys } from "../../src/key/key.ts";

const countersOf = (project: string, besides: readonly string[] = []) => new Counters(new Keys(project), besides);

test("Counters give the same object for a group, however it is named", () => {
  const counters = countersOf("shop", ["all"]);
  const [all, cities] = counters.of("cities");
  assertEquals([all!.key, cities!.key], ["shop:%group:all", "shop:%group:cities"]);
  assert(counters.of(["cities", "all"])[1] === cities && counters.of(["".concat("cit", "ies")])[1] === cities);
  assertEquals(counters.of(undefined), [all!]);
  assertEquals(countersOf("shop").of(undefined), []);
});

test("Counters give another object at each call for a name whose key differs from it", () => {
  const counters = countersOf("shop");
  for (const group of ["two words", "100%", "x".repeat(300)]) {
    const [one] = counters.of(group), [other] = counters.of(group);
    assertEquals([one!.key, other!.key], [new Keys("shop").counter(group), one!.key]);
    assert(one !== other);
  }
});

test("Counters keep ten thousand groups, and give the rest anew", () => {
  const counters = countersOf("shop");
  const first = counters.of("group:0")[0];
  for (let n = 1; n < 10_000; n++) assert(counters.of(`group:${n}`)[0] === counters.of(`group:${n}`)[0]);
  const [late] = counters.of("late"), [again] = counters.of("late");
  assert(late !== again && late!.key === again!.key);
  assert(counters.of("group:0")[0] === first);
});
