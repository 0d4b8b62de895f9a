import { test } from "node:test";
import vm from "node:vm";
import { assertEquals, assertThrows } from "@std/assert";
import { CacheValueError } from "../../src/errors.ts";
import { defaultCodec } from "../../src/codec/codec.ts";
import { decodeEntry, encodeEntry } from "../../src/store/envelope.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { KeyValueStore } from "../../src/store/key_value/store.ts";
import type { Entry, Store } from "../../src/store/store.ts";
import { copyOf } from "../../src/data/copy.ts";
import { difference } from "../../src/testing/difference.ts";

/** The same data, made by the code of whoever evaluates it. */
const DATA = `({
  list: [1, , undefined, "a", 2n, -0],
  named: { a: { b: null } },
  bare: Object.assign(Object.create(null), { a: 1 }),
  date: new Date(5),
  map: new Map([[{ k: 1 }, new Set([[1]])]]),
  search: /a(?<b>c)/gi,
  bytes: Uint8Array.of(1, 2),
  views: [Int16Array.of(-1), Float64Array.of(NaN), BigInt64Array.of(-1n), new DataView(new ArrayBuffer(2))],
  buffer: new ArrayBuffer(3),
})`;
// deno-lint-ignore no-eval
const ours = (): unknown => (0, eval)(DATA);
const theirs = (): unknown => vm.runInNewContext(DATA);

const entryOf = (value: unknown): Entry => ({
  kind: "value",
  value,
  freshUntil: Infinity,
  staleUntil: Infinity,
  generations: [],
});

const STORES: Readonly<Record<string, () => Store>> = {
  "a MemoryStore": () => new MemoryStore(),
  "a MemoryStore with a codec": () => new MemoryStore({ codec: defaultCodec() }),
  "a KeyValueStore": () => new KeyValueStore(new Map()),
  "a KeyValueStore with a codec": () => new KeyValueStore(new Map(), { codec: defaultCodec() }),
};

for (const [name, make] of Object.entries(STORES)) {
  test(`${name} keeps data of another realm as the same data of this one`, async () => {
    await using store = make();
    await store.set("k", entryOf(theirs()), 60_000, "anything");
    const { entry } = (await store.get("k"))!;
    assertEquals(difference((entry as { value: unknown }).value, ours()), undefined);
    assertEquals(difference(store.copy!(theirs()), ours()), undefined);
  });
}

test("an entry's bytes keep data of another realm as the same data of this one", () => {
  const codec = defaultCodec();
  const entry = decodeEntry(encodeEntry(entryOf(theirs()), codec), codec);
  assertEquals(difference((entry as { value: unknown }).value, ours()), undefined);
});

test("what is no data is none in another realm, and called the same", () => {
  for (
    const [code, words] of [
      ["new TypeError('no')", "an instance of TypeError; keep its message"],
      ["new (class City {})()", "an instance of City; map it"],
      ["new (class Days extends Array {})()", "an instance of Days; make it a plain array"],
      ["/o/.exec('oslo')", "[...match]"],
      ["(function* () {})()", "Generator; read it into an array"],
      ["[() => 1]", "value[0]: it is a function"],
      ["({ get a() { return 1; } })", "value.a: it is an accessor"],
      ["(() => { const a = []; a.push(a); return a; })()", "a cycle"],
      ["Object.create(Date.prototype)", "it cannot be read"],
    ] as const
  ) {
    assertThrows(() => copyOf(vm.runInNewContext(code)), CacheValueError, words);
  }
});
