import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { ConnectionError, QueueFullError, TimeoutError } from "../../../src/errors.ts";
import { Gate } from "../../../src/memcached/cluster/pending_calls.ts";
import { Memcached } from "../../../src/memcached/mod.ts";
import { FakeClock } from "../../../src/testing/fake_clock.ts";
import { fateOf } from "../_fakes.ts";

/** A gate whose `prepare` is settled by hand. */
function gated(bounds: { maxInFlight?: number; maxBytesInFlight?: number } = {}) {
  const clock = new FakeClock();
  const prepared: { resolve(): void; reject(error: Error): void }[] = [];
  const gate = new Gate(
    {
      server: "a",
      clock,
      timeoutMs: 1000,
      maxInFlight: 10,
      maxBytesInFlight: 1000,
      lanes: 1,
      lack: "nothing has come",
      ...bounds,
    },
    () => new Promise<void>((resolve, reject) => prepared.push({ resolve, reject })),
  );
  return { gate, clock, prepared };
}

test("Gate prepares with the first call, once, and makes all that waited in their order, before later ones", async () => {
  const { gate, clock, prepared } = gated();
  const made: number[] = [];
  const call = (n: number) => () => Promise.resolve(made.push(n));
  assertEquals(prepared.length, 0);
  const calls = [1, 2, 3].map((n) => gate.whenOpen("get", undefined, call(n)));
  assertEquals([prepared.length, gate.open], [1, false]);
  prepared[0]!.resolve();
  while (!gate.open) await Promise.resolve();
  made.push(4);
  assertEquals(await Promise.all(calls), [1, 2, 3]);
  assertEquals([made, clock.pending], [[1, 2, 3, 4], 0]);
});

test("Gate rejects all that wait when it cannot prepare, and tries again with the next call", async () => {
  const { gate, clock, prepared } = gated();
  const fates = [1, 2].map((n) => fateOf(gate.whenOpen("get", undefined, () => Promise.resolve(n))));
  const error = new ConnectionError("no such place", "a");
  prepared[0]!.reject(error);
  await clock.settle();
  assertEquals(fates.map((fate) => fate.error), [error, error]);
  const later = gate.whenOpen("get", undefined, () => Promise.resolve(3));
  assertEquals(prepared.length, 2);
  prepared[1]!.resolve();
  assertEquals([await later, gate.open, clock.pending], [3, true, 0]);
});

test("Gate times out a call, heeds its signal, and makes neither afterwards", async () => {
  const { gate, clock, prepared } = gated();
  const made: string[] = [];
  const controller = new AbortController();
  const late = fateOf(gate.whenOpen("get", undefined, () => Promise.resolve(made.push("late"))));
  const aborted = fateOf(gate.whenOpen("get", controller.signal, () => Promise.resolve(made.push("aborted"))));
  controller.abort("enough");
  await clock.advance(1000);
  assert(late.error instanceof TimeoutError, String(late.error));
  assertEquals(late.error.message, "Cannot get: nothing has come within 1000 ms; nothing was sent");
  assertEquals(aborted.error, "enough");
  await assertRejects(() => gate.whenOpen("get", controller.signal, () => Promise.resolve(made.push("before"))));
  prepared[0]!.resolve();
  await clock.settle();
  assertEquals([made, gate.open, clock.pending], [[], true, 0]);
});

test("Gate bounds the calls and the bytes that wait, yet takes one call of any size", async () => {
  const few = gated({ maxInFlight: 2 });
  const ask = (gate: Gate, bytes: number) => fateOf(gate.whenOpen("get", undefined, () => Promise.resolve(), bytes));
  const [, , third] = [1, 1, 1].map((bytes) => ask(few.gate, bytes));
  const small = gated({ maxBytesInFlight: 100 });
  const [large, more] = [5000, 1].map((bytes) => ask(small.gate, bytes));
  await few.clock.settle();
  assert(third!.error instanceof QueueFullError && more!.error instanceof QueueFullError);
  assertEquals(large!.now, "pending");
  small.prepared[0]!.resolve();
  await small.clock.settle();
  assertEquals(large!.now, "resolved");
});

test("Gate closes when nobody waits any more, and refuses whoever comes later", async () => {
  const { gate, clock, prepared } = gated();
  const made = fateOf(gate.whenOpen("get", undefined, () => Promise.resolve()));
  const closed = fateOf(gate.close());
  await assertRejects(
    () => gate.whenOpen("get", undefined, () => Promise.resolve()),
    ConnectionError,
    "the client is closed",
  );
  await clock.settle();
  assertEquals([made.now, closed.now], ["pending", "pending"]);
  prepared[0]!.resolve();
  await clock.settle();
  assertEquals([made.now, closed.now], ["resolved", "resolved"]);
  await gate.close();
});

test("Gate that has nothing to prepare is open", () => {
  const { gate } = gated();
  assertEquals(gate.open, false);
  const settings = {
    server: "a",
    clock: new FakeClock(),
    timeoutMs: 1,
    maxInFlight: 1,
    maxBytesInFlight: 1,
    lanes: 1,
    lack: "",
  };
  assertEquals(new Gate(settings).open, true);
});

test("Gate makes very many calls in steps, and one that comes between them after them", async () => {
  const { gate, clock, prepared } = gated({ maxInFlight: 100_000 });
  const made: number[] = [];
  const calls = Array.from(
    { length: 25_000 },
    (_, n) => gate.whenOpen("get", undefined, () => Promise.resolve(made.push(n))),
  );
  prepared[0]!.resolve();
  while (made.length === 0) await Promise.resolve();
  assertEquals([made.length, gate.open], [10_000, false]);
  const late = gate.whenOpen("get", undefined, () => Promise.resolve(made.push(-1)));
  await clock.advance(0);
  await Promise.all([...calls, late]);
  assertEquals([made.length, made.indexOf(-1), made[24_999], gate.open], [25_001, 25_000, 24_999, true]);
  assertEquals([prepared.length, clock.pending], [1, 0]);
});

test("Gate that was closed with nobody waiting stays shut, whatever comes then", async () => {
  const { gate, clock, prepared } = gated();
  const late = fateOf(gate.whenOpen("get", undefined, () => Promise.resolve()));
  await clock.advance(1000);
  await gate.close();
  prepared[0]!.resolve();
  await clock.settle();
  assertEquals([late.now, gate.open], ["rejected", false]);
  await assertRejects(
    () => gate.whenOpen("get", undefined, () => Promise.resolve()),
    ConnectionError,
    "the client is closed",
  );
});

test("Gate rejects a call that throws, and makes the others", async () => {
  const { gate, prepared } = gated();
  const thrown = gate.whenOpen("get", undefined, () => {
    throw new TypeError("no");
  });
  const other = gate.whenOpen("get", undefined, () => Promise.resolve(1));
  prepared[0]!.resolve();
  await assertRejects(() => thrown, TypeError, "no");
  assertEquals(await other, 1);
});

test("a client that is closed before its first call names the verb and the key that it refuses", async () => {
  const client = new Memcached("a");
  await client.close();
  await assertRejects(() => client.get("k"), ConnectionError, 'Cannot get "k": the client is closed');
  await assertRejects(() => client.set("k", "v"), ConnectionError, 'Cannot set "k": the client is closed');
  await assertRejects(() => client.getMulti(["k"]), ConnectionError, "Cannot get many: the client is closed");
  await assertRejects(() => client.flushAll(), ConnectionError, "Cannot flushAll: the client is closed");
});
