/** One connection: what leaves with what, what matches, and what becomes of everybody when it dies. */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { ConnectionError, ProtocolError, QueueFullError, ServerError } from "../../../src/memcached/mod.ts";
import { fakes, fateOf, hit, join, readyFakes, replyTo } from "../_fakes.ts";

test("nothing is opened before the first operation", async () => {
  await using made = fakes();
  await made.clock.settle();
  assertEquals(made.sockets.length, 0);
});

test("a new connection is probed with a NOOP, and nothing else leaves before its answer", async () => {
  await using made = fakes();
  const get = made.client.get("a");
  made.socket.open();
  await made.clock.settle();
  assertEquals(made.socket.requests.map(({ opcode }) => opcode), [0x0a]);
  made.socket.reply(0);
  assertEquals(made.socket.requests.map(({ opcode }) => opcode), [0x0a, 0x00]);
  made.socket.reply(1, { status: 1 });
  assertEquals(await get, undefined);
});

test("whatever is asked in one tick leaves in one write", async () => {
  await using made = await readyFakes();
  const { client, socket } = made;
  const all = Promise.all([client.get("a"), client.set("b", "x"), client.incr("c"), client.getMulti(["d", "e"])]);
  await made.clock.settle();
  assertEquals(socket.writes.length, 1);
  assertEquals(socket.requests.map(({ opcode }) => opcode), [0x00, 0x01, 0x05, 0x0d, 0x0d, 0x0a]);
  const [a, b, c, , , noop] = socket.requests;
  socket.say(join(
    hit(a!, "1"),
    replyTo(b!, { cas: 7n }),
    replyTo(c!, { value: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 9) }),
    replyTo(noop!),
  ));
  const [item, stored, count, found] = await all;
  assertEquals(item!.text(), "1");
  assertEquals(stored.stored && stored.cas, 7n);
  assertEquals(count, 9n);
  assertEquals(found.size, 0);
});

test("what is asked while a write is being taken waits, and leaves in one write", async () => {
  await using made = await readyFakes();
  const { client, socket, clock } = made;
  socket.slow = true;
  const first = client.get("a");
  await clock.settle();
  const others = [client.get("b"), client.get("c")];
  await clock.settle();
  const last = client.get("d");
  await clock.settle();
  assertEquals(socket.writes.length, 1);
  socket.slow = false;
  socket.take();
  assertEquals(socket.writes.length, 2);
  assertEquals(socket.requests.map(({ key }) => key), ["a", "b", "c", "d"]);
  for (let n = 0; n < 4; n++) socket.reply(n, { status: 1 });
  await Promise.all([first, ...others, last]);
});

test("a value that the caller changes afterwards is sent as it was", async () => {
  await using made = await readyFakes();
  const bytes = new TextEncoder().encode("before");
  const set = made.client.set("a", bytes);
  bytes.fill(0x78);
  await made.clock.settle();
  assertEquals(made.socket.requests[0]!.value, "before");
  made.socket.reply(0);
  await set;
});

test("replies that come byte by byte go to the right callers", async () => {
  await using made = await readyFakes();
  const { client, socket, clock } = made;
  const gets = ["alice", "bob", "carol"].map((key) => client.get(key));
  await clock.settle();
  for (const byte of join(...socket.requests.map((request) => hit(request, `of ${request.key}`)))) {
    socket.say(Uint8Array.of(byte));
  }
  assertEquals((await Promise.all(gets)).map((item) => item!.text()), ["of alice", "of bob", "of carol"]);
});

for (
  const [name, lie, told] of [
    ["another opaque", { opaque: 99 }, /opaque 99/],
    ["another opcode", { opcode: 1 }, /opcode 0x01/],
    ["a body longer than any value", { bodyLength: 0x7fffffff }, /2147483647 bytes/],
  ] as const
) {
  test(`a reply with ${name} ends the connection and rejects everything in flight, once`, async () => {
    await using made = await readyFakes();
    const { client, socket, clock } = made;
    const calls = [client.get("a"), client.set("b", "x"), client.getMulti(["c"])];
    const fates = calls.slice(0, 2).map(fateOf);
    await clock.settle();
    socket.say(replyTo(socket.requests[0]!, lie));
    await clock.settle();
    assertEquals(socket.closed, true);
    assertEquals(fates.map(({ now }) => now), ["rejected", "rejected"]);
    for (const { error } of fates) {
      assertInstanceOf(error, ProtocolError);
      assertMatch(error.message, told);
      assertMatch(error.message, /the connection is closed/);
      assertEquals(error.server, "a:11211");
    }
    assertInstanceOf(
      (await calls[2] as Awaited<ReturnType<typeof client.getMulti>>).failed.get("a:11211"),
      ProtocolError,
    );
    // The next operation has a connection of its own, and nothing of the old one.
    const next = client.get("bob");
    assertEquals(made.sockets.length, 2);
    made.socket.ready();
    await clock.settle();
    made.socket.say(hit(made.socket.requests[1]!, "bob's"));
    assertEquals((await next)!.text(), "bob's");
  });
}

