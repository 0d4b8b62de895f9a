import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { CacheError } from "../../src/errors.ts";
import { PlainBackend } from "../../src/backend/plain_backend.ts";
import type { LeaseEntry } from "../../src/store/store.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { type FakeServer, Fleet, isOpen } from "./_fleet.ts";
import { GroupBackend } from "./_mod.ts";

const KEY = "::k", MINT = ":%mint::k";

const kindAt = (server: FakeServer, key = KEY): string | undefined =>
  (server.at(key)?.entry as LeaseEntry | undefined)?.kind;

// ──────────────── the off switch ────────────────

test("switched off, calls compute and keep nothing, and nobody is asked", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ enabled: false });
  assertEquals(a.backend.enabled, false);
  assertEquals([await a.read({ group: "g" }), await a.read({ group: "g" })], [1, 1]);
  assertEquals(a.computations, 2);
  assertEquals(await a.backend.get("k"), undefined);
  assertEquals(await a.backend.getMany(["k", "l"]), new Map());
  assertEquals(a.store.log, []);
});

test("switched off, calls tell that they were", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ enabled: false });
  const heard: unknown[] = [];
  a.backend.on("call", ({ outcome, reason }) => heard.push(outcome, reason));
  await a.read();
  assertEquals(heard, ["miss", "disabled"]);
});

test("switched off, calls of one key run one at a time, as without a store", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ enabled: false });
  a.slow = true;
  const calls = [a.read(), a.read(), a.read()];
  await fleet.settle();
  assertEquals(a.computing.length, 1);
  a.computing[0]!.end(7);
  assertEquals(await Promise.all(calls), [7, 7, 7]);
});

test("switched off, a call still ends by its timeout and its signal", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ enabled: false });
  a.slow = true;
  const controller = new AbortController();
  const late = assertRejects(() => a.read({ timeout: "1s" }, "a"), Error, "timeout");
  const left = assertRejects(() => a.read({ signal: controller.signal }, "b"), Error, "enough");
  await fleet.clock.advance(1000);
  controller.abort(new Error("enough"));
  await Promise.all([late, left]);
});

test("switched off, invalidations are sent, and refresh, set and add send one of their key", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const verbs: (() => Promise<unknown>)[] = [
    () => a.backend.delete("k"),
    () => a.backend.set("k", 5),
    () => a.backend.add("k", 5),
    () => a.read({ force: true }),
  ];
  const group = fleet.process();
  for (const verb of verbs) {
    a.backend.enabled = true;
    await b.read();
    await fleet.settle();
    assertEquals(kindAt(fleet.server), "value");
    a.backend.enabled = false;
    await verb();
    assertEquals(kindAt(fleet.server), undefined);
  }
  await group.read({ group: "g" }, "grouped");
  await fleet.settle();
  await a.backend.invalidateGroup("g");
  assertEquals(await group.backend.get("grouped", { group: "g" }), undefined);
  assertEquals(await a.backend.add("k", 5), false, "nothing was kept");
});

test("switched off, invalidations, set and add reject where the store does not confirm; refresh computes", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ enabled: false });
  a.store.down = true;
  await assertRejects(() => a.backend.delete("k"), CacheError, "did not confirm");
  await assertRejects(() => a.backend.set("k", 1), CacheError, "did not confirm");
  await assertRejects(() => a.backend.add("k", 1), CacheError, "did not confirm");
  await assertRejects(() => a.backend.invalidateGroup("g"), CacheError, "did not confirm");
  assertEquals(await a.read({ force: true }), 1);
});

test("the switch is read once a call: calls begun before end as they began", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.slow = true;
  const before = a.read();
  await fleet.settle();
  a.backend.enabled = false;
  const after = a.read();
  await fleet.settle();
  assertEquals(a.computing.length, 2, "one that is off joins no computation under a lease");
  a.backend.enabled = true;
  a.computing[0]!.end(3);
  a.computing[1]!.end(4);
  assertEquals([await before, await after], [3, 4]);
  await fleet.settle();
  assertEquals(await a.backend.get("k"), 3, "the first was kept, the second was not");
});

