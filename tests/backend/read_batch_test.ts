import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Counter } from "../../src/backend/counters.ts";
import { type ReadTarget, SnapshotReader } from "../../src/backend/read_batch.ts";
import { systemClock } from "../../src/util/clock.ts";
import { CacheError } from "../../src/errors.ts";
import { GuardedStore, type StoreFailure } from "../../src/backend/guarded_store.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import type { Found, Store, ValueEntry } from "../../src/store/store.ts";

const LONG_MS = 600_000;
const counter = (key: string): Counter => ({ key, group: key });
const question = (key: string, ...counters: string[]): ReadTarget => ({
  label: { key },
  counters: counters.map(counter),
});
const entry: ValueEntry = { kind: "value", value: 1, freshUntil: Infinity, staleUntil: Infinity, generations: [] };

function readerOn(store: Store): { readonly reader: SnapshotReader; readonly failures: readonly StoreFailure[] } {
  const failures: StoreFailure[] = [];
  const guarded = new GuardedStore(store, systemClock, LONG_MS, (failure) => failures.push(failure));
  return { reader: new SnapshotReader(guarded), failures };
}

test("readAtOnce() sees what read() sees, where the store returns its answers", async () => {
  const store = new MemoryStore();
  const { reader } = readerOn(store);
  await store.set("key", entry, LONG_MS, "anything");
  const seen = reader.readAtOnce(question("key", "a", "b"));
  assert(seen !== undefined);
  const look = await reader.read(question("key", "a", "b"));
  assertEquals(seen.found, look?.found);
  assertEquals(seen.generations, look?.generations);
  assertEquals(reader.readAtOnce(question("nothing"))?.found, undefined);
});

test("readAtOnce() sees an invalidation that has resolved", async () => {
  const store = new MemoryStore();
  const { reader } = readerOn(store);
  await store.set("key", entry, LONG_MS, "anything");
  const before = reader.readAtOnce(question("key", "a"))!;
  await store.increment("a");
  await store.delete("key", "anything");
  const after = reader.readAtOnce(question("key", "a"))!;
  assertEquals(after.found, undefined);
  assertEquals(after.generations, [before.generations[0]! + 1n]);
});

/** A store that is immediate and keeps everything in `kept`, but for what is said. */
function storeOver(kept: MemoryStore, said: Partial<Store>): Store {
  return {
    immediate: true,
    get: (key) => kept.get(key),
    add: (...args) => kept.add(...args),
    set: (...args) => kept.set(...args),
    delete: (...args) => kept.delete(...args),
    counter: (name) => kept.counter(name),
    increment: (name) => kept.increment(name),
    close: () => kept.close(),
    [Symbol.asyncDispose]: () => kept.close(),
    ...said,
  };
}

/** Such a store, and what it was asked for by looks. */
function counting(said: Partial<Store> = {}): { readonly store: Store; readonly asked: string[] } {
  const kept = new MemoryStore();
  const asked: string[] = [];
  const store = storeOver(kept, {
    get: (key) => (asked.push(key), kept.get(key)),
    counter: (name) => (asked.push(name), kept.counter(name)),
    ...said,
  });
  return { store, asked };
}

test("readAtOnce() asks nothing of a store that is not immediate", () => {
  const { store, asked } = counting({ immediate: undefined });
  assertEquals(readerOn(store).reader.readAtOnce(question("key")), undefined);
  assertEquals(asked, []);
});

test("readAtOnce() asks a store that is immediate, and answers by a promise, only once", async () => {
  for (const answer of [() => Promise.resolve(undefined), () => Promise.reject(new CacheError("no"))]) {
    const { store, asked } = counting();
    store.get = (key) => (asked.push(key), answer());
    const { reader, failures } = readerOn(store);
    assertEquals([1, 2].map(() => reader.readAtOnce(question("key"))), [undefined, undefined]);
    assertEquals([asked, failures], [["key"], []]);
    await reader.read(question("key"));
    assertEquals(asked, ["key", "key"]);
  }
});

test("readAtOnce() asks for nothing that a batch of this tick reads already", async () => {
  const { store, asked } = counting();
  const { reader } = readerOn(store);
  const look = reader.read(question("key"));
  assertEquals(reader.readAtOnce(question("key")), undefined);
  assert(reader.readAtOnce(question("other")) !== undefined);
  assertEquals(asked, ["other"]);
  await look;
  assert(reader.readAtOnce(question("key")) !== undefined);
});

test("readAtOnce() sees nothing where an answer fails or means nothing, and reports nothing", () => {
  const kept = new MemoryStore();
  const broken = readerOn(storeOver(kept, {
    counter: () => {
      throw new CacheError("no counters today");
    },
  }));
  assertEquals(broken.reader.readAtOnce(question("key", "a")), undefined);
  assertEquals(broken.failures, []);
  const odd = readerOn(storeOver(kept, { get: () => ({}) as Found }));
  assertEquals(odd.reader.readAtOnce(question("key")), undefined);
  assertEquals(odd.failures, []);
});

