/** Dead and alive. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { test } from "node:test";
import { AuthError, ConnectionError, type Item, TimeoutError } from "../../../src/memcached/mod.ts";
import { type Fakes, fakes, fateOf, hit, readyFakes, replyTo, twoReadyFakes } from "../_fakes.ts";

/** Events as they are told, in a word or two. */
function told({ client }: Fakes): string[] {
  const events: string[] = [];
  client.on("connect", () => events.push("connect"));
  client.on("dead", ({ retryMs }) => events.push(`dead ${retryMs}`));
  client.on("alive", ({ server }) => events.push(`alive ${server}`));
  return events;
}

/** Refuses two connections, one after the other. */
async function die(made: Fakes): Promise<void> {
  for (let n = 0; n < 2; n++) {
    const get = fateOf(made.client.get("a"));
    await made.clock.settle();
    made.socket.end(new Error("refused"));
    await made.clock.settle();
    assertEquals(get.now, "rejected");
  }
}

test("a server is dead after two connections in a row that did not get as far as the probe's answer", async () => {
  await using made = fakes();
  const events = told(made);
  const { client, clock } = made;
  const first = fateOf(client.get("a"));
  made.socket.end(new Error("refused"));
  await clock.settle();
  assertEquals([first.now, events], ["rejected", []]);
  assertMatch((first.error as Error).message, /cannot be reached: refused; nothing was sent/);
  const second = fateOf(client.get("a"));
  assertEquals(made.sockets.length, 2);
  made.socket.open();
  made.socket.end();
  await clock.settle();
  assertEquals([second.now, events], ["rejected", ["dead 1000"]]);
  // From now on at once, with the last failure as the cause, and without another connection.
  const error = await assertRejects(() => client.get("a"), ConnectionError, "a:11211 is dead");
  assertMatch((error.cause as Error).message, /closed the new connection without a word/);
  assertEquals(made.sockets.length, 2);
});

test("a connection that is accepted and never answers fails after connectTimeout", async () => {
  await using made = fakes({ connectTimeout: "400ms" });
  const { client, clock } = made;
  const get = fateOf(client.get("a"));
  made.socket.open();
  await clock.advance(399);
  assertEquals([get.now, made.socket.closed], ["pending", false]);
  await clock.advance(1);
  assertEquals([get.now, made.socket.closed], ["rejected", true]);
  assertMatch((get.error as Error).message, /did not answer on a new connection within 400 ms/);
  const next = fateOf(client.get("a"));
  await clock.advance(400);
  assertMatch((next.error as Error).message, /did not accept a connection within 400 ms/);
  await assertRejects(() => client.get("a"), ConnectionError, "is dead");
});

test("two connections in a row that break with something in flight: dead; how much was in flight is no matter", async () => {
  await using made = await readyFakes();
  const events = told(made);
  const { client, clock } = made;
  const many = Array.from({ length: 20 }, (_, n) => fateOf(client.set(`k${n}`, "x")));
  await clock.settle();
  made.socket.end();
  await clock.settle();
  assertEquals([many.every(({ now }) => now === "rejected"), events], [true, []]);
  const one = fateOf(client.set("a", "x"));
  made.socket.ready();
  await clock.settle();
  made.socket.end();
  await clock.settle();
  assertEquals([one.now, events], ["rejected", ["connect", "dead 1000"]]);
});

test("any answer between two failures keeps a server alive", async () => {
  await using made = await readyFakes();
  const events = told(made);
  const { client, clock } = made;
  for (let n = 0; n < 4; n++) {
    const lost = fateOf(client.set("a", "x"));
    await clock.settle();
    made.socket.end();
    await clock.settle();
    assertEquals(lost.now, "rejected");
    const get = client.get("b");
    made.socket.ready();
    await clock.settle();
    made.socket.reply(1, { status: 1 });
    await get;
  }
  assertEquals(events, ["connect", "connect", "connect", "connect"]);
});

/** An answer comes while another one is due: from then on the connection is not at rest. */
async function keepBusy({ client, clock, socket }: Fakes): Promise<void> {
  const [answered] = [client.get("answered"), client.get("due").catch(() => {})];
  await clock.settle();
  socket.reply(0, { status: 1 });
  await answered;
}

