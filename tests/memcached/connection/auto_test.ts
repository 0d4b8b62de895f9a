/** The meta wire by a login of its own, and how "auto" finds out what a server speaks. */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { after, test } from "node:test";
import {
  AuthError,
  ConnectionError,
  Memcached,
  ProtocolError,
  ServerError,
  type Stored,
} from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { certificate, tlsArguments } from "../_certificates.ts";
import { fakes, fateOf, replyTo, twoReadyFakes } from "../_fakes.ts";
import { authfileServer } from "../_sasl.ts";

const LOGIN = { username: "alice", password: "planted-7c1" } as const;
const binary = await freshServer(["-B", "binary"]);
const text = await freshServer(["-B", "ascii"]);
const known = await authfileServer(LOGIN);
after(async () => {
  for (const one of [binary, text, known]) await one[Symbol.asyncDispose]();
});

test("auto speaks binary where it can, and meta where it must, and callers cannot tell", async () => {
  for (const server of [binary, text]) {
    await using client = new Memcached(server.address, { protocol: "auto", connections: 3 });
    const bytes = Uint8Array.from({ length: 1000 }, (_, n) => n % 256);
    const written = client.set("bytes", bytes, { flags: 7, ttl: 60 });
    bytes.fill(0); // the caller may change them as soon as the call was made
    const [result, counted, many] = await Promise.all([
      written,
      client.incr("count", 1, { initial: 2n ** 64n - 1n }),
      client.getMulti(["a", "b"]),
    ]);
    assertEquals([result.stored, counted, many.size], [true, 2n ** 64n - 1n, 0]);
    const found = (await client.get("bytes"))!;
    assertEquals([found.bytes[1], found.bytes[999], found.flags], [1, 231, 7]);
    assertEquals((await client.set("bytes", "other", { cas: found })).stored, true);
    assertEquals((await client.set("bytes", "late", { cas: found })).stored, false);
    assertEquals(await client.delete("count"), true);
  }
});

test("the wrong protocol is told, with the cure where there is one", { timeout: 60_000 }, async () => {
  await using one = new Memcached(text.address, { protocol: "binary" });
  const error = await assertRejects(() => one.get("k"), ProtocolError);
  assertMatch(error.message, /`protocol: "meta"` or `protocol: "auto"`/);
  await using other = new Memcached(binary.address, { protocol: "meta" });
  assertInstanceOf(await other.get("k").catch((error) => error), ConnectionError);
});

test("a login by the authfile lets in on meta and on auto, and a wrong one is an AuthError at once", async () => {
  for (const protocol of ["meta", "auto"] as const) {
    await using client = new Memcached(known.address, { ...LOGIN, protocol });
    await client.set("k", protocol);
    assertEquals((await client.get("k"))!.text(), protocol);
    await using bad = new Memcached(known.address, { ...LOGIN, password: "wrong-secret", protocol });
    for (let n = 0; n < 3; n++) {
      const error = await assertRejects(() => bad.get("k"), AuthError);
      assert(!`${error.message} ${error.stack} ${error.cause}`.includes("wrong-secret"));
    }
    await using none = new Memcached(known.address, { protocol });
    await assertRejects(() => none.get("k"), AuthError, "wants a login");
  }
});

test("a login leaves no password behind on a server that asks for none", async () => {
  await using client = new Memcached(text.address, { ...LOGIN, protocol: "meta" });
  await client.set("k", "v");
  assertEquals(await client.get("x"), undefined);
});

test("meta and auto go through TLS as well", async () => {
  await using server = await freshServer(tlsArguments("server"));
  for (const protocol of ["meta", "auto"] as const) {
    await using client = new Memcached(server.address, { protocol, tls: { ca: await certificate("authority") } });
    await client.set("k", protocol);
    assertEquals((await client.get("k"))!.text(), protocol);
  }
});

const said = (socket: { writes: readonly Uint8Array[] }): string =>
  socket.writes.map((bytes) => new TextDecoder("latin1").decode(bytes)).join("");

