/** A client that keeps no connection that nobody uses: what `configure` has made and replaced. */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { internalsOf, type Memcached } from "../../../src/memcached/client.ts";
import { type Fakes, fakes, fateOf, readyFakes } from "../_fakes.ts";

const keepIdle = (client: Memcached, keeps: boolean) => internalsOf.get(client)!.keepIdle(keeps);
const openOf = ({ sockets }: Fakes) => sockets.filter(({ closed }) => !closed).length;

test("an idle connection is closed after 100 ms, and opened again for whoever asks", async () => {
  await using made = await readyFakes();
  const { client, clock } = made;
  keepIdle(client, false);
  await clock.advance(99);
  assertEquals(openOf(made), 1);
  await clock.advance(1);
  assertEquals(openOf(made), 0);
  assertEquals(clock.pending, 0, "no timer is left");
  const get = fateOf(client.get("a"));
  await clock.settle();
  assertEquals(openOf(made), 1);
  made.socket.ready();
  await clock.settle();
  made.socket.reply(1, { status: 1 });
  await clock.settle();
  assertEquals(get.now, "resolved");
  await clock.advance(200);
  assertEquals([openOf(made), clock.pending], [0, 0]);
});

test("a connection that is used is not idle: something is in flight, or was answered a moment ago", async () => {
  await using made = await readyFakes();
  const { client, clock, socket } = made;
  keepIdle(client, false);
  const get = fateOf(client.get("a"));
  await clock.advance(500);
  assertEquals([openOf(made), get.now], [1, "pending"]);
  socket.reply(0, { status: 1 });
  await clock.advance(50);
  assertEquals([openOf(made), get.now], [1, "resolved"]);
  await clock.advance(200);
  assertEquals(openOf(made), 0);
});

test("a connection that is being opened is not idle", async () => {
  await using made = fakes();
  keepIdle(made.client, false);
  const get = fateOf(made.client.get("a"));
  await made.clock.advance(500);
  assertEquals([openOf(made), get.now], [1, "pending"]);
});

test("its idle timers keep no process alive", async () => {
  await using made = await readyFakes();
  const { pending } = made.clock;
  keepIdle(made.client, false);
  assertEquals([made.clock.pending, made.clock.referenced], [pending + 1, 0]);
});

test("a client that keeps idle connections again closes none", async () => {
  await using made = await readyFakes();
  keepIdle(made.client, false);
  keepIdle(made.client, true);
  await made.clock.advance(10_000);
  assertEquals([openOf(made), made.clock.pending], [1, 0]);
});

test("nobody tries a dead server any more, until somebody asks it", async () => {
  await using made = fakes();
  const { client, clock, sockets } = made;
  for (let n = 0; n < 2; n++) {
    const get = client.get("a").catch(() => {});
    await clock.settle();
    made.socket.end(new Error("refused"));
    await get;
  }
  keepIdle(client, false);
  await clock.advance(100_000);
  assertEquals([sockets.length, clock.pending], [2, 0]);
  const get = fateOf(client.get("a"));
  await clock.settle();
  assertEquals(sockets.length, 3);
  made.socket.ready();
  await clock.settle();
  made.socket.reply(1, { status: 1 });
  await clock.settle();
  assertEquals(get.now, "resolved");
});

test("a server that was told later keeps no idle connection either", async () => {
  await using made = await readyFakes();
  const { client, clock } = made;
  keepIdle(client, false);
  await client.setServers("b");
  const get = client.get("a");
  await clock.settle();
  made.socket.ready();
  await clock.settle();
  made.socket.reply(1, { status: 1 });
  await get;
  await clock.advance(300);
  assertEquals([openOf(made), clock.pending], [0, 0]);
});

test("an endpoint is not asked for lists while nobody uses the servers, and at once when somebody does", async () => {
  await using made = fakes({ servers: "endpoint", discovery: { interval: "10s" } });
  const { client, clock, sockets } = made;
  const list = "1\none||11211\n", said = `CONFIG cluster 0 ${list.length}\r\n${list}\r\nEND\r\n`;
  const asked = () => sockets.filter(({ address }) => (address as { host: string }).host === "endpoint").length;
  const get = client.get("a");
  await clock.settle();
  sockets[0]!.open();
  sockets[0]!.say(said);
  await clock.settle();
  made.socket.ready();
  await clock.settle();
  made.socket.reply(1, { status: 1 });
  await get;
  keepIdle(client, false);
  await clock.advance(100_000);
  assertEquals([asked(), clock.pending], [1, 0]);
  const again = client.get("a");
  await clock.settle();
  made.socket.ready();
  made.socket.reply(1, { status: 1 });
  await again;
  await clock.settle();
  await clock.advance(0);
  assertEquals(asked(), 2);
});