test("a server that hangs is dead at once: one whole timeout, and not a byte", async () => {
  await using made = await readyFakes();
  const events = told(made);
  const { client, clock, socket } = made;
  await keepBusy(made);
  const set = fateOf(client.set("a", "x"));
  await clock.advance(500);
  const later = fateOf(client.set("b", "x"));
  await clock.advance(499);
  assertEquals([set.now, events], ["pending", []]);
  await clock.advance(1);
  assertEquals(events, ["dead 1000"]);
  assertInstanceOf(set.error, TimeoutError);
  assertInstanceOf(later.error, ConnectionError);
  assertMatch(later.error.message, /hangs: not a byte came within 1000 ms; its outcome is unknown/);
  assertEquals(socket.closed, true);
  const error = await assertRejects(() => client.get("c"), ConnectionError, "is dead");
  assertMatch((error.cause as Error).message, /hangs/);
});

test("a request that was aborted meanwhile still counts: its tombstone waits on", async () => {
  await using made = await readyFakes();
  const events = told(made);
  const { client, clock } = made;
  await keepBusy(made);
  const controller = new AbortController();
  const get = fateOf(client.get("a", controller));
  await clock.advance(200);
  controller.abort();
  await clock.advance(799);
  assertEquals([get.now, events], ["rejected", []]);
  await clock.advance(1);
  assertEquals(events, ["dead 1000"]);
});

test("a byte is a sign of life: slow is not dead", async () => {
  await using made = await readyFakes();
  const events = told(made);
  const { client, clock, socket } = made;
  const get = fateOf(client.get("a"));
  await clock.advance(900);
  const reply = hit(socket.requests[0]!, "x");
  socket.say(reply.slice(0, 5));
  await clock.advance(100);
  assertEquals([get.now, events], ["rejected", []]);
  socket.say(reply.slice(5));
  await clock.advance(2000);
  assertEquals([events, socket.closed], [[], false]);
});

test("time spent waiting for a connection is not time in which the server was silent", async () => {
  await using made = fakes({ timeout: "1s", connectTimeout: "3s" });
  const events = told(made);
  const { client, clock } = made;
  const get = fateOf(client.get("a"));
  await clock.advance(900);
  made.socket.ready();
  await clock.advance(100);
  assertEquals([get.now, events, made.socket.closed], ["rejected", ["connect"], false]);
  await clock.advance(899);
  assertEquals(events, ["connect"]);
  await clock.advance(1);
  assertEquals(events, ["connect", "dead 1000"]);
});

test("a dead server is tried after 1 s, then 2 s, 4 s, 4 s, by timers that keep no process alive", async () => {
  await using made = fakes();
  const events = told(made);
  const { clock } = made;
  await die(made);
  assertEquals([made.sockets.length, clock.referenced], [2, 0]);
  for (const pause of [1000, 2000, 4000, 4000]) {
    const before = made.sockets.length;
    await clock.advance(pause - 1);
    assertEquals(made.sockets.length, before);
    await clock.advance(1);
    assertEquals([made.sockets.length, made.socket.referenced, clock.referenced], [before + 1, false, 0]);
    // While it is tried, operations still fail at once.
    await assertRejects(() => made.client.get("a"), ConnectionError, "is dead");
    made.socket.end(new Error("still refused"));
    await clock.settle();
  }
  const error = await assertRejects(() => made.client.get("a"), ConnectionError);
  assertMatch((error.cause as Error).message, /still refused/);
  await clock.advance(4000);
  made.socket.ready();
  assertEquals(events, ["dead 1000", "connect", "alive a:11211"]);
  // The connection that was tried is the one that is used.
  const get = made.client.get("a");
  await clock.settle();
  made.socket.reply(1, { status: 1 });
  assertEquals(await get, undefined);
});

test("after it has answered a real request again a server's pauses start anew", async () => {
  await using made = fakes();
  const events = told(made);
  await die(made);
  await made.clock.advance(1000);
  made.socket.end();
  await made.clock.advance(2000);
  made.socket.ready();
  const get = made.client.get("a");
  await made.clock.settle();
  made.socket.reply(1, { status: 1 });
  await get;
  made.socket.end();
  await die(made);
  assertEquals(events.filter((event) => event.startsWith("dead")), ["dead 1000", "dead 1000"]);
});

