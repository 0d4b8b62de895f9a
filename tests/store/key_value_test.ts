import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { CacheError } from "../../src/errors.ts";
import { defaultCodec } from "../../src/codec/codec.ts";
import { type KeyValueCache, KeyValueStore, type KeyValueStoreOptions } from "../../src/store/key_value/store.ts";
import type { LeaseEntry } from "../../src/store/store.ts";
import { FakeClock, SeededRandom, storeConformance } from "../../src/testing/mod.ts";
import { LONG_MS, valued } from "./_entries.ts";

const lease = (nonce: string): LeaseEntry => ({ kind: "lease", nonce, generations: [] });
const valueAt = async (store: KeyValueStore, key: string) => {
  const entry = (await store.get(key))?.entry;
  return entry?.kind === "value" ? entry.value : entry?.kind;
};

/** A cache that answers after some turns of the event loop, each time another number of them. */
class SlowCache implements KeyValueCache {
  readonly kept = new Map<string, unknown>();
  readonly asked: string[] = [];
  readonly #random: SeededRandom;
  /** What the next verbs of this name do instead. */
  readonly failures: Partial<Record<"get" | "set" | "delete", Error>> = {};

  constructor(seed = 1) {
    this.#random = new SeededRandom(seed);
  }
  async get(key: string): Promise<unknown> {
    await this.#later("get");
    return this.kept.get(key);
  }
  async set(key: string, value: unknown): Promise<void> {
    await this.#later("set");
    this.kept.set(key, value);
  }
  async delete(key: string): Promise<void> {
    await this.#later("delete");
    this.kept.delete(key);
  }
  async #later(verb: "get" | "set" | "delete"): Promise<void> {
    this.asked.push(verb);
    const failure = this.failures[verb];
    for (let turns = Math.floor(this.#random.fraction() * 8); turns >= 0; turns--) await Promise.resolve();
    if (failure !== undefined) throw failure;
  }
}

/** One whose answers come when the test says so, and which acts only then. */
class HeldCache implements KeyValueCache {
  readonly kept = new Map<string, unknown>();
  readonly waiting: (() => void)[] = [];
  #held = false;

  hold(): void {
    this.#held = true;
  }
  release(): void {
    this.#held = false;
    for (const go of this.waiting.splice(0)) go();
  }
  get(key: string): unknown {
    return this.#do(() => this.kept.get(key));
  }
  set(key: string, value: unknown): unknown {
    return this.#do(() => void this.kept.set(key, value));
  }
  delete(key: string): unknown {
    return this.#do(() => void this.kept.delete(key));
  }
  #do(act: () => unknown): unknown {
    return this.#held ? new Promise((resolve) => this.waiting.push(() => resolve(act()))) : act();
  }
}

function conforms(name: string, makeCache: () => KeyValueCache, options: KeyValueStoreOptions = {}): void {
  const clock = new FakeClock();
  const suite = storeConformance(() => new KeyValueStore(makeCache(), { ...options, clock }), {
    advance: (ms) => clock.advance(ms),
    without: ["groups"],
  });
  for (const { name: sentence, skip, run } of suite) test(`${name}: ${sentence}`, { skip: skip ?? false }, run);
}

let seed = 0;
conforms("KeyValueStore over a Map", () => new Map());
conforms("KeyValueStore over a slow cache", () => new SlowCache(++seed));
conforms("KeyValueStore over a Map, with a codec", () => new Map(), { codec: defaultCodec() });

test("KeyValueStore gives the cache one string per key, and a ttl in whole milliseconds", async () => {
  const asked: unknown[][] = [];
  const store = new KeyValueStore({
    get: () => undefined,
    set: (...args: unknown[]) => asked.push(args),
    delete: () => true,
  });
  await store.set("a", valued({ name: "Oslo" }), 1500.2, "anything");
  await store.set("b", valued(1n), Infinity, "anything");
  assertEquals(asked.map(([key, text, ttlMs]) => [key, typeof text, ttlMs]), [["a", "string", 1501], [
    "b",
    "string",
    undefined,
  ]]);
  assert(String(asked[0]![1]).includes('{"name":"Oslo"}'), "JSON data can be read in the cache");
});

