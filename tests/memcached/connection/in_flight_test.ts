/** Timeouts, tombstones and aborts: who is told what, and what becomes of the late answer. */

import { assertEquals, assertInstanceOf, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { ConnectionError, TimeoutError } from "../../../src/memcached/mod.ts";
import { type Fakes, fakes, fateOf, hit, readyFakes, replyTo } from "../_fakes.ts";

/** The server gives a sign of life: it does not hang. */
async function keepAlive({ client, socket, clock }: Fakes): Promise<void> {
  const version = client.version();
  await clock.settle();
  // Answered in order, so only when nothing else is open.
  socket.say(replyTo(socket.requests.at(-1)!, { value: "1" }));
  await version;
}

/** One byte of an answer that is not whole. */
function trickle({ socket }: Fakes, n: number, at: number): void {
  socket.say(replyTo(socket.requests[n]!, { value: "x".repeat(50) }).slice(at, at + 1));
}

test("an operation without an answer is rejected after its timeout: the outcome is unknown", async () => {
  await using made = await readyFakes({ timeout: "250ms" });
  const { client, clock } = made;
  const set = fateOf(client.set("a", "x"));
  await clock.advance(249);
  assertEquals(set.now, "pending");
  await clock.advance(1);
  assertEquals(set.now, "rejected");
  assertInstanceOf(set.error, TimeoutError);
  assertMatch(set.error.message, /Cannot set "a": no answer from a:11211 within 250 ms, so its outcome is unknown/);
});

test("the late reply after a timeout is dropped, and the next one goes to its own caller", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const alice = fateOf(client.get("alice"));
  await clock.advance(600);
  trickle(made, 0, 0);
  const bob = client.get("bob");
  await clock.advance(400);
  assertEquals(alice.now, "rejected");
  assertInstanceOf(alice.error, TimeoutError);
  const late = replyTo(socket.requests[0]!, { value: "x".repeat(50) });
  socket.say(late.slice(1));
  socket.say(hit(socket.requests[1]!, "bob's"));
  assertEquals((await bob)!.text(), "bob's");
  assertEquals([made.sockets.length, socket.closed], [1, false]);
});

test("the late reply of a multi-get, hits and all, is dropped", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const controller = new AbortController();
  const multi = fateOf(client.getMulti(["a", "b"], controller));
  const bob = client.get("bob");
  await clock.settle();
  const [a, , noop, get] = socket.requests;
  socket.say(replyTo(a!, { flags: 0, key: "a", value: "1" }));
  controller.abort(new Error("enough"));
  await clock.settle();
  assertEquals((multi.error as Error).message, "enough");
  socket.say(replyTo(socket.requests[1]!, { flags: 0, key: "b", value: "2" }));
  socket.say(replyTo(noop!));
  socket.say(hit(get!, "bob's"));
  assertEquals((await bob)!.text(), "bob's");
});

test("a tombstone at the head that is older than one more timeout costs the connection, though bytes come", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const set = fateOf(client.set("a", "x"));
  await clock.settle();
  for (let n = 0; n < 3; n++) {
    await clock.advance(600);
    trickle(made, 0, n);
  }
  assertEquals([set.now, socket.closed], ["rejected", false]);
  const later = fateOf(client.set("b", "x"));
  await clock.advance(199);
  assertEquals(socket.closed, false);
  await clock.advance(1);
  assertEquals(socket.closed, true);
  assertEquals(later.now, "rejected");
  assertMatch((later.error as Error).message, /left a request unanswered for 2000 ms/);
});

test("an operation that waits for a connection times out all the same, and is not sent later", async () => {
  await using made = fakes({ timeout: "300ms", connectTimeout: "2s" });
  const { client, clock } = made;
  const set = fateOf(client.set("a", "x"));
  await clock.advance(200);
  const get = client.get("b");
  await clock.advance(100);
  assertInstanceOf(set.error, TimeoutError);
  assertMatch(set.error.message, /no connection to a:11211 within 300 ms; nothing was sent/);
  made.socket.ready();
  assertEquals(made.socket.requests.map(({ key }) => key), ["", "b"]);
  made.socket.reply(1, { status: 1 });
  await get;
});

test("one timer watches a connection, however many operations there are, and none is left when all is answered", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  await clock.advance(5000);
  assertEquals(clock.pending, 0);
  for (let round = 0; round < 20; round++) {
    const gets = Array.from({ length: 50 }, (_, n) => client.get(`k${n}`));
    await clock.settle();
    assertEquals(clock.pending, 1);
    socket.writes.at(-1);
    for (const request of socket.requests) socket.say(replyTo(request, { status: 1 }));
    socket.writes.length = 0;
    await Promise.all(gets);
    await clock.advance(100);
  }
  await clock.advance(1000);
  assertEquals([clock.pending, clock.referenced], [0, 0]);
});

test("an operation asked while the timer waits for an earlier one has its own whole timeout", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const first = client.get("a");
  await clock.settle();
  socket.reply(0, { status: 1 });
  await first;
  await clock.advance(900);
  const second = fateOf(client.get("b"));
  await clock.advance(999);
  assertEquals(second.now, "pending");
  await clock.advance(1);
  assertEquals(second.now, "rejected");
});