test("a server that answers the probe and nothing else is tried ever more seldom: 1, 2, 4, 4 s", async () => {
  await using made = fakes();
  const events = told(made);
  const { client, clock } = made;
  await die(made);
  for (const pause of [1000, 2000, 4000, 4000]) {
    await clock.advance(pause - 1);
    const before = made.sockets.length;
    await clock.advance(1);
    assertEquals(made.sockets.length, before + 1);
    made.socket.ready();
    const get = fateOf(client.get("a"));
    await clock.advance(1000);
    assertEquals(get.now, "rejected");
  }
  assertEquals(
    events.filter((event) => event.startsWith("dead")),
    [1000, 2000, 4000, 4000, 4000].map((ms) => `dead ${ms}`),
  );
  // It breaks instead of being silent, or its connection is not used at all: the same.
  await clock.advance(4000);
  made.socket.ready();
  made.socket.end();
  await die(made);
  assertEquals(events.at(-1), "dead 4000");
});

test("the first pause is spread by 20 %", async () => {
  for (const [fraction, pause] of [[0, 800], [0.9999, 1200]] as const) {
    await using made = fakes({ fraction });
    const events = told(made);
    await die(made);
    assertAlmostEquals(Number(events[0]!.split(" ")[1]), pause, 0.1);
  }
});

test("if the timer is overdue (a frozen process), the next operations wait for the try", async () => {
  await using made = fakes();
  const { client, clock } = made;
  await die(made);
  // The process was frozen: time has gone on, no timer has fired.
  const realNow = clock.now;
  clock.now = () => realNow.call(clock) + 60_000;
  const [one, two] = [client.get("a"), client.get("b")];
  assertEquals(made.sockets.length, 3);
  made.socket.ready();
  await clock.settle();
  for (const request of made.socket.requests.slice(1)) made.socket.say(hit(request, request.key));
  assertEquals([(await one)!.text(), (await two)!.text()], ["a", "b"]);
});

test("an overdue try that fails rejects those who waited, and the next ones at once", async () => {
  await using made = fakes();
  const { client, clock } = made;
  await die(made);
  const realNow = clock.now;
  clock.now = () => realNow.call(clock) + 60_000;
  const get = fateOf(client.get("a"));
  made.socket.end(new Error("no"));
  await clock.settle();
  assertEquals(get.now, "rejected");
  await assertRejects(() => client.get("a"), ConnectionError, "is dead");
  assertEquals(made.sockets.length, 3);
});

test("a server that wants a login says so in every rejection", async () => {
  await using made = fakes();
  const { client, clock } = made;
  for (let n = 0; n < 2; n++) {
    const get = fateOf(client.get("a"));
    made.socket.open();
    made.socket.reply(0, { status: 0x20 });
    await clock.settle();
    assertInstanceOf(get.error, AuthError);
  }
  const error = await assertRejects(() => client.get("a"), AuthError, "is dead");
  assertInstanceOf(error.cause, AuthError);
});

test("close() of a dead server ends its timer and its try", async () => {
  const waiting = fakes();
  await die(waiting);
  await waiting.client.close();
  assertEquals(waiting.clock.pending, 0);
  const trying = fakes();
  await die(trying);
  await trying.clock.advance(1000);
  await trying.client.close();
  assertEquals([trying.socket.closed, trying.clock.pending], [true, 0]);
});

test("a listener that asks again when it hears of a death or a rejection is answered like everybody", async () => {
  await using made = fakes();
  const { client, clock } = made;
  const fates: ReturnType<typeof fateOf>[] = [];
  client.on("dead", () => fates.push(fateOf(client.get("from dead"))));
  client.on("operation", ({ name, outcome }) => {
    if (name === "set" && outcome === "error") fates.push(fateOf(client.get("from error")));
  });
  const first = fateOf(client.set("a", "x"));
  made.socket.end();
  await clock.settle();
  const second = fateOf(client.set("a", "x"));
  made.socket.end();
  await clock.settle();
  assertEquals([first.now, second.now], ["rejected", "rejected"]);
  assertEquals(fates.length, 3);
  await clock.advance(1000);
  assertEquals(fates.map(({ now }) => now), ["rejected", "rejected", "rejected"]);
});

