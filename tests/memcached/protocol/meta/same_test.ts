/**
 * Callers cannot tell the two wires apart: the same steps in the same order on two fresh servers, and every result is the
 * same, its cas included, which both servers count from 1.
 */

import { assert, assertEquals } from "@std/assert";
import { after, test } from "node:test";
import {
  type Item,
  Memcached,
  MemcachedError,
  type MultiResult,
  type ServerError,
  type Stored,
  type WriteResult,
} from "../../../../src/memcached/mod.ts";
import { freshServer } from "../../../_memcached.ts";

const PROTOCOLS = ["binary", "meta"] as const;
type Protocol = (typeof PROTOCOLS)[number];

/** Above what the server takes, so that the server is the one who refuses. */
const MAX_VALUE_BYTES = 4 * 1024 * 1024;
const TOP = 2n ** 64n - 1n;
/** The largest value under a key of three bytes and no flags. */
const LARGEST = 1024 * 1024 - 59 - 3;

/** One client, its server, and what earlier steps kept for later ones. */
class Side {
  readonly client: Memcached;
  readonly address: string;
  readonly #kept = new Map<string, Item | Stored>();

  constructor(protocol: Protocol, address: string) {
    this.address = address;
    this.client = new Memcached(address, { protocol, maxValueBytes: MAX_VALUE_BYTES });
  }

  async keep(name: string, found: Promise<Item | WriteResult | undefined>): Promise<unknown> {
    const token = await found;
    assert(token !== undefined && "cas" in token);
    this.#kept.set(name, token);
    return token;
  }

  kept(name: string): Item | Stored {
    return this.#kept.get(name)!;
  }
}

type Step = readonly [name: string, step: (client: Memcached, side: Side) => Promise<unknown>];

const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
const long = Uint8Array.from({ length: LARGEST }, (_, n) => n * 7);
const longest = "k".repeat(250);
const many = Array.from({ length: 100 }, (_, n) => `many:${n}`);

