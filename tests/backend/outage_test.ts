/** When the store is down, slow or full: calls fail open, invalidations say so. A, B: processes. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { CacheError } from "../../src/errors.ts";
import { Fleet, isOpen } from "./_fleet.ts";

const KEY = "::k", GROUP = { group: "cities" };

test("a store that is down: calls compute and return, told as storeError; reads find nothing; writes reject", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const errors: string[] = [];
  a.backend.on("storeError", ({ operation, key }) => errors.push(`${operation} ${key}`));
  a.store.down = true;
  assertEquals(await a.read(GROUP), 1);
  assertEquals(errors, [`get ${KEY}`, "counter :%group:cities"]);
  assertEquals(await a.read({ force: true }), 1);
  assertEquals(await a.backend.get("k"), undefined);
  assertEquals((await a.backend.getMany(["k"])).size, 0);
  await assertRejects(() => a.backend.set("k", 1), CacheError, "did not confirm");
  await assertRejects(() => a.backend.set("k", 1, GROUP), CacheError, "did not confirm");
  await assertRejects(() => a.backend.add("k", 1), CacheError, "did not confirm");
  await assertRejects(() => a.backend.delete("k"), CacheError, "did not confirm");
  await assertRejects(() => a.backend.invalidateGroup("cities"), CacheError, "did not confirm");
  a.store.down = false;
  await a.read();
  await fleet.settle();
  await a.read();
  assertEquals(a.backend.stats.hit, 1, "hits resume by themselves");
});

test("a store that hangs: a call waits storeTimeout for its read, and again for its lease, then computes", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.gate("get", "hold", KEY);
  const look = a.read();
  await fleet.clock.advance(999);
  assert(await isOpen(look, fleet));
  await fleet.clock.advance(1);
  assertEquals(await look, 1);
  a.store.gate("add", "hold", KEY);
  const lease = a.read();
  await fleet.clock.advance(999);
  assert(await isOpen(lease, fleet));
  await fleet.clock.advance(1);
  assertEquals(await lease, 1);
  await fleet.settle();
  assertEquals(fleet.clock.pending, 0);
});

test("a value's set that hangs keeps nobody waiting: who comes meanwhile waits storeTimeout at most", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.gate("set", "hold", KEY);
  assertEquals(await a.read(), 1);
  const second = a.read();
  await fleet.clock.advance(1000);
  assertEquals(await second, 1);
});

test("a counter that hangs is no look, though the entry was answered", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read(GROUP);
  fleet.database.version = 2;
  a.store.gate("counter", "hold");
  const call = a.read(GROUP);
  await fleet.clock.advance(1000);
  assertEquals(await call, 2);
});

test("a refresh without a read computes, deletes the key and returns", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await a.read();
  fleet.database.version = 2;
  a.store.gate("get", "fail", KEY);
  assertEquals(await a.read({ force: true }), 2);
  assertEquals(await b.backend.get("k"), undefined);
});

test("the store fails while the refresh lock is asked for: the stale value is served, and nothing is left behind", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read();
  await fleet.clock.advance(61_000);
  a.store.gate("add", "fail");
  assertEquals(await a.read(), 1);
  await fleet.settle();
  assertEquals(a.computations, 1);
  const lock = a.store.gate("add", "hold");
  assertEquals(await a.read(), 1);
  await fleet.clock.advance(1000);
  lock.through();
  await fleet.settle();
  assert(![...fleet.server.items.keys()].some((key) => key.includes("%mint")), "a late lock is given back");
});

test("unreadable bytes under a key are replaced", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  fleet.server.put(KEY, { kind: "unreadable" }, Infinity);
  assertEquals(await a.read(), 1);
  await fleet.settle();
  assertEquals(await a.backend.get("k"), 1);
});

test("a waiting call goes on when the store fails under its poller", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  const other = b.read();
  await fleet.settle();
  b.store.down = true;
  await fleet.clock.advance(200);
  assertEquals(await other, 1);
  a.computing[0]!.end(1);
  assertEquals(await own, 1);
});

test("a failure is told once: what came of it after its time was up is not told again", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const errors: string[] = [];
  a.backend.on("storeError", ({ operation, key }) => errors.push(`${operation} ${key}`));
  const look = a.store.gate("get", "hold", KEY);
  const first = a.read();
  await fleet.clock.advance(1000);
  await first;
  const lease = a.store.gate("add", "hold", KEY);
  const second = a.read();
  await fleet.clock.advance(1000);
  await second;
  a.store.down = true;
  look.fail();
  lease.fail();
  await fleet.settle();
  assertEquals(errors, [`get ${KEY}`, `add ${KEY}`]);
});

test("rule 16: an invalidation resolves only when the store confirmed it, of a key and of every group", async () => {
  const a = new Fleet().process();
  a.store.down = true;
  await assertRejects(() => a.backend.delete("k"), CacheError, "did not confirm");
  await assertRejects(() => a.backend.invalidateGroup("cities", "countries"), CacheError, "did not confirm");
  a.store.down = false;
  await a.backend.delete("k");
  await a.backend.invalidateGroup("cities", "countries");
});