test("an answer that nobody asked for ends the connection", async () => {
  await using made = await readyFakes();
  made.socket.say(replyTo({ opcode: 0, opaque: 1 }, { value: "x" }));
  assertEquals(made.socket.closed, true);
});

test("answers behind the probe's own, which nobody asked for, end the connection before anything is sent", async () => {
  for (const unasked of [1, 3]) {
    await using made = fakes();
    const get = made.client.get("a");
    made.socket.open();
    const probe = made.socket.requests[0]!;
    // Opaque 1 is what "a" will have been sent under: they would be its answer.
    const lie = hit({ ...probe, opcode: 0, opaque: 1 }, "a lie");
    made.socket.say(join(replyTo(probe), ...Array.from({ length: unasked }, () => lie)));
    made.socket.say(lie);
    await assertRejects(() => get, ProtocolError, "where nothing was asked");
    assertEquals([made.socket.closed, made.socket.requests.length], [true, 1]);
  }
});

test("a server that speaks only text is told from the first line, quoted, with the cure", async () => {
  await using made = fakes();
  const get = made.client.get("a");
  made.socket.open();
  made.socket.say("ERROR\r\n");
  const error = await assertRejects(() => get, ProtocolError, '"ERROR"');
  assertMatch(error.message, /`protocol: "meta"` or `protocol: "auto"`/);
});

test("too many connections is a ConnectionError, even if the line is cut by the end", async () => {
  for (const line of ["ERROR Too many open connections\r\n", "ERROR Too many open connections"]) {
    await using made = fakes();
    const get = made.client.get("a");
    made.socket.open();
    made.socket.say(line);
    made.socket.end();
    await assertRejects(() => get, ConnectionError, "Too many open connections");
  }
});

test("a quote of a server's line is printable and at most 200 characters", async () => {
  await using made = fakes();
  const get = made.client.get("a");
  made.socket.open();
  made.socket.say(`${"z".repeat(4000)}\r\n`);
  const error = await assertRejects(() => get, ProtocolError);
  assertEquals(/z+/.exec(error.message)![0].length, 200);
});

test("a server that wants a login says so", async () => {
  await using made = fakes();
  const get = made.client.get("a");
  made.socket.open();
  made.socket.reply(0, { status: 0x20, value: "Auth failure." });
  const error = await assertRejects(() => get);
  assertEquals((error as Error).name, "AuthError");
});

test("a cut reply ends with its connection: the next caller gets its own value", async () => {
  await using made = await readyFakes();
  const { client, socket, clock } = made;
  const set = client.set("alice", "x");
  await clock.settle();
  const reply = replyTo(socket.requests[0]!, { cas: 1n });
  socket.say(reply.slice(0, 20));
  socket.end();
  await assertRejects(() => set, ConnectionError, "within a reply");
  const bob = client.get("bob");
  made.socket.ready();
  await clock.settle();
  made.socket.say(hit(made.socket.requests[1]!, "bob's"));
  assertEquals((await bob)!.text(), "bob's");
});

test("a write is not repeated once it was sent; a read is, once", async () => {
  await using made = await readyFakes();
  const { client, clock } = made;
  const [get, set, incr] = [client.get("a"), client.set("b", "x"), client.incr("c", 0, { initial: 5 })].map(fateOf);
  await clock.settle();
  made.socket.end(new Error("ECONNRESET"));
  await clock.settle();
  assertEquals([get!.now, set!.now, incr!.now], ["pending", "rejected", "rejected"]);
  assertMatch((set!.error as Error).message, /ECONNRESET; its outcome is unknown/);
  assertEquals(made.sockets.length, 2);
  made.socket.ready();
  assertEquals(made.socket.requests.map(({ key }) => key), ["", "a"]);
  made.socket.end();
  await clock.settle();
  assertEquals(get!.now, "rejected");
  assertEquals(made.sockets.length, 2);
});

