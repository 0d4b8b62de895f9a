import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { CacheError, CacheValueError } from "../../src/errors.ts";
import { type Codec, defaultCodec } from "../../src/codec/codec.ts";
import { MemoryStore, type MemoryStoreOptions } from "../../src/store/memory/store.ts";
import type { Found, ValueEntry } from "../../src/store/store.ts";
import { FakeClock, SeededRandom, storeConformance } from "../../src/testing/mod.ts";
import { LONG_MS, valued } from "./_entries.ts";

/** Runs the conformance suite over stores that share a clock. */
function conforms(name: string, options: MemoryStoreOptions, more: Parameters<typeof storeConformance>[1] = {}): void {
  const clock = new FakeClock();
  const suite = storeConformance(() => new MemoryStore({ ...options, clock }), {
    advance: (ms) => clock.advance(ms),
    ...more,
  });
  for (const { name: sentence, skip, run } of suite) {
    test(`${name}: ${sentence}`, { skip: skip ?? false }, run);
  }
}

const tooLarge = new Uint8Array(600_000);
conforms("MemoryStore", { maxBytes: 600_000 }, { tooLarge });
conforms("MemoryStore with a codec", { codec: defaultCodec(), maxBytes: 600_000 }, {
  tooLarge: crypto.getRandomValues(new Uint8Array(60_000)).toString().repeat(10),
});
conforms("MemoryStore with copy: false", { copy: false }, { without: ["copies"] });

test("MemoryStore drops what was used longest ago when its bytes are exceeded", async () => {
  const store = new MemoryStore({ maxBytes: 10_000 });
  const text = "x".repeat(1000);
  for (const key of ["a", "b", "c", "d"]) await store.set(key, valued(text), LONG_MS, "anything");
  assert(await store.get("a") !== undefined);
  for (const key of ["e", "f", "g", "h"]) await store.set(key, valued(text), LONG_MS, "anything");
  assert(await store.get("a") !== undefined, "what was used last was dropped");
  assertEquals(await store.get("b"), undefined);
  assert(await store.get("h") !== undefined);
});

test("MemoryStore keeps at most maxEntries, whatever they are", async () => {
  const store = new MemoryStore({ maxEntries: 3 });
  await store.add("a", valued(1), LONG_MS);
  await store.add("b", { kind: "lease", nonce: "n", generations: [] }, LONG_MS);
  const count = await store.counter("c");
  await store.get("a");
  await store.add("d", valued(4), LONG_MS);
  assertEquals(await store.get("b"), undefined);
  assertEquals(await store.counter("c"), count);
  assert(await store.get("a") !== undefined);
  assert(await store.get("d") !== undefined);
});

test("MemoryStore with copy: false keeps 10,000 entries by default", async () => {
  const store = new MemoryStore({ copy: false });
  for (let i = 0; i <= 10_000; i++) store.add(`key${i}`, valued(i), LONG_MS);
  assertEquals(await store.get("key0"), undefined);
  assert(await store.get("key1") !== undefined);
});

test("MemoryStore counts names that no other entry has, and counts those that all share once", async () => {
  const count = async (make: (i: number) => unknown) => {
    const store = new MemoryStore({ maxBytes: 1_000_000 });
    for (let i = 0; i < 3000; i++) await store.set(`k${i}`, valued(make(i)), LONG_MS, "anything");
    let kept = 0;
    for (let i = 0; i < 3000; i++) if (await store.get(`k${i}`) !== undefined) kept++;
    return kept;
  };
  const record = (name: (j: number) => string) =>
    Object.fromEntries(Array.from({ length: 20 }, (_, j) => [name(j), 1]));
  const shared = await count(() => record((j) => `a name of a column, the ${j}th`));
  const unseen = await count((i) => record((j) => `a name of its own: ${i}, ${j}`));
  // 600 bytes and 3,600 each, as measured: weigh_test.ts.
  assert(shared > 1400 && shared < 2000, `${shared}`);
  assert(unseen > 200 && unseen < 320, `${unseen}`);
});

