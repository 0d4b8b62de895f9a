/** The user's own verbs: get, getMany, set, add, delete, invalidateGroup, key, close, on. A, B: processes. */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { CacheError, CacheValueError } from "../../src/errors.ts";
import type { LeaseEntry } from "../../src/store/store.ts";
import { Fleet, isOpen } from "./_fleet.ts";
import { GroupBackend } from "./_mod.ts";

const KEY = "::k", GROUP = { group: "cities" };

test("get finds a fresh and a stale value, else undefined, and never computes", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  assertEquals(await a.backend.get("k"), undefined);
  a.slow = true;
  const call = a.read();
  await fleet.settle();
  assertEquals(await a.backend.get("k"), undefined, "a lease is nothing to get");
  a.computing[0]!.end(1);
  await call;
  await fleet.settle(); // its value is on its way when it is answered
  assertEquals(await a.backend.get("k"), 1);
  await fleet.clock.advance(61_000);
  assertEquals(await a.backend.get("k"), 1);
  assertEquals(a.computations, 1, "and refreshes nothing");
  await fleet.clock.advance(30_000);
  assertEquals(await a.backend.get("k"), undefined);
});

test("getMany gives what is there, in one tick, with its groups", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  for (const key of ["x", "y"]) await a.backend.set(key, key.toUpperCase(), GROUP);
  a.store.log.length = 0;
  assertEquals(await a.backend.getMany(["x", "none", "y"], GROUP), new Map([["x", "X"], ["y", "Y"]]));
  assertEquals(a.store.log.length, 4, "three entries and one counter");
  assertEquals((await a.backend.getMany(["x", "y"])).size, 0, "other groups");
  assertEquals((await a.backend.getMany([])).size, 0);
});

test("getMany of more than 5,000 keys goes in rounds", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const keys = Array.from({ length: 5_001 }, (_, i) => `k${i}`);
  a.store.gate("get", "answer", "::k0");
  const all = a.backend.getMany(keys);
  await fleet.settle();
  assertEquals(a.store.log.length, 5_000);
  await fleet.clock.advance(1000); // the first round's look at k0 is given up
  assertEquals((await all).size, 0);
  assertEquals(a.store.log.length, 5_001);
});

test("set keeps what it is given, null included, for its ttl and groups, seen by every process", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const value = { name: "oslo" };
  const set = a.backend.set("k", value, { ttl: 10, stale: 0, ...GROUP });
  value.name = "changed";
  await set;
  assertEquals(await b.backend.get("k", GROUP), { name: "oslo" });
  await fleet.clock.advance(10_000);
  assertEquals(await b.backend.get("k", GROUP), undefined);
  await a.backend.set("k", null);
  assertEquals(await b.backend.get("k"), null);
  await a.backend.set("k", 1, { ttl: (value) => value * 5, stale: 0 });
  await fleet.clock.advance(4_999);
  assertEquals(await b.backend.get("k"), 1);
  await fleet.clock.advance(1);
  assertEquals(await b.backend.get("k"), undefined);
});

test("set takes the lease first: two trips, three with groups; calls that see the lease join it", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.backend.set("k", 1);
  assertEquals(a.store.log, [`set ${KEY} over anything`, `set ${KEY} over token`]);
  const second = a.store.gate("set", "hold", KEY);
  const lease = a.backend.set("k", 2);
  await second.reached;
  second.through();
  const value = a.store.gate("set", "hold", KEY);
  await value.reached;
  const call = a.read();
  await fleet.settle();
  assert(await isOpen(call, fleet));
  value.through();
  await lease;
  assertEquals(await call, 2);
  assertEquals(a.computations, 0);
});

test("a set that timed out cannot land after a later invalidation", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const lease = a.store.gate("set", "hold", KEY);
  const set = a.backend.set("k", "old");
  await lease.reached;
  const value = a.store.gate("set", "late", KEY);
  lease.through();
  a.store.gate("get", "fail", KEY);
  await assertRejects(() => set, CacheError, "did not confirm");
  await b.backend.delete("k");
  value.through();
  await fleet.settle();
  assertEquals(await b.backend.get("k"), undefined);
});