test("KeyValueStore keeps leases and marks in the process, and asks the cache no more than it must", async () => {
  const cache = new SlowCache();
  const store = new KeyValueStore(cache);
  const token = await store.add("a", lease("n"), 5000);
  assertEquals(cache.asked, ["get"]);
  const renewed = await store.set("a", lease("n"), 5000, token!);
  assertEquals(await valueAt(store, "a"), "lease");
  assertEquals(cache.asked, ["get"]);
  await store.set("a", valued(1), LONG_MS, renewed!);
  assertEquals(cache.asked, ["get", "set"]);
  assertEquals(cache.kept.size, 1);
});

test("KeyValueStore refuses a value whose lease was deleted, however slow the cache is", async () => {
  const cache = new HeldCache();
  const store = new KeyValueStore(cache);
  const token = await store.add("a", lease("n"), 5000);
  cache.hold();
  const deleted = store.delete("a", "anything");
  const written = store.set("a", valued("old"), LONG_MS, token!);
  cache.release();
  assertEquals([await deleted, await written], [true, undefined]);
  assertEquals(await valueAt(store, "a"), undefined);
  assertEquals(await store.set("a", valued("old"), LONG_MS, token!), undefined);
});

test("KeyValueStore deletes a value that was on its way to the cache when the delete was asked for", async () => {
  const cache = new HeldCache();
  const store = new KeyValueStore(cache);
  const token = await store.add("a", lease("n"), 5000);
  cache.hold();
  const written = store.set("a", valued("old"), LONG_MS, token!);
  const deleted = store.delete("a", "anything");
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assertEquals(cache.waiting.length, 1, "the delete did not wait for the write");
  cache.release();
  assert(await written !== undefined);
  assertEquals(await deleted, true);
  assertEquals(cache.kept.size, 0);
  assertEquals(await valueAt(store, "a"), undefined);
});

test("KeyValueStore shows a lease until its value has arrived", async () => {
  const cache = new HeldCache();
  const store = new KeyValueStore(cache);
  const token = await store.add("a", lease("n"), 5000);
  cache.hold();
  const written = store.set("a", valued("new"), LONG_MS, token!);
  assertEquals(await valueAt(store, "a"), "lease");
  cache.release();
  await written;
  assertEquals(await valueAt(store, "a"), "new");
});

test("KeyValueStore leaves no value under a lease that replaced it", async () => {
  const clock = new FakeClock();
  const cache = new Map<string, unknown>();
  const store = new KeyValueStore(cache, { clock });
  await store.set("a", valued("old"), LONG_MS, "anything");
  await store.set("a", lease("n"), 5000, "anything");
  assertEquals(cache.size, 0);
  await store.set("b", valued("old"), LONG_MS, "anything");
  await store.set("b", lease("n"), 5000, (await store.get("b"))!.token);
  await clock.advance(5000);
  assertEquals([await valueAt(store, "a"), await valueAt(store, "b")], [undefined, undefined]);
});

test("KeyValueStore never reads a value whose write failed, should it land later", async () => {
  const cache = new SlowCache();
  const store = new KeyValueStore(cache);
  const token = await store.add("a", lease("n"), 5000);
  cache.failures.set = new Error("timed out");
  let late: [string, unknown] | undefined;
  cache.set = (key: string, value: unknown) => {
    late = [key, value];
    return Promise.reject(new Error("timed out"));
  };
  await assertRejects(() => store.set("a", valued("old"), LONG_MS, token!), Error, "timed out");
  assertEquals(await valueAt(store, "a"), "lease", "a write that failed leaves the lease");
  await store.delete("a", "anything");
  cache.kept.set(...late!);
  assertEquals(await valueAt(store, "a"), undefined);
  assert(await store.add("a", lease("m"), 5000) !== undefined);
});

