/** Any cache with get, set and delete as a backend. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import { PlainBackend } from "../../src/backend/plain_backend.ts";
import { CacheError } from "../../src/errors.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";

/** As many an asynchronous cache: answers later, ignores the ttl. */
class SlowCache {
  readonly kept: Map<string, string> = new Map();
  async get(key: string): Promise<string | undefined> {
    await Promise.resolve();
    return this.kept.get(key);
  }
  async set(key: string, value: string): Promise<void> {
    await Promise.resolve();
    this.kept.set(key, value);
  }
  async delete(key: string): Promise<void> {
    await Promise.resolve();
    this.kept.delete(key);
  }
}

for (const [kind, make] of [["a Map", () => new Map()], ["an asynchronous cache", () => new SlowCache()]] as const) {
  test(`${kind}: a result is kept for its ttl, and nothing is served stale`, async () => {
    const clock = new FakeClock(1_800_000_000_000);
    const backend = new PlainBackend(make(), { ttl: 10, clock });
    let computed = 0;
    const call = () => backend.fetch("k", () => ++computed, { stale: 1000 });
    assertEquals([await call(), await call()], [1, 1]);
    await clock.advance(9_999);
    assertEquals(await call(), 1);
    await clock.advance(1);
    assertEquals(await call(), 2);
  });

  test(`${kind}: one computation per process, a copy for each caller`, async () => {
    const backend = new PlainBackend(make());
    let computed = 0;
    const calls = Array.from({ length: 50 }, () =>
      backend.fetch("k", async () => {
        computed++;
        await Promise.resolve();
        return { list: [1] };
      }));
    const [one, two] = await Promise.all(calls);
    one!.list.push(2);
    assertEquals(two, { list: [1] });
    assertEquals(await backend.get("k"), { list: [1] });
    assertEquals(computed, 1);
  });

  test(`${kind}: an invalidation detaches the computations that began before it`, async () => {
    const backend = new PlainBackend(make());
    let end!: (value: string) => void;
    let begun!: () => void;
    const computing = new Promise<void>((resolve) => begun = resolve);
    const old = backend.fetch("k", () => {
      begun();
      return new Promise<string>((resolve) => end = resolve);
    });
    await computing;
    await backend.delete("k");
    assertEquals(await backend.fetch("k", () => "new"), "new");
    end("old");
    assertEquals(await old, "old");
    assertEquals(await backend.fetch("k", () => "newer"), "new");
  });

  test(`${kind}: set, add, get, getMany and delete`, async () => {
    const backend = new PlainBackend(make(), { project: "shop", version: 1 });
    await backend.set("a", new Map([["x", 1n]]));
    assertEquals(await backend.get("a"), new Map([["x", 1n]]));
    assertEquals([await backend.add("a", 1), await backend.add("b", 2)], [false, true]);
    assertEquals((await backend.getMany(["a", "b", "c"])).size, 2);
    await backend.delete("a");
    assertEquals(await backend.get("a"), undefined);
    assertEquals(backend.key("a"), "shop:1:a");
  });
}

test("asking for a group is a TypeError in every verb, and says who has them", async () => {
  const backend = new PlainBackend(new Map());
  const group = { group: "cities" };
  const verbs: (() => Promise<unknown>)[] = [
    () => backend.fetch("k", () => 1, group),
    () => backend.get("k", group),
    () => backend.getMany(["k"], group),
    () => backend.set("k", 1, group),
    () => backend.add("k", 1, group),
    () => backend.invalidateGroup("cities"),
  ];
  for (const verb of verbs) await assertRejects(verb, TypeError, "a PlainBackend has no groups, a GroupBackend does");
  assertEquals(await backend.fetch("k", () => 1, { group: [] }), 1, "no group is none");
  assertEquals(backend.groups, false);
});

test("a cache that throws fails open for calls, and rejects for what promised something", async () => {
  const broken = () => {
    throw new Error("broken");
  };
  const backend = new PlainBackend({ get: broken, set: broken, delete: broken });
  assertEquals(await backend.fetch("k", () => 1), 1);
  assertEquals(await backend.get("k"), undefined);
  await assertRejects(() => backend.set("k", 1), CacheError);
  await assertRejects(() => backend.delete("k"), CacheError);
});

test("a cache that lacks a verb is a TypeError that names it", () => {
  // deno-lint-ignore no-explicit-any
  assertThrows(() => new PlainBackend({ get: () => {}, set: () => {} } as any), TypeError, "delete");
  // deno-lint-ignore no-explicit-any
  assertThrows(() => new PlainBackend(undefined as any), TypeError);
});

test("what another program put under the key is a miss", async () => {
  const cache = new Map<string, unknown>([["::a", "hello"], ["::b", 7], ["::c", null], ["::d", "{}"]]);
  const backend = new PlainBackend(cache);
  for (const key of ["a", "b", "c", "d"]) assertEquals(await backend.fetch(key, () => key), key);
});

test("a closed backend computes, and rejects what would promise something", async () => {
  const backend = new PlainBackend(new Map());
  await backend.close();
  await backend.close();
  assertEquals(await backend.fetch("k", () => 1), 1);
  await assertRejects(() => backend.set("k", 1), CacheError, "backend is closed");
  await assertRejects(() => backend.add("k", 1), CacheError, "backend is closed");
  await assertRejects(() => backend.delete("k"), CacheError, "backend is closed");
});