// ── several connections ──

test("connections are opened as calls need them and used in turn", async () => {
  await using made = fakes({ connections: 3 });
  const { client, clock } = made;
  const first = client.get("a");
  assertEquals(made.sockets.length, 1);
  const rest = ["b", "c", "d"].map((key) => client.get(key));
  assertEquals(made.sockets.length, 3);
  for (const socket of made.sockets) socket.ready();
  await clock.settle();
  assertEquals(made.sockets.map(({ requests }) => requests.map(({ key }) => key)), [["", "a", "d"], ["", "b"], [
    "",
    "c",
  ]]);
  for (const socket of made.sockets) {
    for (const request of socket.requests.slice(1)) socket.say(replyTo(request, { status: 1 }));
  }
  await Promise.all([first, ...rest]);
});

/** Two connections, and an item that the first one gave. */
async function twoConnections(): Promise<{ made: Fakes; item: Item }> {
  const made = fakes({ connections: 2 });
  const [one, two] = [made.client.get("a"), made.client.get("b")];
  for (const socket of made.sockets) socket.ready();
  await made.clock.settle();
  made.sockets[0]!.say(hit(made.sockets[0]!.requests[1]!, "1", 42n));
  made.sockets[1]!.reply(1, { status: 1 });
  const item = (await one)!;
  await two;
  for (const socket of made.sockets) socket.writes.length = 0;
  return { made, item };
}

test("a write over an item goes out on the connection that gave it, whoever's turn it is", async () => {
  const { made, item } = await twoConnections();
  const { client, clock } = made;
  const writes = [
    client.set("a", "2", { cas: item }),
    client.append("a", "3", { cas: item }),
    client.delete("a", { cas: item }),
  ];
  await clock.settle();
  const requests = made.sockets[0]!.requests;
  assertEquals(requests.map(({ opcode, cas }) => [opcode, cas]), [[0x01, 42n], [0x0e, 42n], [0x04, 42n]]);
  assertEquals(made.sockets[1]!.writes.length, 0);
  requests.forEach((_, n) => made.sockets[0]!.reply(n, { cas: 43n }));
  const [set] = await Promise.all(writes);
  // What was stored is a token like the item was.
  const over = client.replace("a", "4", { cas: set as { stored: true; cas: bigint } });
  await clock.settle();
  assertEquals(made.sockets[0]!.requests.at(-1)!.cas, 43n);
  made.sockets[0]!.reply(3, { status: 2 });
  assertEquals(await over, { stored: false, reason: "exists" });
  await client.close();
});

test("a token dies with its connection: nothing is sent, on no sister connection either", async () => {
  const { made, item } = await twoConnections();
  const { client, clock } = made;
  made.sockets[0]!.end();
  assertEquals(await client.set("a", "2", { cas: item }), { stored: false, reason: "connection-lost" });
  assertEquals(await client.prepend("a", "2", { cas: item }), { stored: false, reason: "connection-lost" });
  assertEquals(await client.delete("a", { cas: item }), false);
  await clock.settle();
  assertEquals([made.sockets.length, made.sockets[1]!.writes.length], [2, 0]);
  await client.close();
});

test("a write over an item that has not left when its connection breaks is certainly not done", async () => {
  const { made, item } = await twoConnections();
  const { client, clock } = made;
  const set = client.set("a", "2", { cas: item });
  made.sockets[0]!.end();
  assertEquals(await set, { stored: false, reason: "connection-lost" });
  await clock.settle();
  assertEquals(made.sockets.length, 2);
  await client.close();
});

test("a write over an item that was sent when its connection breaks is unknown", async () => {
  const { made, item } = await twoConnections();
  const set = fateOf(made.client.set("a", "2", { cas: item }));
  await made.clock.settle();
  made.sockets[0]!.end();
  await made.clock.settle();
  assertInstanceOf(set.error, ConnectionError);
  await made.client.close();
});