test("KeyValueStore writes over a lease again after a failure", async () => {
  const cache = new SlowCache();
  const store = new KeyValueStore(cache);
  const token = await store.add("a", lease("n"), 5000);
  cache.failures.set = new Error("busy");
  await assertRejects(() => store.set("a", valued(1), LONG_MS, token!), Error, "busy");
  delete cache.failures.set;
  assert(await store.set("a", valued(1), LONG_MS, token!) !== undefined);
  assertEquals(await valueAt(store, "a"), 1);
});

test("KeyValueStore rejects with what the cache throws or rejects with, and goes on", async () => {
  const thrown = new Error("no cache today");
  const fails = () => {
    throw thrown;
  };
  const sync = new KeyValueStore({ get: fails, set: fails, delete: fails });
  const slow = new SlowCache();
  const store = new KeyValueStore(slow);
  for (const verb of ["get", "set", "delete"] as const) slow.failures[verb] = thrown;
  for (const each of [sync, store]) {
    const verbs = [
      () => each.get("a"),
      () => each.add("a", valued(1), LONG_MS),
      () => each.set("a", valued(1), LONG_MS, "anything"),
      () => each.delete("a", "anything"),
    ];
    for (const verb of verbs) assertStrictEquals(await assertRejects(verb), thrown);
  }
  for (const verb of ["get", "set", "delete"] as const) delete slow.failures[verb];
  assert(await store.add("a", valued(1), LONG_MS) !== undefined);
});

test("KeyValueStore ends what a cache without ttls keeps", async () => {
  const clock = new FakeClock();
  const cache = new Map<string, unknown>();
  const store = new KeyValueStore(cache, { clock });
  await store.set("a", valued(1), 1000, "anything");
  await clock.advance(999);
  assertEquals(await valueAt(store, "a"), 1);
  await clock.advance(1);
  assertEquals(await valueAt(store, "a"), undefined);
  assertEquals(cache.size, 1);
});

test("KeyValueStore takes what it cannot read for a miss", async () => {
  const cache = new Map<string, unknown>();
  const store = new KeyValueStore(cache);
  await store.set("good", valued({ a: [1] }), LONG_MS, "anything");
  const good = String(cache.get("good"));
  const strings: unknown[] = [
    "",
    "text",
    "{}",
    "[]",
    good.slice(0, -1),
    good.replace("cache-utils 2", "cache-utils 1"),
    good.replace('"json"', '"tree"'),
    good.replace('"json"', '"codec"'),
    good.replace('"json",{', '"json",{"__proto__":1,"b":[[['),
    `["cache-utils 2","id",1e20,"then",1e20,null,null,"json",1]`,
    `["cache-utils 2",7,1e20,1e20,1e20,null,null,"json",1]`,
    `["cache-utils 2","id",1e20,1e20,1e20,5,null,"json",1]`,
    `["cache-utils 2","id",1e20,1e20,1e20,null,5,"json",1]`,
    `["cache-utils 2","id",1e20,1e20,1e20,null,null,"json",${"[".repeat(600)}${"]".repeat(600)}]`,
    `["cache-utils 2","id",1e20,1e20,1e20,null,null,"tree",{"$":["Uint8Array",3]},"!"]`,
    `["cache-utils 2","id",1e20,1e20,1e20,null,null,"tree",{"$":["Uint8Array",3]}]`,
    5,
    null,
    { kind: "value" },
  ];
  for (const [i, string] of strings.entries()) {
    cache.set("a", string);
    assertEquals(await store.get("a"), undefined, `string ${i}`);
    assert(await store.add("a", valued(1), LONG_MS) !== undefined);
  }
  const coded = new KeyValueStore(cache, { codec: defaultCodec() });
  assertEquals(await coded.get("good"), undefined);
});

