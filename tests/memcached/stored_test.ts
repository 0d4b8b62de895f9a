/** What a real server has stored, as it says itself (`mg`), at the exact limits of every rule. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { connect } from "node:net";
import { after, test } from "node:test";
import { Memcached, type ServerError, ValueTooLargeError } from "../../src/memcached/mod.ts";
import { freshServer } from "../_memcached.ts";

/** Protocols of the driver that have to store the same. */
const PROTOCOLS = ["binary", "meta"] as const;

const server = await freshServer();
after(() => server[Symbol.asyncDispose]());

/** What `mg` says: seconds to live (-1: for ever), flags, size in bytes; `undefined`: nothing is there. */
async function stored(key: string): Promise<{ ttl: number; flags: number; size: number } | undefined> {
  const line = await new Promise<string>((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write(`mg ${key} t f s\r\n`));
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString();
      if (text.endsWith("\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(text.trim()));
    socket.on("error", reject);
  });
  if (line === "EN") return undefined;
  const [, ttl, flags, size] = /^HD t(-?\d+) f(\d+) s(\d+)$/.exec(line)!.map(Number);
  return { ttl: ttl!, flags: flags!, size: size! };
}

for (const protocol of PROTOCOLS) {
  const client = new Memcached(server.address, { protocol });
  after(() => client.close());

  test(`${protocol}: keys of 250 bytes are stored under just these bytes, 251 are never sent`, async () => {
    for (const key of ["k".repeat(250), "é".repeat(125), "漢".repeat(83) + "k", "🦕".repeat(62) + "kk", "%&()|\"'\\"]) {
      assertEquals((await client.set(key, "v")).stored, true);
      assertEquals((await stored(key))?.size, 1);
      assertEquals((await client.get(key))!.text(), "v");
    }
    for (const key of ["k".repeat(251), "é".repeat(125) + "k", "漢".repeat(84), "🦕".repeat(63)]) {
      await assertRejects(() => client.set(key, "v"), TypeError, "at most 250 are allowed");
    }
  });

  test(`${protocol}: the largest value is stored whole, and one byte more is refused by driver and server alike`, async () => {
    // The client's own bound is out of the way here, so that the server answers.
    await using brave = new Memcached(server.address, { protocol, maxValueBytes: 4 * 1024 * 1024 });
    for (const [key, flags] of [["big", 0], ["big", 7], ["k".repeat(250), 0], ["k".repeat(250), 0xffffffff]] as const) {
      const most = 1024 * 1024 - 59 - key.length - (flags === 0 ? 0 : 4);
      assertEquals((await client.set(key, new Uint8Array(most), { flags })).stored, true);
      assertEquals(await stored(key), { ttl: -1, flags, size: most });
      assertEquals((await client.get(key))!.bytes.length, most);

      const tooLarge = await assertRejects(() => client.set(key, new Uint8Array(most + 1), { flags }));
      assertInstanceOf(tooLarge, ValueTooLargeError);
      assertEquals((await stored(key))?.size, most);
      const added = await assertRejects(() => brave.add(key, new Uint8Array(most + 1), { flags }));
      assertEquals([added instanceof ValueTooLargeError, (added as ServerError).status], [true, 3]);
      const set = await assertRejects(() => brave.set(key, new Uint8Array(most + 1), { flags }));
      assertEquals([set instanceof ValueTooLargeError, (set as ServerError).status], [true, 3]);
      // A set that is too large takes the old value with it: nobody is served what was to be replaced.
      assertEquals(await stored(key), undefined);
    }
  });

  test(`${protocol}: a ttl is what the server counts down, whatever its size`, async () => {
    const day = 86_400;
    const cases: readonly [ttl: number, least: number, most: number][] = [
      [0.001, 0, 1],
      [0.5, 0, 1],
      [1, 0, 1],
      [1.001, 1, 2],
      [30 * day - 1, 30 * day - 3, 30 * day - 1],
      [30 * day, 30 * day - 2, 30 * day],
      [30 * day + 1, 30 * day - 1, 30 * day + 4],
      [365 * day, 365 * day - 2, 365 * day + 3],
      [0, -1, -1],
      [Infinity, -1, -1],
      [100 * 365 * day, -1, -1], // past January 2038
    ];
    const key = `ttl:${protocol}`;
    for (const [ttl, least, most] of cases) {
      for (const write of ["set", "add", "replace", "touch", "getAndTouch", "incr"] as const) {
        await client.delete(key);
        if (write === "replace" || write === "touch" || write === "getAndTouch") await client.set(key, "1");
        if (write === "touch" || write === "getAndTouch") await client[write](key, ttl);
        else if (write === "incr") await client.incr(key, 1, { initial: 1, ttl });
        else await client[write](key, "1", { ttl });
        const found = await stored(key);
        // One that lives a second at most may be gone already.
        const left = found?.ttl ?? (most <= 2 ? least : NaN);
        assert(left >= least && left <= most, `${write}, ttl ${ttl}: ${left} left, expected ${least} to ${most}`);
      }
    }
    for (const ttl of [NaN, -1, -Infinity]) await assertRejects(() => client.set(key, "1", { ttl }), RangeError, "ttl");
  });

  test(`${protocol}: flags are 32 bits`, async () => {
    for (const flags of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      await client.set("flags", "v", { flags });
      assertEquals((await stored("flags"))?.flags, flags);
      assertEquals((await client.get("flags"))!.flags, flags);
      await client.append("flags", "w");
      assertEquals(await stored("flags"), { ttl: -1, flags, size: 2 });
    }
    for (const flags of [-1, 0x100000000, 1.5, NaN]) {
      await assertRejects(() => client.set("flags", "v", { flags }), RangeError, "flags");
    }
  });

  test(`${protocol}: counters are 64 bits, wrap upwards, stop at 0, and are stored as text`, async () => {
    const top = 2n ** 64n - 1n;
    const key = `counter:${protocol}`;
    await client.delete(key);
    assertEquals(await client.incr(key, 1), undefined);
    assertEquals(await client.incr(key, 5, { initial: top }), top);
    assertEquals(await stored(key), { ttl: -1, flags: 0, size: 20 });
    assertEquals(await client.incr(key, 0), top);
    assertEquals(await client.incr(key, 1), 0n);
    assertEquals(await client.incr(key, top), top);
    assertEquals(await client.decr(key, top - 1n), 1n);
    assertEquals(await client.decr(key, 2), 0n);
    await client.set(key, "10");
    assertEquals(await client.decr(key), 9n);
    // The text keeps its length: "9 ".
    assertEquals((await stored(key))?.size, 2);
    assertEquals(BigInt((await client.get(key))!.text()), 9n);
    await client.set(key, "ten");
    const error = await assertRejects(() => client.incr(key)) as ServerError;
    assertEquals([error.name, error.status], ["ServerError", 6]);
    for (const delta of [-1, 2n ** 64n]) await assertRejects(() => client.incr(key, delta), RangeError, "delta");
  });
}
