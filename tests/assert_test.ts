import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertGreater,
  assertInstanceOf,
  AssertionError,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { test } from "node:test";

function refuses(check: () => void): void {
  assertThrows(check, AssertionError);
}

test("assertEquals() takes what has equal content for equal", () => {
  assertEquals({ a: [1, { b: 2n }] }, { a: [1, { b: 2n }] });
  assertEquals(
    new Map<unknown, unknown>([["a", 1], [{ k: 1 }, 2]]),
    new Map<unknown, unknown>([[{ k: 1 }, 2], ["a", 1]]),
  );
  assertEquals(new Set<unknown>([1, { a: 1 }]), new Set<unknown>([{ a: 1 }, 1]));
  assertEquals([NaN, new Date(NaN), new Date(5)], [NaN, new Date(NaN), new Date(5)]);
  assertEquals(0, -0);
  assertEquals([new URL("http://a.b/"), /x/g], [new URL("http://a.b"), /x/g]);
  assertEquals(new Uint8Array([1, 2]), new Uint8Array([1, 2]));
  assertEquals(Object.assign(Object.create(null), { a: 1 }), { a: 1 });
});

test("assertEquals() tells different values apart", () => {
  refuses(() => assertEquals<unknown>(1, 1n));
  refuses(() => assertEquals<unknown>(1, "1"));
  refuses(() => assertEquals<unknown>({ a: undefined }, {}));
  refuses(() => assertEquals<unknown>({ a: undefined }, { b: undefined }));
  refuses(() => assertEquals<unknown>([undefined], [null]));
  refuses(() => assertEquals(new Map([["a", 1]]), new Map([["a", 2]])));
  refuses(() => assertEquals(new Set([1, 2]), new Set([1, 3])));
  refuses(() => assertEquals(new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 1 }, { a: 1 }])));
  refuses(() => assertEquals(new Uint8Array([1]), new Uint8Array([2])));
  refuses(() => assertEquals<unknown>(new Uint8Array([1]), [1]));
  refuses(() => assertEquals(new Error("a"), new Error("b")));
  refuses(() => assertEquals<unknown>(new (class A {})(), {}));
  refuses(() => assertEquals(/x/g, /x/i));
  refuses(() => assertNotEquals([1], [1]));
});

test("assertEquals() follows cycles to their end", () => {
  const [one, two, three]: unknown[][] = [[1], [1], [2]];
  one!.push(one);
  two!.push(two);
  three!.push(three);
  assertEquals(one, two);
  refuses(() => assertEquals(one, three));
});

test("assertEquals() shows both values, and the caller's message first", () => {
  const error = assertThrows(() => assertEquals({ city: "oslo" }, { city: "rome" }, "after the move"), AssertionError);
  assert(error.message.startsWith("after the move"));
  assertStringIncludes(error.message, "oslo");
  assertStringIncludes(error.message, "rome");
});

test("assertStrictEquals() tells 0 from -0, and one object from its copy", () => {
  assertStrictEquals(NaN, NaN);
  refuses(() => assertStrictEquals(0, -0));
  refuses(() => assertStrictEquals({}, {}));
});

test("assertThrows() gives the error and checks its class and message", () => {
  const given = new RangeError("ttl is -1");
  const bad = () => {
    throw given;
  };
  assertStrictEquals(assertThrows(bad), given);
  assertStrictEquals(assertThrows(bad, RangeError, "ttl"), given);
  refuses(() => assertThrows(bad, TypeError));
  refuses(() => assertThrows(bad, RangeError, "stale"));
  refuses(() => assertThrows(() => {}));
  assertStringIncludes((assertThrows(() => assertThrows(() => {}, "why")) as Error).message, "why");
});

test("assertRejects() gives the reason, and refuses a function that throws instead", async () => {
  const given = new RangeError("ttl is -1");
  assertStrictEquals(await assertRejects(() => Promise.reject(given), RangeError, "ttl"), given);
  await assertRejects(() => assertRejects(() => Promise.reject(given), TypeError), AssertionError);
  await assertRejects(() => assertRejects(() => Promise.resolve()), AssertionError);
  await assertRejects(
    () =>
      assertRejects(() => {
        throw given;
      }),
    AssertionError,
  );
});

test("assertObjectMatch() looks only at what is named", () => {
  assertObjectMatch({ a: 1, b: { c: [1, { d: 2, e: 3 }] } }, { b: { c: [1, { d: 2 }] } });
  refuses(() => assertObjectMatch({ a: 1 }, { a: 2 }));
  refuses(() => assertObjectMatch({ a: 1 }, { a: 1, b: undefined }));
});

test("the small ones hold and fail as named", () => {
  assertAlmostEquals(0.1 + 0.2, 0.3);
  refuses(() => assertAlmostEquals(1, 2, 0.5));
  assertGreater(2n, 1n);
  refuses(() => assertGreater(NaN, 1));
  assertArrayIncludes([{ a: 1 }, { b: 2 }], [{ b: 2 }]);
  refuses(() => assertArrayIncludes([1], [2]));
  assertInstanceOf(new RangeError(), Error);
  refuses(() => assertInstanceOf({}, Map));
  refuses(() => assertExists(null));
  refuses(() => fail("so"));
});
