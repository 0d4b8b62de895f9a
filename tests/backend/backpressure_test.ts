/** Looks and requests for leases wait where they would fill more than nine tenths of what a store takes at once. */
import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { Fleet, isOpen } from "./_fleet.ts";
import type { Found } from "../../src/store/store.ts";

/** A process over a store that takes so many questions at once, each answered once it is let through. */
function bounded(fleet: Fleet, most: number) {
  const process = fleet.process();
  const { store } = process;
  const asked: { readonly what: string; readonly through: () => void }[] = [];
  let inFlight = 0;
  const told: string[] = [];
  process.backend.on("storeError", ({ error }) => told.push(String(error)));
  const real = { get: store.get.bind(store), add: store.add.bind(store), set: store.set.bind(store) };
  const bounding = <T>(verb: string, key: string, ask: () => Promise<T>): Promise<T> => {
    if (inFlight >= most) return Promise.reject(new Error(`full: ${verb} ${key}`));
    inFlight++;
    return new Promise<void>((resolve) => asked.push({ what: `${verb} ${key}`, through: resolve })).then(() => {
      inFlight--;
      return ask();
    });
  };
  Object.assign(store, {
    load: () => inFlight / most,
    get: (key: string): Promise<Found | undefined> => bounding("get", key, () => real.get(key)),
    add: (...args: Parameters<typeof real.add>) => bounding("add", args[0], () => real.add(...args)),
    set: (...args: Parameters<typeof real.set>) => bounding("set", args[0], () => real.set(...args)),
  });
  return { process, asked, told };
}

test("looks of one tick beyond nine tenths of the bound wait, in order, and are answered from the store", async () => {
  const fleet = new Fleet();
  const warm = fleet.process();
  for (let n = 0; n < 25; n++) await warm.read({}, `k${n}`);
  const { process, asked, told } = bounded(fleet, 10);
  const calls = Array.from({ length: 25 }, (_, n) => process.read({}, `k${n}`));
  await fleet.settle();
  assertEquals(asked.map(({ what }) => what), Array.from({ length: 9 }, (_, n) => `get ::k${n}`));
  for (let n = 0; n < 25; n++) {
    asked[n]!.through();
    await fleet.clock.advance(1);
  }
  await Promise.all(calls);
  assertEquals(asked.map(({ what }) => what), Array.from({ length: 25 }, (_, n) => `get ::k${n}`));
  assertEquals([process.computations, told, process.backend.stats.hit], [0, [], 25]);
  await fleet.clock.advance(1000);
  assertEquals(fleet.clock.pending, 0);
});

test("requests for leases wait as looks do; a value's set passes with nine tenths full", async () => {
  const fleet = new Fleet();
  const { process, asked, told } = bounded(fleet, 10);
  const calls = Array.from({ length: 12 }, (_, n) => process.read({}, `k${n}`));
  for (let n = 0; n < asked.length || n < 12; n++) {
    await fleet.settle();
    if (asked[n]?.what.startsWith("get")) asked[n]!.through();
    if (n > 0) await fleet.clock.advance(1);
  }
  await fleet.settle();
  const adds = asked.filter(({ what }) => what.startsWith("add"));
  assertEquals(adds.length, 9);
  for (const { through } of adds) through();
  await fleet.clock.advance(10);
  // Their places are their values' own: nobody who waits has taken them.
  assertEquals(asked.slice(-9).map(({ what }) => what), Array.from({ length: 9 }, (_, n) => `set ::k${n}`));
  for (let turn = 0; turn < 12; turn++) {
    for (const { through } of asked) through();
    await fleet.clock.advance(1);
  }
  await Promise.all(calls);
  assertEquals([process.computations, told], [12, []]);
});

test("a read that found no room for a whole storeTimeout is given up, is told why, and is never asked", async () => {
  const fleet = new Fleet();
  const { process, asked, told } = bounded(fleet, 10);
  const full = Array.from({ length: 9 }, (_, n) => process.backend.get(`k${n}`));
  await fleet.settle();
  await fleet.clock.advance(500);
  const late = process.read({}, "late");
  await fleet.clock.advance(999);
  assertEquals(await isOpen(late, fleet), true); // its own second, not that of the others
  await fleet.clock.advance(10);
  assertEquals(await late, 1);
  assertEquals(told.filter((text) => text.includes("no room for it within storeTimeout (1000 ms)")).length, 1);
  assertEquals(asked.some(({ what }) => what.includes("late")), false);
  for (const { through } of asked) through();
  await Promise.all(full);
});

test("a read that had to wait has a whole storeTimeout from when it was sent", async () => {
  const fleet = new Fleet();
  const warm = fleet.process();
  await warm.read();
  const { process, asked, told } = bounded(fleet, 10);
  const full = Array.from({ length: 9 }, (_, n) => process.backend.get(`other${n}`));
  const call = process.read();
  await fleet.clock.advance(900);
  asked[0]!.through();
  await fleet.clock.advance(1);
  assertEquals(asked.at(-1)!.what, "get ::k");
  await fleet.clock.advance(900);
  asked.at(-1)!.through();
  assertEquals([await call, process.computations, told.filter((text) => text.includes("::k:"))], [1, 0, []]);
  for (const { through } of asked) through();
  await Promise.all(full);
});

test("room that others make, who share the client, is found as well", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  let load = 1;
  Object.assign(a.store, { load: () => load });
  const call = a.backend.get("k");
  await fleet.clock.advance(300);
  assertEquals(a.store.log, []);
  load = 0.5;
  await fleet.clock.advance(10);
  assertEquals([a.store.log, await call], [["get ::k"], undefined]);
});

test("who waits for one server's room holds up nobody of another one", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const loads: Record<string, number> = { s1: 1, s2: 0 };
  const lane = (key: string) => key.endsWith("1") ? "s1" : "s2";
  Object.assign(a.store, { lane, load: (key?: string) => key === undefined ? 1 : loads[lane(key)] });
  const calls = ["k1", "k2", "k1"].map((key) => a.backend.get(key));
  await fleet.settle();
  assertEquals(a.store.log, ["get ::k2"]);
  loads.s1 = 0;
  await fleet.clock.advance(10);
  await Promise.all(calls);
  assertEquals(a.store.log, ["get ::k2", "get ::k1"]);
});

test("a read that waits for room is shared by nobody who comes after its tick", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await b.read();
  let load = 1;
  Object.assign(a.store, { load: () => load });
  const first = a.read();
  await fleet.settle();
  const second = a.read();
  await fleet.settle();
  load = 0;
  await fleet.clock.advance(10);
  await Promise.all([first, second]);
  assertEquals(a.store.log, ["get ::k", "get ::k"]);
});

test("what a store of others says of its load, nonsense or an exception, makes nobody wait", async () => {
  for (
    const load of [() => "full", () => NaN, () => undefined, () => {
      throw new Error("no");
    }]
  ) {
    const fleet = new Fleet();
    const a = fleet.process();
    Object.assign(a.store, { load, lane: load });
    const call = a.read();
    await fleet.settle();
    assertEquals(await isOpen(call, fleet), false);
    assert(await call === 1);
  }
});
