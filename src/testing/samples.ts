/** Node 20 has neither of these. */
const { Float16Array, Temporal } = globalThis as unknown as {
  readonly Float16Array?: { of(...numbers: number[]): unknown };
  readonly Temporal?: Readonly<Record<string, { from(text: string): unknown }>>;
};

/** Values that a store keeps exactly, each made anew. */
export const KEPT: Readonly<Record<string, () => unknown>> = {
  "a string": () => "Oslo",
  "an empty string": () => "",
  "text of every plane": () => "\u0000 ü ø € 🏔\ufeff\u2028",
  "text with a byte order mark": () => "\ufeffmark",
  "a lone surrogate": () => "a\ud800b",
  "a long text": () => "fjord ".repeat(20_000),
  "numbers": () => [0, -0, 1, -1.5, 1e300, 5e-324, 2 ** 53, NaN, Infinity, -Infinity],
  "true": () => true,
  "false": () => false,
  "null": () => null,
  "undefined": () => undefined,
  "-0": () => -0,
  "NaN": () => NaN,
  "an integer beyond 2^53": () => 2n ** 64n + 1n,
  "a negative bigint": () => -(2n ** 70n),
  "0n": () => 0n,
  "JSON data": () => ({ id: 1, name: "Oslo", tags: ["a", "b"], at: { lat: 59.9, lon: 10.7 }, none: null, yes: true }),
  "an empty object": () => ({}),
  "an empty array": () => [],
  // deno-lint-ignore no-sparse-arrays
  "holes": () => [[1, , undefined, ,], new Array(1000)],
  "one object in two places": () => {
    const now = new Date(5), none = { meta: 0 };
    return { created: now, updated: now, list: [none, [none]] };
  },
  "properties in their order": () => ({ z: 1, a: 2, 10: 3, 9: 4 }),
  "a property that is undefined": () => ({ a: undefined, b: [undefined] }),
  "a property named __proto__": () => JSON.parse('{"__proto__":{"admin":true},"constructor":1,"toString":2}'),
  "properties named like nothing else": () => ({ "": 1, $: 2, "$ ": { $: "NaN" }, "\ud800": 3, then: 4, toJSON: 5 }),
  "an object without a prototype": () => Object.assign(Object.create(null), { a: { b: 1 }, __proto__: 2 }),
  "a Date": () => new Date(1_900_000_000_123),
  "a Date before 1970": () => new Date(-1),
  "an invalid Date": () => new Date(NaN),
  "a Map": () =>
    new Map<unknown, unknown>([["b", 1], ["a", new Map([[{ k: 1 }, undefined]])], [NaN, -0.5], [null, 1n]]),
  "a Set": () => new Set<unknown>(["b", "a", [1], undefined]),
  "a URL": () => new URL("https://user@example.com:8080/a%20b?q=ø#part"),
  "URLSearchParams": () => new URLSearchParams([["?a", "1 2"], ["a", "&="], ["a", ""]]),
  "Headers": () => new Headers([["accept", "text/html"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]]),
  "a RegExp": () => /a\/(?<b>b)+\n/giu,
  "a RegExp in the middle of its work": () => {
    const search = /o/g;
    search.test("oslo");
    return search;
  },
  "a Uint8Array": () => Uint8Array.of(0, 1, 254, 255),
  "an empty Uint8Array": () => new Uint8Array(0),
  "typed arrays": () => [
    Int8Array.of(-1),
    new Uint8ClampedArray([300]),
    Int16Array.of(-300),
    Uint16Array.of(65535),
    Int32Array.of(-70_000, 1),
    Uint32Array.of(2 ** 32 - 1),
    BigInt64Array.of(-1n),
    BigUint64Array.of(2n ** 64n - 1n),
    Float32Array.of(1.5),
    Float64Array.of(NaN, -0, 0.1),
    Uint8Array.of(7),
  ],
  "a part of a typed array": () => ({ part: new Uint16Array(8).fill(7).subarray(2, 5) }),
  "an ArrayBuffer": () => Uint8Array.of(1, 2, 3).buffer,
  "a DataView": () => new DataView(Uint8Array.of(1, 2, 3).buffer),
  ...(Float16Array && { "a Float16Array": () => [Float16Array.of(1.5, NaN, -0)] }),
  ...temporal(),
  "everything inside everything": () => ({
    list: [{ map: new Map([["set", new Set([{ when: new Date(0), bytes: Uint8Array.of(1), big: 1n }])]]) }],
    nothing: [null, undefined, NaN],
  }),
  "a value nested 500 levels deep": () => nested(500),
  "a large value": () => Array.from({ length: 2000 }, (_, i) => ({ id: i, name: `city ${i}`, open: i % 2 === 0 })),
};

