/** Real sockets, and servers that misbehave: stopped, killed, hostile, or not memcached at all. */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import type { Socket } from "node:net";
import { test } from "node:test";
import { ConnectionError, Memcached, type MemcachedError, ProtocolError, TimeoutError } from "@x/cache-utils/memcached";
import { freshServer } from "../../_memcached.ts";
import { framesIn, hit, join, replyTo } from "../_frames.ts";
import { hostile } from "../_hostile.ts";

/** Answers the probe; tells `then` of everything else. */
function probed(socket: Socket, then: (bytes: Uint8Array) => void): void {
  let first = true;
  socket.on("data", (data: Uint8Array) => {
    const bytes = new Uint8Array(data);
    if (!first) return then(bytes);
    first = false;
    socket.write(replyTo(framesIn(bytes)[0]!));
    if (bytes.length > 24) then(bytes.slice(24));
  });
}

/** Resolves when the event comes. Keeps the process alive, which a dead server's timers do not. */
function event(client: Memcached, name: "dead" | "alive"): Promise<void> {
  const hold = setInterval(() => {}, 60_000);
  return new Promise((resolve) => {
    client.on(name, () => {
      clearInterval(hold);
      resolve();
    });
  });
}

test("a text-only server is found out at once, not by a timeout", async () => {
  await using server = await hostile((socket) => socket.on("data", () => socket.write("ERROR\r\n")));
  const long = { timeout: "30s", connectTimeout: "30s" } as const;
  for (
    const [protocol, told] of [
      ["binary", /the text "ERROR".*needs `protocol: "meta"` or `protocol: "auto"`/],
      ["meta", /knows no meta commands.*`protocol: "binary"` or `"auto"`: it answered "ERROR"/],
      ["auto", /speaks no binary, and knows no meta commands: it answered "ERROR"/],
    ] as const
  ) {
    await using client = new Memcached(server.address, { ...long, protocol });
    const error = await assertRejects(() => client.get("a"), ProtocolError);
    assertMatch(error.message, told);
    assertEquals(error.server, server.address);
  }
});