test("what is switched on again serves what is kept, and what was invalidated meanwhile is gone", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read({}, "stays");
  await a.read({}, "goes");
  await fleet.settle();
  a.backend.enabled = false;
  await a.backend.set("goes", 9);
  a.backend.enabled = true;
  const computed = a.computations;
  await a.read({}, "stays");
  assertEquals(a.computations, computed);
  await a.read({}, "goes");
  assertEquals(a.computations, computed + 1);
});

test("the switch is true or false, and nothing else", () => {
  assertThrows(
    () => new GroupBackend({ enabled: "false" as unknown as boolean }),
    TypeError,
    "Cannot use string as enabled: it must be true or false",
  );
  const backend = new GroupBackend();
  assertEquals(backend.enabled, true);
  assertThrows(() => backend.enabled = 0 as unknown as boolean, TypeError, "Cannot use number as enabled");
  const plain = new PlainBackend(new Map(), { enabled: false });
  assertEquals(plain.enabled, false);
});

test("a PlainBackend has the switch as well", async () => {
  const map = new Map<string, unknown>();
  const backend = new PlainBackend(map);
  let computed = 0;
  const read = () => backend.fetch("k", () => ++computed);
  await read();
  backend.enabled = false;
  assertEquals(await read(), 2);
  await backend.set("k", 7);
  assertEquals(map.size, 0);
  backend.enabled = true;
  assertEquals(await read(), 3);
});

// ──────────────── ready, store ────────────────

test("ready() asks the store, hands the signal on, and rejects with what the store says", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.backend.ready(); // a store that has none is ready
  const error = new Error("no server");
  const signal = new AbortController().signal;
  const asked: unknown[] = [];
  Object.assign(a.store, {
    ready: (signal?: AbortSignal) => {
      asked.push(signal);
      return asked.length === 1 ? Promise.resolve() : Promise.reject(error);
    },
  });
  await a.backend.ready({ signal });
  assertStrictEquals(await assertRejects(() => a.backend.ready()), error);
  assertEquals(asked, [signal, undefined]);
  await a.backend.close();
  await assertRejects(() => a.backend.ready(), CacheError, "backend is closed");
  await new GroupBackend().ready();
  await new PlainBackend(new Map()).ready();
});

test("a backend leads to its store, also to the one that it made", () => {
  const store = new MemoryStore();
  assertStrictEquals(new GroupBackend({ store }).store, store);
  assert(new GroupBackend().store instanceof MemoryStore);
});

// ──────────────── close ────────────────

test("close() releases the leases it holds before it ends: nobody waits for them to run out", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  assertEquals(kindAt(fleet.server), "lease");
  const other = b.read();
  await fleet.settle();
  await a.backend.close();
  assertEquals(kindAt(fleet.server), undefined);
  await fleet.clock.advance(100);
  assertEquals(await other, 1);
  assertEquals(b.computations, 1);
  await fleet.settle();
  a.computing[0]!.end(5);
  assertEquals(await own, 5, "its callers are answered");
  await fleet.settle();
  assertEquals(await b.backend.get("k"), 1, "and what they were given is not kept over the other's");
});

test("close() releases a refresh lock", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read({ ttl: 1 });
  await fleet.clock.advance(1500);
  a.slow = true;
  await a.read({ ttl: 1 });
  await fleet.settle();
  assertEquals(kindAt(fleet.server, MINT), "lease");
  await a.backend.close();
  assertEquals(kindAt(fleet.server, MINT), undefined);
  a.computing[0]!.end(5);
  await fleet.settle();
});

test("close() releases by token: a lease that another process has taken over stays", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = b.slow = true;
  const own = a.read();
  await fleet.settle();
  await b.backend.delete("k");
  const other = b.read();
  await fleet.settle();
  assertEquals(kindAt(fleet.server), "lease");
  await a.backend.close();
  assertEquals(kindAt(fleet.server), "lease");
  a.computing[0]!.end(1);
  b.computing[0]!.end(2);
  assertEquals([await own, await other], [1, 2]);
  await fleet.settle();
  assertEquals(await b.backend.get("k"), 2);
});

