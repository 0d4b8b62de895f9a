/** Is every server there? Asked at start-up and by health checks. */

import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { ConnectionError, Memcached } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { fakes, fateOf } from "../_fakes.ts";

test("ready() opens a connection to every server, and resolves once each has answered", async () => {
  await using made = fakes({ servers: "a,b" });
  const { client, clock, sockets } = made;
  const ready = fateOf(client.ready());
  await clock.settle();
  assertEquals(sockets.map(({ address }) => (address as { host: string }).host), ["a", "b"]);
  for (const socket of sockets) socket.ready();
  await clock.settle();
  sockets[0]!.reply(1, { value: "1.6" });
  await clock.settle();
  assertEquals(ready.now, "pending", "the other one has not answered");
  sockets[1]!.reply(1, { value: "1.6" });
  await clock.settle();
  assertEquals(ready.now, "resolved");
  const again = fateOf(client.ready());
  await clock.settle();
  assertEquals(sockets.length, 2, "on the connections that are there");
  for (const socket of sockets) socket.reply(2, { value: "1.6" });
  await clock.settle();
  assertEquals(again.now, "resolved");
});

test("ready() rejects with one error for each server that did not answer", async () => {
  await using made = fakes({ servers: "a,b,c" });
  const { client, clock, sockets } = made;
  const ready = fateOf(client.ready());
  await clock.settle();
  sockets[1]!.ready();
  sockets[1]!.reply(1, { value: "1.6" });
  sockets[0]!.end(new Error("refused"));
  sockets[2]!.end(new Error("refused"));
  await clock.settle();
  const error = ready.error as AggregateError;
  assert(error instanceof AggregateError);
  assertEquals(error.errors.map(({ server }) => server), ["a:11211", "c:11211"]);
  assertMatch(
    error.message,
    /^Not ready: 2 of 3 servers did not answer: .*a:11211 cannot be reached: refused.*c:11211/,
  );
  assert(error.errors.every((one) => one instanceof ConnectionError));
});

test("ready() leaves with its signal's reason, and sends nothing for one that has fired", async () => {
  await using made = fakes();
  const controller = new AbortController(), reason = new Error("enough");
  const left = fateOf(made.client.ready({ signal: controller.signal }));
  await made.clock.settle();
  controller.abort(reason);
  await made.clock.settle();
  assertStrictEquals(left.error, reason);
  await using untouched = fakes();
  assertStrictEquals(await assertRejects(() => untouched.client.ready({ signal: controller.signal })), reason);
  assertEquals(untouched.sockets.length, 0);
  await assertRejects(() => untouched.client.ready({ signal: {} as AbortSignal }), TypeError, "signal");
});

test("ready() tells a server that is known to be dead at once, and of a closed client that it is", async () => {
  const made = fakes();
  const { client, clock } = made;
  for (let n = 0; n < 2; n++) {
    const get = client.get("a").catch(() => {});
    await clock.settle();
    made.socket.end(new Error("refused"));
    await get;
  }
  const error = await assertRejects(() => client.ready(), AggregateError) as AggregateError;
  assertMatch(error.errors[0].message, /a:11211 is dead/);
  await client.close();
  await assertRejects(() => client.ready(), ConnectionError, "Cannot be ready: the client is closed");
});

test("ready() is an error of the endpoint where no list of servers has come", async () => {
  await using made = fakes({ servers: "endpoint", discovery: true });
  const ready = fateOf(made.client.ready());
  await made.clock.settle();
  made.socket.end(new Error("refused"));
  await made.clock.settle();
  const error = ready.error as AggregateError;
  assertMatch(error.message, /^Not ready: no list of servers has come: /);
  assertEquals(error.errors.length, 1);
});

test("ready() of a real server and of a port where nobody listens", { timeout: 60_000 }, async () => {
  await using server = await freshServer();
  await using one = new Memcached(server.address);
  await one.ready();
  await using two = new Memcached([server.address, "127.0.0.1:1"]);
  const error = await assertRejects(() => two.ready(), AggregateError) as AggregateError;
  assertEquals(error.errors.map(({ server }) => server), ["127.0.0.1:1"]);
});
