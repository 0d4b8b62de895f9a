/** Clocks that are set back or stand still: what has elapsed is the larger of what a clock's two readings say. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import type { Clock } from "../../src/util/clock.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { KeyValueStore } from "../../src/store/key_value/store.ts";
import type { Store } from "../../src/store/store.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { Fleet, isOpen } from "./_fleet.ts";
import { GroupBackend } from "./_mod.ts";

const HOUR = 3_600_000;

/** A clock without a monotonic reading. */
function wallOnly(clock: FakeClock): Clock {
  return {
    now: () => clock.now(),
    setTimeout: (wake, ms) => clock.setTimeout(wake, ms),
    clearTimeout: (timer) => clock.clearTimeout(timer),
  };
}
/** A clock whose wall reading stands still. */
const frozen = (clock: FakeClock): Clock => ({ ...wallOnly(clock), now: () => 7, monotonic: () => clock.monotonic() });
/** One whose monotonic reading does. */
const suspended = (clock: FakeClock): Clock => ({ ...wallOnly(clock), monotonic: () => 7 });

/** Runs of a function with a ttl of 60 s, called again after each of these pauses; "back" and "on" set the wall clock. */
async function runs(clock: FakeClock, of: Clock, options: object, ...steps: (number | "back" | "on")[]) {
  const backend = new GroupBackend({ store: new MemoryStore({ clock: of, ...options }), clock: of, ttl: 60, stale: 0 });
  const seen: number[] = [];
  let count = 0;
  const ask = async () => void seen.push(await backend.fetch("k", () => ++count));
  await ask();
  for (const step of steps) {
    if (step === "back") clock.set(-HOUR);
    else if (step === "on") clock.set(HOUR);
    else {
      await clock.advance(step);
      await ask();
      await clock.settle();
    }
  }
  return seen;
}

for (const how of ["copies", "the very objects"]) {
  const copying = how === "copies" ? {} : { copy: false };
  const test_ = (name: string, work: () => Promise<void>) => test(`${name} (${how})`, work);

  test_("a clock set back by an hour keeps nothing in memory alive", async () => {
    for (const stale of [0, Infinity, 600]) {
      const clock = new FakeClock();
      const store = new MemoryStore({ clock, ...copying });
      const backend = new GroupBackend({ store, clock, ttl: 60, stale });
      let count = 0;
      const ask = () => backend.fetch("k", () => ++count);
      await ask();
      clock.set(-HOUR);
      await clock.advance(59_000);
      await ask();
      assertEquals(backend.stats.hit, 1, "fresh for its ttl");
      await clock.advance(2000);
      await ask();
      await clock.settle();
      assertEquals([backend.stats.hit, backend.stats.stale, count], [1, stale === 0 ? 0 : 1, 2], `stale ${stale}`);
    }
  });

  test_("a clock whose wall reading stands still, or whose monotonic one does, is believed in the other", async () => {
    for (const kind of [frozen, suspended]) {
      const clock = new FakeClock();
      assertEquals(await runs(clock, kind(clock), copying, 59_000, 2000, 59_000, 2000), [1, 1, 2, 2, 3]);
    }
  });

  test_("a clock without a monotonic reading counts by the wall, and an entry from its future is gone", async () => {
    const clock = new FakeClock();
    assertEquals(await runs(clock, wallOnly(clock), copying, 59_000, 2000, "back", 1, 59_000), [1, 1, 2, 3, 3]);
    assertEquals(await runs(clock, wallOnly(clock), copying, "on", 1), [1, 2]);
    const kept = new GroupBackend({
      store: new MemoryStore({ clock: wallOnly(clock), ...copying }),
      clock: wallOnly(clock),
      stale: Infinity,
    });
    await kept.fetch("k", () => 1);
    clock.set(-HOUR);
    assertEquals(await kept.get("k"), undefined, "one that is stale for ever as well");
  });
}

test("leases in memory end by elapsed time, in a MemoryStore and in a KeyValueStore", async () => {
  const stores: ((clock: Clock) => Store)[] = [
    (clock) => new MemoryStore({ clock }),
    (clock) => new KeyValueStore(new Map(), { clock }),
  ];
  for (const make of stores) {
    for (const kind of [(clock: FakeClock) => clock as Clock, wallOnly]) {
      const clock = new FakeClock();
      const store = make(kind(clock));
      await store.add("k", { kind: "lease", nonce: "a.1", generations: [] }, 5000);
      await clock.advance(4000);
      assert(await store.get("k") !== undefined);
      clock.set(-HOUR);
      await clock.advance(1001);
      assertEquals(await store.get("k"), undefined);
    }
  }
});

test("a clock set back makes nobody wait longer: for the store, for a lease, for a computation that runs alone", async () => {
  for (const [verb, ms] of [["get", 1000], ["add", 1000]] as const) {
    const fleet = new Fleet();
    const a = fleet.process();
    a.store.gate(verb, "hold", "::k");
    const call = a.read();
    await fleet.clock.advance(500);
    fleet.clock.set(-HOUR);
    await fleet.clock.advance(ms - 500);
    assertEquals(await call, 1);
  }
  const fleet = new Fleet();
  const b = fleet.process({ mintDelay: 20 });
  fleet.server.put("::k", { kind: "lease", nonce: "x.1", generations: [] }, Infinity);
  const waits = b.read();
  await fleet.clock.advance(500);
  fleet.clock.set(-HOUR);
  await fleet.clock.advance(7000);
  assertEquals(await waits, 1);
});

test("a clock set back leaves mintDelay as it is: a lease is renewed no longer, and a call waits no longer in all", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 10 });
  a.slow = true;
  const call = a.read();
  await fleet.clock.advance(5000);
  fleet.clock.set(-HOUR);
  await fleet.clock.advance(20_000);
  // The server's clock is the same one here, so its lease is there for long: but its renewals have ended.
  const log = a.store.log.length;
  await fleet.clock.advance(20_000);
  assertEquals(a.store.log.length, log);
  a.computing[0]!.end(1);
  assertEquals(await call, 1);

  const b = fleet.process({ mintDelay: 10 });
  let beat = 0;
  const renew = () => fleet.server.put("::w", { kind: "lease", nonce: "x.1", beat: beat++, generations: [] }, Infinity);
  renew();
  const waits = b.read({}, "w");
  for (let n = 0; n < 4; n++) {
    await fleet.clock.advance(2400);
    if (n === 1) fleet.clock.set(-HOUR);
    renew();
  }
  assert(await isOpen(waits, fleet));
  await fleet.clock.advance(500);
  assertEquals(await waits, 1);
});

test("a clock set back: a stale value's refresh that hangs holds up the next one no longer than its lock would", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 10, stale: 600 });
  await a.read();
  await fleet.clock.advance(70_000);
  a.slow = true;
  await a.read(); // stale: its refresh never ends
  await fleet.settle();
  fleet.clock.set(-5000); // the entry is stale still
  await fleet.clock.advance(15_000);
  for (const key of [...fleet.server.items.keys()]) if (key.includes("%mint")) fleet.server.items.delete(key);
  await a.read();
  await fleet.settle();
  assertEquals(a.computing.length, 2);
  for (const { end } of a.computing) end(1);
  await fleet.settle();
});

test("a clock whose monotonic is no function is refused by name", () => {
  const clock = { ...wallOnly(new FakeClock()), monotonic: 5 } as unknown as Clock;
  assertThrows(() => new GroupBackend({ clock }), TypeError, "its monotonic must be a function, or absent");
});