test("what was not sent when the connection broke goes out on the next one, as it was given", async () => {
  await using made = await readyFakes();
  const { client, socket, clock } = made;
  socket.slow = true;
  const sent = fateOf(client.set("sent", "1"));
  await clock.settle();
  const bytes = new TextEncoder().encode("before");
  const waiting = [
    client.set("a", bytes, { flags: 5 }),
    client.get("b"),
    client.getMulti(["c", "d"]),
    client.incr("e", 7),
  ];
  await clock.settle();
  bytes.fill(0);
  socket.end();
  await clock.settle();
  assertEquals(sent.now, "rejected");
  made.socket.ready();
  const [, a, b, c, d, noop, e] = made.socket.requests;
  assertEquals([a!.key, a!.value, a!.extras[3]], ["a", "before", 5]);
  assertEquals([b!.key, c!.key, d!.key, e!.key, e!.extras[7]], ["b", "c", "d", "e", 7]);
  made.socket.say(join(
    replyTo(a!),
    replyTo(b!, { status: 1 }),
    replyTo(noop!),
    replyTo(e!, { value: Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 0) }),
  ));
  assertEquals((await Promise.all(waiting))[3], 256n);
});

test("an idle connection that the server closes is no failure: the next operation opens another", async () => {
  await using made = await readyFakes();
  for (let n = 0; n < 5; n++) {
    made.socket.end();
    const get = made.client.get("a");
    assertEquals(made.sockets.length, n + 2);
    made.socket.ready();
    await made.clock.settle();
    made.socket.reply(1, { status: 1 });
    assertEquals(await get, undefined);
  }
});

test("over maxInFlight, waiting and sent together, a request is refused at once", async () => {
  await using made = fakes({ maxInFlight: 3 });
  const { client, clock } = made;
  const calls = [client.get("a"), client.set("b", "x"), client.getMulti(["c", "d", "e"])];
  const error = await assertRejects(() => client.get("f"), QueueFullError, "3 requests are in flight");
  assertMatch(error.message, /nothing was sent, the connection lives/);
  made.socket.ready();
  await clock.settle();
  await assertRejects(() => client.get("g"), QueueFullError);
  const [, a, b, , , , noop] = made.socket.requests;
  made.socket.say(replyTo(a!, { status: 1 }));
  const room = client.get("h");
  await clock.settle();
  made.socket.say(join(replyTo(b!), replyTo(noop!), replyTo(made.socket.requests[7]!, { status: 1 })));
  await Promise.all([...calls, room]);
});

test("over maxBytesInFlight a request is refused at once, but one alone always passes", async () => {
  await using made = await readyFakes({ maxBytesInFlight: 1000 });
  const { client, socket, clock } = made;
  const large = client.set("a", "x".repeat(5000));
  await assertRejects(() => client.get("b"), QueueFullError, "bytes are in flight");
  await clock.settle();
  await assertRejects(() => client.set("c", "y"), QueueFullError);
  socket.reply(0);
  await large;
  const small = [client.set("d", "x".repeat(400)), client.set("e", "x".repeat(400))];
  await assertRejects(() => client.set("f", "x".repeat(400)), QueueFullError);
  await clock.settle();
  assertEquals(socket.requests.map(({ key }) => key), ["a", "d", "e"]);
  socket.reply(1);
  socket.reply(2);
  await Promise.all(small);
});

test("what was refused or cancelled no longer counts", async () => {
  await using made = fakes({ maxInFlight: 2 });
  const { client } = made;
  const controller = new AbortController();
  const gone = [client.get("a", controller), client.get("b", controller)].map(fateOf);
  await assertRejects(() => client.get("c"), QueueFullError);
  controller.abort();
  await made.clock.settle();
  assertEquals(gone.map(({ now }) => now), ["rejected", "rejected"]);
  const [c, d] = [client.get("c"), client.get("d")];
  made.socket.ready();
  assertEquals(made.socket.requests.map(({ key }) => key), ["", "c", "d"]);
  made.socket.reply(1, { status: 1 });
  made.socket.reply(2, { status: 1 });
  await Promise.all([c, d]);
});

