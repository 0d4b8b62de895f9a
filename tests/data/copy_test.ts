import { test } from "node:test";
import { assertEquals, assertNotStrictEquals, assertThrows } from "@std/assert";
import { CacheValueError } from "../../src/errors.ts";
import { clone, cloneJson, copyOf } from "../../src/data/copy.ts";
import { copyOfStored, storeCopy } from "../../src/store/memory/stored_value.ts";
import { difference } from "../../src/testing/difference.ts";
import { KEPT, REFUSED } from "../../src/testing/samples.ts";

for (const [what, make] of Object.entries(KEPT)) {
  test(`copyOf(), clone() and storeCopy() give ${what} back exactly`, () => {
    const value = make();
    for (const copy of [copyOf(value), clone(value), copyOfStored(storeCopy(value))]) {
      assertEquals(difference(copy, make()), undefined);
      if (typeof value === "object" && value !== null) assertNotStrictEquals(copy, value);
    }
    assertEquals(difference(value, make()), undefined, "copying changed the value");
  });
}

test("copyOf() and storeCopy() refuse the same values", () => {
  for (const [what, { make }] of Object.entries(REFUSED)) {
    const one = assertThrows(() => copyOf(make()), CacheValueError, undefined, what);
    const other = assertThrows(() => storeCopy(make()), CacheValueError, undefined, what);
    assertEquals(one.message, other.message);
  }
});

test("copies share nothing that can change, at any depth", () => {
  const make = () => ({
    list: [[1], { a: 1 }],
    map: new Map([["k", { v: 1 }]]),
    set: new Set([[1]]),
    when: new Date(1),
    bytes: Uint8Array.of(1),
    url: new URL("http://a.b/"),
    search: /a/g,
  });
  const original = make();
  const stored = storeCopy(original);
  for (const copy of [copyOf(original), clone(original), copyOfStored(stored)] as (typeof original)[]) {
    (copy.list[0] as number[]).push(2);
    (copy.list[1] as { a: number }).a = 2;
    copy.map.get("k")!.v = 2;
    for (const item of copy.set) item.push(2);
    copy.when.setTime(2);
    copy.bytes[0] = 2;
    copy.url.pathname = "/x";
    copy.search.lastIndex = 1;
    assertEquals(difference(original, make()), undefined);
    assertEquals(difference(copyOfStored(stored), make()), undefined);
  }
});

test("cloneJson() minds no additions to Object.prototype", () => {
  const extra = { deep: 1 };
  Object.defineProperty(Object.prototype, "extra", { value: extra, enumerable: true, configurable: true });
  try {
    const copy = cloneJson({ a: { b: 1 } }) as { a: object };
    assertEquals(Object.keys(copy), ["a"]);
    assertEquals(Object.keys(copy.a), ["b"]);
  } finally {
    delete (Object.prototype as { extra?: unknown }).extra;
  }
});
