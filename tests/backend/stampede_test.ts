/** An outage is no stampede: without a lease one computation a key at a time, and as many keys at once as one says. */
import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { type FakeProcess, Fleet } from "./_fleet.ts";
import { GroupBackend } from "./_mod.ts";

const KEY = "::k", GROUP = { group: "cities" };

/** Why there is no lease, and what has to pass until a call knows it. */
const REASONS: readonly [string, (process: FakeProcess) => void, number][] = [
  ["a dead server", ({ store }) => store.down = true, 0],
  ["a full driver", ({ store }) => store.gate("get", "fail", KEY, 99), 0],
  ["a driver that is full for leases", ({ store }) => store.gate("add", "fail", KEY, 99), 0],
  ["a look that is late", ({ store }) => store.gate("get", "hold", KEY, 99), 1000],
  ["a counter that is late", ({ store }) => store.gate("counter", "hold", undefined, 99), 1000],
  ["a lease that is late", ({ store }) => store.gate("add", "hold", KEY, 99), 1000],
  ["a client that has no room", ({ store }) => void Object.assign(store, { load: () => 1 }), 1001],
];

for (const [reason, begin, ms] of REASONS) {
  test(`${reason}: a process runs one computation a key at a time, whatever its callers name`, async () => {
    const fleet = new Fleet();
    const a = fleet.process();
    a.slow = true;
    begin(a);
    const calls: Promise<unknown>[] = [];
    for (let n = 0; n < 20; n++) {
      calls.push(a.read(n % 2 === 0 ? GROUP : { ...GROUP, timeout: "1h" }));
      if (n % 5 === 4) await fleet.settle();
    }
    await fleet.clock.advance(ms);
    assertEquals(a.computing.length, 1);
    a.computing[0]!.end(1);
    await fleet.settle();
    // Those who came after it had begun have one of their own, together.
    assertEquals(a.computing.length <= 2, true);
    a.computing[1]?.end(1);
    await Promise.all(calls);
    assertEquals(a.computations <= 2, true);
  });
}

test("outageConcurrency bounds how many keys are computed at once while the store is down, in order", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ outageConcurrency: 2 });
  a.slow = true;
  a.store.down = true;
  const calls = Array.from({ length: 5 }, (_, n) => a.backend.fetch(`k${n}`, a.compute));
  const again = a.backend.fetch("k4", a.compute); // joins the one that waits
  for (let done = 0; done < 5; done++) {
    await fleet.settle();
    assertEquals(a.computing.length, Math.min(5, done + 2));
    a.computing[done]!.end(done);
  }
  assertEquals(await Promise.all([...calls, again]), [0, 1, 2, 3, 4, 4]);
  assertEquals(fleet.clock.pending, 0);
});

test("outageConcurrency: by default no call waits for another's key, nor one that holds a lease ever", async () => {
  const fleet = new Fleet();
  const [a, b] = [fleet.process(), fleet.process({ outageConcurrency: 1 })];
  a.slow = b.slow = true;
  a.store.down = true;
  const calls = Array.from({ length: 50 }, (_, n) => [a, b].map((one) => one.backend.fetch(`k${n}`, one.compute)));
  await fleet.settle();
  assertEquals([a.computing.length, b.computing.length], [50, 50]);
  for (const one of [a, b]) for (const { end } of one.computing) end(1);
  await Promise.all(calls.flat());
});

test("outageConcurrency: what cannot be kept is no outage, and waits for nobody's key", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ outageConcurrency: 1 });
  a.result = () => null;
  for (let n = 0; n < 3; n++) await a.read({}, `k${n}`); // the marks
  await fleet.settle();
  a.slow = true;
  const calls = Array.from({ length: 3 }, (_, n) => a.read({}, `k${n}`));
  await fleet.settle();
  assertEquals(a.computing.length, 3);
  for (const { end } of a.computing) end();
  await Promise.all(calls);
});

test("outageConcurrency: a function that fails or is abandoned gives its place to the next", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ outageConcurrency: 1 });
  a.slow = true;
  a.store.down = true;
  const leaves = new AbortController();
  const gone = a.backend.fetch("k0", a.compute, { signal: leaves.signal }).catch(() => "gone");
  await fleet.settle();
  const fails = a.backend.fetch("k1", a.compute).catch(() => "failed");
  const last = a.backend.fetch("k2", a.compute);
  await fleet.settle();
  leaves.abort();
  await fleet.settle();
  a.computing[1]!.fail(new Error("no"));
  await fleet.settle();
  a.computing[2]!.end(2);
  assertEquals(await Promise.all([gone, fails, last]), ["gone", "failed", 2]);
});

test("outageConcurrency: behind functions that hang a call waits mintDelay at most", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ outageConcurrency: 1, mintDelay: "3s" });
  a.slow = true;
  a.store.down = true;
  void a.backend.fetch("k0", a.compute);
  const second = a.backend.fetch("k1", a.compute);
  await fleet.clock.advance(2999);
  assertEquals(a.computing.length, 1);
  await fleet.clock.advance(1);
  assertEquals(a.computing.length, 2);
  a.computing[1]!.end(5);
  assertEquals(await second, 5);
  assertEquals(fleet.clock.pending, 0);
});

test("outageConcurrency: a call from inside a computation takes no place", async () => {
  const fleet = new Fleet();
  const { backend, store } = fleet.process({ outageConcurrency: 1 });
  store.down = true;
  const begun: string[] = [];
  const inner = () => backend.fetch("inner", () => void begun.push("inner"));
  void backend.fetch("outer", async () => {
    begun.push("outer");
    await inner();
    await new Promise(() => {});
  });
  void backend.fetch("other", () => void begun.push("other"));
  await fleet.settle();
  assertEquals(begun, ["outer", "inner"]);
});

test("outageConcurrency that is no whole number above 0 is refused by name", () => {
  for (const outageConcurrency of [0, -1, 1.5, NaN]) {
    assertThrows(() => new GroupBackend({ outageConcurrency }), RangeError, "as outageConcurrency");
  }
  assertThrows(() => new GroupBackend({ outageConcurrency: "2" as unknown as number }), TypeError, "string as outage");
  new GroupBackend({ outageConcurrency: Infinity });
});
