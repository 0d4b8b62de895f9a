/** Calls that would wait for themselves are computed at once, without the cache. */
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type Cached, cached, GroupBackend, MemoryStore, PlainBackend } from "@x/cache-utils";
import { FakeClock } from "@x/cache-utils/testing";
import { warnings } from "../cached/_fake_backend.ts";

// A clock that stands still: whoever waits for mintDelay waits for ever, and the test's own limit ends it.
const memory = (options: object = {}) =>
  new GroupBackend({ clock: new FakeClock(), ttl: "1h", stale: 0, detectCycles: true, ...options });
const LIMIT = { timeout: 20_000 };
type Recursive = Cached<(n: number) => Promise<number>>;

test("a function that calls itself with the same arguments is told to, once", LIMIT, async () => {
  let depth = 0;
  const f: Recursive = cached(async (n: number): Promise<number> => depth++ < 3 ? await f(n) + 1 : n, {
    name: "itself",
    backend: memory(),
  });
  const heard = await warnings(async () => {
    assertEquals(await f(1), 4);
    assertEquals(await f(1), 4, "the outermost one is kept");
    depth = 0;
    assertEquals(await f(2), 5);
  });
  assertEquals([heard.length, heard[0]?.includes("itself"), heard[0]?.includes("without the cache")], [1, true, true]);
});

test(
  "a that calls b that calls a waits for nobody, however they are wrapped and where they are kept",
  LIMIT,
  async () => {
    const backends = [memory(), memory(), new PlainBackend(new Map())];
    for (const [one, other] of [[0, 0], [0, 1], [2, 0]] as const) {
      const a: Recursive = cached(async (n: number): Promise<number> => n > 0 ? 1 + await b(n - 1) : 0, {
        name: `a${one}${other}`,
        key: () => 1,
        backend: backends[one]!,
      });
      const c = async (n: number) => await Promise.all([a(n), Promise.resolve(0)]);
      const b: Recursive = cached(async (n: number): Promise<number> => n > 0 ? 1 + (await c(n - 1))[0] : 0, {
        name: `b${one}${other}`,
        key: () => 1,
        backend: backends[other]!,
      });
      await warnings(async () => assertEquals(await a(5), 5));
    }
  },
);

test("two that call each other, begun at once, wait for neither", LIMIT, async () => {
  const backend = memory();
  let go!: () => void;
  const gate = new Promise<void>((resolve) => go = resolve);
  const a: Recursive = cached(async (n: number): Promise<number> => (await gate, n > 0 ? 1 + await b(n - 1) : 0), {
    name: "a",
    key: () => 1,
    backend,
  });
  const b: Recursive = cached(async (n: number): Promise<number> => (await gate, n > 0 ? 1 + await a(n - 1) : 0), {
    name: "b",
    key: () => 1,
    backend,
  });
  await warnings(async () => {
    const both = Promise.all([a(3), b(3)]);
    for (let i = 0; i < 100; i++) await null;
    go();
    assert((await both).every((n) => n >= 1));
  });
});

test("a refresh, a marked key and a store that is away find their circles, too", LIMIT, async () => {
  await warnings(async () => {
    let depth = 0;
    const refreshed: Recursive = cached(
      async (n: number): Promise<number> => depth++ < 2 ? await refreshed.refresh(n) + 1 : n,
      { name: "refreshed", backend: memory() },
    );
    assertEquals(await refreshed.refresh(1), 3);
    const marked: Recursive = cached(async (n: number): Promise<number> => depth++ % 3 < 2 ? await marked(n) + 1 : n, {
      name: "marked",
      when: () => false,
      backend: memory(),
    });
    for (let i = 0; i < 3; i++) await marked(1);
    const store = new MemoryStore();
    await store.close();
    const away: Recursive = cached(async (n: number): Promise<number> => depth++ % 3 < 2 ? await away(n) + 1 : n, {
      name: "away",
      backend: memory({ store }),
    });
    for (let i = 0; i < 3; i++) await away(1);
  });
});

test("calls that wait for others, and for no circle, are shared as ever, without a word", LIMIT, async () => {
  let computations = 0;
  const backend = memory();
  const leaf = cached(async (n: number) => (await null, computations++, n), { name: "leaf", backend });
  const branch = cached(async (n: number) => await leaf(n) + await leaf(n), { name: "branch", backend });
  const root = cached(async () => (await Promise.all([branch(1), branch(1), leaf(1), branch(2)])).join(), {
    name: "root",
    backend,
  });
  const heard = await warnings(async () => assertEquals(await Promise.all([root(), root()]), ["2,2,1,4", "2,2,1,4"]));
  assertEquals([computations, heard], [2, []]);
});

test("a caller that has left is waited for no longer", LIMIT, async () => {
  const clock = new FakeClock();
  const backend = memory({ clock });
  let goOn!: () => void;
  const gate = new Promise<void>((resolve) => goOn = resolve);
  const slow = cached(async (n: number): Promise<number> => (await gate, n), { name: "slow", backend, timeout: 1 });
  const fast = cached(async (n: number): Promise<unknown> => {
    const late = await slow(n).catch((error: Error) => error.name);
    return late;
  }, { name: "fast", backend });
  const asked = fast(1);
  for (let i = 0; i < 50; i++) await null;
  await clock.advance(1500);
  assertEquals(await asked, "CacheTimeoutError");
  goOn();
});

test("a call inside a computation passes the bound of an outage", LIMIT, async () => {
  const store = new MemoryStore();
  await store.close();
  const backend = memory({ store, outageConcurrency: 1 });
  await warnings(async () => {
    const outer = backend.fetch("outer", async () => 1 + await backend.fetch("inner", () => 1));
    assertEquals(await outer, 2);
  });
});
