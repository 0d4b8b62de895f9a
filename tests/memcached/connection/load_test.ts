/** How full a client says it is. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { QueueFullError } from "../../../src/memcached/mod.ts";
import { fakes, fateOf, readyFakes, replyTo, twoReadyFakes } from "../_fakes.ts";

test("load() counts what is in flight on a key's connection, as soon as it is asked, until it is answered", async () => {
  await using made = await readyFakes({ maxInFlight: 10 });
  const { client, clock, socket } = made;
  const loads: number[] = [];
  const calls = Array.from({ length: 10 }, (_, n) => {
    loads.push(client.load("k"));
    return client.get(`k${n}`);
  });
  assertEquals(loads, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
  assertEquals(client.load("any"), 1);
  await assertRejects(() => client.get("k"), QueueFullError);
  await clock.settle();
  for (const request of socket.requests) socket.say(replyTo(request, { status: 1 }));
  await Promise.all(calls);
  assertEquals(client.load("k"), 0);
});

test("load() is the fuller of the two bounds, and tombstones count, as they do against the bounds", async () => {
  await using made = await readyFakes({ maxInFlight: 100, maxBytesInFlight: 1000 });
  const { client, clock } = made;
  const controller = new AbortController();
  const set = fateOf(client.set("k", "x".repeat(465), controller)); // and 35 bytes around it
  assert(client.load("k") >= 0.49 && client.load("k") <= 0.51, `${client.load("k")}`);
  await clock.settle();
  controller.abort();
  await clock.settle();
  assertEquals(set.now, "rejected");
  assert(client.load("k") >= 0.49);
});

test("load() is of the connection whose turn it is, and of the key's own server", async () => {
  await using made = await twoReadyFakes({ maxInFlight: 4 });
  const { client } = made;
  const fates = [client.get("a"), client.get("b"), client.get("c")].map(fateOf);
  assertEquals(client.load("k"), 0.25); // the second one's turn
  fates.push(fateOf(client.get("d")));
  assertEquals(client.load("k"), 0.5);

  await using two = fakes({ servers: "a,b", maxInFlight: 2 });
  const keys = Array.from({ length: 50 }, (_, n) => `k${n}`);
  const [onA, onB] = ["a:11211", "b:11211"].map((server) => keys.find((key) => two.client.serverOf(key) === server)!);
  fates.push(fateOf(two.client.get(onA!)));
  assertEquals([two.client.load(onA!), two.client.load(onB!)], [0.5, 0]);
  assertEquals(fates.length, 5);
});

test("load() of a dead server is 0: it refuses at once", async () => {
  await using made = fakes({ maxInFlight: 2 });
  for (let n = 0; n < 2; n++) {
    const get = made.client.get("a");
    made.socket.end(new Error("refused"));
    await assertRejects(() => get);
  }
  assertEquals(made.client.load("a"), 0);
});

test("load() counts calls that wait for the list of servers", async () => {
  await using made = fakes({ servers: "config", discovery: true, maxInFlight: 4, maxBytesInFlight: 1000 });
  const { client } = made;
  assertEquals(client.load("k"), 0);
  const fates = [fateOf(client.get("k")), fateOf(client.get("k")), fateOf(client.set("k", new Uint8Array(900)))];
  assertEquals([client.load("k"), fates.length], [0.9, 3]);
  await made.clock.settle(); // the endpoint is being asked, and its end settles them
});

test("load() of bounds that are infinite is 0", async () => {
  await using made = await readyFakes({ maxInFlight: Infinity, maxBytesInFlight: Infinity });
  const get = fateOf(made.client.get("k"));
  assertEquals([made.client.load("k"), get.now], [0, "pending"]);
});