test("a lease that is on its way while close() begins is released, too", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const ask = a.store.gate("add", "answer", KEY);
  const own = a.read();
  await ask.reached;
  assertEquals(kindAt(fleet.server), "lease");
  const closed = a.backend.close();
  assert(await isOpen(closed, fleet));
  ask.through();
  await closed;
  assertEquals(await own, 1);
  assertEquals(kindAt(fleet.server), undefined);
});

test("a value that is on its way while close() begins arrives, and so does one of set()", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const write = a.store.gate("set", "hold", KEY);
  assertEquals(await a.read(), 1);
  await write.reached;
  const given = a.backend.set("given", 8);
  const closed = a.backend.close();
  assert(await isOpen(closed, fleet));
  write.through();
  await closed;
  await given;
  assertEquals([await b.backend.get("k"), await b.backend.get("given")], [1, 8]);
});

test("close() waits for a store that does not answer no longer than storeTimeout", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ storeTimeout: "1s" });
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  a.store.gate("delete", "hold", KEY);
  const closed = a.backend.close();
  await fleet.clock.advance(999);
  assert(await isOpen(closed, fleet));
  await fleet.clock.advance(1);
  await closed;
  assert(a.store.closed);
  a.computing[0]!.end(5);
  assertEquals(await own, 5);
  assertEquals(fleet.clock.pending, 0, "no timer is left");
});

test("a call that waits for an answer while close() begins takes no lease any more", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const look = a.store.gate("get", "answer", KEY);
  const held = a.store.gate("delete", "answer", "::other");
  const deleting = a.backend.delete("other");
  const own = a.read();
  await look.reached;
  a.slow = true;
  const more = a.read({}, "more"); // a lease that keeps close() busy
  await fleet.settle();
  const released = a.store.gate("delete", "answer", "::more");
  const closed = a.backend.close();
  await released.reached;
  look.through();
  await fleet.settle();
  released.through();
  held.through();
  await Promise.all([closed, deleting]);
  for (const one of a.computing) one.end(1);
  assertEquals(await Promise.all([own, more]), [1, 1]);
  assertEquals(kindAt(fleet.server), undefined);
});

test("calls that come after close() compute and keep nothing, and only what would promise something rejects", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read();
  await fleet.settle();
  await a.backend.close();
  await a.backend.close();
  assert(a.store.closed);
  const asked = a.store.log.length;
  const heard: unknown[] = [];
  a.backend.on("call", ({ outcome, reason }) => heard.push(`${outcome} ${reason}`));
  a.backend.on("storeError", (failure) => heard.push(failure));
  fleet.database.version = 2;
  assertEquals(await a.read(), 2);
  assertEquals(await a.read({ force: true }), 2);
  assertEquals(await a.read({ ttl: 0 }), 2);
  const { backend } = a;
  assertEquals(await backend.get("k"), undefined);
  assertEquals(await backend.getMany(["k"]), new Map());
  assertEquals(a.store.log.length, asked, "the store is not asked");
  assertEquals(heard, ["miss closed", "miss closed", "miss uncacheable"]);
  const verbs: (() => Promise<unknown>)[] = [
    () => backend.set("k", 1),
    () => backend.add("k", 1),
    () => backend.delete("k"),
    () => backend.invalidateGroup("g"),
  ];
  for (const verb of verbs) await assertRejects(verb, CacheError, "backend is closed");
});

test("wrong arguments are named after close(), too", async () => {
  const backend = new GroupBackend();
  await backend.close();
  await assertRejects(() => backend.fetch("", () => 1), TypeError, "key");
  await assertRejects(() => backend.get("k", { group: "" }), TypeError, "group");
  await assertRejects(() => backend.getMany("k" as unknown as string[]), TypeError, "keys");
});
