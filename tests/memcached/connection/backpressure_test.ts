/** More than a connection may hold, and as much as it is allowed to, against real servers. */

import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { test } from "node:test";
import { ConnectionError, Memcached, QueueFullError, ServerError } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { answers } from "../_faults.ts";

const fates = (calls: readonly Promise<unknown>[]) =>
  Promise.all(calls.map((call) => call.then(() => undefined, (error) => error)));

test("by default 10,000 requests of one tick are answered, and each one more is a QueueFullError", async () => {
  await using server = await freshServer();
  await using client = new Memcached(server.address, { timeout: "20s", connectTimeout: "20s" });
  const errors = await fates(Array.from({ length: 10_100 }, (_, n) => client.get(`k${n}`)));
  assert(errors.slice(0, 10_000).every((error) => error === undefined));
  for (const error of errors.slice(10_000)) assertInstanceOf(error, QueueFullError);
  assertEquals(await client.get("a"), undefined);
});

test(
  "by default 32 MiB of one tick are taken, and each write more is a QueueFullError",
  { timeout: 60_000 },
  async () => {
    await using server = await freshServer(["-m", "128"]);
    await using client = new Memcached(server.address, { timeout: "20s", connectTimeout: "20s" });
    const value = new Uint8Array(2 ** 20 - 1000);
    const errors = await fates(Array.from({ length: 40 }, (_, n) => client.set(`k${n}`, value)));
    const refused = errors.filter((error) => error !== undefined);
    assert(refused.length >= 7 && refused.length <= 8, `${refused.length} of 40`);
    for (const error of refused) assertInstanceOf(error, QueueFullError);
    assertEquals((await client.set("a", value)).stored, true);
  },
);

test(
  "with the bound raised 100,000 calls of one tick are all answered, each with its own",
  { timeout: 60_000 },
  async () => {
    await using server = await freshServer();
    const options = {
      maxInFlight: 200_000,
      maxBytesInFlight: Infinity,
      timeout: "60s",
      connectTimeout: "20s",
    } as const;
    await using client = new Memcached(server.address, options);
    await Promise.all(Array.from({ length: 1000 }, (_, n) => client.set(`k${n}`, `value ${n}`)));
    const items = await Promise.all(Array.from({ length: 100_000 }, (_, n) => client.get(`k${n % 1000}`)));
    assert(items.every((item, n) => item?.text() === `value ${n % 1000}`));
  },
);

test("getMulti() of 10,000 keys over three servers gives all that is there, and names the server that is gone", {
  timeout: 60_000,
}, async () => {
  await using one = await freshServer();
  await using two = await freshServer();
  await using three = await freshServer();
  const servers = [one, two, three].map(({ address }) => address);
  await using client = new Memcached(servers, { timeout: "20s" });
  const keys = Array.from({ length: 10_000 }, (_, n) => `key ${n}`.replace(" ", ":"));
  for (let n = 0; n < keys.length; n += 5000) {
    await Promise.all(keys.slice(n, n + 5000).map((key) => client.set(key, `value of ${key}`)));
  }
  const whole = await client.getMulti(keys);
  assertEquals([whole.size, whole.failed.size], [10_000, 0]);
  assert(keys.every((key) => whole.get(key)!.text() === `value of ${key}`));
  await two.kill();
  const part = await client.getMulti(keys);
  assertEquals([...part.failed.keys()], [two.address]);
  assertInstanceOf(part.failed.get(two.address), ConnectionError);
  for (const key of keys) assertEquals(part.has(key), client.serverOf(key) !== two.address);
});

for (const protocol of ["binary", "meta"] as const) {
  test(`${protocol}: a server at its connection limit refuses by an error, and takes the client once there is room`, {
    timeout: 60_000,
  }, async () => {
    await using server = await freshServer(["-c", "20"]);
    const held: Memcached[] = [];
    let refusal: unknown;
    while (refusal === undefined && held.length < 50) {
      const client = new Memcached(server.address, { protocol, timeout: "2s", connectTimeout: "2s" });
      held.push(client);
      refusal = await client.get("a").then(() => undefined, (error) => error);
    }
    assertInstanceOf(refusal, ConnectionError);
    assertMatch(refusal.message, /Too many open connections/);
    const last = held.pop()!;
    // Those that are in are served all the while.
    for (const client of held) assertEquals(await client.get("a"), undefined);
    await Promise.all(held.map((client) => client.close()));
    await answers(last);
    assertEquals((await last.set("a", "1")).stored, true);
    await last.close();
  });
}

test("a server out of memory refuses the write with status 0x82; what it has stays right and the connection lives", async () => {
  await using server = await freshServer(["-m", "2", "-M"]);
  await using client = new Memcached(server.address);
  let connects = 0;
  client.on("connect", () => connects++);
  const value = "x".repeat(10_000);
  let refusal: unknown;
  let kept = 0;
  for (; refusal === undefined && kept < 5000; kept++) {
    refusal = await client.set(`k${kept}`, `${kept}:${value}`).then(() => undefined, (error) => error);
  }
  kept--;
  assertInstanceOf(refusal, ServerError);
  assertEquals(refusal.status, 0x82);
  for (let n = 0; n < kept; n++) assertEquals((await client.get(`k${n}`))!.text(), `${n}:${value}`);
  await Promise.all(Array.from({ length: kept }, (_, n) => client.delete(`k${n}`)));
  assertEquals((await client.set("k0", value)).stored, true);
  assertEquals(connects, 1);
});