test("a bare cas goes out on any connection; somebody else's object is refused", async () => {
  const { made, item } = await twoConnections();
  const { client, clock } = made;
  made.sockets[0]!.end();
  const set = client.set("a", "2", { cas: item.cas });
  await clock.settle();
  const socket = made.sockets.find(({ writes, closed }) => !closed && writes.length > 0) ?? made.socket;
  if (socket.requests[0]?.opcode !== 0x01) {
    socket.ready();
    await clock.settle();
  }
  const request = socket.requests.at(-1)!;
  assertEquals([request.opcode, request.cas], [0x01, 42n]);
  socket.say(replyTo(request, { status: 2 }));
  assertEquals(await set, { stored: false, reason: "exists" });
  const copy = { ...item, cas: 42n, text: item.text } as unknown as Item;
  await assertRejects(() => client.set("a", "2", { cas: copy }), TypeError, "`cas`");
  await client.close();
});

test("an item of another client is no token here", async () => {
  const { made, item } = await twoConnections();
  await using other = await readyFakes();
  assertEquals(await other.client.set("a", "2", { cas: item }), { stored: false, reason: "connection-lost" });
  await made.client.close();
});

test("cas 0 of a server that gives none can never turn into a plain write", async () => {
  await using made = await readyFakes();
  const get = made.client.get("a");
  await made.clock.settle();
  made.socket.say(hit(made.socket.requests[0]!, "1", 0n));
  const item = (await get)!;
  assertEquals(item.cas, 0n);
  await assertRejects(() => made.client.set("a", "2", { cas: item }), RangeError, "`cas`");
  await assertRejects(() => made.client.delete("a", { cas: 0n }), RangeError, "`cas`");
});

test("one of several connections that hangs is replaced while another one is heard, and nobody else loses anything", async () => {
  const { made } = await twoConnections();
  const events = told(made);
  const { client, clock } = made;
  const calls = [client.set("a", "x"), client.set("b", "x")].map(fateOf);
  await clock.advance(900);
  // The second one is alive, and slow.
  const reply = replyTo(made.sockets[1]!.requests[0]!);
  made.sockets[1]!.say(reply.slice(0, 1));
  await clock.advance(99);
  made.sockets[1]!.say(reply.slice(1));
  await clock.advance(1);
  assertEquals(calls.map(({ now }) => now), ["rejected", "resolved"]);
  assertEquals([made.sockets[0]!.closed, made.sockets[1]!.closed, events], [true, false, []]);
  made.socket.end();
  await client.close();
});

test("a server none of whose connections is heard any more is dead, and all that was in flight is rejected", async () => {
  const { made } = await twoConnections();
  const events = told(made);
  const { client, clock } = made;
  // Both are in the middle of it: one answer has come on each, and others are due.
  const calls = [0, 1, 2, 3].map((n) => client.set(`k${n}`, "x"));
  await clock.settle();
  for (const socket of made.sockets) socket.reply(0);
  await Promise.all(calls.slice(0, 2));
  const due = calls.slice(2).map(fateOf);
  const call = fateOf(client.set("a", "x"));
  await clock.advance(1000);
  assertEquals([call.now, ...due.map(({ now }) => now)], ["rejected", "rejected", "rejected"]);
  assertEquals(events, ["dead 1000"]);
  assertEquals(made.sockets.map(({ closed }) => closed), [true, true]);
  await client.close();
});

test("idle connections that the server closes are no failures, however many", async () => {
  const { made } = await twoConnections();
  const events = told(made);
  for (const socket of made.sockets) socket.end();
  const get = made.client.get("a");
  made.socket.ready();
  await made.clock.settle();
  made.socket.reply(1, { status: 1 });
  assertEquals([await get, events], [undefined, ["connect"]]);
  await made.client.close();
});

test("a read is repeated once, even if the server is alive on another connection", async () => {
  const { made } = await twoConnections();
  const { client, clock } = made;
  const get = fateOf(client.get("a"));
  await clock.settle();
  made.sockets[0]!.end();
  await clock.settle();
  const second = made.socket;
  second.ready();
  assertEquals([made.sockets.length, second.requests.map(({ key }) => key)], [3, ["", "a"]]);
  // An answer on the sister connection: not two failures in a row.
  const sister = client.get("b");
  await clock.settle();
  made.sockets[1]!.reply(0, { status: 1 });
  await sister;
  second.end();
  await clock.settle();
  assertEquals([get.now, made.sockets.length], ["rejected", 3]);
  assertMatch((get.error as Error).message, /its outcome is unknown/);
  await client.close();
});

