import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Counter } from "../../src/backend/groups.ts";
import { Looks, type Question } from "../../src/backend/look.ts";
import { systemClock } from "../../src/clock.ts";
import { CacheError } from "../../src/errors.ts";
import { GuardedStore, type StoreFailure } from "../../src/store/guarded.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Found, Store, ValueEntry } from "../../src/store/store.ts";
import type { Told } from "../../src/told.ts";

const LONG_MS = 600_000;
const counter = (key: string): Counter => new Counter(key, true);
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

test("Looks.atOnce() asks nothing of a store that is not immediate", () => {
  const asked: string[] = [];
  class Late extends MemoryStore {
    override tellEntry(key: string): void {
      asked.push(key);
    }
  }
  const store: Store = Object.defineProperty(new Late(), "immediate", { value: undefined });
  assertEquals(looksOn(store).looks.atOnce(question("key")), undefined);
  assertEquals(asked, []);
});

test("Looks.atOnce() sees nothing where an answer fails or comes late, and tells nobody", async () => {
  class Broken extends MemoryStore {
    override tellCounter(): void {
      throw new CacheError("no counters today");
    }
  }
  class Late extends MemoryStore {
    override tellEntry(key: string, to: Told<Found | undefined>): void {
      queueMicrotask(() => super.tellEntry(key, to));
    }
  }
  const broken = looksOn(new Broken());
  assertEquals(broken.looks.atOnce(question("key", "a")), undefined);
  assertEquals(broken.failures, []);
  const late = looksOn(new Late());
  assertEquals(late.looks.atOnce(question("key")), undefined);
  await Promise.resolve();
  assertEquals(late.failures, []);
});

/** Counts what it is asked. */
class Counting extends MemoryStore {
  readonly asked: string[] = [];
  override tellEntry(key: string, to: Told<Found | undefined>): void {
    this.asked.push(key);
    super.tellEntry(key, to);
  }
  override tellCounter(name: string, to: Told<bigint>): void {
    this.asked.push(name);
    super.tellCounter(name, to);
  }
}

test("Looks ask for each key and each counter once a tick, whoever asks, and again in the next", async () => {
  const store = new Counting();
  const { looks } = looksOn(store);
  const mine = counter("a");
  const strange = () => new Counter("b", false);
  const ask = (key: string) => looks.look({ about: { key }, counters: [mine, strange()] });
  const seen = await Promise.all([ask("1"), ask("1"), ask("2")]);
  assertEquals(store.asked, ["1", "2", "a", "b"]);
  const generations = seen[0]!.generations;
  assertEquals(seen.map((look) => look!.generations), [generations, generations, generations]);
  assert(seen[0]!.asked === seen[1]!.asked && seen[0]!.asked !== seen[2]!.asked);
  assertEquals(mine.asked, undefined);
  await store.increment("a");
  assertEquals((await ask("1"))!.generations, [generations[0]! + 1n, generations[1]!]);
  assertEquals(store.asked.slice(4), ["1", "a", "b"]);
});

test("Looks of a tick that is not answered yet share nothing with those of the next", async () => {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  class Slow extends MemoryStore {
    override tellEntry(key: string, to: Told<Found | undefined>): void {
      asked.push(key);
      answers.push(() => super.tellEntry(key, to));
    }
    override tellCounter(name: string, to: Told<bigint>): void {
      asked.push(name);
      answers.push(() => super.tellCounter(name, to));
    }
  }
  const { looks } = looksOn(new Slow());
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
