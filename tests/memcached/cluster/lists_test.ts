/** What configuration endpoints may say, when they are asked, and what long lists cost. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { test } from "node:test";
import { Memcached, ProtocolError } from "../../../src/memcached/mod.ts";
import { Hashes, Ring } from "../../../src/memcached/cluster/ring.ts";
import { type Fakes, fakes, fateOf } from "../_fakes.ts";

const answerOf = (text: string): string => `CONFIG cluster 0 ${text.length}\r\n${text}\r\nEND\r\n`;
const listOf = (version: number, list: string): string => answerOf(`${version}\n${list}\n`);

/** A client whose endpoint has been asked for the first time. */
async function asked(options: Parameters<typeof fakes>[0] = {}): Promise<Fakes> {
  const made = fakes({ servers: "config", discovery: true, ...options });
  void made.client.get("k").catch(() => {});
  await made.clock.settle();
  made.sockets[0]!.open();
  return made;
}

/** What a client makes of this answer: its servers, or its error. */
async function madeOf(answer: string): Promise<readonly string[] | string> {
  await using made = fakes({ servers: "config", discovery: true });
  const get = fateOf(made.client.get("k"));
  await made.clock.settle();
  made.sockets[0]!.open();
  made.sockets[0]!.say(answer);
  await made.clock.settle();
  if (get.now === "pending") return made.client.servers;
  assert(get.error instanceof ProtocolError, String(get.error));
  return get.error.message;
}

test("blanks between places, doubled places and line ends may be as they like", async () => {
  const places = ["a:11211", "10.0.0.2:11212", "[fe80::1]:11213"];
  const list = "a|10.0.0.1|11211   |10.0.0.2|11212\ta|10.0.0.9|11211  \n  |fe80::1|11213 a||11211 ";
  for (
    const answer of [
      listOf(1, list),
      listOf(1, ` ${list}`),
      listOf(1, list).replaceAll("\n", "\r\n").replaceAll("\r\r", "\r"),
    ]
  ) {
    assertEquals(await madeOf(answer), places);
  }
  assertEquals(await madeOf(answerOf("12\r\nhost|ip|11211\r\n")), ["host:11211"]);
});

test("an empty list, none at all, and an endpoint that is none are named for what they are", async () => {
  for (const answer of [listOf(3, ""), listOf(3, "   "), answerOf("3\n\n\n")]) {
    assertMatch(String(await madeOf(answer)), /config:11211 names no server: its list is empty/);
  }
  assertMatch(String(await madeOf("END\r\n")), /config:11211 knows of no cluster/);
  for (
    const answer of ["ERROR\r\n", "CONFIG other 0 1\r\nx\r\nEND\r\n", "CONFIG cluster 0 3\r\nno number\n\r\nEND\r\n"]
  ) {
    assertMatch(String(await madeOf(answer)), /is it a configuration endpoint\?/);
  }
});

test("a place names one host and one port, never a socket, a second place, a weight or a login", async () => {
  for (
    const place of [
      "x,/run/some.sock,y|10.0.0.1|11211",
      "/run/some.sock||11211",
      "|/run/some.sock|11211",
      "a,b||11211",
      "|a,b|11211",
      "a||11211,b",
      "a||11211|3",
      "user:secret@a||11211",
      "[::1]||11211",
      "a||",
      "a||0",
      "a||65536",
      "a||1e3",
      "||11211",
      "a|11211",
      "a:11211",
    ]
  ) {
    const told = await madeOf(listOf(1, `good||11211 ${place}`));
    assertMatch(String(told), /which is no host\|ip\|port/, place);
  }
});

test("a client whose later list cannot be taken keeps the one it has", async () => {
  await using made = await asked({ discovery: { interval: "10s" } });
  made.sockets[0]!.say(listOf(1, "one||11211"));
  await made.clock.settle();
  for (const answer of [listOf(2, ""), "END\r\n", listOf(3, "/run/x||1"), "ERROR\r\n"]) {
    const before = made.sockets.length;
    for (let n = 0; n < 20 && made.sockets.at(-1)!.closed !== false; n++) await made.clock.advance(1000);
    while (made.sockets.length === before) await made.clock.advance(1000);
    const endpoint = made.sockets.findLast(({ address }) => (address as { host: string }).host === "config")!;
    endpoint.open();
    endpoint.say(answer);
    await made.clock.settle();
    assertEquals(made.client.servers, ["one:11211"]);
  }
});

test("of a long list the first 1,000 servers are taken, each once", async () => {
  const list = Array.from({ length: 3000 }, (_, n) => `h${n % 2 === 0 ? n : 0}||11211`).join(" ");
  await using made = await asked();
  made.sockets[0]!.say(listOf(1, list));
  for (let n = 0; n < 100 && made.client.servers.length === 0; n++) await made.clock.advance(0);
  assertEquals(made.client.servers.length, 1000);
  assertEquals([made.client.servers[0], made.client.servers[999]], ["h0:11211", "h1998:11211"]);
});

/** Sockets to the endpoint so far. */
const asks = ({ sockets }: Fakes): number =>
  sockets.filter(({ address }) => (address as { host: string }).host === "config").length;

/** Its only server refuses two connections: it is dead. */
async function kill(made: Fakes): Promise<void> {
  for (let n = 0; n < 2; n++) {
    const get = fateOf(made.client.get("k"));
    await made.clock.settle();
    made.sockets.findLast(({ closed }) => !closed)?.end(new Error("refused"));
    await made.clock.settle();
    if (get.now === "pending") made.socket.end(new Error("refused"));
    await made.clock.settle();
  }
}

