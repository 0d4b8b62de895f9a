/** Refusals that changed nothing for certain: which of them the driver asks again, and how often. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { test } from "node:test";
import { Memcached, ServerError } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { type Fakes, fakes, fateOf, readyFakes } from "../_fakes.ts";

const COUNTER = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 7]);

for (const verb of ["incr", "decr"] as const) {
  test(`${verb}() whose new counter another client creates at the same moment is asked again, unseen`, async () => {
    await using made = await readyFakes();
    const { client, clock, socket } = made;
    const count = fateOf(client[verb]("visits", 1, { initial: 1 }));
    await clock.settle();
    socket.reply(0, { status: 5, value: "Not stored." });
    await clock.settle();
    assertEquals([count.now, socket.requests.length], ["pending", 2]);
    const [first, second] = socket.requests;
    assertEquals([second!.opcode, second!.extras, second!.key], [first!.opcode, first!.extras, first!.key]);
    socket.reply(1, { value: COUNTER });
    await clock.settle();
    assertEquals(count.now, "resolved");
    assertEquals([clock.pending, socket.closed], [1, false]);
  });

  test(`${verb}() is asked again on the meta wire as well`, async () => {
    await using made = await readyMeta();
    const { client, clock, socket } = made;
    const count = client[verb]("visits", 1, { initial: 1 });
    await clock.settle();
    socket.say(`NS O${opaqueOf(socket.writes[0]!)}\r\n`);
    await clock.settle();
    assertEquals(socket.writes.length, 2);
    socket.say(`VA 1 O${opaqueOf(socket.writes[1]!)}\r\n7\r\n`);
    assertEquals(await count, 7n);
  });
}

test("a counter that is refused again and again is a ServerError in the end, within its one timeout", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const count = fateOf(client.incr("visits", 1, { initial: 1 }));
  for (let n = 0; n < 100 && count.now === "pending"; n++) {
    await clock.settle();
    if (n < socket.requests.length) socket.reply(n, { status: 5 });
    await clock.settle();
  }
  assertEquals([count.now, socket.requests.length], ["rejected", 8]);
  assertMatch(String(count.error), /ServerError: Cannot incr "visits": .* \(status 0x5\)/);

  const slow = fateOf(client.incr("visits", 1, { initial: 1 }));
  await clock.advance(600);
  socket.reply(8, { status: 5 });
  await clock.advance(399);
  assertEquals(slow.now, "pending");
  await clock.advance(1);
  assertMatch(String(slow.error), /TimeoutError/);
});

test("a counter that is asked again can be aborted, and is waited for by close()", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const controller = new AbortController();
  const aborted = fateOf(client.incr("a", 1, { initial: 1, signal: controller.signal }));
  const waited = client.incr("b", 1, { initial: 1 });
  await clock.settle();
  socket.reply(0, { status: 5 });
  socket.reply(1, { status: 5 });
  await clock.settle();
  controller.abort(new Error("enough"));
  const closed = fateOf(client.close());
  await clock.settle();
  assertEquals([aborted.now, closed.now], ["rejected", "pending"]);
  socket.reply(2, { value: COUNTER });
  socket.reply(3, { value: COUNTER });
  assertEquals(await waited, 7n);
  await clock.settle();
  assertEquals([closed.now, clock.pending], ["resolved", 0]);
});

test("no other refusal is asked again", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const verbs: [() => Promise<unknown>, number][] = [
    [() => client.incr("k"), 5],
    [() => client.incr("k", 1, { initial: 1 }), 6],
    [() => client.incr("k", 1, { initial: 1 }), 0x82],
    [() => client.append("k", "x"), 5],
    [() => client.set("k", "x"), 5],
    [() => client.set("k", "x"), 0x82],
    [() => client.add("k", "x"), 2],
  ];
  for (const [n, [ask, status]] of verbs.entries()) {
    const asked = fateOf(ask());
    await clock.settle();
    socket.reply(n, { status });
    await clock.settle();
    assertEquals([asked.now === "pending", socket.requests.length], [false, n + 1]);
  }
});

for (const protocol of ["binary", "meta"] as const) {
  test(`eight clients that create one counter at the same moment all count (${protocol})`, async () => {
    await using server = await freshServer(["-t", "4"]);
    const clients = Array.from({ length: 8 }, () => new Memcached(server.address, { protocol }));
    try {
      await Promise.all(clients.map((client) => client.get("warm")));
      for (let n = 0; n < 300; n++) {
        const counts = await Promise.all(clients.map((client) => client.incr(`visits:${n}`, 1, { initial: 1 })));
        assertEquals(counts.map(Number).sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8]);
      }
      await assertRejects(() => clients[0]!.set("text", "x").then(() => clients[0]!.incr("text")), ServerError);
    } finally {
      for (const client of clients) await client.close();
    }
  });
}

/** A client whose first connection is ready and speaks meta. */
async function readyMeta(): Promise<Fakes> {
  const made = fakes({ protocol: "meta" });
  const first = made.client.version();
  made.socket.open();
  made.socket.say("EN\r\n");
  await made.clock.settle();
  made.socket.say("VERSION 1\r\n");
  await first;
  made.socket.writes.length = 0;
  return made;
}

const opaqueOf = (bytes: Uint8Array): string => / O(\w{8})/.exec(new TextDecoder().decode(bytes))![1]!;
