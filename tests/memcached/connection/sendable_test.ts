/** For how long a client says that it could send. */

import { assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { fakes, readyFakes } from "../_fakes.ts";

test("sendableFor() is 0 until a key's connection is ready, and counts from then", async () => {
  await using made = fakes();
  const { client, clock } = made;
  const get = client.get("k");
  await clock.advance(300);
  assertEquals(client.sendableFor("k"), 0); // not even connected
  made.socket.open();
  await clock.advance(200);
  assertEquals(client.sendableFor("k"), 0); // the probe is not answered
  made.socket.reply(0);
  await clock.advance(120);
  assertEquals(client.sendableFor("k"), 120);
  made.socket.reply(1, { status: 1 });
  assertEquals(await get, undefined);
});

test("sendableFor() is of the key's own server", async () => {
  await using made = fakes({ servers: "a,b" });
  const { client, clock } = made;
  const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
  const [onA, onB] = ["a:11211", "b:11211"].map((server) => keys.find((key) => client.serverOf(key) === server)!);
  const get = client.get(onA!);
  await clock.advance(10);
  // Of a server that nobody has asked there is nothing to wait for.
  assertEquals([client.sendableFor(onA!), client.sendableFor(onB!)], [0, Infinity]);
  made.socket.end(new Error("refused"));
  await assertRejects(() => get);
});

test("sendableFor() of a dead server is Infinity: it refuses at once", async () => {
  await using made = fakes();
  for (let n = 0; n < 2; n++) {
    const get = made.client.get("a");
    await made.clock.settle();
    made.socket.end(new Error("refused"));
    await assertRejects(() => get);
  }
  assertEquals(made.client.sendableFor("a"), Infinity);
});

test("sendableFor() begins anew with a new connection", async () => {
  await using made = await readyFakes();
  await made.clock.advance(500);
  assertEquals(made.client.sendableFor("k"), 500);
  made.socket.end();
  const get = made.client.get("k");
  await made.clock.settle();
  assertEquals(made.client.sendableFor("k"), 0);
  made.socket.end(new Error("refused"));
  await assertRejects(() => get);
});
