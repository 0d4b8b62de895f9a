/** Pairs of argument lists that a careless key would confuse, or must not tell apart, by the classes of the semantics. */

import type { SeededRandom } from "../../src/testing/seeded_random.ts";

type List = readonly unknown[];

/** Two lists of arguments. `same`: they are one call. */
export interface Pair {
  readonly of: string;
  readonly left: List;
  readonly right: List;
  readonly same: boolean;
}

/** Endless pairs, the same in every run. */
export class Pairs {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  next(): Pair {
    const of = this.#one(Object.keys(CLASSES));
    const [left, right, same] = CLASSES[of]!(this);
    return { of, left, right, same: same === "same" };
  }

  /** From 0 to `most` - 1. */
  below(most: number): number {
    return Math.floor(this.#random.fraction() * most);
  }

  #one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Two different ones, in any order. */
  two<T>(choices: readonly T[]): [T, T] {
    const first = this.below(choices.length);
    const second = (first + 1 + this.below(choices.length - 1)) % choices.length;
    return [choices[first]!, choices[second]!];
  }

  integer(): number {
    return this.below(2) === 0 ? this.below(20) : this.below(2 ** 40) - 2 ** 39;
  }

  word(least = 0, most = 6): string {
    return Array.from({ length: least + this.below(most - least + 1) }, () => this.#one(PIECES)).join("");
  }

  leaf(): unknown {
    return this.#one<() => unknown>([
      () => this.word(),
      () => this.integer(),
      () => BigInt(this.integer()),
      () => this.#one([null, undefined, true, false, NaN, -0, 0, Infinity, -Infinity, 0.5]),
      () => new Date(this.below(2) === 0 ? NaN : this.integer()),
      () => Uint8Array.from({ length: this.below(4) }, () => this.below(256)),
    ])();
  }

  tree(depth: number): unknown {
    if (depth === 0) return this.leaf();
    const parts = Array.from({ length: this.below(4) }, () => this.tree(this.below(depth)));
    return this.#one<() => unknown>([
      () => parts,
      () => Object.fromEntries(parts.map((part) => [this.word(), part])),
      () => new Map(parts.map((part, n) => [n % 2 === 0 ? this.word() : n, part])),
      () => new Set(parts),
    ])();
  }
}

/** What a key is made of, and what breaks it. */
const PIECES = [
  ..."ab19n\"'\\,:;()[]{}<>%~ -.",
  "\n",
  "\0",
  "\x7f",
  "%20",
  "%uD800",
  "\\ud800",
  "é",
  "e\u0301",
  "城",
  "😀",
  "\u2028",
  "\ufeff",
  "\ufffd",
  "\ud800",
  "\udc00",
  "__proto__",
  "undefined",
  "empty",
  "Date<",
];

type Made = readonly [left: List, right: List, fate: "same" | "other"];

