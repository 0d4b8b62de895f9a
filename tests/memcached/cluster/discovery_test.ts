/** Configuration endpoints, as ElastiCache and Memorystore have them. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import { test } from "node:test";
import { ConnectionError, Memcached, ProtocolError, QueueFullError, TimeoutError } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { Discovery } from "../../../src/memcached/cluster/discovery.ts";
import { parseServers } from "../../../src/memcached/cluster/addresses.ts";
import type { Address, Socket, SocketListener } from "../../../src/socket/socket.ts";
import { FakeClock } from "../../../src/testing/fake_clock.ts";
import { type Fakes, fakes, FakeSocket, fateOf } from "../_fakes.ts";

const listOf = (version: number, ...servers: string[]): string => {
  const text = `${version}\n${servers.join(" ")}\n`;
  return `CONFIG cluster 0 ${text.length}\r\n${text}\r\nEND\r\n`;
};

/** The endpoint that is being asked names one server, which is ready. */
async function toldOne({ clock, sockets }: Fakes): Promise<void> {
  await clock.settle();
  sockets[0]!.open();
  sockets[0]!.say(listOf(1, "one||11211"));
  await clock.settle();
  sockets.at(-1)!.ready();
  await clock.settle();
}

test("the first operation asks the endpoint, and goes to the servers that it names", async () => {
  await using a = await freshServer();
  await using b = await freshServer();
  const asked: string[] = [];
  const endpoint = createServer((socket) => {
    socket.on("data", (bytes) => {
      asked.push(bytes.toString());
      const list = listOf(7, `127.0.0.1||${a.port}`, `|127.0.0.1|${b.port}`);
      // In pieces, as networks do.
      socket.write(list.slice(0, 9));
      socket.write(list.slice(9));
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = endpoint.address() as { port: number };
    await using client = new Memcached(`127.0.0.1:${port}`, { discovery: true });
    assertEquals(client.servers, []);
    assertThrows(() => client.serverOf("k"), ConnectionError, "have not been discovered yet");
    const bytes = new Uint8Array([1, 2, 3]);
    const written = client.set("k", bytes);
    bytes.fill(9); // taken already
    const [, none, versions] = await Promise.all([written, client.getMulti(["x", "y"]), client.version()]);
    assertEquals((await client.get("k"))!.bytes, new Uint8Array([1, 2, 3]));
    assertEquals(none.size, 0);
    assertEquals(client.servers, [a.address, b.address]);
    assertEquals([...versions.keys()], [a.address, b.address]);
    assertEquals(asked, ["config get cluster\r\n"]);
  } finally {
    endpoint.close();
  }
});

test("it is asked again every interval; newer lists count, older ones do not, and a failed ask keeps the last", async () => {
  await using made = fakes({ servers: "config", discovery: { interval: "10s" } });
  const { client, clock, sockets } = made;
  const first = client.get("k");
  await clock.settle();
  const endpoint = sockets[0]!;
  endpoint.open();
  assertEquals(new TextDecoder().decode(endpoint.writes[0]), "config get cluster\r\n");
  endpoint.say(listOf(5, "one||11211"));
  await clock.settle();
  assertEquals([client.servers, endpoint.closed], [["one:11211"], true]);
  made.socket.ready();
  await clock.settle();
  made.socket.reply(1, { status: 1 });
  await first;

  const again = async (answer: string | undefined): Promise<readonly string[]> => {
    const before = sockets.length;
    await clock.advance(10_000);
    assertEquals(sockets.length, before + 1);
    sockets.at(-1)!.open();
    if (answer === undefined) sockets.at(-1)!.end();
    else sockets.at(-1)!.say(answer);
    await clock.settle();
    return client.servers;
  };
  assertEquals(await again(listOf(6, "one||11211", "two||11212")), ["one:11211", "two:11212"]);
  assertEquals(await again(listOf(4, "old||11211")), ["one:11211", "two:11212"]);
  assertEquals(await again(undefined), ["one:11211", "two:11212"]);
  assertEquals(await again("SERVER_ERROR busy\r\n"), ["one:11211", "two:11212"]);
  assertEquals(await again(listOf(7, "three||11211")), ["three:11211"]);
});

test("an endpoint that is none, or does not answer, rejects what waits, and is asked again a second later", async () => {
  await using plain = await freshServer();
  await using client = new Memcached(plain.address, { discovery: true });
  const error = await assertRejects(() => client.get("k"), ProtocolError);
  assertMatch(error.message, /Cannot discover the servers: .* answered "ERROR"; is it a configuration endpoint\?/);

  await using made = fakes({ servers: "config", discovery: true, timeout: "5s" });
  const asked = fateOf(made.client.get("k"));
  await made.clock.advance(999);
  assertEquals(asked.now, "pending");
  await made.clock.advance(1);
  assertEquals(asked.now, "rejected");
  assertMatch(String(asked.error), /config:11211 did not answer within 1000 ms/);
  await assertRejects(() => made.client.get("k"), ConnectionError, "did not answer");
  assertEquals(made.sockets.length, 1);
  await made.clock.advance(1000);
  const third = made.client.get("k").catch((error) => error);
  await made.clock.settle();
  assertEquals(made.sockets.length, 2);
  made.socket.end();
  assert(await third instanceof ConnectionError);
});

test("a client that closes while it asks again takes no more calls, and no new list", async () => {
  await using made = fakes({ servers: "config", discovery: { interval: "10s" } });
  const { client, clock, sockets } = made;
  const first = client.get("k");
  await toldOne(made);
  made.socket.reply(1, { status: 1 });
  await first;
  await clock.advance(10_000);
  const closed = client.close();
  await assertRejects(() => client.get("k"), ConnectionError, "the client is closed");
  made.socket.open();
  made.socket.say(listOf(2, "two||11211"));
  await closed;
  assertEquals(client.servers, ["one:11211"]);
  assertEquals([clock.pending, sockets.every((socket) => socket.closed)], [0, true]);
});

test("of several endpoints the next one is asked when one fails", async () => {
  await using made = fakes({ servers: "first,second", discovery: true });
  const asked = made.client.get("k");
  await made.clock.settle();
  made.sockets[0]!.end(new Error("refused"));
  await made.clock.settle();
  made.sockets[1]!.open();
  made.sockets[1]!.say(listOf(1, "found||11300"));
  await made.clock.settle();
  made.socket.ready();
  await made.clock.settle();
  made.socket.reply(1, { status: 1 });
  assertEquals([await asked, made.client.servers], [undefined, ["found:11300"]]);
});

test("a call that waits for the list times out, can be aborted, and is settled by close()", async () => {
  await using made = fakes({ servers: "config", discovery: true, timeout: "300ms" });
  const late = fateOf(made.client.get("k"));
  const controller = new AbortController();
  const aborted = fateOf(made.client.getMulti(["a"], { signal: controller.signal }));
  controller.abort(new Error("enough"));
  await made.clock.settle();
  assertEquals([aborted.now, String(aborted.error)], ["rejected", "Error: enough"]);
  await made.clock.advance(300);
  assert(late.error instanceof TimeoutError, String(late.error));
  const waits = fateOf(made.client.get("k"));
  await made.clock.settle();
  const closed = made.client.close();
  await assertRejects(() => made.client.get("k"), ConnectionError, "the client is closed");
  await made.clock.advance(700);
  await closed;
  assertEquals(waits.now, "rejected");
  await assertRejects(() => made.client.setServers("a"), TypeError, "`discovery` finds them");
  assertEquals(made.clock.pending, 0);
});

test("a call that waits for the list takes a Buffer's bytes at the call", async () => {
  await using server = await freshServer();
  const endpoint = createServer((socket) => {
    socket.on("data", () => socket.write(listOf(1, `127.0.0.1||${server.port}`)));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = endpoint.address() as { port: number };
    await using client = new Memcached(`127.0.0.1:${port}`, { discovery: true });
    const value = Buffer.from("precious");
    const written = client.set("k", value);
    value.fill("x");
    await written;
    assertEquals((await client.get("k"))!.text(), "precious");
  } finally {
    endpoint.close();
  }
});

test("a getMulti that waits for the list takes its keys at the call", async () => {
  await using made = fakes({ servers: "config", discovery: true });
  const { client } = made;
  const keys = ["k"];
  const asked = client.getMulti(keys);
  keys[0] = "other";
  await toldOne(made);
  assertEquals(made.socket.requests[1]!.key, "k");
  made.socket.reply(2, {});
  assertEquals((await asked).size, 0);
});

test("a call that waits for the list has one timeout for everything", async () => {
  await using made = fakes({ servers: "config", discovery: true, timeout: 1, connectTimeout: 10 });
  const { client, clock, sockets } = made;
  const asked = fateOf(client.get("k"));
  await clock.settle();
  sockets[0]!.open();
  await clock.advance(900);
  sockets[0]!.say(listOf(1, "one||11211"));
  await clock.settle();
  await clock.advance(200);
  await clock.settle();
  assertEquals(asked.now, "rejected"); // 1.1 s after the call; really 1.9 s
});

test("calls that wait for the list are bounded by maxInFlight", async () => {
  await using made = fakes({ servers: "config", discovery: true, maxInFlight: 10 });
  const { client, clock } = made;
  const fates = Array.from({ length: 1000 }, () => fateOf(client.set("k", new Uint8Array(1000))));
  await clock.settle();
  assert(fates.at(-1)!.error instanceof QueueFullError);
  assertEquals(fates.filter(({ now }) => now === "pending").length, 10);
});

test("calls that wait for the list are bounded by maxBytesInFlight, and those that are made or leave make room", async () => {
  await using made = fakes({ servers: "config", discovery: true, maxBytesInFlight: 2500 });
  const { client, clock, sockets } = made;
  const controller = new AbortController();
  const { signal } = controller;
  const fates = [0, 1, 2, 3].map(() => fateOf(client.set("k", new Uint8Array(1000), { signal })));
  await clock.settle();
  assertEquals(fates.map(({ now }) => now), ["pending", "pending", "rejected", "rejected"]);
  assertMatch(
    String(fates[3]!.error),
    /QueueFullError: Cannot set "k": 2 calls with 2000 bytes wait already, and no list of servers has come; nothing was sent/,
  );
  controller.abort();
  const later = fateOf(client.set("k", new Uint8Array(2000)));
  await clock.settle();
  assertEquals([later.now, fates[0]!.now], ["pending", "rejected"]);
  sockets[0]!.open();
  sockets[0]!.say(listOf(1, "one||11211"));
  await clock.settle();
  made.socket.ready();
  await clock.settle();
  assertEquals(made.socket.requests.length, 2);
});

test("calls that waited for the list are sent before one that is made when it is there", async () => {
  await using made = fakes({ servers: "config", discovery: true });
  const { client, clock, sockets } = made;
  const early = [client.get("a"), client.get("b")].map(fateOf);
  await clock.settle();
  sockets[0]!.open();
  sockets[0]!.say(listOf(1, "one||11211"));
  // Whoever is first to see the list asks at once.
  while (client.servers.length === 0) await Promise.resolve();
  const late = fateOf(client.get("c"));
  await clock.settle();
  made.socket.ready();
  await clock.settle();
  assertEquals(made.socket.requests.slice(1).map(({ key }) => key), ["a", "b", "c"]);
  assertEquals([...early, late].map(({ now }) => now), ["pending", "pending", "pending"]);
});

test("a getMulti that waits for the list is answered when the client is closed meanwhile", async () => {
  const made = fakes({ servers: "config", discovery: true });
  const { client } = made;
  const asked = client.getMulti(["k"]);
  const closed = client.close();
  await toldOne(made);
  made.socket.reply(2, {});
  assertEquals((await asked).size, 0);
  await closed;
});

test("Discovery that has a list does not ask for it again, and leaves no timer when it is closed", async () => {
  const clock = new FakeClock();
  const asked: FakeSocket[] = [];
  const connect = (address: Address, listener: SocketListener): Socket => {
    asked.push(new FakeSocket(address, listener));
    return asked.at(-1)!;
  };
  const options = { tls: undefined, connectTimeoutMs: 1000, clock, connect };
  const used: string[][] = [];
  const discovery = new Discovery(
    parseServers("config"),
    options,
    10_000,
    (addresses) => used.push(addresses.map(({ name }) => name)),
  );
  const both = [discovery.list(), discovery.list()];
  await clock.settle();
  asked[0]!.open();
  asked[0]!.say(listOf(1, "one||11211"));
  await Promise.all([...both, discovery.list()]);
  await discovery.list();
  assertEquals([asked.length, used, clock.pending], [1, [["one:11211"]], 1]);
  await discovery.close();
  assertEquals(clock.pending, 0);
});

test("Discovery that is closed while it asks for the first time settles, and uses nothing", async () => {
  const clock = new FakeClock();
  const asked: FakeSocket[] = [];
  const connect = (address: Address, listener: SocketListener): Socket => {
    asked.push(new FakeSocket(address, listener));
    return asked.at(-1)!;
  };
  const used: unknown[] = [];
  const options = { tls: undefined, connectTimeoutMs: 1000, clock, connect };
  const discovery = new Discovery(parseServers("config"), options, 10_000, (addresses) => void used.push(addresses));
  const list = discovery.list();
  await clock.settle();
  const closed = discovery.close();
  asked[0]!.open();
  asked[0]!.say(listOf(1, "one||11211"));
  await Promise.all([list, closed]);
  assertEquals([used, clock.pending], [[], 0]);
});