test("MemoryStore refuses a value larger than maxBytes and keeps what was under its key", async () => {
  const store = new MemoryStore({ maxBytes: 2000 });
  await store.set("a", valued("small"), LONG_MS, "anything");
  const error = await assertRejects(
    () => store.set("a", valued("x".repeat(2000)), LONG_MS, "anything"),
    CacheValueError,
    "maxBytes",
  );
  assert(error.message.includes('"a"'));
  assertEquals((await store.get("a"))?.entry, { ...valued("small"), fullKey: undefined, source: undefined });
});

test("MemoryStore starts no timer, and an entry that has ended makes room when it is read", async () => {
  const clock = new FakeClock();
  const store = new MemoryStore({ clock, maxEntries: 1 });
  await store.add("a", valued(1), 1000);
  assertEquals(clock.pending, 0);
  await clock.advance(1000);
  assertEquals(await store.get("a"), undefined);
  assert(await store.add("a", valued(2), 1000) !== undefined);
});

test("MemoryStore does every verb before its promise is returned", async () => {
  const store = new MemoryStore();
  const set = store.set("a", valued(1), LONG_MS, "anything");
  const first = store.get("a");
  const gone = store.delete("a", "anything");
  const second = store.get("a");
  assert(await set !== undefined);
  assert(await first !== undefined);
  assertEquals(await gone, true);
  assertEquals(await second, undefined);
});

test("MemoryStore draws a counter's start from its random, below 2^63", async () => {
  const words = new SeededRandom(7);
  const store = new MemoryStore({ random: new SeededRandom(7) });
  for (const name of ["a", "b", "c"]) {
    assertEquals(await store.counter(name), words.uint64() & ((1n << 63n) - 1n));
  }
});

test("MemoryStore with copy: false gives out the very object, and frees its entry from changes of the caller's", async () => {
  const store = new MemoryStore({ copy: false });
  const value = { fn: () => 1 };
  const entry = valued(value);
  await store.add("a", entry, LONG_MS);
  Object.assign(entry, { freshUntil: 99 });
  const found = (await store.get("a"))!.entry;
  assert(found.kind === "value");
  assertStrictEquals(found.value, value);
  assertEquals(found.freshUntil, 1);
});

test("MemoryStore turns whatever a codec throws into the right thing", async () => {
  const broken: Codec = {
    encode: (value) => {
      if (value === "no bytes") return "text" as never;
      if (value === "throws") throw "a string";
      return defaultCodec().encode(value);
    },
    decode: () => {
      throw null;
    },
  };
  const store = new MemoryStore({ codec: broken });
  await assertRejects(() => store.add("a", valued("no bytes"), LONG_MS), CacheValueError, "Uint8Array");
  await assertRejects(() => store.add("a", valued("throws"), LONG_MS), CacheValueError, "codec");
  await store.add("a", valued("fine"), LONG_MS);
  assertEquals((await store.get("a"))?.entry.kind, "unreadable");
  assertThrows(() => store.copy!("fine"), CacheValueError);
});

test("MemoryStore is safe from a codec that keeps its buffer, or decodes in place", async () => {
  const buffer = new Uint8Array(4);
  const codec: Codec = { encode: (value) => (buffer.set(value as Uint8Array), buffer), decode: (bytes) => bytes };
  const store = new MemoryStore({ codec });
  await store.add("a", valued(Uint8Array.of(1, 2, 3, 4)), LONG_MS);
  buffer.fill(9);
  const first = (await store.get("a"))!.entry;
  assert(first.kind === "value");
  (first.value as Uint8Array).fill(8);
  const second = (await store.get("a"))!.entry;
  assertEquals(second.kind === "value" && second.value, Uint8Array.of(1, 2, 3, 4));
});

test("MemoryStore names a wrong option", () => {
  for (const wrong of [0, -1, NaN, 1.5, -Infinity]) {
    assertThrows(() => new MemoryStore({ maxBytes: wrong }), RangeError, "maxBytes");
    assertThrows(() => new MemoryStore({ maxEntries: wrong }), RangeError, "maxEntries");
  }
  assertThrows(() => new MemoryStore({ maxBytes: "1" as never }), TypeError, "maxBytes");
  assertThrows(() => new MemoryStore({ copy: false, maxBytes: 1000 }), TypeError, "maxBytes");
  assertThrows(() => new MemoryStore({ copy: false, codec: defaultCodec() }), TypeError, "codec");
  new MemoryStore({ copy: false, maxEntries: 10, maxBytes: undefined, codec: undefined });
  new MemoryStore({ maxBytes: Infinity, maxEntries: Infinity });
});

