import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Looks } from "../../src/backend/look.ts";
import { systemClock } from "../../src/clock.ts";
import { CacheError } from "../../src/errors.ts";
import { GuardedStore, type StoreFailure } from "../../src/store/guarded.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Found, Store, ValueEntry } from "../../src/store/store.ts";
import type { Told } from "../../src/told.ts";

const LONG_MS = 600_000;
const about = { key: "key" };
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
  const seen = looks.atOnce(about, ["a", "b"]);
  assert(seen !== undefined);
  const look = await looks.look(about, ["a", "b"]);
  assertEquals(seen.found, look?.found);
  assertEquals(seen.generations, look?.generations);
  assertEquals(looks.atOnce({ key: "nothing" }, [])?.found, undefined);
});

test("Looks.atOnce() sees an invalidation that has resolved", async () => {
  const store = new MemoryStore();
  const { looks } = looksOn(store);
  await store.set("key", entry, LONG_MS, "anything");
  const before = looks.atOnce(about, ["a"])!;
  await store.increment("a");
  await store.delete("key", "anything");
  const after = looks.atOnce(about, ["a"])!;
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
  assertEquals(looksOn(store).looks.atOnce(about, []), undefined);
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
  assertEquals(broken.looks.atOnce(about, ["a"]), undefined);
  assertEquals(broken.failures, []);
  const late = looksOn(new Late());
  assertEquals(late.looks.atOnce(about, []), undefined);
  await Promise.resolve();
  assertEquals(late.failures, []);
});
