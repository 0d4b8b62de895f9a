/** Edge cases, most of which were a bug once. A, B: processes. */
import { assert, assertEquals } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { PlainBackend } from "../../src/backend/plain_backend.ts";
import { CacheValueError } from "../../src/errors.ts";
import { Fleet, isOpen } from "./_fleet.ts";

const KEY = "::k";

test("alone: a call that joins a waiting computation which everybody left is answered", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.down = true;
  a.slow = true;
  const first = a.read();
  await fleet.settle();
  const leave = new AbortController();
  const second = a.read({ signal: leave.signal }).catch((e) => e);
  await fleet.settle();
  leave.abort("gone");
  assertEquals(await second, "gone");
  const third = a.read();
  await fleet.settle();
  a.computing[0]!.end(1);
  await first;
  await fleet.settle();
  a.computing[1]?.end(2);
  await fleet.clock.advance(3_600_000);
  assert(!await isOpen(third, fleet), "never settles");
});

test("a background refresh that hangs: another may begin after mintDelay", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ stale: "1d", mintDelay: 3 });
  await a.read();
  await fleet.clock.advance(61_000);
  a.slow = true;
  await a.read();
  await fleet.settle();
  assertEquals(a.computations, 2);
  await fleet.clock.advance(3_600_000);
  await a.read();
  await fleet.settle();
  assertEquals(a.computations, 3);
});

test("rule 13: a refresh without a read whose caller timed out still leaves no older value", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read();
  await fleet.settle();
  fleet.database.version = 2;
  a.slow = true;
  a.store.gate("get", "fail", KEY);
  const r = a.read({ force: true, timeout: 1 }).catch((e) => e.name);
  await fleet.clock.advance(1000);
  assertEquals(await r, "CacheTimeoutError");
  a.computing[0]!.end(2);
  await fleet.settle();
  a.slow = false;
  assertEquals(await a.read(), 2);
});

test("a poller's caller who leaves takes its timer along while others wait", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  const stay = b.read();
  await fleet.settle();
  const before = fleet.clock.pending;
  const leave = new AbortController();
  const others = Array.from({ length: 100 }, () => b.read({ signal: leave.signal }).catch((e) => e));
  await fleet.settle();
  leave.abort("gone");
  await Promise.all(others);
  await fleet.settle();
  const after = fleet.clock.pending;
  a.computing[0]!.end(1);
  await own;
  await fleet.clock.advance(200);
  await stay;
  assertEquals(after, before);
});

test("uncoordinated together: calls of one tick share, whatever their options", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.down = true;
  a.slow = true;
  void a.read();
  void a.read({ timeout: 10 }).catch(() => {});
  await fleet.settle();
  a.computing[0]!.end(1);
  await fleet.settle();
  assertEquals(a.computations, 1);
});

test("same with group", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.down = true;
  a.slow = true;
  void a.read();
  void a.read({ group: "g" }).catch(() => {});
  await fleet.settle();
  a.computing[0]!.end(1);
  await fleet.settle();
  assertEquals(a.computations, 1);
});

test("mark: mixed options in one tick", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.result = () => null;
  await a.read();
  await fleet.settle();
  a.slow = true;
  void a.read();
  void a.read({ timeout: 10 }).catch(() => {});
  await fleet.settle();
  a.computing[0]!.end(null);
  await fleet.settle();
  assertEquals(a.computations, 2);
});

test("rule 10: who shares a read waits mintDelay for the leader and no longer", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 30 });
  a.slow = true;
  void a.read();
  const second = a.read();
  await fleet.settle();
  const third = a.read();
  await fleet.settle();
  await fleet.clock.advance(31_000);
  assertEquals(a.computations, 2, "the third computes alone");
  a.computing[1]!.end(7);
  await fleet.settle();
  a.computing[2]?.end(7);
  await fleet.settle();
  assert(!await isOpen(third, fleet), "third");
  assert(!await isOpen(second, fleet), "the sharer of the look still waits");
});

test("lapsed: an invalidation is not told as a lapse", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 1 }), b = fleet.process();
  a.slow = true;
  const errors: string[] = [];
  a.backend.on("storeError", ({ error }) => errors.push((error as Error).message));
  const c = a.read();
  await fleet.clock.advance(2_000);
  await b.backend.delete("k");
  a.computing[0]!.end(1);
  await c;
  await fleet.settle();
  assertEquals(errors, []);
});

