import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { GroupBackend } from "../../src/backend/group_backend.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import type { Found, Over, Store } from "../../src/store/store.ts";
import { CacheValueError } from "../../src/errors.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";

/** A store that decodes a value when it is asked for, as MemcachedStore does. */
class Opening extends MemoryStore {
  opened = 0;
  broken = false;
  readonly over: Over[] = [];

  override async get(key: string, signal?: AbortSignal): Promise<Found | undefined> {
    const found = await super.get(key, signal);
    if (found?.entry.kind !== "value") return found;
    const { value, ...rest } = found.entry;
    // deno-lint-ignore no-this-alias -- the getter's own `this` is the entry.
    const store = this;
    const entry = {
      ...rest,
      get value() {
        store.opened++;
        if (store.broken) throw new CacheValueError("Cannot read a kept value: it was planted");
        return value;
      },
    };
    return { entry, token: found.token };
  }

  override set(...args: Parameters<Store["set"]>): ReturnType<Store["set"]> {
    this.over.push(args[3]);
    return super.set(...args);
  }
}

function setUp(): { clock: FakeClock; store: Opening; backend: GroupBackend } {
  const clock = new FakeClock();
  const store = new Opening({ clock });
  return { clock, store, backend: new GroupBackend({ store, clock, ttl: "1s", stale: 0 }) };
}

test("a value is not opened where the entry is outdated anyway", async () => {
  const { clock, store, backend } = setUp();
  let runs = 0;
  const ask = () => backend.fetch("k", () => ++runs, { group: "g", ttl: "1h" });
  await ask();
  await backend.invalidateGroup("g");
  assertEquals(await ask(), 2);
  await backend.set("old", 1);
  await clock.advance(2000);
  assertEquals(await backend.get("old"), undefined);
  assertEquals(store.opened, 0);
  assertEquals(await ask(), 2);
});

test("a value that cannot be opened is outdated: computed again, and written over what was seen", async () => {
  const { store, backend } = setUp();
  let runs = 0;
  const ask = () => backend.fetch("k", () => ++runs);
  await ask();
  store.broken = true;
  store.over.length = 0;
  assertEquals(await backend.get("k"), undefined);
  assertEquals(await Promise.all([ask(), ask()]), [2, 2]);
  // The lease over the planted entry, the value over the lease.
  assertEquals(store.over.map((over) => typeof over), ["object", "object"]);
  store.broken = false;
  assertEquals(await ask(), 2);
});

test("add() replaces a value that cannot be opened", async () => {
  const { store, backend } = setUp();
  await backend.set("k", 1);
  store.broken = true;
  assertEquals(await backend.add("k", 2), true);
  store.broken = false;
  assertEquals(await backend.get("k"), 2);
});

test("the reason of a call that found a value which cannot be opened is that it is unreadable", async () => {
  const { clock, store, backend } = setUp();
  const reasons: unknown[] = [];
  backend.on("call", ({ reason }) => void reasons.push(reason));
  await backend.fetch("k", () => 1);
  store.broken = true;
  await backend.fetch("k", () => 2);
  await clock.advance(2000);
  const { opened } = store;
  await backend.fetch("k", () => 3);
  assertEquals(reasons, ["absent", "unreadable", "expired"]);
  assertEquals(store.opened, opened, "what is outdated was opened for its reason");
});