test("read() asks for each key and each counter once a tick, whoever asks, and again in the next", async () => {
  const { store, asked } = counting();
  const { reader } = readerOn(store);
  const ask = (key: string) => reader.read(question(key, "a", "b"));
  const seen = await Promise.all([ask("1"), ask("1"), ask("2")]);
  assertEquals(asked, ["1", "2", "a", "b"]);
  const generations = seen[0]!.generations;
  assertEquals(seen.map((look) => look!.generations), [generations, generations, generations]);
  assert(seen[0]!.slot === seen[1]!.slot && seen[0]!.slot !== seen[2]!.slot);
  await store.increment("a");
  assertEquals((await ask("1"))!.generations, [generations[0]! + 1n, generations[1]!]);
  assertEquals(asked.slice(4), ["1", "a", "b"]);
});

test("Reads of a tick that is not answered yet share nothing with those of the next", async () => {
  const kept = new MemoryStore();
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const later = <T>(answer: () => T | Promise<T>) =>
    new Promise<T>((resolve) => void answers.push(() => resolve(answer())));
  const slow = storeOver(kept, {
    get: (key) => (asked.push(key), later(() => kept.get(key))),
    counter: (name) => (asked.push(name), later(() => kept.counter(name))),
  });
  const { reader } = readerOn(slow);
  const shared = { label: { key: "key" }, counters: [counter("a")] };
  const first = reader.read(shared);
  await Promise.resolve();
  const second = reader.read(shared);
  await Promise.resolve();
  assertEquals(asked, ["key", "a", "key", "a"]);
  for (const answer of answers) answer();
  const [one, other] = await Promise.all([first, second]);
  assert(one!.slot !== other!.slot);
  assertEquals(one!.generations, other!.generations);
});

test("a key that its server is slow to answer holds up no other call of its tick", async () => {
  const kept = new MemoryStore();
  let answerSlow!: (count: bigint) => void;
  const slowCount = new Promise<bigint>((resolve) => answerSlow = resolve);
  const store = storeOver(kept, {
    immediate: undefined,
    get: (key) => key === "slow" ? slowCount.then(() => undefined) : kept.get(key),
    counter: (name) => name === "slow group" ? slowCount : kept.counter(name),
  });
  const { reader } = readerOn(store);
  let slow = 0;
  const slowReads = [question("slow", "a"), question("quick", "slow group")].map(async (asked) => {
    await reader.read(asked);
    slow++;
  });
  const snapshot = await reader.read(question("quick", "a"));
  assertEquals([snapshot.isWhole, snapshot.generations, slow], [true, [kept.counter("a")], 0]);
  answerSlow(1n); // no timer outlives the test
  await Promise.all(slowReads);
  assertEquals(slow, 2);
});

test("a store with read() is asked once a tick, for all keys and counters together", async () => {
  const kept = new MemoryStore();
  await kept.set("1", entry, LONG_MS, "anything");
  const asked: unknown[] = [];
  const store = storeOver(kept, {
    immediate: undefined,
    read: async (keys, counters) => {
      asked.push([...keys], [...counters]);
      return {
        entries: await Promise.all(keys.map((key) => kept.get(key))),
        counters: await Promise.all(counters.map((name) => kept.counter(name))),
      };
    },
  });
  const { reader } = readerOn(store);
  const [one, other, same] = await Promise.all([
    reader.read(question("1", "a")),
    reader.read(question("2", "a", "b")),
    reader.read(question("1")),
  ]);
  assertEquals(asked, [["1", "2"], ["a", "b"]]);
  assertEquals(one!.found, kept.get("1"));
  assert(one!.slot === same!.slot);
  assertEquals([other!.found, other!.generations], [undefined, [kept.counter("a"), kept.counter("b")]]);
});

test("where read() rejects, or answers less than it was asked for, no snapshot is whole, and that is reported", async () => {
  const answers: NonNullable<Store["read"]>[] = [
    () => Promise.reject(new CacheError("no")),
    () => Promise.resolve({ entries: [undefined], counters: [] }),
    () => Promise.resolve({ entries: [], counters: [1n] }),
    () => Promise.resolve({ entries: [{} as Found], counters: [1n] }),
    () => Promise.resolve(undefined as never),
    () => {
      throw new CacheError("at once");
    },
  ];
  for (const read of answers) {
    const { reader, failures } = readerOn(storeOver(new MemoryStore(), { immediate: undefined, read }));
    assertEquals((await reader.read(question("key", "a"))).isWhole, false);
    assert(failures.length > 0 && failures.every(({ error }) => error instanceof Error));
  }
});