test("auto asks with a bare NOOP before any login, goes over to meta on a fresh socket, and remembers", async () => {
  await using made = fakes({ servers: "localhost", protocol: "auto", ...LOGIN });
  const { client, clock, sockets } = made;
  const first = client.set("k", "value");
  made.socket.open();
  assertEquals(
    [...made.socket.writes[0]!],
    [0x80, 0x0a, ...new Array<number>(22).fill(0)].map((byte, n) =>
      n >= 12 && n < 16 ? made.socket.writes[0]![n]! : byte
    ),
  );
  assert(!said(made.socket).includes("alice"));
  made.socket.say("ERROR\r\n");
  assertEquals([sockets.length, sockets[0]!.closed], [2, true]);
  made.socket.open();
  // Alone: with something behind it some servers do not tell a refused login.
  assertEquals(said(made.socket), "set %login 0 -1 17\r\nalice planted-7c1\r\n");
  made.socket.say("STORED\r\n");
  assertMatch(said(made.socket), /planted-7c1\r\nmn\r\n$/);
  made.socket.say("MN\r\n");
  await clock.settle();
  const [, opaque] = /^ms k 5 .*O(\w+)/m.exec(said(made.socket))!;
  assertMatch(said(made.socket), /\r\nvalue\r\n$/);
  made.socket.say(`HD c1 O${opaque}\r\n`);
  assertEquals((await first).stored, true);
  // The next connection knows.
  made.socket.end();
  const second = fateOf(client.get("k"));
  made.socket.open();
  assertMatch(said(made.socket), /^set %login 0 -1 17\r\n/);
  assertEquals([sockets.length, second.now], [3, "pending"]);
});

test('auto takes "too many open connections" for no answer to what the server speaks', async () => {
  await using made = fakes({ servers: "localhost", protocol: "auto" });
  const first = made.client.get("k");
  made.socket.open();
  made.socket.say("ERROR Too many open connections\r\n");
  await assertRejects(() => first, ConnectionError, "Too many open connections");
  const second = made.client.get("k");
  made.socket.ready(); // it is asked in binary again
  await made.clock.settle();
  made.socket.reply(1, { status: 1 });
  assertEquals(await second, undefined);
});

test("auto finds out again when another kind of server stands where one was", async () => {
  await using made = fakes({ servers: "localhost", protocol: "auto" });
  const first = made.client.get("k");
  made.socket.ready();
  await made.clock.settle();
  made.socket.reply(1, { status: 1 });
  await first;
  made.socket.end();
  const second = made.client.get("k");
  made.socket.open();
  made.socket.say("ERROR\r\n");
  await assertRejects(() => second, ProtocolError);
  const third = made.client.get("k");
  made.socket.open();
  made.socket.say("ERROR\r\n");
  made.socket.open();
  made.socket.say("EN\r\n");
  await made.clock.settle();
  made.socket.say("EN\r\n");
  assertEquals(await third, undefined);
});

test("a dead server whose trial finds out that it speaks meta is alive again", async () => {
  await using made = fakes({ servers: "localhost", protocol: "auto" });
  for (let n = 0; n < 2; n++) {
    const asked = made.client.get("k");
    made.socket.end(new Error("refused"));
    await assertRejects(() => asked, ConnectionError);
  }
  await assertRejects(() => made.client.get("k"), ConnectionError, "is dead");
  await made.clock.advance(1000);
  made.socket.open();
  made.socket.say("ERROR\r\n");
  made.socket.open();
  made.socket.say("EN\r\n");
  const asked = made.client.get("k");
  await made.clock.settle();
  made.socket.say("EN\r\n");
  assertEquals(await asked, undefined);
});

test("auto takes a Buffer's bytes at the call, as it takes a Uint8Array's", async () => {
  await using server = await freshServer(["-B", "ascii"]);
  await using client = new Memcached(server.address, { protocol: "auto" });
  const value = Buffer.from("precious");
  const written = client.set("k", value);
  value.fill("x");
  await written;
  assertEquals((await client.get("k"))!.text(), "precious");
});