test("mintDelay 0", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 0 }), b = fleet.process();
  a.slow = true;
  const errors: string[] = [];
  a.backend.on("storeError", ({ error }) => errors.push((error as Error).message));
  const c = a.read();
  await fleet.settle();
  await b.backend.delete("k");
  a.computing[0]!.end(1);
  await c;
  await fleet.settle();
  assertEquals(errors, []);
});

test("refresh: outcome wait when another's function ran", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.down = true;
  await Promise.all([a.read({ force: true }), a.read({ force: true })]);
  assertEquals(a.computations, 1);
  assertEquals(a.backend.stats, { hit: 0, stale: 0, miss: 1, wait: 1, error: 0 });
});

test("alone: one hung computation does not hold later calls for ever", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 30 });
  a.store.down = true;
  a.slow = true;
  void a.read();
  await fleet.settle();
  const second = a.read();
  await fleet.settle();
  a.slow = false;
  a.store.down = false;
  await fleet.clock.advance(3_600_000);
  assert(!await isOpen(second, fleet));
});

test("add: storeTimeout bounds none of the user's own writes", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const g = a.store.gate("get", "hold", KEY);
  const added = a.backend.add("k", 1).catch((e) => String(e));
  await fleet.clock.advance(300);
  g.through();
  assertEquals(await added, true);
});

test("PlainBackend: group as an option is a TypeError", () => {
  let thrown: unknown;
  try {
    new PlainBackend(new Map(), { group: "g" } as object);
  } catch (e) {
    thrown = e;
  }
  assert(thrown instanceof TypeError);
});

test("PlainBackend: stale as an option", () => {
  let thrown: unknown;
  try {
    new PlainBackend(new Map(), { stale: 5, store: 3, mintDelay: 1 } as object);
  } catch (e) {
    thrown = e;
  }
  assert(thrown instanceof TypeError);
});

test("close rejects, never throws", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.close = () => {
    throw new Error("x");
  };
  let p: Promise<void> | undefined;
  try {
    p = a.backend.close();
  } catch { /**/ }
  assert(p !== undefined, "threw");
  await p.catch(() => {});
  const e = await a.backend.delete("k").catch((e) => e.message);
  assertEquals(e, "backend is closed");
});

test("close whose store returns nothing", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  // deno-lint-ignore no-explicit-any
  a.store.close = (() => {}) as any;
  await a.backend.close();
  const e = await a.backend.delete("k").catch((e) => e.message);
  assertEquals(e, "backend is closed");
});

test("rule 10: storeTimeout Infinity, a set that hangs", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ storeTimeout: Infinity });
  a.store.gate("set", "hold", KEY);
  await a.read();
  const second = a.read();
  await fleet.clock.advance(3_600_000);
  assert(!await isOpen(second, fleet));
});

test("a value the server refuses: the marker stands after every call", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.result = () => "big";
  a.store.refusesValue = () => new CacheValueError("too large");
  const kinds: unknown[] = [];
  for (let i = 0; i < 4; i++) {
    await a.read({ name: "n" });
    await fleet.settle();
    kinds.push((fleet.server.at(KEY)?.entry as { kind?: string } | undefined)?.kind);
  }
  assertEquals(kinds, ["uncacheable", "uncacheable", "uncacheable", "uncacheable"]);
});

test("store that answers null for nothing", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  // deno-lint-ignore no-explicit-any
  a.store.get = (() => Promise.resolve(null)) as any;
  assertEquals(await a.read().catch(String), 1);
});

test("refresh of what cannot be kept warns once", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.result = () => "big";
  a.store.refusesValue = () => new CacheValueError("too large");
  const w: string[] = [];
  const { warn } = console;
  console.warn = (t: string) => w.push(t);
  try {
    await a.read({ name: "n", force: true });
    await fleet.settle();
  } finally {
    console.warn = warn;
  }
  assertEquals(w.length, 1);
});

test("a store that answers at once, not by a promise", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  // deno-lint-ignore no-explicit-any
  a.store.get = (() => undefined) as any;
  const p = a.read();
  await fleet.clock.advance(1000);
  assertEquals(await p, 1);
});

test("waitUntil is told of a computation alone that outlives its caller's timeout", async () => {
  const fleet = new Fleet();
  const told: unknown[] = [];
  const a = fleet.process({ waitUntil: (w) => told.push(w) });
  a.store.down = true;
  a.slow = true;
  const own = a.read({ timeout: 1 }).catch((e) => e.name);
  await fleet.clock.advance(1000);
  assertEquals(await own, "CacheTimeoutError");
  assertEquals(told.length, 1);
});