const steps: readonly Step[] = [
  ["get misses", (client) => client.get("a")],
  ["getAndTouch misses", (client) => client.getAndTouch("a", 60)],
  ["touch misses", (client) => client.touch("a", 60)],
  ["delete misses", (client) => client.delete("a")],
  ["replace of nothing", (client) => client.replace("a", "x")],
  ["append to nothing", (client) => client.append("a", "x")],
  ["prepend to nothing", (client) => client.prepend("a", "x")],
  ["set with a cas of nothing", (client) => client.set("a", "x", { cas: 99n })],
  ["replace with a cas of nothing", (client) => client.replace("a", "x", { cas: 99n })],
  ["append with a cas to nothing", (client) => client.append("a", "x", { cas: 99n })],
  ["prepend with a cas to nothing", (client) => client.prepend("a", "x", { cas: 99n })],
  ["delete with a cas of nothing", (client) => client.delete("a", { cas: 99n })],
  ["set", (client, side) => side.keep("first", client.set("a", "one", { flags: 5 }))],
  ["get hits", (client, side) => side.keep("item", client.get("a"))],
  ["add where something is", (client) => client.add("a", "two")],
  ["set with a wrong cas", (client) => client.set("a", "two", { cas: 2n ** 64n - 2n })],
  ["replace with a wrong cas", (client) => client.replace("a", "two", { cas: 1n << 40n })],
  ["append with a wrong cas", (client) => client.append("a", "two", { cas: 1n << 40n })],
  ["prepend with a wrong cas", (client) => client.prepend("a", "two", { cas: 1n << 40n })],
  ["delete with a wrong cas", (client) => client.delete("a", { cas: 1n << 40n })],
  ["set with the right cas", (client, side) => side.keep("second", client.set("a", "two", { cas: side.kept("item") }))],
  ["set with a cas that was used", (client, side) => client.set("a", "three", { cas: side.kept("item") })],
  ["replace with the right cas", (client, side) => {
    return side.keep("third", client.replace("a", "three", { cas: side.kept("second"), flags: 9 }));
  }],
  ["append with the right cas", (client, side) => {
    return side.keep("fourth", client.append("a", " and more", { cas: side.kept("third") }));
  }],
  ["prepend with the right cas", (client, side) => {
    return side.keep("fifth", client.prepend("a", "before ", { cas: side.kept("fourth") }));
  }],
  ["get after all that", (client) => client.get("a")],
  ["delete with the right cas", (client, side) => client.delete("a", { cas: side.kept("fifth") })],
  ["delete twice", (client) => client.delete("a")],
  ["add where nothing is", (client) => client.add("a", "new", { flags: 7, ttl: 60 })],
  ["replace where something is", (client) => client.replace("a", "newer", { flags: 8 })],
  ["append", (client) => client.append("a", ">")],
  ["prepend", (client) => client.prepend("a", "<")],
  ["get after append and prepend", (client) => client.get("a")],
  ["touch hits", (client) => client.touch("a", 60)],
  ["touch for ever", (client) => client.touch("a", Infinity)],
  ["touch with a ttl that is a date", (client) => client.touch("a", "60d")],
  ["getAndTouch hits", (client) => client.getAndTouch("a", 60)],
  ["a touch changes no cas", (client) => client.get("a")],
  ["incr of nothing", (client) => client.incr("n")],
  ["decr of nothing", (client) => client.decr("n")],
  ["incr with an initial", (client) => client.incr("n", 5, { initial: 10, ttl: 60 })],
  ["incr", (client) => client.incr("n", 5)],
  ["incr by 0", (client) => client.incr("n", 0)],
  ["decr", (client) => client.decr("n", 6)],
  ["a counter that lost a digit", (client) => client.get("n")],
  ["decr stops at 0", (client) => client.decr("n", 100)],
  ["decr by 0", (client) => client.decr("n", 0n)],
  ["decr with an initial", (client) => client.decr("n2", 5, { initial: TOP })],
  ["the largest counter", (client) => client.get("n2")],
  ["incr wraps", (client) => client.incr("n2")],
  ["incr by 2^64 - 1", (client) => client.incr("n2", TOP)],
  ["decr by 2^64 - 1", (client) => client.decr("n2", TOP)],
  ["incr beyond 2^53", (client) => client.incr("n2", 2n ** 53n + 1n)],
  ["incr of no number", (client) => client.incr("a")],
  ["decr of no number", (client) => client.decr("a", 1, { initial: 5 })],
  ["a counter of 2^64 as text", async (client) => {
    await client.set("n3", String(TOP + 1n));
    return await client.incr("n3");
  }],
  ["a counter with a space before it", async (client) => {
    await client.set("n4", " 7");
    return await client.incr("n4");
  }],
  ["a counter that is empty", async (client) => {
    await client.set("n5", "");
    return await client.incr("n5");
  }],
  ["a counter keeps its flags", async (client) => {
    await client.set("n6", "41", { flags: 3 });
    return [await client.incr("n6"), await client.get("n6")];
  }],
  ...["", "\r\n", "END\r\nEN\r\nmn\r\n", "é\r\n日本🙂", " ", "\0", "VA 5 O00000001\r\nhello"].flatMap((
    value,
    n,
  ): Step[] => [
    [`set ${JSON.stringify(value)}`, (client) => client.set(`value:${n}`, value)],
    [`get ${JSON.stringify(value)}`, (client) => client.get(`value:${n}`)],
    [`append ${JSON.stringify(value)}`, (client) => client.append(`value:${n}`, value)],
    [`get twice ${JSON.stringify(value)}`, (client) => client.get(`value:${n}`)],
  ]),
  ["set every byte", (client) => client.set("bytes", bytes)],
  ["get every byte", (client) => client.get("bytes")],
  ["set text of 20,000 characters", (client) => client.set("text", "ä".repeat(20_000))],
  ["get text of 20,000 characters", (client) => client.get("text")],
  ["set the largest value", (client) => client.set("big", long)],
  ["get the largest value", (client) => client.get("big")],
  ["append to the largest value", (client) => client.append("big", long)],
  ["get after an append that was too large", (client) => client.get("big")],
  ["set a value that is too large", (client) => client.set("big", new Uint8Array(LARGEST + 1))],
  ["a set that was too large removes what was there", (client) => client.get("big")],
  ["add a value that is too large where nothing is", (client) => client.add("big", new Uint8Array(2_000_000))],
  ["get after an add that was too large", (client) => client.get("big")],
  ["replace by a value that is too large", async (client) => {
    await client.set("big", "small");
    return await client.replace("big", new Uint8Array(2_000_000));
  }],
  ["get after a replace that was too large", (client) => client.get("big")],
  ["cas by a value that is too large", async (client) => {
    await client.set("big", "small");
    return await client.set("big", new Uint8Array(2_000_000), { cas: 1n << 40n });
  }],
  ["get after a cas that was too large", (client) => client.get("big")],
  ["add a value that is too large where something is", async (client) => {
    await client.set("big", "small");
    return await client.add("big", new Uint8Array(2_000_000));
  }],
  ["get after an add that was too large where something is", (client) => client.get("big")],
  ["a value above `maxValueBytes`", (client) => client.set("big", new Uint8Array(MAX_VALUE_BYTES + 1))],
  ["set under a key of 250 bytes", (client) => client.set(longest, "v")],
  ["get a key of 250 bytes", (client) => client.get(longest)],
  ["incr a key of 250 bytes", (client) => client.incr(longest.slice(1) + "n", 1, { initial: TOP })],
  ["a key of 251 bytes", (client) => client.get(longest + "k")],
  ["a key with a space", (client) => client.get("a b")],
  ["a key with a line's end", (client) => client.set("a\r\nb", "v")],
  ["an empty key", (client) => client.get("")],
  ...["é", "漢字", "🦕".repeat(62), "a?b", "%&()|\"'\\"].flatMap((key): Step[] => [
    [`set under ${key}`, (client) => client.set(key, key, { ttl: 60 })],
    [`get ${key}`, (client) => client.get(key)],
    [`touch ${key}`, (client) => client.touch(key, 0)],
    [`getMulti of ${key}`, (client) => client.getMulti(["no", key, "é"])],
    [`delete ${key}`, (client) => client.delete(key)],
  ]),
  ...[0, 1, 0x7fffffff, 0x80000000, 0xffffffff].flatMap((flags): Step[] => [
    [`set with flags ${flags}`, (client) => client.set("flags", "v", { flags })],
    [`get with flags ${flags}`, (client) => client.get("flags")],
  ]),
  ["flags of 2^32", (client) => client.set("flags", "v", { flags: 2 ** 32 })],
  ["getMulti of nothing", (client) => client.getMulti([])],
  ["getMulti of one that is missing", (client) => client.getMulti(["no"])],
  ["getMulti of one", (client) => client.getMulti(["flags"])],
  ["getMulti of 100, half of them missing", async (client) => {
    await Promise.all(many.filter((_, n) => n % 2 === 0).map((key, n) => client.set(key, `${n}\r\n`, { flags: n })));
    return await client.getMulti(many);
  }],
  ["getMulti with repeats", (client) => client.getMulti(["many:0", "no", "many:2", "many:0", "no", "many:2"])],
  ["getMulti with a key that is none", (client) => client.getMulti(["many:0", "a b"])],
  ["calls of one tick", (client) => {
    return Promise.all([
      client.set("tick", "1"),
      client.get("tick"),
      client.incr("tick", 2),
      client.getMulti(["tick", "no"]),
      client.append("tick", "0"),
      client.decr("tick", 1),
      client.delete("tick"),
      client.get("tick"),
    ]);
  }],
  ["version", async (client) => [...(await client.version()).values()]],
  ["names of the statistics of settings", async (client) => {
    return [...(await client.stats("settings")).values()].map((found) => [...found.keys()]);
  }],
  ["statistics of items that are empty", async (client) => {
    return [...(await client.stats("sizes")).values()].map((found) => [...found.keys()]);
  }],
  ["reset of the statistics", async (client) => [...(await client.stats("reset")).values()].map((found) => found.size)],
  ["a topic that is an order", async (client) => {
    return [...(await client.stats("detail on")).values(), ...(await client.stats("detail off")).values()];
  }],
  ["the general statistics", async (client, { address }) => {
    const found = (await client.stats()).get(address)!;
    return ["pid", "version", "curr_items", "cmd_get", "limit_maxbytes"].map((name) => [name, found.has(name)]);
  }],
  ["statistics of an unknown topic", (client) => client.stats("unknown topic")],
  ["statistics of an unknown word", (client) => client.stats("bogus")],
  ["a topic with a line's end", (client) => client.stats("a\r\nb")],
  ["flushAll later", (client) => client.flushAll(100)],
  ["what is there before the flush", (client) => client.get("many:0")],
  ["flushAll", (client) => client.flushAll()],
  ["what is there after the flush", (client) => client.getMulti([...many, "a", "n", "flags"])],
  ["flushAll with a delay that is none", (client) => client.flushAll(-1)],
];

