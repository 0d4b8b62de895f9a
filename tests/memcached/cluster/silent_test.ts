/** A connection that was at rest and is silent: something between us and the server may have forgotten it. */

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { readFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { Memcached, TimeoutError } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { certificate, tlsArguments } from "../_certificates.ts";
import { type Fakes, fateOf, hit, readyFakes, twoReadyFakes } from "../_fakes.ts";

function told({ client }: Fakes): string[] {
  const events: string[] = [];
  client.on("connect", () => events.push("connect"));
  client.on("dead", ({ retryMs }) => events.push(`dead ${retryMs}`));
  return events;
}

test("it is replaced by one new connection after one timeout, on which what was asked later goes on", async () => {
  await using made = await readyFakes();
  const events = told(made);
  const { client, clock, sockets } = made;
  const first = fateOf(client.get("a"));
  await clock.advance(600);
  const [read, write] = [client.get("b"), fateOf(client.set("c", "x"))];
  await clock.advance(400);
  assertInstanceOf(first.error, TimeoutError);
  assertEquals([write.now, sockets.length, sockets[0]!.closed, events], ["rejected", 2, true, []]);
  made.socket.ready();
  await clock.settle();
  made.socket.say(hit(made.socket.requests[1]!, "1"));
  assertEquals([(await read)!.text(), events], ["1", ["connect"]]);
});

test("it is replaced at once, not only when somebody asks, and keeps no process alive for that", async () => {
  await using made = await readyFakes();
  const { client, clock, sockets } = made;
  const first = fateOf(client.set("a", "x"));
  await clock.advance(1000);
  assertEquals([first.now, sockets.length, made.socket.referenced], ["rejected", 2, false]);
  assertEquals(clock.referenced, 0);
});

test("a server whose new connection is not answered either is dead", async () => {
  await using made = await readyFakes();
  const events = told(made);
  const { client, clock } = made;
  const first = fateOf(client.get("a"));
  await clock.advance(1000);
  made.socket.open();
  await clock.advance(999);
  assertEquals([first.now, events], ["rejected", []]);
  await clock.advance(1);
  assertEquals(events, ["dead 1000"]);
});

test("a server that answers the new connection's probe and nothing else is dead after one timeout more", async () => {
  await using made = await readyFakes();
  const events = told(made);
  const { client, clock } = made;
  const first = fateOf(client.get("a"));
  await clock.advance(500);
  const second = fateOf(client.get("b"));
  await clock.advance(500);
  made.socket.ready();
  const third = fateOf(client.get("c"));
  await clock.advance(1000);
  assertEquals([first.now, second.now, third.now], ["rejected", "rejected", "rejected"]);
  assertEquals(events, ["connect", "dead 1000"]);
});

test("however many connections were forgotten, the server is not dead, and those at rest cost nobody a timeout", async () => {
  await using made = await twoReadyFakes();
  const events = told(made);
  const { client, clock, sockets } = made;
  const [one, two] = [fateOf(client.get("a")), fateOf(client.get("b"))];
  await clock.advance(1000);
  assertEquals([one.now, two.now, events], ["rejected", "rejected", []]);
  assertEquals(sockets.map(({ closed }) => closed), [true, true, false, false]);

  await using later = await twoReadyFakes();
  const seen = told(later);
  const first = fateOf(later.client.get("a"));
  await later.clock.advance(300);
  const second = fateOf(later.client.get("b"));
  await later.clock.advance(700);
  later.socket.ready(); // the first one's successor is heard before the second one's time is up
  await later.clock.advance(300);
  assertEquals([first.now, second.now, seen], ["rejected", "rejected", ["connect"]]);

  await using other = await twoReadyFakes();
  const lost = fateOf(other.client.get("a"));
  await other.clock.advance(1000);
  // The sister was at rest all the while: it is not trusted either.
  assertEquals([lost.now, other.sockets.map(({ closed }) => closed)], ["rejected", [true, true, false]]);
});

test("the new connection has to answer more than its probe, unless it was at rest for long itself", async () => {
  for (
    const [restMs, events] of [[0, ["connect", "dead 1000"]], [10_000, ["connect", "dead 1000"]], [60_000, [
      "connect",
    ]]] as const
  ) {
    await using made = await readyFakes();
    const seen = told(made);
    const { client, clock } = made;
    const first = fateOf(client.set("a", "x"));
    await clock.advance(1000);
    made.socket.ready(); // nothing waits for it
    await clock.advance(restMs);
    const second = fateOf(client.set("b", "x"));
    await clock.advance(1000);
    assertEquals([first.now, second.now, seen], ["rejected", "rejected", events]);
  }
});

test("an idle connection that a NAT has forgotten costs one call, not an outage", async () => {
  await using server = await freshServer();
  const pairs: { client: Socket; up: Socket; forgotten: boolean }[] = [];
  const nat = createServer((client) => {
    const pair = { client, up: connect(server.port, "127.0.0.1"), forgotten: false };
    pairs.push(pair);
    const { up } = pair;
    for (const [from, to] of [[client, up], [up, client]] as const) {
      from.on("error", () => {});
      from.on("data", (bytes) => !pair.forgotten && to.write(bytes));
    }
  });
  await new Promise<void>((resolve) => nat.listen(0, "127.0.0.1", () => resolve()));
  try {
    const { port } = nat.address() as { port: number };
    await using client = new Memcached(`127.0.0.1:${port}`, { timeout: "300ms" });
    const events = told({ client } as Fakes);
    await client.set("a", "1");
    for (const pair of pairs) pair.forgotten = true;
    const error = await client.get("a").then(() => undefined, (error) => error);
    assert(error instanceof TimeoutError);
    assertEquals((await client.get("a"))!.text(), "1");
    assertEquals(events, ["connect", "connect"]);
  } finally {
    nat.close();
    for (const { client, up } of pairs) for (const socket of [client, up]) socket.destroy();
  }
});

/** Linux tells which timer a connection to this port has, and how many 1/100 s are left of it. "02": keep-alive. */
async function timerOf(port: number): Promise<readonly [kind: string, left: number]> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  for (const line of (await readFile("/proc/net/tcp", "utf8")).split("\n")) {
    const [, , remote, state, , timer] = line.trim().split(/\s+/);
    if (remote?.endsWith(`:${hex}`) && state === "01") return [timer!.slice(0, 2), parseInt(timer!.slice(3), 16)];
  }
  throw new Error(`no connection to port ${port}`);
}