test("close: no timer of a lease is left", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: "1h" });
  a.slow = true;
  void a.read();
  await fleet.settle();
  await a.backend.close();
  await fleet.clock.advance(60_000);
  const sets = a.store.log.filter((l) => l.startsWith("set")).length;
  assertEquals([fleet.clock.pending, sets], [0, 0]);
});

test("all aborted before the lease is answered: nothing computed, lease released, next call computes", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const g = a.store.gate("add", "answer", KEY);
  const l = new AbortController();
  const cs = [a.read({ signal: l.signal }), a.read({ signal: l.signal })].map((c) => c.catch((e) => e));
  await g.reached;
  await fleet.settle();
  l.abort("x");
  assertEquals(await Promise.all(cs), ["x", "x"]);
  g.through();
  await fleet.settle();
  assertEquals([a.computations, fleet.server.at(KEY)], [0, undefined]);
  assertEquals(await a.read(), 1);
  assertEquals(fleet.clock.pending, 0);
});

test("timeout 0 and Infinity", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.slow = true;
  const z = a.read({ timeout: 0 }).catch((e) => e.name);
  await fleet.clock.advance(0);
  assertEquals(await z, "CacheTimeoutError");
  a.computing[0]!.end(5);
  await fleet.settle();
  assertEquals(await a.read({ timeout: Infinity }), 5);
  assertEquals(await a.read({ timeout: 0 }), 5);
  await fleet.settle();
  assertEquals(fleet.clock.pending, 0);
});

test("waitUntil context: refresh, miss, keep over mark by the one whose call began it", async () => {
  const fleet = new Fleet();
  const als = new AsyncLocalStorage<string>();
  const told: unknown[] = [];
  const a = fleet.process({ waitUntil: () => told.push(als.getStore()) });
  await als.run("miss", () => a.read());
  await fleet.clock.advance(61_000);
  await als.run("stale", () => a.read());
  await fleet.settle();
  a.result = () => null;
  await a.backend.delete("k");
  await als.run("null", () => a.read());
  await fleet.settle();
  a.result = undefined;
  await als.run("mark", () => a.read());
  await fleet.settle();
  assertEquals(told, ["miss", "stale", "null", "mark", "mark"], "the last: the computation, and its value's set");
});

test("context: a read batch does not leak another's context into compute", async () => {
  const fleet = new Fleet();
  const als = new AsyncLocalStorage<string>();
  const a = fleet.process();
  const seen: unknown[] = [];
  const f = (key: string) =>
    als.run(key, () =>
      a.backend.fetch(key, () => {
        seen.push([key, als.getStore()]);
        return 1;
      }));
  await Promise.all([f("x"), f("y"), f("z")]);
  a.store.down = true;
  await Promise.all([f("x1"), f("y1")]);
  assert(seen.every((s) => (s as string[])[0] === (s as string[])[1]), JSON.stringify(seen));
});

test("set ttl 0 of what cannot be kept deletes", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read();
  await fleet.settle();
  const e = await a.backend.set("k", () => {}, { ttl: 0 }).catch((e) => e);
  assertEquals(e, undefined);
});

test("forget after unknown set, refresh lock dropped though set unanswered: function called at each stale hit", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read();
  await fleet.clock.advance(61_000);
  for (let i = 0; i < 5; i++) {
    a.store.gate("set", "fail", KEY);
    await a.read();
    await fleet.settle();
  }
  assertEquals(a.computations, 2);
});

test("add over a store that answers null for nothing keeps the value", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const get = a.store.get.bind(a.store);
  // deno-lint-ignore no-explicit-any
  a.store.get = (async (key: string) => await get(key) ?? null) as any;
  assertEquals(await a.backend.add("k", 1), true);
});

test("what a caller does to its result is not kept, even when the value's write had to be repeated", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  a.store.loseConnection(); // the lease's token dies with it
  const look = a.store.gate("get", "hold", KEY);
  a.computing[0]!.end({ text: "as computed" });
  const result = await own as { text: string };
  result.text = "changed by its caller"; // before the look for our nonce is answered
  look.through();
  await fleet.settle();
  assertEquals(await b.read(), { text: "as computed" });
});
