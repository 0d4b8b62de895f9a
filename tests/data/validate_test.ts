import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { CacheValueError } from "../../src/errors.ts";
import { copyOf, rebuild } from "../../src/data/copy.ts";
import { Validator } from "../../src/data/validate.ts";

const refusal = (value: unknown): string => assertThrows(() => copyOf(value), CacheValueError).message;

test("validate() names the part that cannot be kept", () => {
  const fn = () => 1;
  const all: [unknown, string][] = [
    [fn, "value: it is a function;"],
    [[[fn]], "value[0][0]: it is a function;"],
    [{ "two words": { fn } }, 'value["two words"].fn: it is a function;'],
    [{ ærlig: [{ $a: fn }] }, "value.ærlig[0].$a: it is a function;"],
    [{ "1": fn }, 'value["1"]: it is a function;'],
    [{ __proto__: null, a: fn }, "value.a: it is a function;"],
    [new Map([["k", [fn]]]), 'value.get("k")[0]: it is a function;'],
    [new Map([[{ a: fn }, 1]]), "value (key 0).a: it is a function;"],
    [new Map([[1, 1], [2, fn as never]]), "value.get(key 1): it is a function;"],
    [{ set: new Set([1, fn]) }, "value.set (item 1): it is a function;"],
    [{ s: Symbol("x") }, "value.s: it is a symbol;"],
    [{ e: new RangeError("x") }, "value.e: it is an instance of RangeError;"],
    [{ o: Object.create({}) }, "value.o: it is an instance of a class;"],
    [{ o: Object.create(Object.create(null)) }, "value.o: it is an instance of a class;"],
  ];
  for (const [value, text] of all) assert(refusal(value).startsWith(`Cannot keep ${text}`), refusal(value));
});

test("validate() shortens a long path", () => {
  let value: unknown = () => 1;
  for (let i = 0; i < 400; i++) value = { child: value };
  const message = refusal(value);
  assert(message.length < 300);
  assertStringIncludes(message, "…");
  const long = "🏔".repeat(10_000);
  for (
    const value of [
      { [long]: { [`x${long}`]: () => 1 } },
      new Map([[long, () => 1]]),
      { s: Object.assign([1], { [long]: 1 }) },
      { s: { [Symbol(long)]: 1 } },
      new ({ [long]: class {} }[long]!)(),
    ]
  ) {
    const message = refusal(value);
    assert(message.length < 1000 && message.isWellFormed(), message);
  }
});

test("validate() lets no control character of the data reach an error", () => {
  const evil = "\u001b[31m\n\u0085\u2028\u202e";
  const values: unknown[] = [
    { [evil]: () => 1 },
    new Map([[evil, () => 1]]),
    Object.assign([1], { [evil]: 1 }),
    { [Symbol(evil)]: 1 },
    new ({ [evil]: class {} }[evil]!)(),
    Object.create(Object.create({}, { [Symbol.toStringTag]: { value: evil } })),
    Object.assign(new Map(), { [evil]: 1 }),
  ];
  for (const value of values) {
    const message = refusal(value);
    // deno-lint-ignore no-control-regex
    assert(!/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/.test(message), JSON.stringify(message));
    assertStringIncludes(message, "\\u202e");
  }
});

test("validate() runs no code of the value", () => {
  let ran = 0;
  const run = () => {
    ran++;
    return 1;
  };
  const values: unknown[] = [
    Object.defineProperty({}, "a", { get: run, enumerable: true }),
    Object.defineProperty({}, "a", { set: run, enumerable: true }),
    Object.defineProperty([], 0, { get: run, enumerable: true }),
    Object.defineProperty([], 0, { set: run, enumerable: true }),
    Object.defineProperty(new Date(), "getTime", { value: run }),
    Object.defineProperty(new Map([[1, 1]]), Symbol.iterator, { value: run }),
    Object.defineProperty(new URL("http://a.b"), "href", { get: run }),
    Object.defineProperty(/a/, "source", { get: run }),
    { toJSON: run },
    { then: run },
    { valueOf: run, toString: run },
    { [Symbol.toPrimitive]: run },
  ];
  for (const value of values) refusal(value);
  assertEquals(ran, 0);
});

test("validate() turns what a proxy throws into a refusal with a cause", () => {
  const thrown = new Error("trap");
  const proxy = new Proxy({}, {
    ownKeys: () => {
      throw thrown;
    },
  });
  const error = assertThrows(() => copyOf({ a: [proxy] }), CacheValueError, "value.a[0]: it cannot be read");
  assertEquals(error.cause, thrown);
});