test("close() ends idle connections and lets a busy sister finish", async () => {
  const made = fakes({ connections: 3 });
  const { client, clock } = made;
  const warm = ["a", "b", "c"].map((key) => client.get(key));
  for (const socket of made.sockets) socket.ready();
  await clock.settle();
  for (const socket of made.sockets) socket.reply(1, { status: 1 });
  await Promise.all(warm);
  await Promise.all([0, 1].map(async (n) => {
    const get = client.get("d");
    await clock.settle();
    made.sockets[n]!.reply(2, { status: 1 });
    await get;
  }));
  const get = client.get("busy");
  const closed = fateOf(client.close());
  await clock.settle();
  assertEquals(made.sockets.map((socket) => socket.closed), [true, true, false]);
  made.sockets[2]!.say(hit(made.sockets[2]!.requests[2]!, "done"));
  assertEquals((await get)!.text(), "done");
  await clock.settle();
  assertEquals([closed.now, clock.pending], ["resolved", 0]);
});

test("close() with tombstones on two connections is no death: the busy third one finishes", async () => {
  const made = fakes({ connections: 3 });
  const { client, clock } = made;
  const controller = new AbortController();
  const gone = [client.get("a", controller), client.get("b", controller)].map(fateOf);
  const get = client.get("busy");
  for (const socket of made.sockets) socket.ready();
  await clock.settle();
  controller.abort();
  const closed = fateOf(client.close());
  await clock.settle();
  assertEquals(gone.map(({ now }) => now), ["rejected", "rejected"]);
  assertEquals(made.sockets.map((socket) => socket.closed), [true, true, false]);
  made.sockets[2]!.say(hit(made.sockets[2]!.requests[1]!, "done"));
  assertEquals((await get)!.text(), "done");
  await clock.settle();
  assertEquals([closed.now, clock.pending], ["resolved", 0]);
});

// ── several servers ──

test("keys live on their server; a dead one fails only its own", async () => {
  await using made = fakes({ servers: "a,b" });
  const { client, clock } = made;
  const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
  const onA = keys.find((key) => client.serverOf(key) === "a:11211")!;
  const onB = keys.find((key) => client.serverOf(key) === "b:11211")!;
  for (let n = 0; n < 2; n++) {
    const get = fateOf(client.get(onA));
    made.socket.end();
    await clock.settle();
    assertEquals(get.now, "rejected");
  }
  await assertRejects(() => client.get(onA), ConnectionError, "a:11211 is dead");
  assertEquals(client.serverOf(onA), "a:11211");
  const get = client.get(onB);
  assertEquals(made.socket.address, { host: "b", port: 11211 });
  made.socket.ready();
  await clock.settle();
  made.socket.say(hit(made.socket.requests[1]!, "b's"));
  assertEquals((await get)!.text(), "b's");
});

test('with deadServers: "eject" the keys of a dead server move, and come back with it', async () => {
  await using made = fakes({ servers: "a,b", deadServers: "eject" });
  const { client, clock } = made;
  const key = Array.from({ length: 20 }, (_, n) => `k${n}`).find((key) => client.serverOf(key) === "a:11211")!;
  for (let n = 0; n < 2; n++) {
    const get = fateOf(client.get(key));
    made.socket.end();
    await clock.settle();
    assertEquals(get.now, "rejected");
  }
  assertEquals(client.serverOf(key), "b:11211");
  await clock.advance(1000);
  made.socket.ready();
  assertEquals(client.serverOf(key), "a:11211");
});

test('with deadServers: "eject" each further death, and each return, moves keys again', async () => {
  await using made = fakes({ servers: "a,b,c", deadServers: "eject" });
  const { client, clock } = made;
  const keys = Array.from({ length: 200 }, (_, n) => `k${n}`);
  const living = () => [...new Set(keys.map((key) => client.serverOf(key)[0]))].sort().join("");
  const kill = async (name: string) => {
    for (let n = 0; n < 2; n++) {
      const get = fateOf(client.get(keys.find((key) => client.serverOf(key)[0] === name)!));
      made.socket.end();
      await clock.settle();
      assertEquals(get.now, "rejected");
    }
  };
  assertEquals(living(), "abc");
  await kill("a");
  assertEquals(living(), "bc");
  await clock.advance(500);
  await kill("b");
  assertEquals(living(), "c");
  await clock.advance(500);
  made.socket.ready();
  assertEquals(living(), "ac");
  await kill("c");
  assertEquals(living(), "a");
});