const CLASSES: Readonly<Record<string, (pairs: Pairs) => Made>> = {
  "types that print alike": (p) => {
    const n = p.integer();
    const [a, b] = p.two([n, String(n), BigInt(n), [n], [String(n)], `${n}n`, `"${n}"`, { [n]: n }, new Set([n])]);
    return [[a], [b], "other"];
  },
  "constants that print alike": (p) => {
    const [a, b] = p.two<unknown>([
      null,
      NaN,
      0,
      -0,
      Infinity,
      -Infinity,
      true,
      false,
      "null",
      "NaN",
      "-0",
      "true",
      "undefined",
      "",
      [],
      {},
      [[]],
      [undefined],
      [null],
    ]);
    const word = p.word();
    return [[a, word], [b, word], "other"];
  },
  "text that looks like other values": (p) => {
    const word = p.word(1), when = new Date(p.integer()), [a, b] = [p.word(), p.word()];
    const [left, right] = p.two<unknown>([
      [word],
      `["${word}"]`,
      `[${word}]`,
      when,
      when.toISOString(),
      String(when),
      `Date<"${when.toISOString()}">`,
      new Map([[a, b]]),
      `Map<["${a}","${b}"]>`,
      [[a, b], 0],
      { a, b },
      JSON.stringify({ a, b }),
    ]);
    return [[left], [right], "other"];
  },
  "borders between arguments and elements": (p) => {
    const a = p.word(1), b = p.word(1);
    const [left, right] = p.two<List>([
      [a, b],
      [`${a},${b}`, 0],
      [`${a}","${b}`],
      [[a, b]],
      [[a], b],
      [[a], [b]],
      [[[a, b]]],
      [a, [b]],
      [a, b, 0],
      [{ [a]: b }, 1],
      [{ a: { b } }],
    ]);
    return [left, right, "other"];
  },
  "properties that glue": (p) => {
    const n = p.integer();
    const [a, b] = p.two<unknown>([
      { a: n, b: 2 },
      { a: { b: n } },
      { "a:1,b": n },
      { a: `${n},b:2` },
      { '"a"': n },
      { "": n },
      { a: [n, { b: 2 }] },
      { a: null, b: n },
      { "a\ud800": n },
      { "a\ud801": n },
      { "a\ufffd": n },
      new Map([["a", n]]),
    ]);
    return [[a], [b], "other"];
  },
  "what an escape may hide": (p) => {
    const word = p.word();
    const [a, b] = p.two(["", " ", "%20", "\n", "%0A", "\\n", "\0", "%00", "\x7f", "%7F", "%", "%25", "~", "\\", "\t"]);
    return [[`${word}${a}${word}`], [`${word}${b}${word}`], "other"];
  },
  "text that Unicode confuses": (p) => {
    const word = p.word();
    const [a, b] = p.two([
      "é",
      "e\u0301",
      "e",
      "ﬁ",
      "fi",
      "K",
      "\u212a",
      "\ufeff",
      "\u200b",
      "\u202e",
      "А",
      "A",
      "Ａ",
      "😀",
    ]);
    return [[word, a], [word, b], "other"];
  },
  "lone surrogates": (p) => {
    const word = p.word();
    const [a, b] = p.two(["\ud800", "\ud801", "\udc00", "\udfff", "\ufffd", "\\ud800", "%uD800", "?", ""]);
    // Between letters, where neither finds its other half.
    return [[`${word}x${a}x`], [`${word}x${b}x`], "other"];
  },
  "holes": (p) => {
    const count = 1 + p.below(4), value = p.leaf();
    const holes = (length: number) => new Array(length);
    const [a, b] = p.two<unknown>([
      [...new Array(count).fill(undefined), "end"],
      [...new Array(count).fill(null), "end"],
      holes(count + 6),
      holes(count + 7),
      Object.assign(holes(count + 8), { [count]: "x" }),
      Object.assign(holes(count + 8), { [count + 1]: "x" }),
      ["empty", count],
    ]);
    return [[a, value, 0], [b, value, 0], "other"];
  },
  "one leaf at two depths": (p) => {
    const leaf = p.leaf() ?? 0;
    const nested = (levels: number) => Array.from({ length: levels }).reduce((inner: unknown) => [inner], leaf);
    const [a, b] = p.two([0, 1, 2, 3, 4, 5, 60]);
    return [[nested(a)], [nested(b)], "other"];
  },
  "long ones with one head": (p) => {
    const head = p.word(20, 30).padEnd(250, p.word(1));
    const [a, b] = p.two([0, 1, 2, 3, 4].map((n) => `${n}${p.word(0, 3)}`));
    return [[head + a], [head + b], "other"];
  },
  "long ones that differ in one character": (p) => {
    const length = 60 + p.below(400), at = p.below(length);
    const text = "é".repeat(length);
    return [[text, 1], [`${text.slice(0, at)}e${text.slice(at + 1)}`, 1], "other"];
  },
  "bytes of two kinds": (p) => {
    const numbers = Array.from({ length: 1 + p.below(5) }, () => p.below(128));
    const bytes = new Uint8Array(numbers);
    const kinds: unknown[] = [
      bytes,
      new Uint8ClampedArray(numbers),
      new Int8Array(numbers),
      new Uint16Array(numbers),
      new Float32Array(numbers),
      new Float64Array(numbers),
      new BigInt64Array(numbers.map(BigInt)),
      bytes.buffer,
      numbers,
      numbers.join(),
      new Set([numbers]),
    ];
    const [a, b] = p.two(kinds);
    return [[a], [b], "other"];
  },
  "order where order counts": (p) => {
    const [a, b] = p.two(Array.from({ length: 6 }, (_, n) => `${n}${p.word()}`));
    const [left, right] = p.two([[[a, 1], [b, 2]], [[b, 2], [a, 1]]] as [string, number][][]);
    const kind = p.below(3);
    const made = (list: [string, number][]) =>
      kind === 0 ? new Map(list) : kind === 1 ? new Set(list.map(([key]) => key)) : list;
    return [[made(left)], [made(right)], "other"];
  },
  "any tree, and the same with one more": (p) => {
    const tree = p.tree(3);
    return [[tree, 0], [[tree], 0], "other"];
  },
  "any tree, made twice": (p) => {
    const tree = p.tree(3);
    return [[tree], [copyOf(tree)], "same"];
  },
  "properties in another order, or undefined": (p) => {
    const names = [...new Set(Array.from({ length: 6 }, () => p.word()))].filter((name) => name !== "__proto__");
    const entries = names.map((name) => [name, p.leaf()] as const);
    const left = Object.fromEntries(entries);
    const right = Object.fromEntries([...entries].reverse());
    for (const name of ["never", "there"]) right[name] = undefined;
    return [[left, 1], [Object.assign(Object.create(null), right), 1], "same"];
  },
  "trailing undefined": (p) => {
    const list = [p.leaf() ?? 0, p.tree(1) ?? 0];
    return [list, [...list, ...new Array(1 + p.below(3)).fill(undefined)], "same"];
  },
};

function copyOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [copyOf(k), copyOf(v)]));
  if (value instanceof Set) return new Set([...value].map(copyOf));
  if (value instanceof Date) return new Date(value);
  if (value instanceof Uint8Array) return value.slice();
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copyOf(part)]));
}

/** A list of arguments as a text of another kind than the library's: each part with its type and its length. */
export function tagOf(list: readonly unknown[]): string {
  return tag(list.slice(0, list.findLastIndex((part) => part !== undefined) + 1));
}

function tag(value: unknown): string {
  const framed = (kind: string, text: string) => `${kind}${text.length}/${text}`;
  switch (typeof value) {
    case "string":
      return framed("s", Array.from({ length: value.length }, (_, n) => value.charCodeAt(n).toString(36)).join());
    case "number":
      return framed("n", Object.is(value, -0) ? "-0" : String(value));
    case "object":
      break;
    default:
      return framed(typeof value, String(value));
  }
  if (value === null) return "null0/";
  const of = (kind: string, parts: string[]) => framed(kind, parts.join(""));
  if (Array.isArray(value)) return of("a", Array.from(value, (part, n) => n in value ? tag(part) : "hole0/"));
  if (value instanceof Map) return of("m", [...value].flatMap(([key, part]) => [tag(key), tag(part)]));
  if (value instanceof Set) return of("e", [...value].map(tag));
  if (value instanceof Date) return of("d", [tag(value.getTime())]);
  if (value instanceof ArrayBuffer) return of("b", [...new Uint8Array(value)].map(tag));
  if (ArrayBuffer.isView(value)) {
    const view = value as unknown as Iterable<unknown>;
    return of(`v${Object.prototype.toString.call(value)}`, [...view].map(tag));
  }
  const own = Object.entries(value).filter(([, part]) => part !== undefined).sort(([a], [b]) => a < b ? -1 : 1);
  return of("o", own.flatMap(([key, part]) => [tag(key), tag(part)]));
}