test("an abort rejects at once with the signal's reason, and the late reply is dropped", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const controller = new AbortController();
  const reason = { why: "tea" };
  const alice = fateOf(client.get("alice", controller));
  const bob = client.get("bob");
  await clock.settle();
  controller.abort(reason);
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(alice.now, "rejected");
  assertStrictEquals(alice.error, reason);
  socket.say(hit(socket.requests[0]!, "alice's"));
  socket.say(hit(socket.requests[1]!, "bob's"));
  assertEquals((await bob)!.text(), "bob's");
  assertEquals(socket.closed, false);
});

test("aborted beforehand, nothing is sent", async () => {
  await using made = fakes();
  const { client, clock } = made;
  const reason = new Error("before");
  const signal = AbortSignal.abort(reason);
  for (
    const call of [
      () => client.get("a", { signal }),
      () => client.getMulti(["a"], { signal }),
      () => client.set("a", "x", { signal }),
      () => client.delete("a", { signal }),
      () => client.incr("a", 1, { signal }),
      () => client.touch("a", 1, { signal }),
    ]
  ) {
    assertStrictEquals(await assertRejects(call), reason);
  }
  await clock.settle();
  assertEquals(made.sockets.length, 0);
});

test("aborted before it left, it is not sent, and those around it are", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const controllers = Array.from({ length: 5 }, () => new AbortController());
  const calls = controllers.map((controller, n) => client.set(`k${n}`, "x".repeat(n * 10), controller));
  const fates = calls.map(fateOf);
  controllers[3]!.abort();
  controllers[0]!.abort();
  await clock.settle();
  assertEquals(socket.requests.map(({ key, value }) => [key, value.length]), [["k1", 10], ["k2", 20], ["k4", 40]]);
  for (let n = 0; n < 3; n++) socket.reply(n);
  await clock.settle();
  assertEquals(fates.map(({ now }) => now), ["rejected", "resolved", "resolved", "rejected", "resolved"]);
  await keepAlive(made);
});

test("all aborted before they left: nothing is written at all", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const controller = new AbortController();
  const fates = [client.get("a", controller), client.get("b", controller)].map(fateOf);
  controller.abort();
  await clock.settle();
  assertEquals([fates.map(({ now }) => now), socket.writes.length], [["rejected", "rejected"], 0]);
  await keepAlive(made);
});

test("no listener stays on the signal, however the operation ends", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  let listeners = 0;
  const controller = new AbortController();
  const { signal } = controller;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  const hitOne = client.get("a", { signal });
  const failed = fateOf(client.incr("b", 1, { signal }));
  const lost = fateOf(client.set("c", "x", { signal }));
  assertEquals(listeners, 1, "those that share a signal share a listener");
  await clock.settle();
  socket.say(hit(socket.requests[0]!, "1"));
  socket.reply(1, { status: 6 });
  await hitOne;
  await clock.settle();
  assertEquals([failed.now, listeners], ["rejected", 1]);
  socket.end();
  await clock.settle();
  assertEquals([lost.now, listeners], ["rejected", 0]);
  const timedOut = fateOf(client.get("d", { signal }));
  await clock.advance(1000);
  assertEquals([timedOut.now, listeners], ["rejected", 0]);
});

test("an abort after the answer changes nothing", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const controller = new AbortController();
  const get = client.get("a", controller);
  await clock.settle();
  socket.say(hit(socket.requests[0]!, "1"));
  assertEquals((await get)!.text(), "1");
  controller.abort();
  await keepAlive(made);
  assertEquals(socket.closed, false);
});

test("close() does not wait for tombstones", async () => {
  const made = await readyFakes();
  const controller = new AbortController();
  const get = fateOf(made.client.get("a", controller));
  await made.clock.settle();
  const closed = fateOf(made.client.close());
  await made.clock.settle();
  assertEquals(closed.now, "pending");
  controller.abort();
  await made.clock.settle();
  assertEquals([get.now, closed.now, made.socket.closed, made.clock.pending], ["rejected", "resolved", true, 0]);
});

test("close() settles what hangs by its timeout", async () => {
  const made = await readyFakes();
  const get = fateOf(made.client.get("a"));
  const closed = fateOf(made.client.close());
  await made.clock.advance(999);
  assertEquals([get.now, closed.now], ["pending", "pending"]);
  await made.clock.advance(1);
  assertEquals([get.now, closed.now, made.clock.pending], ["rejected", "resolved", 0]);
  await assertRejects(() => made.client.get("a"), ConnectionError);
});

test("a late reply to a tombstone leaves the count of those who wait alone: close() waits for the others", async () => {
  const made = await readyFakes();
  const { client, clock, socket } = made;
  const controller = new AbortController();
  const gone = fateOf(client.get("a", controller));
  const get = client.get("b");
  await clock.settle();
  controller.abort();
  socket.reply(0, { status: 1 });
  const closed = fateOf(client.close());
  await clock.settle();
  assertEquals([gone.now, closed.now, socket.closed], ["rejected", "pending", false]);
  socket.say(hit(socket.requests[1]!, "b's"));
  assertEquals((await get)!.text(), "b's");
  await clock.settle();
  assertEquals(closed.now, "resolved");
});

test("a signal that is none is a TypeError that names it, of every verb", async () => {
  await using made = fakes();
  const options = { signal: new AbortController() as never };
  for (const ask of [() => made.client.get("k", options), () => made.client.getMulti(["k"], options)]) {
    await assertRejects(ask, TypeError, "as `signal`: it must be an AbortSignal");
  }
  await using waiting = fakes({ servers: "config", discovery: true });
  await assertRejects(() => waiting.client.get("k", options), TypeError, "as `signal`");
});