test("set resolves when something newer came, and leaves it", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const hold = a.store.gate("set", "answer", KEY);
  const set = a.backend.set("k", "old");
  await hold.reached;
  await b.backend.set("k", "new");
  hold.through();
  await set;
  assertEquals(await a.backend.get("k"), "new");
});

test("set with a ttl of 0 or less deletes the key; add refuses it", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.backend.set("k", 1);
  await a.backend.set("k", 2, { ttl: 0 });
  assertEquals(await a.backend.get("k"), undefined);
  await assertRejects(() => a.backend.add("k", 1, { ttl: 0 }), RangeError, "Cannot add with a ttl of 0 or less");
  await assertRejects(() => a.backend.set("k", 1, { ttl: NaN }), RangeError, "NaN");
});

test("add keeps only where get would find nothing", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  assertEquals(await a.backend.add("k", 1, GROUP), true);
  assertEquals(await b.backend.add("k", 2, GROUP), false);
  await fleet.clock.advance(305_000);
  assertEquals(await b.backend.add("k", null, GROUP), true, "past both");
  assertEquals(await a.backend.get("k", GROUP), null);
  await b.backend.invalidateGroup("cities");
  assertEquals(await a.backend.add("k", 3, GROUP), true, "outdated");
  a.slow = true;
  await a.backend.delete("k");
  const call = a.read(GROUP);
  await fleet.settle();
  assertEquals(await b.backend.add("k", 4, GROUP), true, "over a lease: get would find nothing");
  a.computing[0]!.end(1);
  assertEquals(await call, 1);
  await fleet.settle();
  assertEquals(await a.backend.get("k", GROUP), 4);
});

test("a value that cannot be kept is refused by set and add before anything is sent", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.copy = () => {
    throw new CacheValueError("no functions");
  };
  await assertRejects(() => a.backend.set("k", () => {}), CacheValueError, "no functions");
  await assertRejects(() => a.backend.add("k", () => {}), CacheValueError, "no functions");
  assertEquals(a.store.log, []);
});

test("a value that the store refuses releases the lease and rejects", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.refusesValue = () => new CacheValueError("too large");
  await assertRejects(() => a.backend.set("k", "big"), CacheValueError, "too large");
  await assertRejects(() => a.backend.add("k", "big"), CacheValueError, "too large");
  assertEquals(fleet.server.at(KEY), undefined);
});

test("an invalidation is asked once more when it was not confirmed, and else rejects", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read(GROUP);
  a.store.gate("delete", "fail", KEY);
  await a.backend.delete("k");
  assertEquals(fleet.server.at(KEY), undefined);
  a.store.gate("delete", "fail", KEY, 2);
  await assertRejects(() => a.backend.delete("k"), CacheError, "Cannot invalidate ::k: the store did not confirm it");
  await a.read(GROUP);
  a.store.gate("increment", "fail", undefined, 1);
  await a.backend.invalidateGroup("cities");
  a.store.gate("increment", "fail", ":%group:b", 2);
  const error = await assertRejects(() => a.backend.invalidateGroup("a", "b"), CacheError, '"b"');
  assert(error.cause instanceof Error);
  await a.backend.invalidateGroup("never used");
});

test("a token that a lease had is no use after it: nothing of ours is left when a call is over", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read();
  await fleet.settle();
  assertEquals((fleet.server.at(KEY)!.entry as unknown as LeaseEntry).kind as string, "value");
  assertEquals(fleet.clock.pending, 0, "no timer is left");
});

test("events tell of calls, invalidations and store errors; a listener that leaves hears nothing", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ project: "shop" });
  const heard: unknown[] = [];
  const leave = a.backend.on("call", ({ name, key, outcome }) => heard.push({ name, key, outcome }));
  a.backend.on("invalidate", (event) => heard.push(event));
  await a.read({ name: "cities" });
  await fleet.settle();
  await a.read({ name: "cities" });
  await a.backend.delete("k");
  await a.backend.invalidateGroup("b", "a", "b");
  leave();
  await a.read();
  assertEquals(heard, [
    { name: "cities", key: "shop::k", outcome: "miss" },
    { name: "cities", key: "shop::k", outcome: "hit" },
    { key: "shop::k" },
    { groups: ["a", "b"] },
  ]);
  assertEquals(a.backend.stats, { hit: 1, stale: 0, miss: 2, wait: 0, error: 0 });
});

