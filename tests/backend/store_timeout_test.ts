/** `storeTimeout` counts from when a question could be sent: what a store spends on connecting has bounds of its own. */
import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { Fleet, isOpen } from "./_fleet.ts";

const KEY = "::k", COUNTER = ":%group:cities";

/** A process whose store's connection is ready at a moment, in fake ms from now; until then nothing is sent. */
function connecting(fleet: Fleet, readyInMs: number, keys: readonly string[] = [KEY]) {
  const a = fleet.process();
  const readyAt = fleet.clock.now() + readyInMs;
  Object.assign(a.store, {
    sendableMs: (key: string) => keys.includes(key) ? Math.max(0, fleet.clock.now() - readyAt) : Infinity,
  });
  return a;
}

for (const [verb, what] of [["get", "a look"], ["add", "a lease"]] as const) {
  test(`${what} waits storeTimeout from when it could be sent, however long the store connects`, async () => {
    const fleet = new Fleet();
    const a = connecting(fleet, 2300);
    a.store.gate(verb, "hold", KEY);
    const call = a.read();
    await fleet.clock.advance(3299);
    assertEquals(await isOpen(call, fleet), true);
    await fleet.clock.advance(1);
    assertEquals(await call, 1);
    assertEquals(fleet.clock.pending, 0);
  });

  test(`${what} that is answered once its store has connected counts as answered`, async () => {
    const fleet = new Fleet();
    const a = connecting(fleet, 1400), b = fleet.process();
    const held = a.store.gate(verb, "hold", KEY);
    const call = a.read();
    await fleet.clock.advance(1500);
    held.through();
    assertEquals(await call, 1);
    await fleet.settle();
    assertEquals([await b.read(), b.computations], [1, 0]);
  });
}

test("a question that could be sent waits no longer because another one of its tick could not", async () => {
  const fleet = new Fleet();
  const a = connecting(fleet, 60_000, ["::other"]);
  a.store.gate("get", "hold", KEY);
  a.store.gate("get", "hold", "::other");
  const [call, other] = [a.read(), a.read({}, "other")];
  await fleet.clock.advance(1000);
  assertEquals([await call, await isOpen(other, fleet)], [1, true]);
  await fleet.clock.advance(60_000);
  assertEquals(await other, 1);
});

test("a counter whose server connects does not count against storeTimeout either", async () => {
  const fleet = new Fleet();
  const a = connecting(fleet, 5000, [COUNTER]);
  const held = a.store.gate("counter", "hold", COUNTER);
  const call = a.read({ group: "cities" });
  await fleet.clock.advance(5900);
  held.through();
  assertEquals(await call, 1);
  await fleet.settle();
  assertEquals([await a.read({ group: "cities" }), a.computations], [1, 1]);
});

test("what a store of others says of that, nonsense or an exception, changes nothing", async () => {
  for (
    const sendableMs of [() => "soon", () => NaN, () => -5, () => undefined, () => {
      throw new Error("no");
    }]
  ) {
    const fleet = new Fleet();
    const a = fleet.process();
    Object.assign(a.store, { sendableMs });
    a.store.gate("get", "hold", KEY);
    const call = a.read();
    await fleet.clock.advance(1000);
    assertEquals(await call, 1);
  }
});