test("validate() takes a proxy of plain data for plain data", () => {
  assertEquals(copyOf(new Proxy({ a: [1] }, {})), { a: [1] });
});

test("validate() takes frozen data, and its copy is not frozen", () => {
  const copy = copyOf(Object.freeze({ a: Object.freeze([1]) })) as { a: number[] };
  copy.a.push(2);
  assertEquals(copy, { a: [1, 2] });
});

test("validate() refuses objects that are not what their prototype says", () => {
  for (const { prototype } of [Date, Map, Set, URL, RegExp, Uint8Array, ArrayBuffer, DataView]) {
    refusal([Object.create(prototype)]);
    refusal({ the: prototype });
  }
  refusal([Object.create(Array.prototype)]);
});

test("validate() refuses a function, whatever prototype it was given", () => {
  for (const prototype of [Object.prototype, Array.prototype, Date.prototype, null]) {
    assertStringIncludes(refusal([Object.setPrototypeOf(() => 1, prototype)]), "value[0]: it is a function");
  }
});

test("validate() refuses what was added to an object", () => {
  const added = <T extends object>(object: T): T => Object.assign(object, { note: 1 });
  for (
    const object of [
      added([1]),
      added(new Date()),
      added(new Map()),
      added(new Set()),
      added(/a/),
      added(new URL("http://a.b")),
      added(new ArrayBuffer(1)),
      added(new DataView(new ArrayBuffer(1))),
    ]
  ) {
    assertStringIncludes(refusal({ object }), 'value.object: it has the property "note"');
  }
  assertStringIncludes(refusal(Object.assign([1], { [Symbol("s")]: 1 })), "Symbol(s)");
  (function (..._args: unknown[]) {
    refusal(arguments);
  })(1, 2);
});

test("validate() refuses subclasses of what it takes, but not Buffers", () => {
  for (
    const make of [
      class A extends Map {},
      class B extends Set {},
      class C extends Date {},
      class D extends Uint8Array {},
    ]
  ) {
    assertStringIncludes(refusal(new make()), `an instance of ${make.name}`);
  }
  const { Buffer } = globalThis as unknown as { Buffer: { from(text: string): Uint8Array } };
  copyOf(Buffer.from("a"));
});

test("validate() takes a huge sparse array for what is in it", () => {
  const sparse: unknown[] = new Array(4_000_000_000);
  sparse[3_000_000_000] = "a";
  const copy = copyOf(sparse) as unknown[];
  assertEquals([copy.length, Object.keys(copy), copy[3_000_000_000]], [4_000_000_000, ["3000000000"], "a"]);
  assertStringIncludes(refusal(Object.assign(new Array(2), { total: 1 })), 'the property "total"');
  assertStringIncludes(refusal(Object.assign(new Array(2), { "01": 1 })), 'the property "01"');
  const lazy = Object.defineProperty(new Array(9), 5, { get: () => 1, enumerable: true });
  assertStringIncludes(refusal(lazy), "value[5]: it is an accessor");
});

test("validate() bounds what one object in many places comes to", () => {
  let entangled: unknown = { x: 1 };
  for (let i = 0; i < 40; i++) entangled = { a: entangled, b: entangled };
  assertStringIncludes(refusal(entangled), "more than 1000000 objects");
});

test("validate() refuses memory that can change its size", () => {
  const Resizable = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ArrayBuffer;
  const buffer = new Resizable(1, { maxByteLength: 2 });
  assertStringIncludes(refusal({ buffer }), "value.buffer: its memory");
  assertStringIncludes(refusal({ view: new Uint8Array(buffer) }), "value.view: its memory");
});

test("a validator counts the objects of each value for itself", { timeout: 60_000 }, () => {
  const validator = new Validator({ ...rebuild, refuse: () => new Error("refused") });
  const many = Array.from({ length: 600_000 }, () => ({}));
  assertEquals([validator.validate(many), validator.validate(many)].map((copy) => (copy as unknown[]).length), [
    600_000,
    600_000,
  ]);
});

test("validate() takes an equal text or number as often as it stands there", () => {
  assertEquals(copyOf(["a", "a", 1, 1, 1n, 1n, null, null]), ["a", "a", 1, 1, 1n, 1n, null, null]);
});