async function listed(version: number, list: string): Promise<Fakes> {
  const made = await asked({ discovery: { interval: "1h" } });
  made.sockets[0]!.say(listOf(version, list));
  await made.clock.settle();
  made.socket.end(new Error("refused"));
  await made.clock.settle();
  return made;
}

test("when a server dies the endpoint is asked again, at most once a second, and as long as it is dead", async () => {
  await using made = await listed(5, "one||11211");
  await made.clock.advance(500);
  await kill(made);
  assertEquals(asks(made), 1);
  await made.clock.advance(499);
  assertEquals(asks(made), 1);
  await made.clock.advance(1);
  assertEquals(asks(made), 2);
  const endpoint = made.sockets.findLast(({ address }) => (address as { host: string }).host === "config")!;
  endpoint.open();
  endpoint.say(listOf(5, "one||11211"));
  await made.clock.settle();
  // Nothing new. The server is tried in vain, and the endpoint is asked once more.
  for (let n = 0; n < 10 && asks(made) === 2; n++) {
    await made.clock.advance(500);
    const trial = made.sockets.findLast(({ closed }) => !closed);
    if ((trial?.address as { host: string })?.host === "one") trial!.end(new Error("refused"));
    await made.clock.settle();
  }
  assertEquals(asks(made), 3);
  const again = made.sockets.findLast(({ address }) => (address as { host: string }).host === "config")!;
  again.open();
  again.say(listOf(6, "two||11211"));
  await made.clock.settle();
  assertEquals(made.client.servers, ["two:11211"]);
});

test("a list with an older version is taken once nobody of the present one answers, and not before", async () => {
  for (const [dead, taken] of [[false, "one:11211"], [true, "new:11211"]] as const) {
    await using made = await listed(50, "one||11211");
    if (dead) await kill(made);
    else await made.clock.advance(60 * 60 * 1000 - 1000);
    await made.clock.advance(1000);
    const endpoint = made.sockets.findLast(({ address }) => (address as { host: string }).host === "config")!;
    assertEquals(endpoint.closed, false);
    endpoint.open();
    endpoint.say(listOf(1, "new||11211"));
    await made.clock.settle();
    assertEquals(made.client.servers, [taken]);
    if (!dead) continue;
    // From now on that one's versions count.
    await made.clock.advance(60 * 60 * 1000);
    const later = made.sockets.findLast(({ address }) => (address as { host: string }).host === "config")!;
    later.open();
    later.say(listOf(2, "newer||11211"));
    await made.clock.settle();
    assertEquals(made.client.servers, ["newer:11211"]);
  }
});

test("the ring of 1,000 servers is hashed in steps of a thousand hashes: found, set, or given at the start", async () => {
  const names = Array.from({ length: 1000 }, (_, n) => `h${n}`);
  const servers = names.map((name) => ({ name, weight: 1 }));
  assertEquals([...new Hashes().inSteps(servers, 1000)].length, 40);

  // Each step is a turn of the event loop: a timer of no time, which a clock that stands still does not fire.
  const turns = async (made: Fakes, done: () => boolean): Promise<number> => {
    let turns = 0;
    for (; !done() && turns < 100; turns++) {
      await made.clock.settle();
      await made.clock.advance(0);
    }
    return turns;
  };
  await using given = fakes({ servers: names });
  void given.client.get("k").catch(() => {});
  await given.clock.settle();
  assertEquals(given.sockets.length, 0);
  await turns(given, () => given.sockets.length > 0);
  assertEquals(given.sockets.length, 1);

  await using set = fakes();
  const before = set.client.servers;
  void set.client.setServers(names);
  assertEquals(set.client.servers, before);
  await set.clock.settle();
  assertEquals(set.clock.pending, 1);
  await turns(set, () => set.client.servers.length === 1000);
  assertEquals(set.client.servers.length, 1000);

  await using found = await asked();
  found.sockets[0]!.say(listOf(1, names.map((name) => `${name}||11211`).join(" ")));
  await found.clock.settle();
  assertEquals(found.client.servers.length, 0);
  await turns(found, () => found.client.servers.length === 1000);
  assertEquals(found.client.servers.length, 1000);
  assertEquals(set.client.serverOf("k"), given.client.serverOf("k"));
});

test("of two lists that are set at the same time the later one counts, however long it takes", async () => {
  const names = Array.from({ length: 300 }, (_, n) => `h${n}`);
  await using client = new Memcached("a");
  await Promise.all([client.setServers(names), client.setServers(["b", "c"])]);
  assertEquals(client.servers, ["b:11211", "c:11211"]);
  await assertRejects(() => client.setServers("/x y z"), TypeError);
});

test("a ring that is built of hashes which are known is the same one", async () => {
  const names = Array.from({ length: 60 }, (_, n) => `h${n}`);
  await using client = new Memcached(names);
  const keys = Array.from({ length: 500 }, (_, n) => `key-${n}`);
  const fresh = (list: readonly string[]) => {
    const ring = new Ring(list.map((name) => ({ name, weight: 1 })));
    return keys.map((key) => `${list[ring.serverOf(key)]}:11211`);
  };
  for (const list of [names, names.slice(0, 47), names.slice(20), names]) {
    await client.setServers(list);
    assertEquals(keys.map((key) => client.serverOf(key)), fresh(list));
  }
});