test("auto doubts that a server speaks meta once it answers the probe with an error, as one does that knows none", async () => {
  await using made = fakes({ protocol: "auto" });
  const { client, clock, sockets } = made;
  const first = client.get("k").catch((error) => error);
  await clock.settle();
  sockets[0]!.open();
  sockets[0]!.say("ERROR\r\n");
  await clock.settle();
  sockets[1]!.open();
  sockets[1]!.say("EN\r\n");
  await clock.settle();
  sockets[1]!.end();
  await clock.settle();
  made.socket.open();
  made.socket.say("ERROR\r\n"); // the repeated read's connection
  await first;
  const seen: string[] = [];
  for (let n = sockets.length, tries = 0; tries < 40; tries++) {
    void client.get("k").catch(() => {});
    await clock.settle();
    if (sockets.length === n) await clock.advance(500);
    for (; n < sockets.length; n++) {
      const socket = sockets[n]!;
      if (socket.closed) continue;
      socket.open();
      const spoken = socket.writes[0]![0] === 0x80 ? "binary" : "meta";
      seen.push(spoken);
      socket.say(spoken === "binary" ? replyTo(socket.requests[0]!) : "ERROR\r\n");
      await clock.settle();
    }
    if (seen.includes("binary")) break;
  }
  assertEquals(seen.at(-1), "binary", seen.join());
});

/**
 * Two connections, both binary. One breaks while idle, and finds another kind of server where the first was; the other one
 * still answers, has a `set` waiting, and breaks as well.
 */
for (const known of ["is found to speak meta", "is not known yet"] as const) {
  test(`auto never writes one wire's frame on another: a set that waits is written anew when its server ${known}`, async () => {
    await using made = await twoReadyFakes({ protocol: "auto", timeout: 5, connectTimeout: 5 });
    const { client, clock, sockets } = made;
    const old = sockets[1]!;
    sockets[0]!.end();
    const lost = client.get("a2").catch((error) => error);
    const lives = client.get("b2");
    await clock.settle();
    sockets[2]!.open();
    sockets[2]!.say("ERROR\r\n");
    assertInstanceOf(await lost, ProtocolError);
    old.reply(2, { status: 1 });
    await lives;
    const others = [client.get("a3").catch(() => {})];
    old.slow = true;
    others.push(client.get("b3").catch(() => {}));
    await clock.settle();
    others.push(client.get("a4").catch(() => {}));
    const value = new TextEncoder().encode("precious");
    const written = client.set("k", value).catch((error) => error);
    value.fill(0x21); // the caller may: it was asked
    await clock.settle();
    sockets[3]!.open();
    if (known === "is found to speak meta") {
      sockets[3]!.say("ERROR\r\n");
      await clock.settle();
    }
    old.end();
    await clock.settle();
    // Its first connection may only find out that binary is refused.
    for (let n = 4; n < sockets.length; n++) {
      const socket = sockets[n]!;
      socket.open();
      socket.say(socket.writes[0]![0] === 0x80 ? "ERROR\r\n" : "EN\r\n");
      await clock.settle();
    }
    const line = /ms k 8 (O[0-9a-f]{8}) c\r\nprecious\r\n/.exec(said(sockets.at(-1)!));
    assert(line !== null, said(sockets.at(-1)!));
    for (const socket of sockets.slice(0, -1)) assert(!said(socket).includes("precious"), said(socket));
    // Reads that were under way have been repeated before it.
    for (const _ of said(sockets.at(-1)!).matchAll(/mg [ab]\d /g)) sockets.at(-1)!.say("EN\r\n");
    sockets.at(-1)!.say(`HD ${line[1]} c7\r\n`);
    assertEquals((await written as Stored).cas, 7n);
    for (const socket of sockets) socket.end();
    await clock.advance(5000);
  });
}

test("a login on meta touches no key of a user on a server that asks for none", async () => {
  await using server = await freshServer();
  await using plain = new Memcached(server.address);
  await plain.set("x", "mine");
  await using client = new Memcached(server.address, { protocol: "meta", username: "u", password: "p" });
  await client.get("k").catch(() => {});
  assertEquals((await plain.get("x"))?.text(), "mine");
});

test("a statistic that a server does not allow is a ServerError, not a login's fault", async () => {
  await using server = await freshServer(["-X"]);
  await using client = new Memcached(server.address, { protocol: "meta" });
  const error = await client.stats("cachedump 1 1").catch((error) => error);
  assert(!(error instanceof AuthError), String(error));
  assertInstanceOf(error, ServerError);
});