test("events are published on diagnostics channels", async () => {
  const { channel } = await import("node:diagnostics_channel");
  const fleet = new Fleet();
  const a = fleet.process();
  const heard: unknown[] = [];
  const listen = (event: unknown) => heard.push(event);
  channel("cache-utils:call").subscribe(listen);
  await a.read();
  channel("cache-utils:call").unsubscribe(listen);
  await a.read();
  assertEquals(heard.length, 1);
});

test("a call that waits when the backend closes is still answered", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  const other = b.read();
  await fleet.settle();
  await b.backend.close();
  await a.backend.close();
  assertEquals(await other, 1);
  a.computing[0]!.end(1);
  assertEquals(await own, 1);
});

test("wrong options and arguments are named", async () => {
  const { backend } = new Fleet().process();
  // deno-lint-ignore no-explicit-any
  const make = (options: any) => () => new GroupBackend(options);
  assertThrows(
    make({ groups: "a" }),
    TypeError,
    'Cannot use option "groups": did you mean group? The options are store, project,',
  );
  assertThrows(make({ ttl: -1 }), RangeError, "ttl");
  assertThrows(make({ stale: -1 }), RangeError, "stale");
  assertThrows(make({ ttl: NaN }), RangeError, "ttl");
  assertThrows(make({ ttl: "5 minutes" }), TypeError, '"5 minutes"');
  assertThrows(make({ jitter: 2 }), RangeError, "jitter");
  assertThrows(make({ jitter: NaN }), RangeError, "jitter");
  assertThrows(make({ jitter: "0.5" }), TypeError, "Cannot use string as jitter: it must be a number from 0 to 1");
  assertThrows(make({ waitUntil: 1 }), TypeError, "waitUntil");
  assertThrows(make({ store: new Map() }), TypeError, "Cannot use store: it must be a store");
  assertThrows(make({ clock: 5 }), TypeError, "Cannot use clock: it must have now()");
  assertThrows(make({ random: Math.random }), TypeError, "Cannot use random: it must have");
  assertThrows(make({ project: "" }), TypeError, "project");
  assertThrows(make({ version: "" }), TypeError, "version");
  assertThrows(make({ group: "" }), TypeError, "group");
  await assertRejects(() => backend.fetch("k", () => 1, { ttl: NaN }), RangeError, "ttl");
  await assertRejects(() => backend.fetch("k", () => 1, { stale: -1 }), RangeError, "stale");
  await assertRejects(() => backend.fetch("k", () => 1, { timeout: "1" as "1s" }), TypeError, "timeout");
  await assertRejects(() => backend.fetch("k", () => 1, { group: [""] }), TypeError, "group");
  await assertRejects(() => backend.fetch("k", 1 as unknown as () => 1), TypeError, "compute");
  await assertRejects(() => backend.fetch("", () => 1), TypeError, "key");
  const signal = new AbortController() as unknown as AbortSignal, wrong = "as `signal`: it must be an AbortSignal";
  await assertRejects(() => backend.fetch("k", () => 1, { signal }), TypeError, wrong);
  await assertRejects(() => backend.begin("k", { signal }), TypeError, wrong);
  await assertRejects(() => backend.ready({ signal }), TypeError, wrong);
  await assertRejects(
    () => backend.fetch("k", () => 1, null as never),
    TypeError,
    "Cannot use null as options: give an object",
  );
  await assertRejects(() => backend.set("k", 1, 60 as never), TypeError, "Cannot use number as options");
  await assertRejects(() => backend.get("k", "a" as never), TypeError, "Cannot use string as options");
  await assertRejects(() => backend.getMany("abc" as never), TypeError, "`keys` must be an array of keys");
  await assertRejects(() => backend.invalidateGroup(), TypeError, "name at least one");
  // deno-lint-ignore no-explicit-any
  assertThrows(() => backend.on("hit" as any, () => {}), TypeError, '"hit"');
});

test("a sync exception of the function is a rejection with the very error", async () => {
  const { backend } = new Fleet().process();
  const mine = new Error("mine");
  const error = await backend.fetch("k", () => {
    throw mine;
  }).catch((error) => error);
  assertStrictEquals(error, mine);
});