/**
 * Steps whose results differ, because the server itself does another thing: the text of the item that is left, or
 * `undefined`. Nothing else may differ.
 */
const DIFFERENT: Readonly<Record<string, Readonly<Record<Protocol, string | undefined>>>> = {
  // An ms that is too large removes the old value whatever its mode; of the binary writes only a SET does.
  "get after a replace that was too large": { binary: "small", meta: undefined },
  "get after an add that was too large where something is": { binary: "small", meta: undefined },
};

/** A result as something to compare. */
function plain(result: unknown): unknown {
  if (result instanceof Map) {
    const failed = (result as MultiResult).failed;
    return { entries: [...result].map(([key, one]) => [key, plain(one)]), failed: failed && [...failed.keys()] };
  }
  if (Array.isArray(result)) return result.map(plain);
  if (typeof result !== "object" || result === null) return result;
  if ("bytes" in result) {
    const { key, flags, cas, bytes } = result as Item;
    return { key, flags, cas, bytes: new Uint8Array(bytes), text: (result as Item).text() };
  }
  return { ...result };
}

/** Without the server's name and its own words, which are its own on each wire. */
function masked({ message }: Error, address: string): string {
  return message.replaceAll(address, "<server>").replace(/(<server> answered )".*"( \(status )/, "$1<words>$2");
}

async function outcome([, step]: Step, side: Side): Promise<{ readonly result?: unknown; readonly error?: unknown }> {
  try {
    return { result: plain(await step(side.client, side)) };
  } catch (error) {
    assert(error instanceof Error);
    const { status } = error as Partial<ServerError>;
    if (error instanceof MemcachedError) assertEquals(error.server, side.address);
    const message = masked(error, side.address);
    return { error: { class: error.constructor.name, name: error.name, status, message } };
  }
}

const servers = [await freshServer(), await freshServer()];
const [binary, meta] = PROTOCOLS.map((protocol, n) => new Side(protocol, servers[n]!.address)) as [Side, Side];
after(async () => {
  for (const side of [binary, meta]) await side.client.close();
  for (const server of servers) await server[Symbol.asyncDispose]();
});

test("the steps are many, and each has a name of its own", () => {
  assert(steps.length > 100, `${steps.length}`);
  assertEquals(new Set(steps.map(([name]) => name)).size, steps.length);
  assertEquals(Object.keys(DIFFERENT).filter((name) => !steps.some(([known]) => known === name)), []);
});

for (const step of steps) {
  const [name] = step;
  const different = DIFFERENT[name];
  test(`both wires: ${name}${different === undefined ? "" : ", where the server differs"}`, async () => {
    const [one, other] = [await outcome(step, binary), await outcome(step, meta)];
    if (different === undefined) return assertEquals(other, one);
    for (const [protocol, { result }] of [["binary", one], ["meta", other]] as const) {
      assertEquals((result as Item | undefined)?.text, different[protocol] as unknown);
    }
  });
}