test("MemoryStore rejects a ttl that is not above 0, and does not throw", async () => {
  const store = new MemoryStore();
  for (const ttlMs of [0, -1, NaN]) {
    await assertRejects(() => store.add("a", valued(1), ttlMs), RangeError, "ttlMs");
    await assertRejects(() => store.set("a", valued(1), ttlMs, "anything"), RangeError, "ttlMs");
  }
});

test("MemoryStore that is closed says so, and has forgotten everything", async () => {
  const store = new MemoryStore();
  await store.add("a", valued(1), LONG_MS);
  await store.close();
  await assertRejects(async () => await store.get("a"), CacheError, 'Cannot get "a": the store is closed');
});

test("MemoryStore refuses an option that nobody knows, and what is no codec", () => {
  // deno-lint-ignore no-explicit-any
  const make = (options: any) => () => new MemoryStore(options);
  assertThrows(make({ maxByte: 5 }), TypeError, '"maxByte"');
  assertThrows(make({ codec: {} }), TypeError, "codec");
});

test("MemoryStore returns an entry and a counter, not a promise of them", async () => {
  const store = new MemoryStore();
  await store.set("key", valued({ n: 1 }), LONG_MS, "anything");
  assertEquals((store.get("key") as Found).entry, { ...valued({ n: 1 }), fullKey: undefined, source: undefined });
  assertEquals(store.get("nothing"), undefined);
  const counter = store.counter("counter");
  assertEquals([typeof counter, store.counter("counter")], ["bigint", counter]);
});

test("MemoryStore that is closed, or is given a signal that has fired, throws where it would return", async () => {
  const store = new MemoryStore();
  const left = new Error("left");
  assertThrows(() => store.get("key", AbortSignal.abort(left)), Error, "left");
  assertThrows(() => store.counter("counter", AbortSignal.abort(left)), Error, "left");
  await store.close();
  assertThrows(() => store.get("key"), CacheError, "closed");
  assertThrows(() => store.counter("counter"), CacheError, "closed");
});

test("MemoryStore says how many entries it has, what they cost, and how many it had to drop", async () => {
  const clock = new FakeClock();
  const store = new MemoryStore({ clock, maxEntries: 3 });
  assertEquals(store.stats, { entries: 0, bytes: 0, evictions: 0 });
  const entry = (value: unknown): ValueEntry => ({
    kind: "value",
    value,
    freshUntil: Infinity,
    staleUntil: Infinity,
    generations: [],
  });
  await store.set("a", entry("x"), 1000, "anything");
  const { bytes } = store.stats;
  await store.set("b", entry("x"), 1000, "anything");
  assertEquals(store.stats, { entries: 2, bytes: 2 * bytes, evictions: 0 });
  await store.set("b", entry("y"), 1000, "anything");
  assertEquals(store.stats, { entries: 2, bytes: 2 * bytes, evictions: 0 }, "what is replaced was not dropped");
  await store.delete("b", "anything");
  await clock.advance(1000);
  await store.get("a");
  assertEquals(store.stats, { entries: 0, bytes: 0, evictions: 0 }, "nor was what was deleted, or had ended");
  for (const key of "abcde") await store.set(key, entry(1), 1000, "anything");
  await store.counter("group");
  assertEquals([store.stats.entries, store.stats.evictions], [3, 3]);
  await store.close();
  assertEquals(store.stats, { entries: 0, bytes: 0, evictions: 3 });
});

test("MemoryStore gives back what a codec would take too long to read", async () => {
  const store = new MemoryStore();
  const emoji = Array.from({ length: 4 }, () => new RegExp("\\p{RGI_Emoji}", "v"));
  const dates = [/a/, ...Array.from({ length: 110_000 }, (_, i) => new Date(i))];
  for (const value of [emoji, dates]) {
    await store.set("k", valued(value), LONG_MS, "anything");
    const { entry } = (await store.get("k"))!;
    assertEquals(entry.kind === "value" && (entry.value as unknown[]).length, value.length);
  }
});