test("getMulti() asks all servers at once, and names those that could not be asked", async () => {
  await using made = fakes({ servers: ["a", "b"] });
  const { client, clock } = made;
  const keys = Array.from({ length: 30 }, (_, n) => `k${n}`);
  const multi = client.getMulti([...keys, ...keys]);
  assertEquals(made.sockets.length, 2);
  const a = made.sockets.find(({ address }) => (address as { host: string }).host === "a")!;
  const b = made.sockets.find((socket) => socket !== a)!;
  a.ready();
  b.end(new Error("refused"));
  await clock.settle();
  const requests = a.requests.slice(1);
  assertEquals(new Set(requests.map(({ key }) => key)).size, requests.length);
  for (const request of requests) {
    a.say(
      request.opcode === 0x0a ? replyTo(request) : replyTo(request, { flags: 0, key: request.key, value: request.key }),
    );
  }
  const found = await multi;
  assertEquals([...found.keys()], keys.filter((key) => client.serverOf(key) === "a:11211"));
  assertEquals([...found.failed.keys()], ["b:11211"]);
  assertInstanceOf(found.failed.get("b:11211"), ConnectionError);
});

test("getMulti() aborted rejects whole, at once, with the reason", async () => {
  await using made = fakes({ servers: ["a", "b"] });
  const controller = new AbortController();
  const multi = fateOf(made.client.getMulti(Array.from({ length: 30 }, (_, n) => `k${n}`), controller));
  for (const socket of made.sockets) socket.ready();
  await made.clock.settle();
  const reason = new Error("enough");
  controller.abort(reason);
  await made.clock.settle();
  assertStrictEquals(multi.error, reason);
});

test("getMulti() whose signal fires while it is being sent, by a listener of its first failure, rejects whole", async () => {
  await using made = await readyFakes({ maxInFlight: 1 });
  const { client, clock } = made;
  const first = fateOf(client.get("first"));
  const controller = new AbortController(), reason = new Error("enough");
  client.on("operation", ({ outcome }) => outcome === "error" && controller.abort(reason));
  const multi = fateOf(client.getMulti(Array.from({ length: 3000 }, (_, n) => `k${n}`), controller));
  await clock.settle();
  assertStrictEquals(multi.error, reason);
  made.socket.reply(made.socket.requests.length - 1, { status: 1 });
  await clock.settle();
  assertEquals(first.now, "resolved");
});

test("with two connections, a listener that asks again while its server dies is refused at once, and no timer outlives close()", async () => {
  const made = await twoReadyFakes({ timeout: 1 });
  const { client, clock, sockets } = made;
  let armed = false;
  let again: Promise<unknown> | undefined;
  client.on("operation", ({ outcome }) => {
    if (outcome !== "error" || !armed) return;
    armed = false; // a dead server refuses at once, and this listener would hear of that within its own question
    again = client.get("again").catch((error) => error);
  });
  const lost = [client.set("a", "1").catch((error) => error), client.set("b", "2").catch((error) => error)];
  await clock.settle();
  sockets[0]!.end();
  const c = client.set("c", "3").catch((error) => error); // on a new connection in a's place
  await clock.settle();
  const before = sockets.length;
  armed = true;
  made.socket.end(new Error("refused")); // the second failure: it dies
  await clock.settle();
  const opened = sockets.length - before;
  const problems: string[] = [];
  if (opened !== 0) problems.push(`${opened} connection at once, not after 1 s`);
  if (opened > 0) made.socket.end(new Error("refused"));
  await clock.settle();
  const closing = client.close();
  for (const socket of sockets) socket.end();
  await closing;
  const afterClose = sockets.length;
  await clock.advance(10_000);
  await clock.settle();
  if (sockets.length > afterClose) problems.push(`${sockets.length - afterClose} connection after close()`);
  assertEquals(problems, []);
  await Promise.all([...lost, c]);
  assert(await again instanceof ConnectionError);
});