test("KeyValueStore reads what another process wrote, and does not write over what it has not seen", async () => {
  const cache = new Map<string, unknown>();
  const here = new KeyValueStore(cache), there = new KeyValueStore(cache);
  await here.set("a", valued("here"), LONG_MS, "anything");
  const seen = (await there.get("a"))!;
  assertEquals(await valueAt(there, "a"), "here");
  await here.set("a", valued("newer"), LONG_MS, "anything");
  assertEquals(await there.set("a", valued("over here"), LONG_MS, seen.token), undefined);
  assertEquals(await there.delete("a", seen.token), false);
  assertEquals(await there.delete("a", "anything"), true);
  assertEquals(await here.get("a"), undefined);
});

test("KeyValueStore refuses entries with generations, and caches that are none", async () => {
  const store = new KeyValueStore(new Map());
  await assertRejects(() => store.add("a", { ...valued(1), generations: [1n] }, LONG_MS), TypeError, "groups");
  await assertRejects(() => store.counter("a"), TypeError, "groups");
  await assertRejects(() => store.increment("a"), TypeError, "groups");
  await assertRejects(() => store.add("a", valued(1), 0), RangeError, "ttlMs");
  assertThrows(() => new KeyValueStore({ get: () => 1, set: () => 1 } as never), TypeError, "delete");
  assertThrows(() => new KeyValueStore(undefined as never), TypeError, "get");
});

test("KeyValueStore writes and deletes nothing over what is no token of its own, as a lost one", async () => {
  const cache = new Map<string, unknown>([["seen", "foreign"]]);
  const store = new KeyValueStore(cache);
  for (const over of [undefined, null, {}] as never[]) {
    for (const entry of [valued(1), lease("a")]) {
      assertEquals(await store.set("absent", entry, LONG_MS, over), undefined);
    }
    assertEquals(await store.delete("seen", over), false);
  }
  assertEquals([...cache], [["seen", "foreign"]]);
  assertEquals(await store.get("absent"), undefined);
});

test("KeyValueStore that is closed lets what is under way finish, and leaves the cache open", async () => {
  const cache = new SlowCache();
  const store = new KeyValueStore(cache);
  const written = store.set("a", valued(1), LONG_MS, "anything");
  await store.close();
  assertEquals(cache.kept.size, 1);
  assert(await written !== undefined);
  await assertRejects(() => store.get("a"), CacheError, 'Cannot get "a": the store is closed');
  await assertRejects(() => store.delete("a", "anything"), CacheError, "closed");
});

test("KeyValueStore: after a delete has resolved, no value computed before it is ever read", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    const store = new KeyValueStore(new SlowCache(seed * 7919));
    let deletes = 0, kept = 0;
    const pause = async () => {
      for (let turns = random.fraction() * 20; turns > 0; turns--) await Promise.resolve();
    };
    // A value says how many deletes had resolved before its computation began.
    const compute = async (nonce: string) => {
      await pause();
      const looked = await store.get("a");
      if (looked?.entry.kind === "lease") return;
      const began = deletes;
      const seen = looked?.entry;
      if (seen?.kind === "value" && random.fraction() < 0.5) return;
      const token = looked === undefined
        ? await store.add("a", lease(nonce), 5000)
        : await store.set("a", lease(nonce), 5000, looked.token);
      if (token === undefined) return;
      const beganUnderLease = Math.max(began, deletes);
      await pause();
      const written = await store.set("a", valued(beganUnderLease), LONG_MS, token);
      if (written !== undefined) kept++;
    };
    const invalidate = async () => {
      await pause();
      await store.delete("a", "anything");
      deletes++;
    };
    const read = async () => {
      await pause();
      const before = deletes;
      const value = await valueAt(store, "a");
      if (typeof value === "number") assert(value >= before, `seed ${seed}: read ${value} after ${before} deletes`);
    };
    for (let round = 0; round < 20; round++) {
      const work = Array.from({ length: 6 }, (_, i) => compute(`${round}.${i}`));
      await Promise.all([...work, invalidate(), invalidate(), read(), read(), read()]);
    }
    assert(kept > 0);
  }
});
