/** A real server at its limits, asked in meta: out of memory, and one connection too many. */

import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { test } from "node:test";
import { Memcached, ServerError } from "../../../../src/memcached/mod.ts";
import { freshServer } from "../../../_memcached.ts";

/** One megabyte, of which an item may be half at most; nothing makes way for what is new. */
const FULL_SOON = ["-m", "1", "-I", "512k", "-M"];

const value = "x".repeat(10_000);

/** Fills a server until it refuses; every write that was confirmed is there. */
async function fill(client: Memcached, write: (key: string, value: string) => Promise<unknown>): Promise<number> {
  for (let kept = 0; kept < 5000; kept++) {
    const refusal = await write(`k${kept}`, `${kept}:${value}`).then(() => undefined, (error) => error);
    if (refusal === undefined) continue;
    assertInstanceOf(refusal, ServerError);
    assertEquals([refusal.name, refusal.status], ["ServerError", 0x82]);
    assertMatch(refusal.message, /out of memory storing object.*the connection lives/);
    // What could not be stored is not there in part either.
    assertEquals(await client.get(`k${kept}`), undefined);
    for (let n = 0; n < kept; n++) assertEquals((await client.get(`k${n}`))!.text(), `${n}:${value}`);
    return kept;
  }
  throw new Error("the server was never out of memory");
}

for (const verb of ["set", "add"] as const) {
  test(`meta: a server out of memory refuses ${verb} with status 0x82; what it has stays right and the connection lives`, async () => {
    await using server = await freshServer(FULL_SOON);
    await using client = new Memcached(server.address, { protocol: "meta" });
    let connects = 0;
    client.on("connect", () => connects++);
    const kept = await fill(client, (key, value) => client[verb](key, value));
    assert(kept > 10, `${kept}`);
    await Promise.all(Array.from({ length: kept }, (_, n) => client.delete(`k${n}`)));
    assertEquals((await client[verb]("k0", value)).stored, true);
    assertEquals(connects, 1);
  });
}

test("meta: writes of one tick to a server out of memory are refused one by one, and reads among them are answered", async () => {
  await using server = await freshServer(FULL_SOON);
  await using client = new Memcached(server.address, { protocol: "meta" });
  const kept = await fill(client, (key, value) => client.set(key, value));
  const fates = await Promise.all(Array.from({ length: 50 }, async (_, n) => {
    const write = client.add(`new${n}`, value).then(() => "stored", (error) => (error as ServerError).status);
    const read = client.get(`k${n % kept}`);
    return [await write, (await read)!.text().length > 10_000];
  }));
  assertEquals(fates, fates.map(() => [0x82, true]));
});

const WRONG = { cas: 1n << 40n };
const writes: readonly ((client: Memcached, key: string) => Promise<unknown>)[] = [
  (client, key) => client.set(key, value),
  (client, key) => client.set(key, value, WRONG),
  (client, key) => client.add(key, value),
  (client, key) => client.replace(key, value),
  (client, key) => client.replace(key, value, WRONG),
  (client, key) => client.append(key, value),
  (client, key) => client.prepend(key, value),
];

test("both wires: a server out of memory refuses every write over something alike; what is left differs", async () => {
  const [binary, meta] = await Promise.all((["binary", "meta"] as const).map(async (protocol) => {
    await using server = await freshServer(FULL_SOON);
    await using client = new Memcached(server.address, { protocol });
    const fates: unknown[] = [];
    const left: unknown[] = [];
    let more = 0;
    await Promise.all(writes.map((_, n) => client.set(`k${n}`, value)));
    for (const [n, write] of writes.entries()) {
      // Full again: a write that is refused may have removed what was there.
      let full = false;
      while (!full) full = await client.set(`more:${more++}`, value).then(() => false, () => true);
      const fate = await write(client, `k${n}`).then((result) => result, (error) => [error.name, error.status]);
      fates.push(fate);
      left.push((await client.get(`k${n}`))?.bytes.length);
    }
    return { fates, left };
  }));
  assertEquals(meta!.fates, writes.map(() => ["ServerError", 0x82]));
  assertEquals(binary!.fates, meta!.fates);
  // An ms that finds no memory removes the old value whatever its mode and its cas; of the binary writes only a SET does.
  assertEquals(binary!.left, [undefined, undefined, 10_000, 10_000, 10_000, 10_000, 10_000]);
  assertEquals(meta!.left, writes.map(() => undefined));
});

test("both wires: a server that allows no flush says so by the same error", async () => {
  await using server = await freshServer(["-F"]);
  for (const protocol of ["binary", "meta"] as const) {
    await using client = new Memcached(server.address, { protocol });
    const error = await client.flushAll().then(() => undefined, (error) => error);
    assertEquals([error.name, error.status], ["ServerError", 0x20]);
    assertEquals(await client.get("a"), undefined);
  }
});