for (const encrypted of [false, true]) {
  test(`keepAlive asks after so long, ${encrypted ? "also with TLS" : "and not at all by default"}`, {
    skip: process.platform !== "linux" && "only Linux tells",
  }, async () => {
    const tls = encrypted ? { ca: await certificate("authority") } : undefined;
    await using server = await freshServer(encrypted ? tlsArguments("server") : []);
    for (const keepAlive of [undefined, "100.5s"] as const) {
      await using client = new Memcached(server.address, { keepAlive, tls });
      await client.set("k", "v");
      assertEquals((await client.get("k"))!.text(), "v");
      const [kind, left] = await timerOf(server.port);
      if (keepAlive === undefined) assert(kind !== "02");
      else assert(kind === "02" && left > 9_000 && left <= 10_100, `${kind} ${left}`);
    }
  });
}

test("keepAlive is nothing to a unix socket, and a time that cannot be is an error that names it", async () => {
  await using server = await freshServer([], { listen: "unix" });
  await using client = new Memcached(server.address, { keepAlive: "1m" });
  assertEquals((await client.set("k", "v")).stored, true);
  for (const keepAlive of [0, -1, NaN, "10h", Infinity] as const) {
    assertThrows(() => new Memcached("a", { keepAlive }), RangeError, "`keepAlive`");
  }
});
