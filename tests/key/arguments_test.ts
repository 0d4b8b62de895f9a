import { test } from "node:test";
import { assert, assertEquals, assertNotEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { CacheKeyError } from "../../src/errors.ts";
import { argumentsText, argumentText, identityText } from "../../src/key/arguments.ts";
import { cacheKey, hasIdentity } from "../../src/key/identity.ts";

class City {
  readonly id: unknown;
  constructor(id: unknown) {
    this.id = id;
  }
  [cacheKey]() {
    return this.id;
  }
}
class Country extends City {}

const textOf = (...args: unknown[]) => argumentsText(args);
function refused(args: unknown[], ...parts: string[]): void {
  const error = assertThrows(() => argumentsText(args), CacheKeyError);
  for (const part of parts) assertStringIncludes(error.message, part);
}

test("argumentsText() writes what a reader would write", () => {
  assertEquals(textOf(), "");
  assertEquals(textOf("oslo", 1, 1n, true, null), '"oslo",1,1n,true,null');
  assertEquals(textOf(undefined, -0, NaN, Infinity, -Infinity), "undefined,-0,NaN,Infinity,-Infinity");
  assertEquals(textOf({ limit: 10, "a b": [1, "2"] }), '{"a b":[1,"2"],limit:10}');
  assertEquals(textOf(new Date(0), new Date(NaN)), 'Date<"1970-01-01T00:00:00.000Z">,Date<NaN>');
  assertEquals(textOf(new URL("http://a.b/c?d"), /a"b/gi), 'URL<"http://a.b/c?d">,RegExp<"a\\"b","gi">');
  assertEquals(textOf(new Map<unknown, unknown>([["b", 1], ["a", [2]]])), 'Map<["b",1],["a",[2]]>');
  assertEquals(textOf(new Set([2, 1]), new Set()), "Set<2,1>,Set<>");
  assertEquals(textOf(new Uint8Array([1, 2]), new Uint8Array([3]).buffer), "Uint8Array<1,2>,ArrayBuffer<3>");
  assertEquals(
    textOf(new Float64Array([-0, NaN, 1.5]), new BigInt64Array([-1n])),
    "Float64Array<-0,NaN,1.5>,BigInt64Array<-1>",
  );
  assertEquals(textOf(new City(7), new City(["a", new City(8)])), 'City(7),City(["a",City(8)])');
  assertEquals(textOf({ [cacheKey]: () => 7 }), "Object(7)");
});

test("argumentsText() quotes strings as JSON does, long or short, lone surrogates included", () => {
  for (const text of ["", 'a"b', "a\\b", "a\nb", "\0", "ø", "城市", "😀", "\ud800", "\udc00x", "a\u2028b", "a'b`c"]) {
    for (const repeated of [text, text.repeat(100)]) assertEquals(textOf(repeated), JSON.stringify(repeated));
  }
});

test("argumentsText() drops trailing undefined, since JavaScript calls cannot tell", () => {
  assertEquals(textOf(1, undefined, undefined), "1");
  assertEquals(textOf(undefined), "");
  assertEquals(textOf(undefined, 1), "undefined,1");
  assertEquals(textOf([undefined]), "[undefined]");
});

test("argumentsText() writes one text for what is one call", () => {
  assertEquals(textOf({ a: 1, b: 2 }), textOf({ b: 2, a: 1 }));
  assertEquals(textOf({ a: 1, b: undefined }), textOf({ a: 1 }));
  assertEquals(textOf(Object.assign(Object.create(null), { a: 1 })), textOf({ a: 1 }));
  assertEquals(textOf(JSON.parse('{"__proto__":1}')), "{__proto__:1}");
});

test("argumentsText() counts holes, however many, and tells them from undefined", () => {
  // deno-lint-ignore no-sparse-arrays
  assertEquals(textOf([1, , , 2, ,]), "[1,empty*2,2,empty]");
  assertEquals(textOf(new Array(4_000_000_000)), "[empty*4000000000]");
  assertEquals(textOf([undefined], new Array(1)), "[undefined],[empty]");
});

test("argumentsText() never writes one text for two calls", () => {
  class Map_ extends City {}
  Object.defineProperty(Map_, "name", { value: "Map" });
  const calls: unknown[][] = [
    // Types that print alike.
    [1],
    ["1"],
    [1n],
    [true],
    ["true"],
    [null],
    ["null"],
    [undefined, null],
    ["undefined"],
    [NaN],
    ["NaN"],
    [0],
    [-0],
    [Infinity],
    [-Infinity],
    [0.1],
    [1e21],
    [],
    [""],
    // Borders between arguments, elements and properties.
    ["a", "b"],
    ["a,b"],
    ['a","b'],
    ["a b"],
    ["ab"],
    ["a%20b"],
    [["a"], "b"],
    [[["a", "b"]]],
    [1, 2],
    [12],
    [[1, 2]],
    [[1], [2]],
    [[]],
    [[[]]],
    [[], []],
    [{}],
    [{}, {}],
    [{ a: 1 }],
    [{ a: "1" }],
    [{ "a:1": undefined, a: "1,b:2" }],
    [{ a: 1, b: 2 }],
    [{ "a:1,b": 2 }],
    [{ a: { b: 2 } }],
    [{ a: null }],
    [{ "": 1 }],
    [{ '"a"': 1 }],
    [{ "a\ud800": 1 }],
    [{ "a\ud801": 1 }],
    ["\ud800"],
    ["\udc00"],
    ["\ufffd"],
    ["\\ud800"],
    ["é"],
    ["e\u0301"],
    [")"],
    ["(1)"],
    ["~"],
    // Holes.
    [[undefined]],
    [new Array(1)],
    [new Array(2)],
    [["empty"]],
    [[null]],
    // deno-lint-ignore no-sparse-arrays
    [[1, , 2]],
    [[1, undefined, 2]],
    // deno-lint-ignore no-sparse-arrays
    [[1, 2, ,]],
    // Built-ins, and what imitates them.
    [new Date(0)],
    [new Date(1)],
    [new Date(NaN)],
    ["1970-01-01T00:00:00.000Z"],
    ['Date<"1970-01-01T00:00:00.000Z">'],
    [new URL("http://a.b")],
    ["http://a.b/"],
    [/a/],
    [/a/g],
    [/\//],
    [/[/]/],
    ["/a/"],
    [Object.assign(/a/g, { lastIndex: 1 })],
    [new Map()],
    [new Map([[1, 2]])],
    [new Map([[2, 1]])],
    [new Map([[1, 2], [3, 4]])],
    [new Map([[3, 4], [1, 2]])],
    [[[1, 2]]],
    [new Set()],
    [new Set([1, 2])],
    [new Set([2, 1])],
    [new Set([[1, 2]])],
    [new Map_([1, 2])],
    [new City(7)],
    [new Country(7)],
    [new City("7")],
    [new City([7])],
    [new City(undefined)],
    [{ [cacheKey]: () => 7 }],
    ["City(7)"],
    [new Uint8Array()],
    [new Uint8Array([1, 2])],
    [new Uint8ClampedArray([1, 2])],
    [new Int8Array([1, 2])],
    [new Uint16Array([1, 2])],
    [new Float32Array([0])],
    [new Float32Array([-0])],
    [new BigInt64Array([1n])],
    [new BigUint64Array([1n])],
    [new Uint8Array([1, 2]).buffer],
    [new ArrayBuffer(0)],
    [new DataView(new ArrayBuffer(0))],
    [new URLSearchParams("a=1&b=2")],
    [new URLSearchParams("b=2&a=1")],
    [new URLSearchParams([["?a", "1"]])],
    ["a=1&b=2"],
    [new Headers([["a", "1"]])],
    [new Headers([["a", "1, 2"]])],
    [new Headers([["set-cookie", "1"], ["set-cookie", "2"]])],
    [new Headers([["set-cookie", "1, 2"]])],
    [new Map([["a", "1"]])],
    [template`a${0}b`],
    [template`a${0}\u0062`],
    [template`a${0}\xerxes`],
    [template`a${0}\unicode`],
    [["a", "b"]],
    ...(Temporal === undefined ? [] : [
      [Temporal.PlainDate.from("2020-01-01")],
      [Temporal.PlainDate.from("2020-01-01[u-ca=hebrew]")],
      [Temporal.PlainMonthDay.from("01-01")],
      [Temporal.Duration.from("PT2S")],
      [Temporal.Duration.from({ seconds: 1, milliseconds: 1000 })],
      ["2020-01-01"],
    ]),
  ];
  const seen = new Map<string, number>();
  calls.forEach((call, i) => {
    const text = argumentsText(call);
    assert(!seen.has(text), `calls ${seen.get(text)} and ${i} share ${text}`);
    seen.set(text, i);
  });
});

const template = (strings: TemplateStringsArray, ..._values: unknown[]) => strings;
/** Node has it from 26 on. */
const { Temporal } = globalThis as unknown as {
  Temporal?:
    & Record<string, { from(what: string | object): object }>
    & {
      readonly [kind in "PlainDate" | "PlainMonthDay" | "Duration"]: { from(what: string | object): object };
    };
};

/** A small generator of numbers, so that a failure can be replayed. */
function lottery(seed: number): (below: number) => number {
  return (below) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
}

test("argumentsText() is one text for equal values only, over random ones", () => {
  const draw = lottery(7);
  const bits = [
    "a",
    '"',
    "\\",
    ",",
    ":",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "%",
    " ",
    "1",
    "n",
    "\ud800",
    "\udc00",
  ];
  const word = () => Array.from({ length: draw(4) }, () => bits[draw(bits.length)]).join("");
  /** Each value with a text of its own, made another way: tagged and length-prefixed. */
  const value = (depth: number): [unknown, string] => {
    switch (draw(depth > 0 ? 9 : 4)) {
      case 0:
      case 1: {
        const text = word();
        return [text, `s${text.length}.${Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))}`];
      }
      case 2: {
        const number = draw(3) - 1;
        return [number, `n${number}.`];
      }
      case 3:
        return [1n, "i"];
      case 4:
      case 5: {
        const items = Array.from({ length: draw(3) }, () => value(depth - 1));
        return [items.map(([item]) => item), `a${items.length}.${items.map(([, tag]) => tag).join("")}`];
      }
      case 6: {
        const items = Array.from({ length: draw(3) }, () => [value(depth - 1), value(depth - 1)] as const);
        const tags = items.map(([[, k], [, v]]) => k + v);
        // Equal keys of a Map would replace each other.
        if (new Set(items.map(([[, k]]) => k)).size < items.length) return value(depth);
        return [new Map(items.map(([[k], [v]]) => [k, v])), `m${items.length}.${tags.join("")}`];
      }
      case 7: {
        const [inner, tag] = value(depth - 1);
        return [new City(inner), `c${tag}`];
      }
      default: {
        const made: Record<string, unknown> = Object.create(null);
        const tags: Record<string, string> = Object.create(null);
        for (let i = draw(3); i > 0; i--) {
          const key = word();
          const [inner, tag] = value(depth - 1);
          made[key] = inner;
          tags[key] = tag;
        }
        return [made, `o${Object.keys(made).sort().map((key) => JSON.stringify(key) + tags[key])}.`];
      }
    }
  };
  const byText = new Map<string, string>();
  const byTag = new Map<string, string>();
  for (let i = 0; i < 20_000; i++) {
    const args = Array.from({ length: 1 + draw(2) }, () => value(2));
    const text = argumentsText(args.map(([item]) => item));
    const tag = args.map(([, item]) => item).join("");
    assertEquals(byText.get(text) ?? tag, tag, text);
    assertEquals(byTag.get(tag) ?? text, text, tag);
    byText.set(text, tag);
    byTag.set(tag, text);
  }
});

test("argumentsText() refuses what has no identity, and says which argument it is", () => {
  class Session {}
  refused([1, () => 1], "argument 2", "is a function", "`key`");
  refused([Symbol("x")], "argument 1", "is a symbol");
  refused([1, 2, Promise.resolve()], "argument 3", "is an instance of Promise; await it first");
  refused([new Session()], "argument 1", "is an instance of Session", "[cacheKey]", "`key`");
  refused([{ a: [new Session()] }], "argument 1.a[0]: it is an instance of Session");
  refused([new Map([[1, () => 1]])], "argument 1.get(key 0): it is a function");
  refused([new City(Symbol())], "argument 1[cacheKey](): it is a symbol");
  refused([new String("a")], "instance of String");
  refused([Object.create({ a: 1 })], "argument 1");
  refused([new (class extends Array {})()], "argument 1");
  refused([new (class extends Uint8Array {})()], "argument 1");
  refused([new WeakMap()], "instance of WeakMap");
  refused([new Error("x")], "instance of Error");
  refused([(function* () {})()], "argument 1");
});

test("argumentsText() refuses what it would have to leave out", () => {
  refused([{ age: { [Symbol("gt")]: 5 } }], "argument 1.age", "the property Symbol(gt)");
  refused([Object.assign([1], { total: 2 })], 'the property "total"', "an array");
  refused([Object.assign([1], { "01": 2 })], 'the property "01"', "an array");
  refused([Object.assign(new Date(0), { zone: 2 })], 'the property "zone"', "a Date");
  refused([Object.assign(new Map(), { a: 2 })], 'the property "a"', "a Map");
});

test("argumentsText() refuses cycles and bottomless nesting with a CacheKeyError", () => {
  const ring: { self?: unknown } = {};
  ring.self = [ring];
  refused([0, ring], "argument 2.self[0]", "contains itself");
  const selves = new City(undefined);
  Object.assign(selves, { id: selves });
  refused([selves], "contains itself");
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  refused([deep], "deeper than 500 levels");
  const endless = { [cacheKey]: () => ({ ...endless }) };
  refused([endless], "deeper than 500 levels");
});

test("argumentsText() takes 500 levels, and one object in two places", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 500; i++) deep = i % 3 === 0 ? [deep] : i % 3 === 1 ? { a: deep } : new Map([[1, deep]]);
  assert(argumentsText([deep]).length > 1500);
  const shared = { a: 1 };
  assertEquals(textOf([shared, shared], shared), "[{a:1},{a:1}],{a:1}");
});

test("a wrong [cacheKey] is a CacheKeyError that says how it must be", () => {
  refused([{ [cacheKey]: 7 }], "argument 1", "[cacheKey] must be a method");
  refused([
    new (class {
      [cacheKey]() {
        return 1;
      }
    })(),
  ], "needs a name");
});

test("argumentText() takes words as the subject of its errors", () => {
  assertEquals(argumentText("http://a.b", "what `key` returns"), '"http://a.b"');
  assertEquals(argumentText(undefined, "what `key` returns"), "undefined");
  const error = assertThrows(() => argumentText(Promise.resolve(), "what `key` returns"), CacheKeyError);
  assertStringIncludes(error.message, "Cannot make a key of what `key` returns: it is an instance of Promise");
});

test("identityText() tells the class and the identity of an object with [cacheKey]", () => {
  assertEquals(identityText(new Country("no"), "this"), { className: "Country", text: 'Country("no")' });
  assertThrows(() => identityText(new City(() => 1), "`this`"), CacheKeyError, "`this`");
  assertThrows(() => identityText({ [cacheKey]: 1 as never }, "`this`"), CacheKeyError, "must be a method");
  assertEquals([hasIdentity(new City(1)), hasIdentity(null), hasIdentity(1), hasIdentity({})], [
    true,
    false,
    false,
    false,
  ]);
});

test("a Buffer is written by its bytes, and is another argument than a Uint8Array of the same", async () => {
  const { Buffer } = await import("node:buffer");
  assertEquals(argumentsText([Buffer.from([1, 2, 255])]), "Buffer<1,2,255>");
  assertEquals(argumentsText([new Uint8Array([1, 2, 255])]), "Uint8Array<1,2,255>");
});

test("-0 and 0 differ in every kind of float array that the runtime has", () => {
  const { Float16Array } = globalThis as unknown as { Float16Array?: typeof Float32Array };
  for (const kind of [Float32Array, Float64Array, ...(Float16Array === undefined ? [] : [Float16Array])]) {
    assertNotEquals(argumentsText([kind.of(-0)]), argumentsText([kind.of(0)]));
  }
});

test("what a function could read, and a text would not say, is refused", () => {
  refused([Object.defineProperty({ a: 1 }, "tenant", { value: 1 })], "argument 1.tenant", "not enumerable");
  refused([{ a: [Object.defineProperty({}, "tenant", { value: 1 })] }], "argument 1.a[0].tenant");
  refused([Object.assign(new URL("http://a/"), { user: "a" })], 'the property "user"', "a URL");
  refused([Object.assign(new URLSearchParams(), { user: "a" })], 'the property "user"');
  refused([Object.assign(new Headers(), { user: "a" })], 'the property "user"');
  refused([Object.assign(new Uint8Array(1), { user: "a" })], 'the property "user"', "a Uint8Array");
  refused([Object.assign(new Float64Array(70_000), { [Symbol("s")]: "a" })], "Symbol(s)");
  refused([{
    get name() {
      return "a";
    },
  }], "argument 1.name: it is an accessor");
  refused([Object.defineProperty({}, "name", { set: String, enumerable: true })], "argument 1.name: it is an accessor");
  refused([Object.defineProperty([1], 0, { get: () => 1, enumerable: true })], "argument 1[0]: it is an accessor");
  refused([Object.assign(["a"], { raw: ["a"] })], 'the property "raw"');
});

test("the class of what has a [cacheKey] is its prototype's, whatever its data say", () => {
  const forged = Object.assign(new City(9), JSON.parse('{"constructor":{"name":"Country"}}'));
  assertEquals(textOf(forged), "City(9)");
  assertEquals(textOf(Object.create(new City(9))), "City(9)");
  const bare = Object.assign(Object.create(null), { [cacheKey]: () => 1 });
  assertEquals(textOf(bare), "Object(1)");
});

test("built-ins that can have no [cacheKey] are refused with a word on what to pass instead", () => {
  const request = new Request("http://a.b/");
  refused([request], "an instance of Request", "pass its url");
  refused([new RangeError("x")], "pass its message");
  refused([new Response("x")], "pass its text");
  refused([new Blob([])], "pass its bytes");
  refused([new Intl.NumberFormat("en")], "pass its locale");
  refused([{ deep: new AbortController().signal }, 1], "as an argument of its own");
  refused([(async function* () {})()], "read it into an array first");
  refused([new Boolean(true)], "pass its valueOf() instead");
});

test("a text of more than a million characters is refused at once, whatever it is made of", { timeout: 60_000 }, () => {
  let entangled: unknown = { x: 1 };
  for (let i = 0; i < 40; i++) entangled = { a: entangled, b: [entangled] };
  const large: unknown[] = [
    "%".repeat(1e7),
    "\ud800".repeat(1e7),
    { [`a${"b".repeat(2e6)}`]: 1 },
    new Uint8Array(1e7),
    new Array(2e6).fill(0),
    new Map(Array.from({ length: 2e5 }, (_, i) => [i, i])),
    new URLSearchParams([["a", "b".repeat(2e6)]]),
    new City("x".repeat(2e6)),
    10n ** 1_100_000n,
  ];
  for (const value of large) refused([value], "argument", "longer than 1048576 characters", "`key`");
  refused([entangled], "argument 1", "more than 100000 objects", "`key`");
  refused(["x".repeat(6e5), "y".repeat(6e5)], "longer than 1048576 characters");
  assertEquals(textOf("x".repeat(1e6)).length, 1e6 + 2);
});

test("another realm's plain data is plain data", async () => {
  const { runInNewContext } = await import("node:vm");
  const make = "({ a: [1, , new Date(0)], m: new Map([[1, new Set([2])]]), r: /a/g, u: new Uint8Array(2) })";
  assertEquals(textOf(runInNewContext(make)), textOf((0, eval)(make)));
  assertEquals(textOf(runInNewContext("Object.create(null)")), "{}");
  refused([runInNewContext("new (class City {})()")], "an instance of City");
  refused([runInNewContext("Object.create({})")], "argument 1");
  refused([runInNewContext("new (class Map2 extends Map {})()")], "an instance of Map2");
  refused([runInNewContext("Promise.resolve()")], "await it first");
});

test("what imitates a built-in by name is no built-in", () => {
  const imitation = class Date {};
  refused([new imitation()], "an instance of Date");
  function Map2() {}
  Object.defineProperty(Map2, "name", { value: "Map" });
  refused([new (Map2 as unknown as new () => object)()], "an instance of Map");
  const tagged = new (class {
    get [Symbol.toStringTag]() {
      return "URL";
    }
  })();
  refused([tagged], "an instance of a class");
});

test("a template is what a tag is given, and nothing that imitates one", () => {
  const imitation = (...added: object[]) => {
    const strings = Object.assign(["a"], { raw: Object.freeze(["a"]) }, ...added);
    return Object.freeze(strings);
  };
  refused([imitation()], 'the property "raw"');
  refused([imitation({ tenant: "a" })], "the property");
  const hidden = Object.freeze(Object.defineProperty([{ a: 1 }], "raw", { value: Object.freeze(["a"]) }));
  refused([hidden], 'the property "raw"');
});

test("properties added to a typed array are found, however long it is", () => {
  refused([Object.assign(new Uint8Array(70_000), { user: "a" })], 'the property "user"');
});

test("a large bigint, and a million properties that are undefined, are refused without being written", {
  timeout: 60_000,
}, () => {
  refused([1n << 16_000_000n], "argument", "longer than 1048576 characters");
  refused([[1n << 16_000_000n]], "argument 1", "longer than 1048576 characters");
  const many = Object.fromEntries(Array.from({ length: 300_000 }, (_, i) => [`k${i}`, undefined]));
  refused([many], "argument 1", "longer than 1048576 characters");
  assertEquals(textOf(10n ** 30n), `1${"0".repeat(30)}n`);
});

test("a class with a static [cacheKey] is no instance of itself, and another class than the next", () => {
  class One {
    static [cacheKey]() {
      return 1;
    }
    [cacheKey]() {
      return 1;
    }
  }
  class Two {
    static [cacheKey]() {
      return 1;
    }
  }
  assertEquals(textOf(One, new One(), Two), "Class<One>(1),One(1),Class<Two>(1)");
});

test("errors carry no control characters, whatever an argument's names are", () => {
  // deno-lint-ignore no-control-regex
  const control = /[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
  class Evil {}
  Object.defineProperty(Evil, "name", { value: "E\x1b[2J" });
  for (
    const value of [
      { "a\u202eb": () => 1 },
      { "a\x9b31m": () => 1 },
      { [Symbol("x\x1b[31m\n")]: 1 },
      new Evil(),
      Object.assign([1], { "a\u2028": 1 }),
      new Map([["k\u202e", () => 1]]),
    ]
  ) {
    const error = assertThrows(() => argumentsText([value]), CacheKeyError);
    assert(!control.test(error.message), JSON.stringify(error.message));
  }
});

test("a proxy that throws, and what only says that it is a signal, are refused with a CacheKeyError", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  refused([proxy], "argument 1");
  refused([
    new Proxy({}, {
      getOwnPropertyDescriptor: () => {
        throw new Error("trap");
      },
      ownKeys: () => ["a"],
    }),
  ], "argument 1");
  class Tagged {
    get [Symbol.toStringTag]() {
      return "AbortSignal";
    }
  }
  refused([new Tagged()], "an instance of Tagged");
});

test("built-ins are not told to get a [cacheKey]", () => {
  for (
    const value of [Object(1n), [][Symbol.iterator](), new TextDecoder(), new SharedArrayBuffer(1), new Event("a")]
  ) {
    const error = assertThrows(() => argumentsText([value]), CacheKeyError);
    assert(!error.message.includes("[cacheKey]"), error.message);
    assertStringIncludes(error.message, "`key`");
  }
});
