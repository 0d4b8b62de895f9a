/** Waiting for leases of other processes: for as long as somebody renews them, and at little cost. */
import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import type { LeaseEntry } from "../../src/store/store.ts";
import { Fleet, isOpen } from "./_fleet.ts";

const KEY = "::k";
const lease = (nonce: string, beat?: number): LeaseEntry => ({ kind: "lease", nonce, beat, generations: [] });

test("rule 14: a lease that nobody renews is waited for 7 s, whatever its ttl says, then taken over and kept over", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  fleet.server.put(KEY, lease("planted.1"), Infinity);
  const calls = [a.read(), a.read(), b.read()];
  await fleet.clock.advance(6900);
  assert(await isOpen(Promise.race(calls), fleet));
  await fleet.clock.advance(300);
  assertEquals(await Promise.all(calls), [1, 1, 1]);
  assertEquals(a.computations + b.computations, 1);
  await fleet.settle();
  assertEquals([await b.read(), b.backend.stats.hit, fleet.clock.pending], [1, 1, 0]);
});

test("rule 14: a lease that is renewed is waited for, however long", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  fleet.server.put(KEY, lease("x.1"), Infinity);
  const call = a.read();
  for (let beat = 1; beat < 9; beat++) {
    await fleet.clock.advance(3000);
    fleet.server.put(KEY, lease("x.1", beat), Infinity);
  }
  assert(await isOpen(call, fleet));
  fleet.server.items.delete(KEY);
  await fleet.clock.advance(100);
  assertEquals(await call, 1);
});

test("rule 14: a holder raises its lease's beat with each renewal, and its refresh lock's", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.slow = true;
  const beats = (key: string) => {
    const entry = fleet.server.at(key)?.entry as LeaseEntry | undefined;
    return entry?.kind === "lease" ? entry.beat ?? 0 : undefined;
  };
  const call = a.read();
  const seen: unknown[] = [];
  for (let n = 0; n < 4; n++) {
    await fleet.clock.advance(n === 0 ? 0 : 1700);
    seen.push(beats(KEY));
  }
  assertEquals(seen, [0, 1, 2, 3]);
  a.computing[0]!.end(1);
  await call;
  await fleet.clock.advance(61_000);
  await a.read(); // stale: refreshed behind the answer
  await fleet.clock.advance(3400);
  assertEquals(beats("::%mint::k") ?? beats([...fleet.server.items.keys()].find((key) => key.includes("%mint"))!), 2);
  a.computing[1]!.end(1);
  await fleet.settle();
});

test("rule 14: a lease that is renewed after the last poll, as the caller's own read shows, is waited for again", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  fleet.server.put(KEY, lease("x.1"), Infinity);
  const call = a.read();
  await fleet.clock.advance(6990);
  const poll = a.store.gate("get", "answer", KEY); // executed at once, at 7 s or after it, and answered late
  await fleet.clock.advance(150);
  await poll.reached;
  fleet.server.put(KEY, lease("x.1", 1), Infinity);
  poll.through();
  await fleet.clock.advance(2000);
  assertEquals(a.computations, 0);
  fleet.server.items.delete(KEY);
  await fleet.clock.advance(200);
  assertEquals(await call, 1);
});

test("a lease of ours that a stranger copied to another key is joined by nobody there", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  fleet.server.put("::other", fleet.server.at(KEY)!.entry, Infinity);
  const other = a.read({}, "other");
  await fleet.settle();
  assertEquals(a.computing.length, 2);
  a.computing[0]!.end("own");
  a.computing[1]!.end("other");
  assertEquals(await Promise.all([own, other]), ["own", "other"]);
});

test("a poll that is never answered wakes its waiters after storeTimeout", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  fleet.server.put(KEY, lease("x.1"), Infinity);
  const call = a.read();
  await fleet.settle();
  a.store.gate("get", "hold", KEY);
  a.store.down = false;
  await fleet.clock.advance(500);
  fleet.server.items.delete(KEY);
  assert(await isOpen(call, fleet));
  await fleet.clock.advance(600);
  assertEquals(await call, 1);
});

/** Gets in each second while one process waits for so many leases, held by so many others. */
async function cost(leases: number, holders: number, seconds: number) {
  const fleet = new Fleet();
  const a = fleet.process();
  const renew = (beat: number) => {
    for (let n = 0; n < leases; n++) fleet.server.put(`::k${n}`, lease(`${n % holders}.${n}`, beat), Infinity);
  };
  renew(0);
  const calls = Array.from({ length: leases }, (_, n) => a.read({}, `k${n}`));
  await fleet.settle();
  const gets: number[] = [];
  for (let second = 1; second <= seconds; second++) {
    a.store.log.length = 0;
    await fleet.clock.advance(1000);
    gets.push(a.store.log.length);
    renew(second);
  }
  for (let n = 0; n < leases; n++) fleet.server.items.delete(`::k${n}`);
  await fleet.clock.advance(2100);
  await Promise.all(calls);
  return { gets, computations: a.computations, pending: fleet.clock.pending };
}

test("3,000 leases cost few gets a second, and one as many as ever", async () => {
  const many = await cost(3000, 1, 5);
  assertEquals([many.computations, many.pending], [3000, 0]);
  assert(many.gets[0]! <= 4 * 3000, `${many.gets}`);
  for (const gets of many.gets.slice(2)) assert(gets <= 3000, `${many.gets}`);
  const one = await cost(1, 1, 3);
  for (const gets of one.gets.slice(1)) assert(gets >= 9 && gets <= 20, `${one.gets}`);
});

test("the more processes are seen to hold leases, the longer are the pauses", async () => {
  const few = await cost(100, 1, 4), most = await cost(100, 100, 4);
  const last = ({ gets }: { gets: number[] }) => gets[2]! + gets[3]!;
  assert(last(most) < last(few) / 3, `${most.gets} and ${few.gets}`);
});

test("all leases that are due about then are asked for in one tick", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  for (let n = 0; n < 50; n++) fleet.server.put(`::k${n}`, lease(`x.${n}`), Infinity);
  const calls: Promise<unknown>[] = [];
  for (let n = 0; n < 50; n++) {
    calls.push(a.read({}, `k${n}`));
    await fleet.clock.advance(1); // they come one after the other
  }
  await fleet.clock.advance(1000);
  a.store.log.length = 0;
  let ticks = 0;
  for (let ms = 0; ms < 1000; ms++) {
    const before = a.store.log.length;
    await fleet.clock.advance(1);
    if (a.store.log.length > before) ticks++;
  }
  assert(ticks <= 20, `${ticks} ticks`);
  fleet.server.restart();
  await fleet.clock.advance(200);
  await Promise.all(calls);
});
