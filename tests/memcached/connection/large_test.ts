/** What is wrong with one answer is that call's error: neither its connection nor its server has failed. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { test } from "node:test";
import { Memcached, ProtocolError, ServerError, ValueTooLargeError } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { fakes, fateOf, hit, join, readyFakes, replyTo } from "../_fakes.ts";

for (const protocol of ["binary", "meta"] as const) {
  test(`a value that is too large is that call's error, and everybody else is answered (${protocol})`, async () => {
    await using server = await freshServer(["-I", "4m"]);
    await using roomy = new Memcached(server.address, { protocol, maxValueBytes: 4_000_000 });
    await using client = new Memcached(server.address, { protocol });
    const told: string[] = [];
    client.on("connect", () => told.push("connect"));
    client.on("dead", () => told.push("dead"));
    await roomy.set("report", new Uint8Array(2_000_000));
    await roomy.set("other", "1");
    for (let n = 0; n < 3; n++) {
      const error = await assertRejects(() => client.get("report"), ValueTooLargeError);
      assertMatch(error.message, /^Cannot get "report": .* 2000000 bytes are more than `maxValueBytes` lets in; the/);
      assertEquals(error.status, 3);
      await assertRejects(() => client.getAndTouch("report", "1h"), ValueTooLargeError);
      const [one, , two] = await Promise.allSettled([client.get("other"), client.get("report"), client.get("other")]);
      assertEquals([one, two].map((fate) => fate.status), ["fulfilled", "fulfilled"]);
    }
    const found = await client.getMulti(["none", "other", "report", "again"]);
    assertEquals([...found.keys()], ["other"]);
    const failure = found.failed.get(server.address)!;
    assert(failure instanceof ValueTooLargeError);
    assertMatch(failure.message, /^Cannot getMulti 4 keys: the answer of "report" from /);
    assertEquals((await client.getMulti(["other"])).failed.size, 0);
    assertEquals(told, ["connect"]);
    assertEquals((await roomy.get("report"))!.bytes.length, 2_000_000);
  });
}

test("a multi-get gives the items around one that its server refuses, and an error that names the server", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const multi = client.getMulti(["a", "b", "c"]);
  await clock.settle();
  const [a, b, c, noop] = socket.requests;
  socket.say(join(
    replyTo(a!, { flags: 0, key: "a", value: "1" }),
    replyTo(b!, { status: 0x82, value: "Out of memory" }),
    replyTo(c!, { flags: 0, key: "c", value: "3" }),
    replyTo(noop!),
  ));
  const found = await multi;
  assertEquals([...found.keys()], ["a", "c"]);
  assert(found.failed.get("a:11211") instanceof ServerError);
});

test("a multi-get that is repeated on a new connection forgets what was wrong on the old one", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const multi = client.getMulti(["a", "b"]);
  await clock.settle();
  socket.say(replyTo(socket.requests[0]!, { status: 0x82 }));
  socket.end();
  await clock.settle();
  made.socket.ready();
  await clock.settle();
  const [, a, , noop] = made.socket.requests;
  made.socket.say(join(replyTo(a!, { flags: 0, key: "a", value: "1" }), replyTo(noop!)));
  const found = await multi;
  assertEquals([[...found.keys()], found.failed.size], [["a"], 0]);
});

test("an event tells a multi-get that lacks an item as an error", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const told: unknown[] = [];
  client.on("operation", ({ outcome, error }) => told.push([outcome, error instanceof ServerError]));
  const multi = client.getMulti(["a"]);
  await clock.settle();
  socket.say(replyTo(socket.requests[0]!, { status: 0x82 }));
  socket.reply(1);
  await multi;
  assertEquals(told, [["error", true]]);
});

test("an answer that its caller has given up is passed over as well, and the next one is its own", async () => {
  await using made = await readyFakes({ maxValueBytes: 100 });
  const { client, clock, socket } = made;
  const controller = new AbortController();
  const gone = fateOf(client.get("a", controller));
  const next = client.get("b");
  await clock.settle();
  controller.abort();
  socket.say(join(hit(socket.requests[0]!, "x".repeat(101)), hit(socket.requests[1]!, "b's")));
  assertEquals((await next)!.text(), "b's");
  assertEquals([gone.now, socket.closed], ["rejected", false]);
});

test("a counter that makes no sense is a ProtocolError of its call alone", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  const [count, next] = [fateOf(client.incr("a")), client.get("b")];
  await clock.settle();
  socket.say(join(replyTo(socket.requests[0]!, { value: "12" }), hit(socket.requests[1]!, "b's")));
  assertEquals((await next)!.text(), "b's");
  assert(count.error instanceof ProtocolError);
  assertMatch(count.error.message, /a counter of 2 bytes where 8 were due; the connection lives/);
});

test("a value so large that its connection is given up says nothing about its server", async () => {
  await using made = fakes();
  const { client, clock } = made;
  const dead: unknown[] = [];
  client.on("dead", (event) => dead.push(event));
  for (let n = 0; n < 3; n++) {
    const before = made.sockets.length;
    const get = fateOf(client.get("huge"));
    assertEquals(made.sockets.length, before + 1);
    made.socket.ready();
    await clock.settle();
    const reply = hit(made.socket.requests[1]!, "x".repeat(1000));
    // It comes, byte by byte, and is not whole after twice the timeout.
    for (let at = 0; at < 4; at++) {
      made.socket.say(reply.slice(at, at + 1));
      await clock.advance(500);
    }
    assertEquals([get.now, made.socket.closed], ["rejected", true]);
  }
  assertEquals(dead, []);
});
