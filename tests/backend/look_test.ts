import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Counter } from "../../src/backend/counters.ts";
import { Looks, type Question } from "../../src/backend/read_batch.ts";
import { systemClock } from "../../src/util/clock.ts";
import { CacheError } from "../../src/errors.ts";
import { GuardedStore, type StoreFailure } from "../../src/backend/guarded_store.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import type { Found, Store, ValueEntry } from "../../src/store/store.ts";

const LONG_MS = 600_000;
const counter = (key: string): Counter => new Counter(key, key, true);
const question = (key: string, ...counters: string[]): Question => ({
  about: { key },
  counters: counters.map(counter),
});
const entry: ValueEntry = { kind: "value", value: 1, freshUntil: Infinity, staleUntil: Infinity, generations: [] };

function looksOn(store: Store): { readonly looks: Looks; readonly failures: readonly StoreFailure[] } {
  const failures: StoreFailure[] = [];
  const guarded = new GuardedStore(store, systemClock, LONG_MS, (failure) => failures.push(failure));
  return { looks: new Looks(guarded, systemClock, LONG_MS), failures };
}

test("Looks.atOnce() sees what a look sees, where the store tells at once", async () => {
  const store = new MemoryStore();
  const { looks } = looksOn(store);
  await store.set("key", entry, LONG_MS, "anything");
  const seen = looks.atOnce(question("key", "a", "b"));
  assert(seen !== undefined);
  const look = await looks.look(question("key", "a", "b"));
  assertEquals(seen.found, look?.found);
  assertEquals(seen.generations, look?.generations);
  assertEquals(looks.atOnce(question("nothing"))?.found, undefined);
});

test("Looks.atOnce() sees an invalidation that has resolved", async () => {
  const store = new MemoryStore();
  const { looks } = looksOn(store);
  await store.set("key", entry, LONG_MS, "anything");
  const before = looks.atOnce(question("key", "a"))!;
  await store.increment("a");
  await store.delete("key", "anything");
  const after = looks.atOnce(question("key", "a"))!;
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
    tellEntry: (key, to) => kept.tellEntry!(key, to),
    tellCounter: (name, to) => kept.tellCounter!(name, to),
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
    tellEntry: (key, to) => (asked.push(key), kept.tellEntry!(key, to)),
    tellCounter: (name, to) => (asked.push(name), kept.tellCounter!(name, to)),
    ...said,
  });
  return { store, asked };
}

test("Looks.atOnce() asks nothing of a store that is not immediate, or has another get()", async () => {
  const { store, asked } = counting({ immediate: undefined });
  assertEquals(looksOn(store).looks.atOnce(question("key")), undefined);
  assertEquals(asked, []);
  let gets = 0;
  class Odd extends MemoryStore {
    override get(key: string): Promise<Found | undefined> {
      gets++;
      return super.get(key);
    }
  }
  const { looks } = looksOn(new Odd());
  assertEquals([looks.atOnce(question("key")), gets], [undefined, 0]);
  await looks.look(question("key"));
  assertEquals(gets, 1);
});

test("Looks.atOnce() asks for nothing that a look of this tick asks for already", async () => {
  const { store, asked } = counting();
  const { looks } = looksOn(store);
  const look = looks.look(question("key"));
  assertEquals(looks.atOnce(question("key")), undefined);
  assert(looks.atOnce(question("other")) !== undefined);
  assertEquals(asked, ["other"]);
  await look;
  assert(looks.atOnce(question("key")) !== undefined);
});

test("Looks.atOnce() sees nothing where an answer fails or comes late, and tells nobody", async () => {
  const kept = new MemoryStore();
  const broken = looksOn(storeOver(kept, {
    tellCounter: () => {
      throw new CacheError("no counters today");
    },
  }));
  assertEquals(broken.looks.atOnce(question("key", "a")), undefined);
  assertEquals(broken.failures, []);
  const late = looksOn(storeOver(kept, { tellEntry: (_key, to) => queueMicrotask(() => to.answered(undefined)) }));
  assertEquals(late.looks.atOnce(question("key")), undefined);
  await Promise.resolve();
  assertEquals(late.failures, []);
});

test("Looks ask for each key and each counter once a tick, whoever asks, and again in the next", async () => {
  const { store, asked } = counting();
  const { looks } = looksOn(store);
  const mine = counter("a");
  const strange = () => new Counter("b", "b", false);
  const ask = (key: string) => looks.look({ about: { key }, counters: [mine, strange()] });
  const seen = await Promise.all([ask("1"), ask("1"), ask("2")]);
  assertEquals(asked, ["1", "2", "a", "b"]);
  const generations = seen[0]!.generations;
  assertEquals(seen.map((look) => look!.generations), [generations, generations, generations]);
  assert(seen[0]!.asked === seen[1]!.asked && seen[0]!.asked !== seen[2]!.asked);
  assertEquals(mine.asked, undefined);
  await store.increment("a");
  assertEquals((await ask("1"))!.generations, [generations[0]! + 1n, generations[1]!]);
  assertEquals(asked.slice(4), ["1", "a", "b"]);
});

test("Looks of a tick that is not answered yet share nothing with those of the next", async () => {
  const kept = new MemoryStore();
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const slow = storeOver(kept, {
    tellEntry: (key, to) => (asked.push(key), void answers.push(() => kept.tellEntry!(key, to))),
    tellCounter: (name, to) => (asked.push(name), void answers.push(() => kept.tellCounter!(name, to))),
  });
  const { looks } = looksOn(slow);
  const shared = { about: { key: "key" }, counters: [counter("a")] };
  const first = looks.look(shared);
  await Promise.resolve();
  const second = looks.look(shared);
  await Promise.resolve();
  assertEquals(asked, ["key", "a", "key", "a"]);
  for (const answer of answers) answer();
  const [one, other] = await Promise.all([first, second]);
  assert(one!.asked !== other!.asked);
  assertEquals(one!.generations, other!.generations);
});
