/** Every verb, against a real memcached. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
  equal,
} from "@std/assert";
import { after, before, test } from "node:test";
import {
  ConnectionError,
  Memcached,
  type MemcachedEvents,
  type MemcachedOptions,
  ServerError,
  ValueTooLargeError,
} from "@x/cache-utils/memcached";
import { freshServer, type Server } from "../_memcached.ts";

let server: Server;
let client: Memcached;
before(async () => {
  server = await freshServer();
  client = new Memcached(server.address);
});
after(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
});

const text = async (key: string) => (await client.get(key))?.text();

test("get() gives the item, and undefined where there is none", async () => {
  const stored = await client.set("get", "hello", { flags: 0xdeadbeef });
  const item = (await client.get("get"))!;
  assertEquals([item.key, item.flags, item.text()], ["get", 0xdeadbeef, "hello"]);
  assertEquals(item.bytes, new TextEncoder().encode("hello"));
  // Never a Buffer, whose slice is no copy.
  assertEquals(item.bytes.constructor, Uint8Array);
  assert(stored.stored && stored.cas === item.cas && item.cas > 0n);
  assertEquals(await client.get("get:missing"), undefined);
});

test("item.json() of what is none names the key and the flags that its writer chose, and not the value", async () => {
  await client.set("pickled", "(dp0 secret", { flags: 1 });
  const error = assertThrows((await client.get("pickled"))!.json.bind(await client.get("pickled")), SyntaxError);
  assertMatch(error.message, /^Cannot read "pickled" as JSON: .* flags 1, is none; another client may have written it/);
  assert(!error.message.includes("secret"));
  await client.set("plain", "text");
  const item = (await client.get("plain"))!;
  const plain = assertThrows(() => item.json(), SyntaxError);
  assertMatch(plain.message, /^Cannot read "plain" as JSON: its value, of 4 characters and flags 0, is none$/);
  assert((plain as Error).cause instanceof SyntaxError);
});

test('stats("detail dump") gives the counts by prefix, on both wires, whatever there is to give', async () => {
  await using own = await freshServer();
  await using binary = new Memcached(own.address, { protocol: "binary" });
  await using meta = new Memcached(own.address, { protocol: "meta" });
  const dumped = (from: Memcached) => from.stats("detail dump").then((stats) => [...stats.get(own.address)!]);
  for (const from of [binary, meta]) assertEquals(await dumped(from), []);
  await binary.stats("detail on");
  await binary.set("foo:bar", "1");
  await binary.get("foo:bar");
  await binary.get("nope:x");
  const counts = [["foo", "get 1 hit 1 set 1 del 0"], ["nope", "get 1 hit 0 set 0 del 0"]];
  for (const from of [binary, meta]) assertEquals((await dumped(from)).sort(), counts);
});

test("item.json() parses, and item.bytes are the caller's own", async () => {
  await client.set("json", '{"a":[1,"é"]}');
  const item = (await client.get("json"))!;
  assertEquals(item.json(), { a: [1, "é"] });
  item.bytes.fill(0x78);
  assertEquals(item.bytes.length, 14);
  assertEquals(await text("json"), '{"a":[1,"é"]}');
  await client.set("json", "no");
  const none = (await client.get("json"))!;
  assertThrows(() => none.json(), SyntaxError);
});

test("bytes come back as they were, every one of them", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
  await client.set("bytes", bytes);
  assertEquals((await client.get("bytes"))!.bytes, bytes);
  await client.set("bytes", new Uint8Array(0));
  assertEquals((await client.get("bytes"))!.bytes.length, 0);
  await client.set("bytes", bytes.subarray(10, 20));
  assertEquals((await client.get("bytes"))!.bytes, bytes.slice(10, 20));
  await client.set("bytes", "\ufeffBOM 日本🙂");
  assertEquals(await text("bytes"), "\ufeffBOM 日本🙂");
});

test("a value as large as the server takes comes back, one byte more is refused before it is sent", async () => {
  const largest = 1_048_514;
  const bytes = new Uint8Array(largest).map((_, n) => n * 7);
  assertEquals((await client.set("big", bytes)).stored, true);
  assert(equal((await client.get("big"))!.bytes, bytes));
  const error = await assertRejects(() => client.set("big", new Uint8Array(largest + 1)), ValueTooLargeError);
  assertEquals([error.status, error.server], [3, server.address]);
  assertMatch(error.message, /^Cannot set "big": value is 1048515 bytes, .* takes 1048514/);
  assertEquals((await client.get("big"))!.bytes.length, largest);
  await assertRejects(() => client.set("big", new Uint8Array(largest - 3), { flags: 1 }), ValueTooLargeError);
  assertEquals((await client.set("big", "x".repeat(largest))).stored, true);
  await assertRejects(() => client.set("big", "é".repeat(largest / 2 + 1)), ValueTooLargeError);
});

test("many large values at once come back whole", async () => {
  const values = Array.from({ length: 12 }, (_, n) => new Uint8Array(300_000 + n).fill(n + 1));
  await Promise.all(values.map((value, n) => client.set(`large:${n}`, value)));
  const items = await Promise.all(values.map((_, n) => client.get(`large:${n}`)));
  // Not assertEquals, which would show all of them.
  items.forEach((item, n) => assert(equal(item!.bytes, values[n]), `value ${n}`));
});

test("add() only where nothing is, replace() only where something is", async () => {
  assertEquals((await client.add("add", "1")).stored, true);
  assertEquals(await client.add("add", "2"), { stored: false, reason: "exists" });
  assertEquals(await text("add"), "1");
  assertEquals((await client.replace("add", "3")).stored, true);
  assertEquals(await client.replace("add:missing", "4"), { stored: false, reason: "not-found" });
  assertEquals(await text("add"), "3");
});

test("append() appends and prepend() prepends, flags and ttl kept", async () => {
  await client.set("pend", "b", { flags: 7 });
  assertEquals((await client.append("pend", "c")).stored, true);
  assertEquals((await client.prepend("pend", "a")).stored, true);
  const item = (await client.get("pend"))!;
  assertEquals([item.text(), item.flags], ["abc", 7]);
  assertEquals(await client.append("pend:missing", "x"), { stored: false, reason: "not-stored" });
  assertEquals(await client.prepend("pend:missing", "x"), { stored: false, reason: "not-stored" });
});

test("cas: a write over what was seen is stored only if it is still there", async () => {
  await client.set("cas", "1");
  const item = (await client.get("cas"))!;
  const second = await client.set("cas", "2", { cas: item });
  assert(second.stored);
  assertEquals(await client.set("cas", "3", { cas: item }), { stored: false, reason: "exists" });
  assertEquals(await client.delete("cas", { cas: item }), false);
  assertEquals(await client.append("cas", "x", { cas: item.cas }), { stored: false, reason: "exists" });
  const third = await client.replace("cas", "3", { cas: second });
  assert(third.stored);
  assertEquals(await client.delete("cas", { cas: third }), true);
  assertEquals(await client.set("cas", "4", { cas: third }), { stored: false, reason: "not-found" });
});

test("delete() tells whether something was there", async () => {
  await client.set("delete", "1");
  assertEquals([await client.delete("delete"), await client.delete("delete")], [true, false]);
});

test("incr() and decr() count in 64 bits; a missing counter stays missing without `initial`", async () => {
  assertEquals(await client.incr("count"), undefined);
  assertEquals(await client.incr("count", 5, { initial: 10 }), 10n);
  assertEquals(await client.incr("count", 5, { initial: 10 }), 15n);
  assertEquals(await client.incr("count"), 16n);
  assertEquals(await client.incr("count", 0), 16n);
  assertEquals(await client.decr("count", 10n), 6n);
  assertEquals(await client.decr("count", 100), 0n);
  assertEquals(await client.incr("count:big", 1, { initial: 2n ** 53n + 1n }), 2n ** 53n + 1n);
  assertEquals(await client.incr("count:big", 2n ** 63n), 2n ** 63n + 2n ** 53n + 1n);
  await client.set("count:max", String(2n ** 64n - 1n));
  assertEquals(await client.incr("count:max"), 0n);
  await client.set("count:ten", "10");
  assertEquals(await client.decr("count:ten"), 9n);
  assertEquals(await text("count:ten"), "9 ");
  await client.set("count:no", "abc");
  assertEquals((await assertRejects(() => client.incr("count:no"), ServerError)).status, 6);
});

test("touch() and getAndTouch() tell whether something was there, and change its ttl", async () => {
  await client.set("touch", "1");
  assertEquals([await client.touch("touch", 100), await client.touch("touch:missing", 1)], [true, false]);
  assertEquals((await client.getAndTouch("touch", 0))!.text(), "1");
  assertEquals(await client.getAndTouch("touch:missing", 1), undefined);
  // An end that has passed: an epoch second of long ago is what 30 days and a bit would be to memcached.
  assertEquals(await client.touch("touch", "31d"), true);
  assertEquals(await text("touch"), "1");
});

test("ttl: long ones are not read as dates, and short ones do end", { timeout: 60_000 }, async () => {
  await client.set("ttl:long", "1", { ttl: "45d" });
  await client.set("ttl:forever", "1", { ttl: Infinity });
  await client.set("ttl:century", "1", { ttl: "36500d" });
  await client.set("ttl:short", "1", { ttl: "10ms" });
  // memcached's clock ticks once a second; an item of 1 s ends within it.
  for (const end = Date.now() + 5000; await client.get("ttl:short") !== undefined && Date.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assertEquals(await text("ttl:short"), undefined);
  assertEquals([await text("ttl:long"), await text("ttl:forever"), await text("ttl:century")], ["1", "1", "1"]);
});

test("getMulti() gives what is there, asked for once or twice, and nothing for no keys", async () => {
  const keys = Array.from({ length: 250 }, (_, n) => `multi:${n}`);
  await Promise.all(keys.filter((_, n) => n % 3 === 0).map((key) => client.set(key, `of ${key}`)));
  const found = await client.getMulti([...keys, "multi:0"]);
  assertEquals([...found.keys()], keys.filter((_, n) => n % 3 === 0));
  for (const [key, item] of found) assertEquals([item.key, item.text()], [key, `of ${key}`]);
  assertEquals(found.failed.size, 0);
  const none = await client.getMulti([]);
  assertEquals([none.size, none.failed.size], [0, 0]);
  const item = found.get("multi:3")!;
  assertEquals((await client.set("multi:3", "x", { cas: item })).stored, true);
});

test("stats() and version() say what each server says", async () => {
  const stats = (await client.stats()).get(server.address)!;
  assert(Number(stats.get("pid")) > 0 && stats.size > 50);
  assert((await client.stats("settings")).get(server.address)!.has("maxconns"));
  assertEquals((await client.stats("reset")).get(server.address)!.size, 0);
  await assertRejects(() => client.stats("nosuchtopic"), ServerError, "Not found");
  assertMatch((await client.version()).get(server.address)!, /^\d+\.\d+/);
  assertEquals(await client.get("after:stats"), undefined);
});

test("flushAll() forgets everything, now or after a delay", async () => {
  await client.set("flush", "1");
  await client.flushAll(100);
  assertEquals(await text("flush"), "1");
  await client.flushAll();
  assertEquals(await text("flush"), undefined);
});

test("keys of every legal kind work, and a key is bytes", async () => {
  for (const key of ["k".repeat(250), "é".repeat(125), "日本:🙂", "a/b?c=d&e", '"q"', "%20"]) {
    assertEquals((await client.set(key, key)).stored, true);
    assertEquals(await text(key), key);
  }
});

test("wrong arguments are rejections that name the argument, never throws, and cost nothing", async () => {
  const bad: [() => Promise<unknown>, typeof TypeError | typeof RangeError, string][] = [
    [() => client.get("a b"), TypeError, "`key`"],
    [() => client.get(""), TypeError, "`key`"],
    [() => client.get(undefined as unknown as string), TypeError, "`key`"],
    [() => client.getMulti(["a", "b c"]), TypeError, "`key`"],
    [() => client.getMulti("a" as unknown as string[]), TypeError, "`keys`"],
    [() => client.set("a\r\n", "x"), TypeError, "`key`"],
    [() => client.set("a", 5 as unknown as string), TypeError, "`value`"],
    [() => client.set("a", undefined as unknown as string), TypeError, "`value`"],
    [() => client.set("a", "x", { ttl: NaN }), RangeError, "`ttl`"],
    [() => client.set("a", "x", { ttl: -1 }), RangeError, "`ttl`"],
    [() => client.set("a", "x", { ttl: "5 m" as "5m" }), TypeError, "`ttl`"],
    [() => client.set("a", "x", { flags: -1 }), RangeError, "`flags`"],
    [() => client.set("a", "x", { cas: 0n }), RangeError, "`cas`"],
    [() => client.set("a", "x", { cas: {} as unknown as bigint }), TypeError, "`cas`"],
    [() => client.set("a", "x", { cas: "1" as unknown as bigint }), TypeError, "`cas`"],
    [() => client.delete("a", { cas: null as unknown as bigint }), TypeError, "`cas`"],
    [() => client.add("k".repeat(251), "x"), TypeError, "`key`"],
    [() => client.incr("a", -1), RangeError, "`delta`"],
    [() => client.incr("a", 1.5), RangeError, "`delta`"],
    [() => client.decr("a", 2n ** 64n), RangeError, "`delta`"],
    [() => client.decr("a", 1, { initial: -1n }), RangeError, "`initial`"],
    [() => client.incr("a", 1, { initial: 1, ttl: -1 }), RangeError, "`ttl`"],
    [() => client.incr("a", 1, { ttl: NaN }), RangeError, "`ttl`"],
    [() => client.touch("a", -1), RangeError, "`ttl`"],
    [() => client.getAndTouch("a", NaN), RangeError, "`ttl`"],
    [() => client.flushAll(-1), RangeError, "`delay`"],
    [() => client.flushAll(Infinity), RangeError, "`delay`"],
    [() => client.stats("a\nb"), TypeError, "`topic`"],
  ];
  for (const [call, type, named] of bad) await assertRejects(call, type, named);
  assertThrows(() => client.serverOf("a b"), TypeError, "`key`");
  assertMatch((await client.version()).get(server.address)!, /^\d/);
});

test("the constructor throws for options that are wrong", () => {
  const bad: [MemcachedOptions, typeof TypeError | typeof RangeError, string][] = [
    [{ protocol: "text" as "meta" }, TypeError, "`protocol`"],
    [{ discovery: 60 as unknown as true }, TypeError, "`discovery`"],
    [{ discovery: { interval: 0 } }, RangeError, "`discovery.interval`"],
    [{ discovery: { every: 60 } as object }, TypeError, '"every"'],
    [{ deadServers: "ignore" as "fail" }, TypeError, "`deadServers`"],
    [{ timeout: 0 }, RangeError, "`timeout`"],
    [{ timeout: "x" as "1s" }, TypeError, "`timeout`"],
    [{ connectTimeout: -1 }, RangeError, "`connectTimeout`"],
    [{ connectTimeout: NaN }, RangeError, "`connectTimeout`"],
    [{ connections: 0 }, RangeError, "`connections`"],
    [{ connections: 1e9 }, RangeError, "`connections`"],
    [{ maxInFlight: 0.5 }, RangeError, "`maxInFlight`"],
    [{ maxBytesInFlight: NaN }, RangeError, "`maxBytesInFlight`"],
    [{ maxValueBytes: "1" as unknown as number }, TypeError, "`maxValueBytes`"],
    [null as unknown as MemcachedOptions, TypeError, "`options`"],
  ];
  for (const [options, type, named] of bad) {
    const error = assertThrows(() => new Memcached("a", options), type, named);
    assertEquals(error.message.includes("secret"), false);
  }
  assertThrows(() => new Memcached("a:b:c"), TypeError, "`servers`");
  new Memcached("a", { protocol: "binary", tls: false, discovery: false, allowInsecureAuth: true });
});

test("servers, serverOf() and errors call a server by its address without the weight", () => {
  const many = new Memcached("10.0.0.1 2, [::1]:11212, /run/memcached.sock 3");
  assertEquals(many.servers, ["10.0.0.1:11211", "[::1]:11212", "/run/memcached.sock"]);
  assert(many.servers.includes(many.serverOf("a")));
  assertEquals(new Memcached().servers, ["127.0.0.1:11211"]);
});

test("maxValueBytes bounds both directions", async () => {
  await client.set("max", new Uint8Array(200_000));
  await using small = new Memcached(server.address, { maxValueBytes: 1000 });
  assertEquals((await small.set("max:small", new Uint8Array(1000))).stored, true);
  await assertRejects(() => small.set("max:small", new Uint8Array(1001)), ValueTooLargeError);
  await client.set("max:more", new Uint8Array(1001));
  for (const [key, bytes] of [["max", 200_000], ["max:more", 1001]] as const) {
    const error = await assertRejects(() => small.get(key), ValueTooLargeError);
    assertMatch(
      error.message,
      new RegExp(`${bytes} bytes are more than \`maxValueBytes\` lets in; the connection lives`),
    );
  }
  assertEquals((await small.get("max:small"))!.bytes.length, 1000);
});

test("events tell what happened, on listeners and on diagnostics channels", async () => {
  const { subscribe, unsubscribe } = await import("node:diagnostics_channel");
  await using own = new Memcached(server.address);
  const told: MemcachedEvents["operation"][] = [];
  const channel: unknown[] = [];
  const onChannel = (message: unknown) => void channel.push(message);
  const stop = own.on("operation", (event) => told.push(event));
  const connects: MemcachedEvents["connect"][] = [];
  own.on("connect", (event) => connects.push(event));
  subscribe("memcached:operation", onChannel);
  await own.set("event", "x");
  await own.get("event");
  await own.get("event:missing");
  await own.add("event", "y");
  await own.incr("event").catch(() => {});
  await own.getMulti(["event"]);
  unsubscribe("memcached:operation", onChannel);
  stop();
  await own.get("event");
  assertEquals(
    told.map(({ name, outcome }) => `${name} ${outcome}`),
    ["set ok", "get ok", "get miss", "add refused", "incr error", "getMulti ok"],
  );
  assertInstanceOf(told[4]!.error, ServerError);
  assert(told.every(({ ms, server: name }) => ms >= 0 && name === server.address));
  assertEquals(channel, told);
  assertEquals(connects.map((event) => event.server), [server.address]);
  assertThrows(() => own.on("nothing" as "dead", () => {}), TypeError);
});

test("getMulti(), stats(), version() and flushAll() ask every server, and only getMulti() forgives one", async () => {
  await using other = await freshServer();
  await using both = new Memcached([server.address, other.address]);
  const keys = Array.from({ length: 60 }, (_, n) => `both:${n}`);
  assertEquals(new Set(keys.map((key) => both.serverOf(key))).size, 2);
  await Promise.all(keys.map((key) => both.set(key, key)));
  assertEquals((await both.getMulti(keys)).size, 60);
  assertEquals([...(await both.version()).keys()], [server.address, other.address]);
  assertEquals((await both.stats()).size, 2);
  await other.kill();
  const found = await both.getMulti(keys);
  assertEquals([...found.failed.keys()], [other.address]);
  assertInstanceOf(found.failed.get(other.address), ConnectionError);
  assertEquals([...found.keys()], keys.filter((key) => both.serverOf(key) === server.address));
  await assertRejects(() => both.version(), ConnectionError);
  await assertRejects(() => both.stats(), ConnectionError);
  await assertRejects(() => both.flushAll(), ConnectionError);
});

test("with -C cas is 0 and writes go on as usual", async () => {
  await using none = await freshServer(["-C"]);
  await using own = new Memcached(none.address);
  const stored = await own.set("a", "1");
  assert(stored.stored && stored.cas === 0n);
  const item = (await own.get("a"))!;
  assertEquals([item.cas, item.text()], [0n, "1"]);
  await assertRejects(() => own.set("a", "2", { cas: item }), RangeError, "memcached -C");
});

test("an error of the server is a ServerError with its status, and the connection lives", async () => {
  await using small = await freshServer(["-I", "512k", "-F"]);
  await using own = new Memcached(small.address);
  let connects = 0;
  own.on("connect", () => connects++);
  const error = await assertRejects(() => own.set("big", new Uint8Array(600_000)), ValueTooLargeError, "Too large");
  assertEquals(error.status, 3);
  assertStringIncludes(error.message, "the connection lives");
  await assertRejects(() => own.flushAll(), ServerError);
  assertEquals(await own.get("big"), undefined);
  assertEquals(connects, 1);
});

test("a token from before a restart never matches an item from after it", async () => {
  await using restarted = await freshServer();
  await using own = new Memcached(restarted.address);
  await own.set("a", "old");
  const item = (await own.get("a"))!;
  await restarted.restart();
  // cas values start again: the bare number of the old item is the new one's.
  const stored = await own.set("a", "new").catch(() => own.set("a", "new"));
  assert(stored.stored);
  assertEquals(stored.cas, item.cas);
  assertEquals(await own.set("a", "from before", { cas: item }), { stored: false, reason: "connection-lost" });
  assertEquals(await own.delete("a", { cas: item }), false);
  assertEquals((await own.get("a"))!.text(), "new");
  assertNotEquals((await own.set("a", "bare", { cas: item.cas })).stored, false);
});
