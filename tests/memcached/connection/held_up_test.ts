/** Our own event loop is held up: what came in time lies unread behind timers that are due, and nobody is to blame. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { test } from "node:test";
import { deadline, responsiveTime } from "../../../src/util/deadline.ts";
import { type Clock, ConnectionError, Memcached, TimeoutError } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { type Fakes, fakes, fateOf, hit } from "../_fakes.ts";

/** A clock whose event loop can be held up: time goes on, and its timers fire afterwards. */
class HeldUpClock implements Clock {
  time = 1000;
  readonly #timers = new Map<number, { readonly due: number; readonly wake: () => void }>();
  #last = 0;

  now(): number {
    return this.time;
  }
  setTimeout(wake: () => void, ms: number): unknown {
    this.#timers.set(++this.#last, { due: this.time + Math.max(ms, 1), wake });
    return this.#last;
  }
  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number);
  }
  get pending(): number {
    return this.#timers.size;
  }

  /** The event loop is held up for so long; then come the timers that are due, before any socket is read. */
  async heldUp(ms: number): Promise<void> {
    this.time += ms;
    for (const [id, { due, wake }] of [...this.#timers]) {
      if (due > this.time || !this.#timers.delete(id)) continue;
      wake();
    }
    await settle();
  }

  /** Time goes on by so many ms, and nothing holds it up. */
  async goOn(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#timers].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due);
      if (next === undefined) break;
      this.time = Math.max(this.time, next[1].due);
      this.#timers.delete(next[0]);
      next[1].wake();
      await settle();
    }
    this.time = end;
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A client on a clock that can be held up, with a connection that is ready. */
async function ready(options: Parameters<typeof fakes>[0] = {}): Promise<{ made: Fakes; clock: HeldUpClock }> {
  const clock = new HeldUpClock();
  const made = fakes({ ...options, clock });
  const first = made.client.get("warm");
  made.socket.ready();
  await settle();
  made.socket.reply(1, { status: 1 });
  await first;
  made.socket.writes.length = 0;
  return { made, clock };
}

test("deadline() counts no more than a tenth of a second of what holds up the event loop, however often it does", async () => {
  const clock = new HeldUpClock();
  let due = 0;
  deadline(clock, 1000, () => due = clock.time);
  let left = 1000;
  for (const ms of [5000, 700, 1200]) {
    await clock.heldUp(ms);
    left -= 100;
  }
  await clock.goOn(left - 1);
  assertEquals(due, 0);
  await clock.goOn(1);
  assert(due > 0);
  assertEquals(clock.pending, 0);
});

test("deadline() decides nothing before a whole turn, after every late timer, a block that ends just past it included", async () => {
  const clock = new HeldUpClock();
  let due = false;
  deadline(clock, 1000, () => due = true);
  await clock.goOn(950);
  await clock.heldUp(53);
  assertEquals(due, false);
  for (let n = 0; n < 3; n++) {
    await clock.heldUp(1200);
    assertEquals(due, false);
  }
  await clock.goOn(5);
  assertEquals([due, clock.pending], [true, 0]);
});

test("deadline() comes at last where every turn is held up, and never once it was cancelled", async () => {
  const clock = new HeldUpClock();
  let due = false;
  deadline(clock, 100, () => due = true);
  for (let n = 0; n < 25; n++) await clock.heldUp(200);
  assertEquals([due, clock.pending], [true, 0]);
  const cancel = deadline(clock, 1000, () => assert(false));
  await clock.heldUp(500);
  cancel();
  await clock.goOn(5000);
  assertEquals(clock.pending, 0);
});

test("deadline() that never comes needs no timer", () => {
  const clock = new HeldUpClock();
  deadline(clock, Infinity, () => {})();
  assertEquals(clock.pending, 0);
});

test("responsiveTime() counts a time in which several deadlines wait once, and goes on with the clock otherwise", async () => {
  const clock = new HeldUpClock();
  const began = responsiveTime(clock);
  const cancels = [30, 100, 1000].map((ms) => deadline(clock, ms, () => {}));
  await clock.goOn(300);
  assertEquals(responsiveTime(clock) - began, 300);
  await clock.heldUp(2000);
  assertEquals(responsiveTime(clock) - began, 400);
  await clock.goOn(200);
  assertEquals(responsiveTime(clock) - began, 600);
  for (const cancel of cancels) cancel();
});

test("an answer that came while the event loop was held up is given, two and three stretches in a row", async () => {
  const { made, clock } = await ready();
  const { client, socket } = made;
  for (let n = 0; n < 3; n++) {
    const get = fateOf(client.get("a"));
    await Promise.resolve();
    for (let stretch = 0; stretch <= n; stretch++) await clock.heldUp(1200);
    assertEquals([get.now, socket.closed], ["pending", false]);
    socket.say(hit(socket.requests.at(-1)!, "1"));
    await settle();
    assertEquals(get.now, "resolved");
  }
  await client.close();
  assertEquals(clock.pending, 0);
});

test("a call made at the end of what held up the event loop has its own whole timeout, and no more", async () => {
  const { made, clock } = await ready();
  const first = fateOf(made.client.get("a"));
  await Promise.resolve();
  clock.time += 5000; // still held up
  const second = fateOf(made.client.get("b"));
  await clock.heldUp(0);
  await clock.goOn(899);
  assertEquals([first.now, second.now], ["pending", "pending"]);
  made.socket.say(hit(made.socket.requests[0]!, "1").slice(0, 3)); // it does not hang
  await clock.goOn(1);
  await clock.goOn(6);
  assertEquals([first.now, second.now], ["rejected", "pending"]);
  assert(first.error instanceof TimeoutError);
  await clock.goOn(100);
  assertEquals(second.now, "rejected");
});

test("a server that hangs is found out all the same, once it had a whole timeout of our attention", async () => {
  const { made, clock } = await ready();
  const { client, socket } = made;
  const set = fateOf(client.set("a", "x"));
  await Promise.resolve();
  await clock.heldUp(3000);
  await clock.goOn(899);
  assertEquals([set.now, socket.closed], ["pending", false]);
  await clock.goOn(6);
  assertEquals([set.now, socket.closed], ["rejected", true]);
});

test("a second of start-up right after the first call counts neither for its connection nor for the call", async () => {
  const clock = new HeldUpClock();
  await using made = fakes({ clock });
  const get = fateOf(made.client.get("a"));
  await Promise.resolve();
  await clock.heldUp(1200);
  assertEquals(get.now, "pending");
  // Its handshake takes its time, as over a network.
  await clock.goOn(300);
  made.socket.open();
  await clock.heldUp(900);
  made.socket.say(new Uint8Array(0));
  await clock.goOn(300);
  made.socket.ready();
  await settle();
  made.socket.say(hit(made.socket.requests.at(-1)!, "1"));
  await settle();
  assertEquals(get.now, "resolved");
});

test("a connection that is not made within connectTimeout of our attention is given up", async () => {
  const clock = new HeldUpClock();
  await using made = fakes({ clock, timeout: "5s" });
  const get = fateOf(made.client.get("a"));
  await Promise.resolve();
  await clock.heldUp(4000);
  await clock.goOn(899);
  assertEquals(get.now, "pending");
  await clock.goOn(6);
  assert(get.error instanceof ConnectionError);
  assertMatch(get.error.message, /did not accept a connection within 1000 ms/);
});

test("what holds up the event loop while the list of servers is asked for does not count", async () => {
  const clock = new HeldUpClock();
  await using made = fakes({ clock, servers: "config", discovery: true });
  const get = fateOf(made.client.get("k"));
  await settle();
  made.sockets[0]!.open();
  for (let n = 0; n < 3; n++) await clock.heldUp(1200);
  const text = "1\none||11211\n";
  made.sockets[0]!.say(`CONFIG cluster 0 ${text.length}\r\n${text}\r\nEND\r\n`);
  await settle();
  made.socket.ready();
  await settle();
  made.socket.reply(1, { status: 1 });
  await settle();
  assertEquals(get.now, "resolved");
});

/** Really: nobody else is served meanwhile. */
function busy(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test("a program that is busy for longer than every timeout, at its start and in between, loses nothing", {
  timeout: 60_000,
}, async () => {
  await using server = await freshServer();
  for (const tick of [() => Promise.resolve(), settle]) {
    await using client = new Memcached(server.address, { timeout: "400ms", connectTimeout: "400ms" });
    const told: unknown[] = [];
    client.on("dead", (event) => told.push(event));
    const first = client.set("a", "1");
    await tick();
    busy(600);
    assertEquals((await first).stored, true);
    for (let n = 0; n < 2; n++) {
      const get = client.get("a");
      await tick();
      busy(600);
      await tick();
      busy(403);
      assertEquals((await get)!.text(), "1");
    }
    assertEquals(told, []);
  }
});
