import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { ConnectionError, QueueFullError, TimeoutError } from "../../../src/errors.ts";
import { PendingCalls } from "../../../src/memcached/cluster/pending_calls.ts";
import { Memcached } from "../../../src/memcached/mod.ts";
import { FakeClock } from "../../../src/testing/fake_clock.ts";
import { fateOf } from "../_fakes.ts";

/** Pending calls whose `prepare` is settled by hand. */
function pendingCalls(bounds: { maxCalls?: number; maxBytes?: number } = {}) {
  const clock = new FakeClock();
  const prepared: { resolve(): void; reject(error: Error): void }[] = [];
  const pending = new PendingCalls(
    {
      server: "a",
      clock,
      timeoutMs: 1000,
      maxCalls: 10,
      maxBytes: 1000,
      waitingFor: "nothing has come",
      ...bounds,
    },
    () => new Promise<void>((resolve, reject) => prepared.push({ resolve, reject })),
  );
  return { pending, clock, prepared };
}

test("PendingCalls prepare with the first call, once, and make all that waited in their order, before later ones", async () => {
  const { pending, clock, prepared } = pendingCalls();
  const made: number[] = [];
  const call = (n: number) => () => Promise.resolve(made.push(n));
  assertEquals(prepared.length, 0);
  const calls = [1, 2, 3].map((n) => pending.whenOpen("get", undefined, call(n)));
  assertEquals([prepared.length, pending.open], [1, false]);
  prepared[0]!.resolve();
  while (!pending.open) await Promise.resolve();
  made.push(4);
  assertEquals(await Promise.all(calls), [1, 2, 3]);
  assertEquals([made, clock.pending], [[1, 2, 3, 4], 0]);
});

test("PendingCalls reject all that wait when they cannot prepare, and try again with the next call", async () => {
  const { pending, clock, prepared } = pendingCalls();
  const fates = [1, 2].map((n) => fateOf(pending.whenOpen("get", undefined, () => Promise.resolve(n))));
  const error = new ConnectionError("no such place", "a");
  prepared[0]!.reject(error);
  await clock.settle();
  assertEquals(fates.map((fate) => fate.error), [error, error]);
  const later = pending.whenOpen("get", undefined, () => Promise.resolve(3));
  assertEquals(prepared.length, 2);
  prepared[1]!.resolve();
  assertEquals([await later, pending.open, clock.pending], [3, true, 0]);
});

test("PendingCalls time out a call, reject it when its signal fires, and make neither afterwards", async () => {
  const { pending, clock, prepared } = pendingCalls();
  const made: string[] = [];
  const controller = new AbortController();
  const late = fateOf(pending.whenOpen("get", undefined, () => Promise.resolve(made.push("late"))));
  const aborted = fateOf(pending.whenOpen("get", controller.signal, () => Promise.resolve(made.push("aborted"))));
  controller.abort("enough");
  await clock.advance(1000);
  assert(late.error instanceof TimeoutError, String(late.error));
  assertEquals(late.error.message, "Cannot get: nothing has come within 1000 ms; nothing was sent");
  assertEquals(aborted.error, "enough");
  await assertRejects(() => pending.whenOpen("get", controller.signal, () => Promise.resolve(made.push("before"))));
  prepared[0]!.resolve();
  await clock.settle();
  assertEquals([made, pending.open, clock.pending], [[], true, 0]);
});

test("PendingCalls bound the calls and the bytes that wait, yet take one call of any size", async () => {
  const few = pendingCalls({ maxCalls: 2 });
  const ask = (pending: PendingCalls, bytes: number) =>
    fateOf(pending.whenOpen("get", undefined, () => Promise.resolve(), bytes));
  const [, , third] = [1, 1, 1].map((bytes) => ask(few.pending, bytes));
  const small = pendingCalls({ maxBytes: 100 });
  const [large, more] = [5000, 1].map((bytes) => ask(small.pending, bytes));
  await few.clock.settle();
  assert(third!.error instanceof QueueFullError && more!.error instanceof QueueFullError);
  assertEquals(large!.now, "pending");
  small.prepared[0]!.resolve();
  await small.clock.settle();
  assertEquals(large!.now, "resolved");
});

test("PendingCalls close when nobody waits any more, and refuse whoever comes later", async () => {
  const { pending, clock, prepared } = pendingCalls();
  const made = fateOf(pending.whenOpen("get", undefined, () => Promise.resolve()));
  const closed = fateOf(pending.close());
  await assertRejects(
    () => pending.whenOpen("get", undefined, () => Promise.resolve()),
    ConnectionError,
    "the client is closed",
  );
  await clock.settle();
  assertEquals([made.now, closed.now], ["pending", "pending"]);
  prepared[0]!.resolve();
  await clock.settle();
  assertEquals([made.now, closed.now], ["resolved", "resolved"]);
  await pending.close();
});

test("PendingCalls that have nothing to prepare let every call through", () => {
  const { pending } = pendingCalls();
  assertEquals(pending.open, false);
  const options = { server: "a", clock: new FakeClock(), timeoutMs: 1, maxCalls: 1, maxBytes: 1, waitingFor: "" };
  assertEquals(new PendingCalls(options).open, true);
});

test("PendingCalls that were closed with nobody waiting stay closed, whatever comes then", async () => {
  const { pending, clock, prepared } = pendingCalls();
  const late = fateOf(pending.whenOpen("get", undefined, () => Promise.resolve()));
  await clock.advance(1000);
  await pending.close();
  prepared[0]!.resolve();
  await clock.settle();
  assertEquals([late.now, pending.open], ["rejected", false]);
  await assertRejects(
    () => pending.whenOpen("get", undefined, () => Promise.resolve()),
    ConnectionError,
    "the client is closed",
  );
});

test("PendingCalls reject a call that throws, and make the others", async () => {
  const { pending, prepared } = pendingCalls();
  const thrown = pending.whenOpen("get", undefined, () => {
    throw new TypeError("no");
  });
  const other = pending.whenOpen("get", undefined, () => Promise.resolve(1));
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