test("something else entirely is quoted", async () => {
  for (const protocol of ["binary", "meta", "auto"] as const) {
    for (const text of ["HTTP/1.1 400 Bad Request", "-ERR unknown command", "SSH-2.0-OpenSSH_9.2", "220 mail ESMTP"]) {
      await using server = await hostile((socket) => socket.write(`${text}\r\n`));
      const login = { username: "u", password: "p" };
      await using client = new Memcached(server.address, { protocol, ...protocol === "meta" ? {} : login });
      const error = await assertRejects(() => client.get("a"), ProtocolError);
      assertMatch(error.message, /is it a memcached\?/);
      assert(!/protocol/.test(error.message), error.message);
      // Nothing is tried on it that it might misunderstand, least of all the login.
      assertEquals(server.sockets.length, 1);
    }
  }
  await using server = await hostile((socket) => socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
  await using client = new Memcached(server.address);
  await assertRejects(
    () => client.get("a"),
    ProtocolError,
    '"HTTP/1.1 400 Bad Request" where a reply was due; is it a memcached?',
  );
  await using secure = await hostile((socket) => socket.write(Uint8Array.of(0x15, 3, 1, 0, 2, 2, 10)));
  await using plain = new Memcached(secure.address);
  await assertRejects(() => plain.get("a"), ProtocolError, "byte 0x15 where a reply was due; does it want `tls`?");
});

test("too many connections is told as a line of text", async () => {
  await using server = await hostile((socket) => socket.end("ERROR Too many open connections\r\n"));
  await using client = new Memcached(server.address);
  await assertRejects(() => client.get("a"), ConnectionError, "Too many open connections");
});

test("a real server's own refusal of one connection too many is a ConnectionError", async () => {
  await using server = await freshServer(["-c", "20"]);
  const clients = Array.from(
    { length: 12 },
    () => new Memcached(server.address, { timeout: "2s", connectTimeout: "2s" }),
  );
  const fates = await Promise.all(clients.map((client) => client.get("a").then(() => undefined, (error) => error)));
  const errors = fates.filter((error) => error !== undefined);
  assert(errors.length > 0 && errors.length < 60, `${errors.length} of 60`);
  for (const error of errors) assertInstanceOf(error, ConnectionError);
  assertMatch(errors[0].message, /Too many open connections/);
  await Promise.all(clients.map((client) => client.close()));
});

test("a reply that claims four gigabytes is not waited for", async () => {
  await using server = await hostile((socket) =>
    probed(socket, (bytes) => socket.write(replyTo(framesIn(bytes)[0]!, { bodyLength: 0xfffffff0 })))
  );
  await using client = new Memcached(server.address);
  await assertRejects(() => client.get("a"), ProtocolError, "4294967280 bytes");
});

test("a server that answers the probe and then closes on every request is dead after two", async () => {
  await using server = await hostile((socket) => probed(socket, () => socket.destroy()));
  await using client = new Memcached(server.address);
  await assertRejects(() => client.set("a", "x"), ConnectionError, "outcome is unknown");
  await assertRejects(() => client.set("a", "x"), ConnectionError, "outcome is unknown");
  await assertRejects(() => client.set("a", "x"), ConnectionError, "is dead");
  assertEquals(server.sockets.length, 2);
});

test("an idle connection that the server closes costs nothing but a new one", async () => {
  let tellLost = () => {};
  const lost = new Promise<void>((resolve) => tellLost = resolve);
  await using server = await hostile((socket, n) => {
    socket.on("close", () => tellLost());
    probed(socket, (bytes) => {
      socket.write(join(...framesIn(bytes).map((frame) => hit(frame, `${n}`))));
      if (n === 1) socket.end();
    });
  });
  await using client = new Memcached(server.address);
  assertEquals((await client.get("a"))!.text(), "1");
  await lost;
  assertEquals((await client.get("a"))!.text(), "2");
});

test("a server that is stopped hangs: dead once a new connection is not answered either, alive again once it goes on", {
  timeout: 60_000,
}, async () => {
  await using server = await freshServer();
  await using client = new Memcached(server.address, { timeout: "1s", connectTimeout: "1s" });
  await client.set("a", "1");
  await server.stop();
  const [dead, alive] = [event(client, "dead"), event(client, "alive")];
  await assertRejects(() => client.get("a"), TimeoutError);
  await dead;
  const errors = await Promise.all(
    Array.from({ length: 100 }, () => client.get("a").then(() => undefined, (error: MemcachedError) => error)),
  );
  // Told by what is known, at once: a call that had waited for an answer would have a TimeoutError.
  for (const error of errors) {
    assertInstanceOf(error, ConnectionError);
    assertMatch(error.message, /is dead/);
  }
  server.resume();
  await alive;
  assertEquals((await client.get("a"))!.text(), "1");
});

test("a server that is stopped before the first call is found out by the probe, though the kernel accepts", {
  timeout: 60_000,
}, async () => {
  await using server = await freshServer();
  await server.stop();
  await using client = new Memcached(server.address, { timeout: "5s", connectTimeout: "1s" });
  await assertRejects(() => client.get("a"), ConnectionError, "did not answer on a new connection within 1000 ms");
  server.resume();
  assertEquals(await client.get("a"), undefined);
});

test("a server that is killed and comes back is used again, without a new client", { timeout: 60_000 }, async () => {
  await using server = await freshServer();
  await using client = new Memcached(server.address);
  await client.set("a", "1");
  const alive = event(client, "alive");
  await server.kill();
  for (let n = 0; n < 3; n++) await assertRejects(() => client.get("a"), ConnectionError);
  await assertRejects(() => client.get("a"), ConnectionError, "is dead");
  await server.restart();
  await alive;
  assertEquals(await client.get("a"), undefined);
  assertEquals((await client.set("a", "2")).stored, true);
});

test("calls in flight when a server is killed settle, each once, and soon", async () => {
  await using server = await freshServer();
  await using client = new Memcached(server.address);
  await client.get("a");
  await server.stop();
  const calls = Array.from({ length: 2000 }, (_, n) => n % 2 ? client.get(`k${n}`) : client.set(`k${n}`, "x"));
  const settled = Promise.allSettled(calls);
  await Promise.resolve();
  await server.kill();
  for (const { status } of await settled) assertEquals(status, "rejected");
});

test("a server that does not exist is refused, as a ConnectionError with the runtime's own as its cause", async () => {
  await using server = await freshServer();
  await server.kill();
  await using client = new Memcached(server.address);
  const error = await assertRejects(() => client.get("a"), ConnectionError, "cannot be reached");
  assertInstanceOf(error.cause, ConnectionError);
  assertInstanceOf(error.cause.cause, Error);
});

test("a host without an address is a ConnectionError, too", async () => {
  await using client = new Memcached("no-such-host.invalid", { timeout: "20s", connectTimeout: "20s" });
  await assertRejects(() => client.get("a"), ConnectionError, "no-such-host.invalid:11211");
});

test("localhost is reached whichever of its addresses the server listens on", async () => {
  await using server = await freshServer();
  await using client = new Memcached(`localhost:${server.port}`);
  assertEquals((await client.set("a", "1")).stored, true);
  assertEquals(client.serverOf("a"), `localhost:${server.port}`);
});

test("an event loop that was blocked for longer than the timeout loses no answer", { timeout: 60_000 }, async () => {
  await using server = await freshServer();
  await using client = new Memcached(server.address, { timeout: "1s" });
  await client.set("a", "1");
  const get = client.get("a");
  // The request leaves, the answer comes, and nobody looks for longer than it may take.
  await Promise.resolve();
  await Promise.resolve();
  for (const end = performance.now() + 1200; performance.now() < end;);
  assertEquals((await get)!.text(), "1");
});

test("more than the socket's buffers hold goes out whole, while answers come in", { timeout: 60_000 }, async () => {
  await using server = await freshServer(["-m", "256"]);
  await using client = new Memcached(server.address, { maxBytesInFlight: Infinity, timeout: "20s" });
  const value = new Uint8Array(500_000).fill(7);
  const sets = await Promise.all(Array.from({ length: 60 }, (_, n) => client.set(`k${n}`, value)));
  assert(sets.every(({ stored }) => stored));
  const items = await client.getMulti(Array.from({ length: 60 }, (_, n) => `k${n}`));
  assertEquals(items.size, 60);
  for (const item of items.values()) assertEquals([item.bytes.length, item.bytes[499_999]], [500_000, 7]);
});
