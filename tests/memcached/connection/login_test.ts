/** Logins by SASL PLAIN, against a real memcached that wants one. */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { after, test } from "node:test";
import { AuthError, Memcached, MemcachedError, type MemcachedEvents } from "../../../src/memcached/mod.ts";
import { freshServer, type Server } from "../../_memcached.ts";
import { fakes } from "../_fakes.ts";
import { LOGIN, saslServer, withoutSasl } from "../_sasl.ts";

const skip = await withoutSasl();
const server: Server | undefined = skip === false ? await saslServer() : undefined;
after(async () => await server?.[Symbol.asyncDispose]());

test("a login lets a client in, and each of its connections logs in", { skip }, async () => {
  await using client = new Memcached(server!.address, { ...LOGIN, connections: 4 });
  let connects = 0;
  client.on("connect", () => connects++);
  await Promise.all(Array.from({ length: 8 }, (_, n) => client.set(`k${n}`, `${n}`)));
  const found = await Promise.all(Array.from({ length: 8 }, (_, n) => client.get(`k${n}`)));
  assertEquals(found.map((item) => item!.text()), Array.from({ length: 8 }, (_, n) => `${n}`));
  assertEquals(connects, 4);
});

test("after a restart it logs in again", { skip }, async () => {
  await using own = await saslServer();
  await using client = new Memcached(own.address, LOGIN);
  await client.set("k", "1");
  await own.restart();
  for (let tries = 0; tries < 5; tries++) {
    if (await client.set("k", "2").then(() => true, () => false)) break;
  }
  assertEquals((await client.get("k"))!.text(), "2");
});

test("with a wrong password every call rejects with AuthError at once, and nothing tells it", { skip }, async () => {
  const told: MemcachedEvents["operation" | "dead"][] = [];
  await using client = new Memcached(server!.address, { ...LOGIN, password: "wrong-secret" });
  client.on("operation", (event) => told.push(event));
  client.on("dead", (event) => told.push(event));
  let connects = 0;
  client.on("connect", () => connects++);
  const errors: Error[] = [];
  for (let n = 0; n < 20; n++) errors.push(await assertRejects(() => client.get("k")) as Error);
  errors.push(...(await client.getMulti(["a", "b"])).failed.values());
  for (const error of errors) assertInstanceOf(error, AuthError);
  assertMatch(errors[0]!.message, /refused the login; nothing was sent/);
  assertEquals(told.length, 22);
  const all = JSON.stringify([errors, told], (_, value) => value instanceof Error ? everything(value) : value);
  for (const secret of ["wrong-secret", LOGIN.username]) assert(!all.includes(secret), all);
});

/** All that an error carries, causes included. */
const everything = (error: Error): unknown => [error.name, error.message, error.stack, { ...error }, error.cause];

test("without a login the error says that one is wanted", { skip }, async () => {
  await using client = new Memcached(server!.address);
  const error = await assertRejects(() => client.get("k"), AuthError);
  assertMatch(error.message, /wants a login, and none was given/);
});

test("a login that a server does not ask for is an error, not left out silently", { skip }, async () => {
  await using plain = await freshServer();
  await using client = new Memcached(plain.address, LOGIN);
  const error = await assertRejects(() => client.get("k"), AuthError);
  assertMatch(error.message, /takes no login \(status 0x81\); leave `username` and `password` out/);
});

test("auto logs in where a login is wanted", { skip }, async () => {
  await using client = new Memcached(server!.address, { ...LOGIN, protocol: "auto" });
  await client.set("auto", new Uint8Array([1, 2, 3]));
  assertEquals((await client.get("auto"))!.bytes, new Uint8Array([1, 2, 3]));
  await using bad = new Memcached(server!.address, { ...LOGIN, password: "wrong", protocol: "auto" });
  await assertRejects(() => bad.get("k"), AuthError, "refused the login");
  await using none = new Memcached(server!.address, { protocol: "auto" });
  await assertRejects(() => none.get("k"), AuthError, "wants a login");
});

test("a refused login is tried again no more often than a dead server", async () => {
  await using made = fakes({ ...LOGIN, servers: "localhost" });
  const { client, clock, sockets } = made;
  const refuse = () => {
    made.socket.open();
    assertEquals(made.socket.requests.map((frame) => frame.opcode), [0x21, 0x0a]);
    made.socket.reply(0, { status: 0x20, value: "Auth failure." });
    made.socket.end();
  };
  const first = client.get("k");
  refuse();
  await assertRejects(() => first, AuthError);
  for (let n = 0; n < 100; n++) await assertRejects(() => client.get("k"), AuthError, "is dead");
  assertEquals(sockets.length, 1);
  for (const [pause, tries] of [[999, 1], [1, 2], [1999, 2], [1, 3], [3999, 3], [1, 4], [3999, 4], [1, 5]] as const) {
    await clock.advance(pause);
    assertEquals(sockets.length, tries);
    if (!made.socket.closed) refuse();
    await assertRejects(() => client.get("k"), AuthError, "is dead");
  }
});

test("a password leaves this machine only encrypted, or when that is allowed", async () => {
  for (const servers of ["10.0.0.1", "cache.test", "[2001:db8::1]", "127.0.0.1.example.com", "128.0.0.1"]) {
    await using made = fakes({ ...LOGIN, servers });
    await assertRejects(() => made.client.get("k"), AuthError, "would leave this machine unencrypted");
    assertEquals(made.sockets.length, 0);
  }
  const allowed = [["10.0.0.1", { allowInsecureAuth: true }], ["10.0.0.1", { tls: true }], [
    "/run/x.sock",
    {},
  ]] as const;
  for (const [servers, options] of [...allowed, ["localhost", {}], ["127.1.2.3", {}], ["[::1]", {}]] as const) {
    await using made = fakes({ ...LOGIN, ...options, servers });
    const asked = made.client.get("k").catch((error) => error);
    made.socket.open();
    assertEquals(made.socket.requests.map((frame) => frame.opcode), [0x21, 0x0a]);
    for (const socket of made.sockets) socket.end();
    for (const socket of made.sockets) socket.end();
    assertInstanceOf(await asked, MemcachedError);
  }
});

test("half a login, or one that no server can be told, is a TypeError that repeats nothing", () => {
  const make = (options: object) => () => new Memcached("localhost", options);
  for (const options of [{ username: "planted" }, { password: "planted" }, { username: "", password: "planted" }]) {
    const error = assertThrows(make(options), TypeError, "`username` and `password` come together, as strings");
    assert(!error.message.includes("planted"));
  }
  for (const password of ["planted\r\nflush_all", "planted\0"]) {
    const error = assertThrows(make({ username: "alice", password }), TypeError, "no line breaks and no NUL");
    assert(!error.message.includes("planted"));
  }
  const spaced = { username: "alice", password: "planted secret", protocol: "meta" };
  assertThrows(make(spaced), TypeError, "no password with a space");
  assertThrows(make({ allowInsecureAuth: "yes" }), TypeError, "`allowInsecureAuth`: it must be a boolean");
});
