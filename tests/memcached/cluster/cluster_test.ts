/** Servers that come and go while they are asked. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { lookup } from "node:dns/promises";
import { test } from "node:test";
import { ConnectionError, Memcached } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { fakes, fateOf } from "../_fakes.ts";

const keys = Array.from({ length: 200 }, (_, n) => `key-${n}`);

test("setServers() moves only the keys of the servers that come or go", async () => {
  await using client = new Memcached(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  const before = keys.map((key) => client.serverOf(key));
  await client.setServers(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
  assertEquals(client.servers, ["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211", "10.0.0.4:11211"]);
  const after = keys.map((key) => client.serverOf(key));
  assert(after.includes("10.0.0.4:11211"));
  assert(after.every((server, n) => server === before[n] || server === "10.0.0.4:11211"));
  await client.setServers("10.0.0.1 3, 10.0.0.2");
  const heavy = keys.filter((key) => client.serverOf(key) === "10.0.0.1:11211").length;
  assert(heavy > 100, `${heavy}`);
});

test("servers are added, removed and put back while calls run, and no call is lost", { timeout: 60_000 }, async () => {
  await using a = await freshServer();
  await using b = await freshServer();
  await using client = new Memcached(a.address);
  const connects: string[] = [];
  client.on("connect", (event) => connects.push(event.server));
  let asked = 0;
  const round = () =>
    Promise.all(keys.map(async (key) => {
      asked++;
      assertEquals((await client.set(key, key)).stored, true);
    }));
  for (const servers of [[a.address], [a.address, b.address], [b.address], [a.address, b.address]]) {
    const running = round();
    await client.setServers(servers);
    await running;
    await round();
    const found = await client.getMulti(keys);
    assertEquals(found.size, keys.length);
    assertEquals(found.failed.size, 0);
  }
  assertEquals(asked, 8 * keys.length);
  // A stays the first time round: its connection was kept. It left, and came back on a new one.
  assertEquals(connects.filter((server) => server === a.address).length, 2);
  assertEquals(connects.filter((server) => server === b.address).length, 1);
});

test("a server that is removed answers what it was asked, then its connection closes, then setServers() resolves", async () => {
  await using made = fakes({ servers: "a,b" });
  const { client, clock } = made;
  const key = keys.find((key) => client.serverOf(key) === "a:11211")!;
  const asked = client.get(key);
  const [socket] = made.sockets;
  socket!.ready();
  await clock.settle();
  const replaced = client.setServers("b");
  const fate = fateOf(replaced);
  assertEquals(client.servers, ["b:11211"]);
  await clock.settle();
  assertEquals([fate.now, socket!.closed], ["pending", false]);
  socket!.reply(1, { status: 1 });
  assertEquals(await asked, undefined);
  await replaced;
  assertEquals(socket!.closed, true);
  const moved = client.get(key);
  made.socket.ready();
  await clock.settle();
  made.socket.reply(1, { status: 1 });
  assertEquals([await moved, made.sockets.length], [undefined, 2]);
});

test("a token of a server that has left is never sent elsewhere", { timeout: 60_000 }, async () => {
  await using a = await freshServer();
  await using b = await freshServer();
  await using client = new Memcached(a.address);
  await client.set("k", "1");
  const seen = (await client.get("k"))!;
  await client.setServers(b.address);
  await client.set("k", "other");
  assertEquals(await client.set("k", "2", { cas: seen }), { stored: false, reason: "connection-lost" });
  assertEquals((await client.get("k"))!.text(), "other");
});

test("close() waits for servers that are still leaving, and later setServers() rejects", async () => {
  await using made = fakes({ servers: "a" });
  const { client, clock } = made;
  const asked = client.get("k");
  made.socket.ready();
  await clock.settle();
  const left = client.setServers("b");
  const closed = client.close();
  const fates = [fateOf(left), fateOf(closed)];
  await clock.settle();
  assertEquals(fates.map(({ now }) => now), ["pending", "pending"]);
  made.sockets[0]!.reply(1, { status: 1 });
  await asked;
  await Promise.all([left, closed]);
  await assertRejects(() => client.setServers("a"), ConnectionError, "Cannot set the servers: the client is closed");
});

test("wrong servers are named, and change nothing", async () => {
  await using client = new Memcached("10.0.0.1");
  await assertRejects(() => client.setServers([]), TypeError, "name at least one");
  await assertRejects(() => client.setServers("a:b:c"), TypeError, '"a:b:c"');
  await assertRejects(() => client.setServers(undefined as unknown as string), TypeError, "`servers` is missing");
  assertEquals(client.servers, ["10.0.0.1:11211"]);
});

test("duty e: the keys of a dead server stay where they are, and fail", { timeout: 60_000 }, async () => {
  await using a = await freshServer();
  await using b = await freshServer();
  await using client = new Memcached([a.address, b.address], { connectTimeout: "5s" });
  await client.getMulti(keys);
  const places = keys.map((key) => client.serverOf(key));
  const key = keys[places.indexOf(b.address)]!;
  await b.kill();
  for (let n = 0; n < 5; n++) await assertRejects(() => client.get(key));
  assertEquals(keys.map((key) => client.serverOf(key)), places);
});

test('with deadServers: "eject" a list that is replaced forgets who was ejected', { timeout: 60_000 }, async () => {
  await using a = await freshServer();
  await using b = await freshServer();
  await using client = new Memcached([a.address, b.address], { deadServers: "eject", connectTimeout: "5s" });
  await client.getMulti(keys);
  await b.kill();
  for (let n = 0; n < 50 && keys.some((key) => client.serverOf(key) === b.address); n++) {
    await Promise.allSettled(keys.map((key) => client.get(key)));
  }
  assertEquals(new Set(keys.map((key) => client.serverOf(key))), new Set([a.address]));
  await client.setServers([a.address]);
  await client.setServers([a.address, b.address]);
  assertEquals(new Set(keys.map((key) => client.serverOf(key))), new Set([a.address, b.address]));
});

test("tokens of four connections hold while their connection lives, and never beyond", async () => {
  await using own = await freshServer();
  await using client = new Memcached(own.address, { connections: 4 });
  const names = keys.slice(0, 40);
  await Promise.all(names.map((key) => client.set(key, "1")));
  const seen = await Promise.all(names.map((key) => client.get(key)));
  const first = await Promise.all(names.map((key, n) => client.set(key, "2", { cas: seen[n]! })));
  assert(first.every((result) => result.stored));
  await own.restart();
  // The same cas values come again on the new server.
  for (let tries = 0; tries < 10; tries++) {
    const results = await Promise.allSettled(names.map((key) => client.set(key, "new")));
    if (results.every((result) => result.status === "fulfilled")) break;
  }
  const late = await Promise.all(
    names.map((key, n) => client.set(key, "3", { cas: first[n] as typeof first[0] & { stored: true } })),
  );
  assertEquals(new Set<unknown>(late.map((result) => result.stored || result.reason)), new Set(["connection-lost"]));
  assertEquals(
    new Set((await Promise.all(names.map((key) => client.get(key)))).map((item) => item?.text())),
    new Set(["new"]),
  );
});

test("IPv6 and unix sockets are reached, and a name with all of its addresses", { timeout: 60_000 }, async () => {
  for (const listen of ["::1", "unix"] as const) {
    await using own = await freshServer([], { listen });
    await using client = new Memcached(own.address);
    await client.set("k", listen);
    assertEquals((await client.get("k"))!.text(), listen);
    assertEquals(client.servers, [own.address]);
  }
  // Of a name with two addresses, as localhost often has, whoever listens on one is found.
  for (const { address } of await lookup("localhost", { all: true })) {
    await using own = await freshServer([], { listen: address as "127.0.0.1" | "::1" });
    await using named = new Memcached(`localhost:${own.port}`);
    await named.set("k", address);
    assertEquals((await named.get("k"))!.text(), address);
  }
  await using nobody = new Memcached("/run/there-is-no-such-socket.sock");
  assertInstanceOf(await nobody.get("k").catch((error) => error), ConnectionError);
});