function temporal(): Record<string, () => unknown> {
  if (Temporal === undefined) return {};
  const texts: Record<string, string[]> = {
    Instant: ["2030-01-02T03:04:05.123456789Z", "-000042-01-01T00:00Z"],
    PlainDate: ["2030-02-28", "2024-02-29[u-ca=hebrew]"],
    PlainTime: ["23:59:59.000000001"],
    PlainDateTime: ["2030-01-02T03:04:05"],
    PlainYearMonth: ["2030-02", "2024-02-10[u-ca=hebrew]"],
    PlainMonthDay: ["02-29", "1972-12-12[u-ca=hebrew]"],
    ZonedDateTime: ["2030-10-27T02:30+01:00[Europe/Oslo]", "2030-01-01T00:00-03:30[-03:30][u-ca=gregory]"],
    Duration: ["-P1Y2M3W4DT5H6M7.008009010S", "PT1.5S", "PT1500S"],
  };
  const made = Object.entries(texts).map(([name, all]): [string, () => unknown] => [
    `a Temporal.${name}`,
    () => all.map((text) => Temporal[name]!.from(text)),
  ]);
  const twelveMonths = () => [Temporal.Duration!.from({ milliseconds: 90_000, months: 12 } as unknown as string)];
  return { ...Object.fromEntries(made), "a Temporal.Duration of many milliseconds": twelveMonths };
}

/** Objects and arrays inside one another. */
export function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { inner: value };
  return value;
}

class City {
  name = "Oslo";
}

/** Values that no store keeps, each with the part that its error names. */
export const REFUSED: Readonly<Record<string, { make(): unknown; path: string }>> = {
  "a function": { make: () => ({ items: [0, 1, 2, { fn: () => 1 }] }), path: "value.items[3].fn" },
  "a class": { make: () => City, path: "value" },
  "a symbol": { make: () => [Symbol("s")], path: "value[0]" },
  "a property whose key is a symbol": { make: () => ({ a: { [Symbol("s")]: 1 } }), path: "value.a" },
  "an instance of a class": { make: () => ({ city: new City() }), path: "value.city" },
  "an instance of a subclass": { make: () => [new (class Days extends Array {})()], path: "value[0]" },
  "an error": { make: () => ({ error: new Error("no") }), path: "value.error" },
  "a promise": { make: () => ({ later: Promise.resolve(1) }), path: "value.later" },
  "a boxed string": { make: () => [new String("a")], path: "value[0]" },
  "an accessor": {
    make: () => ({
      a: {
        get b(): number {
          throw new Error("was called");
        },
      },
    }),
    path: "value.a.b",
  },
  "an accessor in an array": {
    make: () => Object.defineProperty([1, 2], 1, { get: () => 1, enumerable: true }),
    path: "value[1]",
  },
  "a hidden property": { make: () => Object.defineProperty({}, "hidden", { value: 1 }), path: "value.hidden" },
  "a property of an array": { make: () => ({ found: /o/.exec("oslo") }), path: "value.found" },
  "a property of a Map": { make: () => [Object.assign(new Map(), { extra: 1 })], path: "value[0]" },
  "a cycle": {
    make: () => {
      const cycle: { self?: { inner: unknown } } = {};
      cycle.self = { inner: cycle };
      return cycle;
    },
    path: "value.self.inner",
  },
  "a cycle through a Map": {
    make: () => {
      const map = new Map<string, unknown>();
      return map.set("me", map);
    },
    path: 'value.get("me")',
  },
  "a function in a Set": { make: () => new Set([() => 1]), path: "value (item 0)" },
  "a value nested 501 levels deep": { make: () => nested(501), path: "value" },
  "what only looks like a Date": { make: () => [Object.create(Date.prototype)], path: "value[0]" },
  "shared memory": { make: () => ({ view: new Uint8Array(new SharedArrayBuffer(4)) }), path: "value.view" },
  "a weak map": { make: () => new WeakMap(), path: "value" },
};
