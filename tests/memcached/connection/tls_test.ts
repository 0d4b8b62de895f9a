/** Encryption, against a real memcached that speaks TLS. */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { createServer } from "node:net";
import { after, test } from "node:test";
import { AuthError, ConnectionError, Memcached, type MemcachedError } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { certificate, keyOf, onlyKnownClients, tlsArguments } from "../_certificates.ts";

const server = await freshServer(tlsArguments("server"));
const elsewhere = await freshServer(tlsArguments("elsewhere"));
const strict = await freshServer(tlsArguments("server", onlyKnownClients()));
const plain = await freshServer();
after(async () => {
  for (const one of [server, elsewhere, strict, plain]) await one[Symbol.asyncDispose]();
});

const ca = await certificate("authority");

/** Why a first `get` fails. */
async function failure(address: string, options: ConstructorParameters<typeof Memcached>[1]): Promise<MemcachedError> {
  await using client = new Memcached(address, options);
  const error = await assertRejects(() => client.get("k"));
  assertInstanceOf(error, ConnectionError);
  return error;
}

test("values go both ways through TLS, many at once and large ones, and the connection is one", async () => {
  await using client = new Memcached(server.address, { tls: { ca } });
  let connects = 0;
  client.on("connect", () => connects++);
  const large = new Uint8Array(900_000).map((_, n) => n % 251);
  await client.set("large", large);
  await Promise.all(Array.from({ length: 1000 }, (_, n) => client.set(`k${n}`, `value ${n}`)));
  const found = await Promise.all(Array.from({ length: 1000 }, (_, n) => client.get(`k${n}`)));
  assertEquals(found.map((item) => item!.text()), Array.from({ length: 1000 }, (_, n) => `value ${n}`));
  assertEquals((await client.get("large"))!.bytes, large);
  assertEquals(connects, 1);
});

test("localhost is believed by its name, and 127.0.0.1 by its address", async () => {
  await using named = new Memcached(`localhost:${server.port}`, { tls: { ca } });
  await using numbered = new Memcached(`127.0.0.1:${server.port}`, { tls: { ca } });
  await named.set("name", "1");
  assertEquals((await numbered.get("name"))!.text(), "1");
});

test("a certificate of an authority that is not believed is a clear error, at once", async () => {
  for (const tls of [true, { ca: await certificate("stranger") }] as const) {
    const error = await failure(server.address, { tls });
    assertMatch(error.message, /cannot be reached/);
    assertMatch(error.message, /certificate/i);
  }
});

test("a certificate of another name is a clear error, until that name is asked for", async () => {
  const error = await failure(elsewhere.address, { tls: { ca } });
  assertMatch(error.message, /cannot be reached/);
  assertMatch(error.message, /not valid for name|does not match/i);
  await using client = new Memcached(elsewhere.address, { tls: { ca, serverName: "cache.test" } });
  assertEquals(await client.get("k"), undefined);
  await failure(server.address, { tls: { ca, serverName: "cache.test" } });
});

test("a server that wants to know its clients lets in who shows a certificate, and nobody else", async () => {
  const [cert, key] = [await certificate("client"), await keyOf("client")];
  await using client = new Memcached(strict.address, { tls: { ca, cert, key } });
  assertEquals((await client.set("k", "v")).stored, true);
  await using named = new Memcached(strict.address, { tls: { ca, cert, key, serverName: "localhost" } });
  assertEquals((await named.get("k"))!.text(), "v");
  await failure(strict.address, { tls: { ca } });
});

test("a server without TLS is never asked in plain text instead", async () => {
  const before = await connectionsOf(plain.address);
  await failure(plain.address, { tls: { ca }, connectTimeout: "500ms" });
  const error = await failure(server.address, { connectTimeout: "500ms" });
  assertMatch(error.message, /closed the new connection|did not answer|cannot be reached/);
  // It was reached, and got nothing that it understood.
  assert(await connectionsOf(plain.address) > before);
});

async function connectionsOf(address: string): Promise<number> {
  await using client = new Memcached(address);
  const stats = (await client.stats()).get(address)!;
  assertEquals(stats.get("cmd_get"), "0");
  return Number(stats.get("total_connections"));
}

test("a client that is closed while it shakes hands settles, and leaves nothing", async () => {
  const client = new Memcached(server.address, { tls: { ca } });
  const asked = client.get("k");
  await client.close();
  assertEquals(await asked, undefined);
});

test("with TLS a password may go to any machine, and without it is not sent", async () => {
  await using client = new Memcached("192.0.2.1", { username: "alice", password: "planted" });
  const error = await assertRejects(() => client.get("k"));
  assertInstanceOf(error, AuthError);
  assertMatch((error as Error).message, /would leave this machine unencrypted.*`tls`.*`allowInsecureAuth: true`/);
});

test("TLS terms that cannot work are TypeErrors that name the term and repeat nothing", () => {
  const make = (tls: unknown) => () => new Memcached("localhost", { tls: tls as boolean });
  assertThrows(make(1), TypeError, "`tls`: it must be a boolean or an object");
  assertThrows(make({ CA: ca }), TypeError, 'Cannot use option "CA"');
  assertThrows(make({ ca: "/etc/ca.pem" }), TypeError, "`tls.ca`: it must be PEM, as text");
  assertThrows(make({ cert: ca }), TypeError, "`cert` and `key` come together");
  assertThrows(make({ serverName: "" }), TypeError, "`tls.serverName`: it must be a name");
  const secret = assertThrows(make({ cert: ca, key: "planted" }), TypeError, "`tls.key`");
  assertEquals(secret.message.includes("planted"), false);
});

test("a key that cannot be read is a clear error, at once, and nothing is unhandled", async () => {
  const [cert, key] = [await certificate("client"), await keyOf("client")];
  const lines = key.split("\n");
  lines[1] = lines[1]!.slice(0, -8);
  const began = performance.now();
  const error = await failure(server.address, { tls: { ca, cert, key: lines.join("\n") }, connectTimeout: "20s" });
  assert(performance.now() - began < 15_000, "not by its timeout");
  assertMatch(error.message, /cannot be reached/);
});

test("a server name that TLS cannot ask for leaves no socket open", { timeout: 60_000 }, async () => {
  const closed: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    closed.push(new Promise((resolve) => socket.resume().on("error", () => {}).on("close", resolve)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const tls = { ca, serverName: "no such name" };
  // Node's TLS says nothing of it, so that the connection ends by its timeout: long before that of the call.
  const client = new Memcached(`127.0.0.1:${port}`, { tls, connectTimeout: "500ms", timeout: "30s" });
  assertInstanceOf(await client.get("k").catch((error) => error), ConnectionError);
  await client.close();
  await Promise.all(closed);
  assertEquals(closed.length, 1);
  server.close();
});
