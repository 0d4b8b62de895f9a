/** What a new connection is asked first, and what servers make of it that say little. */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import type { Socket } from "node:net";
import { test } from "node:test";
import { AuthError, ConnectionError, Memcached, type MemcachedOptions } from "../../../src/memcached/mod.ts";
import { hostile } from "../_hostile.ts";
import { fakes, fateOf } from "../_fakes.ts";

/** Tells `heard` each piece of what a client says, as text. */
const speaking = (heard: (said: string, socket: Socket) => void) =>
  hostile((socket) => socket.on("data", (bytes: Uint8Array) => heard(String.fromCharCode(...bytes), socket)));

/** Answers as a server that knows meta commands, and has nothing. */
function answer(said: string, socket: Socket): void {
  for (const line of said.split("\r\n").slice(0, -1)) {
    socket.write(line.startsWith("mn") ? "MN\r\n" : line.startsWith("mg") ? "EN\r\n" : "ERROR\r\n");
  }
}

/**
 * memcached 1.6.45 with an authfile, as it was measured: before the login a line of less than six bytes, a binary frame,
 * and whatever has more behind it are answered by closing without a word; a refused login and any other line are told if
 * they stand alone.
 */
function authfile(users: readonly string[]) {
  const known = new WeakSet<Socket>();
  return speaking((said, socket) => {
    if (said.charCodeAt(0) === 0x80) return void socket.destroy();
    if (known.has(socket)) return answer(said, socket);
    const [command = "", login = "", ...rest] = said.split("\r\n");
    const isLogin = command.startsWith("set ");
    const alone = isLogin ? rest.length === 1 : login === "" && rest.length === 0;
    if (command.length < 6 || !alone && !(isLogin && users.includes(login))) return void socket.destroy();
    if (!isLogin) return void socket.write("CLIENT_ERROR unauthenticated\r\n");
    if (!users.includes(login)) return void socket.write("CLIENT_ERROR authentication failure\r\n");
    known.add(socket);
    socket.write("STORED\r\n");
    if (rest.length > 1) answer(rest.join("\r\n"), socket);
  });
}

for (const protocol of ["meta", "auto", undefined] as const) {
  test(`the newest memcached's authfile lets a login in, and tells one that is wrong or missing (${protocol ?? "default"})`, async () => {
    await using server = await authfile(["bob secret"]);
    const as = (login: MemcachedOptions) => new Memcached(server.address, { protocol, ...login });
    await using good = as({ username: "bob", password: "secret" });
    assertEquals(await good.get("a"), undefined);
    await using bad = as({ username: "bob", password: "wrong-secret" });
    for (let n = 0; n < 3; n++) {
      const error = await assertRejects(() => bad.get("a"), AuthError);
      assert(!`${error.message}${error.stack}${error.cause}`.includes("wrong-secret"));
      assertMatch(error.message, /refused the login/);
    }
    await using none = as({});
    await assertRejects(() => none.get("a"), AuthError, "wants a login, and none was given");
  });
}

test("a server that closes on binary without a word is asked in meta, on one connection more, and remembered", async () => {
  let binary = 0;
  await using server = await speaking((said, socket) => {
    if (said.charCodeAt(0) !== 0x80) return answer(said, socket);
    binary++;
    socket.destroy();
  });
  const dead: unknown[] = [];
  await using client = new Memcached(server.address, { connections: 3 });
  client.on("dead", (event) => dead.push(event));
  for (let n = 0; n < 6; n++) assertEquals(await client.get("a"), undefined);
  assertEquals([binary, dead], [1, []]);
});

test("a server that closes on everything without a word is a ConnectionError that says so, and no verdict", async () => {
  let speaks = false;
  await using server = await speaking((said, socket) => {
    if (!speaks) return void socket.destroy();
    if (said.charCodeAt(0) === 0x80) return void socket.write("ERROR\r\n");
    answer(said, socket);
  });
  await using client = new Memcached(server.address);
  const error = await assertRejects(() => client.get("a"), ConnectionError);
  assertMatch(error.message, /closed the new connection without a word, in binary and in meta/);
  for (const protocol of ["binary", "meta"] as const) {
    await using one = new Memcached(server.address, { protocol });
    const told = await assertRejects(() => one.get("a"), ConnectionError, "closed the new connection without a word");
    assert(!/in binary and|protocol:/.test(told.message), told.message);
  }
  speaks = true;
  assertEquals(await client.get("a"), undefined);
});

test("a memcached that was only restarted at its first probe is asked in binary again", async () => {
  await using made = fakes({ protocol: "auto" });
  const { client, clock, sockets } = made;
  const first = fateOf(client.get("a"));
  made.socket.open();
  made.socket.end();
  await clock.settle();
  made.socket.end(new Error("refused")); // the one that would have been asked in meta
  await clock.settle();
  assertEquals([first.now, sockets.length], ["rejected", 2]);
  const second = client.get("a");
  made.socket.ready();
  await clock.settle();
  made.socket.reply(1, { status: 1 });
  assertEquals(await second, undefined);
});

test("no login is sent in plain words to a server that answered the first probe with something else than an error", async () => {
  const heard: string[] = [];
  await using server = await speaking((said, socket) => {
    heard.push(said);
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  await using client = new Memcached(server.address, { username: "bob", password: "planted" });
  const error = await client.get("a").then(() => undefined, (error) => error);
  assertInstanceOf(error, Error);
  assert(!heard.join().includes("planted"));
});

test("the probe on meta is a hit, a miss, or too long: whatever others keep there, it is an answer", async () => {
  for (
    const [reply, size] of [["EN\r\n", 0], ["VA 1 O00000002 f0 c1\r\nx\r\n", 0], [
      `VA 2000 O00000002 f0 c1\r\n`,
      2000,
    ]] as const
  ) {
    await using made = fakes({ protocol: "meta", maxValueBytes: 1000 });
    const get = fateOf(made.client.get("a"));
    made.socket.open();
    assertEquals(new TextDecoder().decode(made.socket.writes[0]), "mg %probe O00000002 f c v\r\n");
    made.socket.say(reply);
    if (size > 0) made.socket.say(`${"x".repeat(size)}\r\n`);
    await made.clock.settle();
    made.socket.say("EN\r\n");
    await made.clock.settle();
    assertEquals([get.now, made.socket.closed], ["resolved", false]);
  }
  await using made = fakes({ protocol: "meta" });
  const get = fateOf(made.client.get("a"));
  made.socket.open();
  made.socket.say("SERVER_ERROR backend failure\r\n");
  await made.clock.settle();
  assertMatch(String(get.error), /answered a new connection's first question with "SERVER_ERROR backend failure"/);
});
