/** The rules of the group backend, each by the schedule that breaks the promise without it. A, B, C: processes. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { test } from "node:test";
import type { LeaseEntry } from "../../src/store/store.ts";
import { Fleet, isOpen } from "./_fleet.ts";
import { Pollers } from "../../src/backend/poller.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { GuardedStore } from "../../src/backend/guarded_store.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";

const GROUP = { group: "cities" };
const KEY = "::k", COUNTER = ":%group:cities";

test("rule 1, fenced: a value computed before an invalidation is not written back after it", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const old = a.read(); // A takes the lease and computes version 1
  await fleet.settle();
  fleet.database.version = 2;
  await b.backend.delete("k"); // B invalidates: the lease is gone
  a.computing[0]!.end(1); // A's write comes after it
  assertEquals(await old, 1);
  await fleet.settle();
  assertEquals(await b.read(), 2);
  assertEquals(b.computations, 1);
});

test("rule 1, fenced: a stale value's refresh that began before an invalidation is not written after it", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await a.read();
  await fleet.clock.advance(61_000);
  a.slow = true;
  assertEquals(await a.read(), 1); // stale, and refreshed behind
  await fleet.settle();
  fleet.database.version = 2;
  await b.backend.delete("k");
  a.computing[0]!.end(1);
  await fleet.settle();
  assertEquals(await b.read(), 2);
});

test("rule 1, fenced: what the marker's reader computed before an invalidation is not written after it", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.result = () => null;
  await a.read(); // cannot be kept: the mark
  await fleet.settle();
  a.result = undefined;
  a.slow = true;
  const old = a.read(); // sees the mark, computes version 1 alone
  await fleet.settle();
  fleet.database.version = 2;
  await b.backend.delete("k");
  a.computing[0]!.end(1);
  await old;
  await fleet.settle();
  assertEquals(await b.read(), 2);
});

test("rule 2, stamped before: a value carries the generations that were read before it was computed", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const old = a.read(GROUP);
  await fleet.settle();
  fleet.database.version = 2;
  await b.backend.invalidateGroup("cities"); // the lease stays: only the generation changes
  a.computing[0]!.end(1);
  await old;
  await fleet.settle();
  assertEquals(await b.read(GROUP), 2);
});

test("rule 3, whole snapshot: an entry whose counter could not be read is not believed", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await a.read(GROUP);
  fleet.database.version = 2;
  await b.backend.invalidateGroup("cities");
  a.store.gate("counter", "fail", COUNTER);
  assertEquals(await a.read(GROUP), 2);
  a.store.log.length = 0;
  await fleet.settle();
  assertEquals(a.store.log, [], "it computed alone and wrote nothing");
});

test("rule 4, shared until sent: a read that was sent before an invalidation is not shared after it", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await b.read();
  await fleet.settle();
  const answer = a.store.gate("get", "answer", KEY); // A's first look is executed at once and answered late
  const first = a.read();
  await answer.reached;
  fleet.database.version = 2;
  await b.backend.delete("k");
  const second = a.read(); // begins after the invalidation
  await fleet.settle();
  answer.through();
  assertEquals(await second, 2);
  assertEquals(await first, 1);
});

test("rule 4, shared until sent: a counter that was asked before a group's invalidation is not shared after it", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await b.read(GROUP);
  await fleet.settle();
  const answer = a.store.gate("counter", "answer", COUNTER);
  const first = a.read(GROUP);
  await answer.reached;
  fleet.database.version = 2;
  await b.backend.invalidateGroup("cities");
  const second = a.read(GROUP);
  await fleet.settle();
  answer.through();
  assertEquals(await second, 2);
  assertEquals(await first, 1);
});

test("rule 5, joined after a read: a computation that began before another process's invalidation is not joined", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const first = a.read();
  await fleet.settle();
  fleet.database.version = 2;
  await b.backend.delete("k");
  const second = a.read();
  await fleet.settle();
  assertEquals(a.computations, 2, "the second computes anew");
  a.computing[1]!.end(2);
  assertEquals(await second, 2);
  a.computing[0]!.end(1);
  assertEquals(await first, 1);
});

test("rule 5, joined after a read: a computation whose lease is outdated by its group is not joined", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const first = a.read(GROUP);
  await fleet.settle();
  fleet.database.version = 2;
  await b.backend.invalidateGroup("cities");
  const second = a.read(GROUP);
  await fleet.settle();
  a.computing[0]!.end(1);
  await first;
  await fleet.settle();
  a.computing[1]!.end(2);
  assertEquals(await second, 2);
});

test("rule 6, known by nonce: a waiter wakes when another lease has the same cas after a server's restart", async () => {
  const fleet = new Fleet();
  const { store } = fleet.process();
  const lease = (nonce: string): LeaseEntry => ({ kind: "lease", nonce, generations: [] });
  const seen = await store.add(KEY, lease("a.1"), 5000);
  const pollers = new Pollers(new GuardedStore(store, fleet.clock, 250, () => {}), fleet.clock, new SeededRandom(1));
  const { woken: gone } = pollers.wait({ key: KEY }, lease("a.1"));
  await fleet.clock.advance(1000);
  assert(await isOpen(gone, fleet), "the lease is there: it waits");
  fleet.server.restart();
  const again = await store.add(KEY, lease("c.1"), 5000);
  assertEquals((again as { cas: number }).cas, (seen as { cas: number }).cas, "cas values begin again");
  await fleet.clock.advance(100);
  assert(!await isOpen(gone, fleet));
});

test("rule 7, lost and looked for once: a holder that lost its socket keeps its value, and nobody sits the lease out", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  const other = b.read();
  await fleet.settle();
  a.store.loseConnection(); // the lease's token dies with it
  a.computing[0]!.end(1);
  await own;
  await fleet.clock.advance(200);
  assertEquals(await other, 1);
  assertEquals([a.computations, b.computations], [1, 0]);
});

test("rule 7, lost and looked for once: a renewal of unknown outcome does not lose the lease", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  a.store.gate("set", "lost", KEY); // the renewal lands, its answer does not come: our token is old
  await fleet.clock.advance(2000);
  a.computing[0]!.end(1);
  await own;
  await fleet.settle();
  assertEquals(await b.read(), 1);
  assertEquals(b.computations, 0);
});

test("rule 7, lost and looked for once: the marker and the release are looked for as well", async () => {
  for (const outcome of ["mark", "release"]) {
    const fleet = new Fleet();
    const a = fleet.process(), b = fleet.process();
    a.slow = true;
    const own = a.read().catch((error) => error);
    await fleet.settle();
    a.store.loseConnection();
    if (outcome === "mark") a.computing[0]!.end(null);
    else a.computing[0]!.fail(new Error("no"));
    await own;
    await fleet.settle();
    assertNotEquals((fleet.server.at(KEY)?.entry as LeaseEntry | undefined)?.kind, "lease", outcome);
    assertEquals(await b.read(), 1);
  }
});

test("rule 7, lost and looked for once: another's lease is never written over", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = b.slow = true;
  const old = a.read();
  await fleet.settle();
  fleet.database.version = 2;
  await b.backend.delete("k");
  const fresh = b.read(); // B's lease is there now
  await fleet.settle();
  a.store.loseConnection();
  a.computing[0]!.end(1);
  await old;
  await fleet.settle();
  const later = a.read(); // sees B's lease still
  await fleet.settle();
  b.computing[0]!.end(2);
  assertEquals(await fresh, 2);
  await fleet.clock.advance(200);
  assertEquals(await later, 2);
});

test("rule 8, lock then look: who takes the refresh lock after another refreshed computes nothing", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await a.read();
  await fleet.clock.advance(61_000);
  const add = b.store.gate("add", "hold"); // B saw it stale; its lock is under way
  assertEquals(await b.read(), 1);
  await add.reached;
  fleet.database.version = 2;
  assertEquals(await a.read(), 1); // A refreshes: lock, look, compute, set, unlock
  await fleet.settle();
  add.through();
  await fleet.settle();
  assertEquals([a.computations, b.computations], [2, 0]);
  assertEquals(await b.read(), 2);
  assert(![...fleet.server.items.keys()].some((key) => key.includes("%mint")), "and drops the lock");
});

test("rule 8, set then unlock: the refresh lock is held until the value's set was answered", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await a.read();
  await fleet.clock.advance(61_000);
  const set = a.store.gate("set", "hold", KEY);
  await a.read();
  await set.reached;
  assertEquals(await b.read(), 1);
  await fleet.settle();
  assertEquals(b.computations, 0, "B could not take the lock");
  set.through();
  await fleet.settle();
  assert(![...fleet.server.items.keys()].some((key) => key.includes("%mint")));
});

test("rule 9, a computation spans its lease: one whose lease has an unknown outcome is joined by nobody", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const add = a.store.gate("add", "late", KEY);
  const first = a.read(); // unknown: computes version 1 alone
  await fleet.settle();
  fleet.database.version = 2;
  await b.backend.delete("k");
  add.through(); // A's lease lands after the invalidation
  await fleet.settle();
  const second = a.read();
  await fleet.settle();
  assertEquals(a.computations, 2, "an orphan is OUTDATED: taken over at once");
  a.computing[0]!.end(1);
  assertEquals(await first, 1);
  a.computing[1]!.end(2);
  assertEquals(await second, 2);
});

test("rule 9, a computation spans its lease: it is open until its last write is answered", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const set = a.store.gate("set", "hold", KEY);
  assertEquals(await a.read(), 1);
  const second = a.read(); // sees the lease while the value is under way
  await fleet.settle();
  set.through();
  assertEquals(await second, 1);
  assertEquals(a.computations, 1);
});

test("rule 9, a computation spans its lease: a late 'stored' is given back at once", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const add = a.store.gate("add", "hold", KEY);
  const call = a.read();
  await fleet.clock.advance(1000);
  assertEquals(await call, 1);
  add.through();
  await fleet.settle();
  assertEquals(fleet.server.at(KEY), undefined);
});

test("rule 9, a computation spans its lease: every attempt has a nonce of its own", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 1 }), b = fleet.process();
  const nonces: string[] = [];
  a.slow = true;
  for (let i = 0; i < 3; i++) {
    const call = a.read();
    await fleet.settle();
    nonces.push((fleet.server.at(KEY)!.entry as LeaseEntry).nonce);
    await b.backend.delete("k");
    a.computing[i]!.end(1);
    await call;
  }
  assertEquals(new Set(nonces).size, 3);
});

test("rule 10, bounded: after 8 refused leases a call computes uncoordinated", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.gate("add", "refuse", KEY, 1000);
  assertEquals(await a.read(), 1);
  assertEquals(a.store.log.filter((line) => line.startsWith("add")).length, 9, "once, and 8 times from the top");
});

test("rule 10, bounded: after 3 leases of others a call computes uncoordinated", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: "1h" });
  let lease = 0;
  const another = () => fleet.server.put(KEY, { kind: "lease", nonce: `x.${lease++}`, generations: [] }, Infinity);
  another();
  const call = a.read();
  for (let i = 0; i < 3; i++) {
    await fleet.clock.advance(1000);
    assertEquals(a.computations, 0);
    another();
  }
  await fleet.clock.advance(200);
  assertEquals(await call, 1);
  assertEquals(lease, 4);
});

test("rule 10, bounded: a call waits for others mintDelay in all", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 30 });
  const holds = async (nonce: string, ms: number) => {
    for (let beat = 0; beat * 1000 < ms; beat++) {
      fleet.server.put(KEY, { kind: "lease", nonce, beat, generations: [] }, Infinity);
      await fleet.clock.advance(1000);
    }
  };
  fleet.server.put(KEY, { kind: "lease", nonce: "x.1", generations: [] }, Infinity);
  const call = a.read();
  await holds("x.1", 20_000);
  await holds("x.2", 9_000);
  assert(await isOpen(call, fleet));
  await fleet.clock.advance(1_100);
  assertEquals(await call, 1);
});

test("rule 11, uncoordinated together: calls without a lease join only a computation that has not begun", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.down = true;
  a.slow = true;
  const first = [a.read(), a.read(), a.read()];
  await fleet.settle();
  assertEquals(a.computations, 1, "asked in one tick: one computation");
  fleet.database.version = 2;
  const second = [a.read(), a.read(), a.read()];
  await fleet.settle();
  assertEquals(a.computations, 1, "one runs, one waits");
  a.computing[0]!.end(1);
  assertEquals(await Promise.all(first), [1, 1, 1]);
  await fleet.settle();
  assertEquals(a.computations, 2);
  a.computing[1]!.end();
  assertEquals(await Promise.all(second), [2, 2, 2], "none of them got what was read before it began");
});

test("rule 12, never the same start: a counter that is created again starts elsewhere", async () => {
  const store = new MemoryStore({ maxEntries: 1, random: new SeededRandom(1) });
  const starts = new Set<bigint>();
  for (let i = 0; i < 50; i++) {
    starts.add(await store.counter("a"));
    await store.counter("b"); // evicts it
  }
  assertEquals(starts.size, 50);
});

test("rule 13, refresh or forget: a refresh that was not stored leaves no older value behind", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await a.read();
  await fleet.clock.advance(61_000);
  b.slow = true;
  await b.read(); // B refreshes the stale value and has read version 1
  await fleet.settle();
  fleet.database.version = 2;
  a.slow = true;
  const refreshed = a.read({ force: true }); // A, after its change
  await fleet.settle();
  b.computing[0]!.end(1); // B's set lands first: A's look is not the entry any more
  await fleet.settle();
  a.computing[0]!.end(2);
  assertEquals(await refreshed, 2);
  a.slow = false;
  assertEquals(await a.read(), 2);
});

test("rule 13, refresh or forget: a refreshed result that cannot be kept deletes the older one", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read();
  a.result = () => null;
  assertEquals(await a.read({ force: true }), null);
  assertEquals(await a.backend.get("k"), undefined);
});