test("the socket is referenced while something is in flight, and unreferenced while idle", async () => {
  await using made = await readyFakes();
  const { client, socket, clock } = made;
  assertEquals(socket.referenced, false);
  const get = client.get("a");
  assertEquals(socket.referenced, true);
  await clock.settle();
  assertEquals(clock.referenced, 0);
  socket.reply(0, { status: 1 });
  await get;
  await clock.settle();
  assertEquals(socket.referenced, false);
});

test("an error of the server names the action, the state and the fate of the connection", async () => {
  await using made = await readyFakes();
  const { client, socket, clock } = made;
  const incr = client.incr("n");
  await clock.settle();
  socket.reply(0, { status: 6, value: "Non-numeric server-side value" });
  const error = await assertRejects(() => incr, ServerError);
  assertEquals(error.status, 6);
  assertEquals(
    error.message,
    'Cannot incr "n": a:11211 answered "Non-numeric server-side value" (status 0x6); the connection lives',
  );
  assertEquals(socket.closed, false);
  const set = client.set("n", "x");
  await clock.settle();
  socket.reply(1, { status: 0x82, value: "Out of memory" });
  assertEquals((await assertRejects(() => set, ServerError)).status, 0x82);
  const large = client.set("n", "x");
  await clock.settle();
  socket.reply(2, { status: 3, value: "Too large." });
  assertEquals((await assertRejects(() => large, ServerError)).name, "ValueTooLargeError");
});

test("close() lets every call made before it settle, those still waiting for a connection included", async () => {
  const made = fakes();
  const { client, clock } = made;
  const [get, set] = [client.get("a"), client.set("b", "x")];
  const closing = client.close();
  const closed = fateOf(closing);
  assertStrictEquals(client.close(), closing);
  await assertRejects(() => client.get("c"), ConnectionError, "the client is closed");
  await assertRejects(() => client.version(), ConnectionError, "the client is closed");
  made.socket.ready();
  await clock.settle();
  assertEquals(closed.now, "pending");
  made.socket.say(hit(made.socket.requests[1]!, "1"));
  made.socket.reply(2);
  assertEquals((await get)!.text(), "1");
  assertEquals((await set).stored, true);
  await closing;
  assertEquals([made.socket.closed, clock.pending], [true, 0]);
});

test("close() of a client that was never used, or is idle, leaves nothing", async () => {
  const unused = fakes();
  await unused.client.close();
  assertEquals(unused.sockets.length, 0);
  const idle = await readyFakes();
  await idle.client.close();
  assertEquals([idle.socket.closed, idle.clock.pending], [true, 0]);
});

test("close() repeats a read whose connection breaks meanwhile", async () => {
  const made = await readyFakes();
  const get = made.client.get("a");
  await made.clock.settle();
  const closing = made.client.close();
  made.socket.end();
  assertEquals(made.sockets.length, 2);
  made.socket.ready();
  made.socket.reply(1, { status: 1 });
  assertEquals(await get, undefined);
  await closing;
  assert(made.sockets.every(({ closed }) => closed));
});

test("thousands in flight keep their order, round after round", async () => {
  await using made = await readyFakes();
  const { client, socket, clock } = made;
  for (let round = 0; round < 10; round++) {
    socket.writes.length = 0;
    const gets = Array.from({ length: 1000 }, (_, n) => client.get(`k${n}`));
    await clock.settle();
    socket.say(join(...socket.requests.map((request) => hit(request, request.key))));
    assertEquals(
      (await Promise.all(gets)).map((item) => item!.text()),
      Array.from({ length: 1000 }, (_, n) => `k${n}`),
    );
  }
});

test("a connection would have as many bytes at once as some hundred answers of the present length are", async () => {
  await using made = await readyFakes();
  const { client, socket, clock } = made;
  const asked = Promise.all(Array.from({ length: 4 }, (_, n) => client.get(`k${n}`)));
  await clock.settle();
  const [first, second, third, fourth] = socket.requests;
  socket.say(join(hit(first!, "x".repeat(70)), hit(second!, "x".repeat(70))));
  const short = socket.mostBytes;
  assert(short > 0 && short < 64 * 1024, `${short} bytes`);
  const long = hit(third!, "x".repeat(100_000));
  socket.say(long.subarray(0, 50_000));
  assertEquals(socket.mostBytes, short, "no answer has come");
  socket.say(long.subarray(50_000));
  assert(socket.mostBytes > 1024 * 1024, `${socket.mostBytes} bytes`);
  socket.say(hit(fourth!, "x"));
  assert(socket.mostBytes < 64 * 1024, `${socket.mostBytes} bytes`);
  await asked;
});
