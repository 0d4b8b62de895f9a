import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Keys } from "../../src/key/key.ts";
import { md5Hex, sha256Hex } from "../../src/util/builtin.ts";

const bytes = (text: string) => new TextEncoder().encode(text).length;

test("entry() writes project, version and key", () => {
  assertEquals(new Keys("shop", 42).entry('weather("oslo")'), { key: 'shop:42:weather("oslo")' });
  assertEquals(new Keys("shop").entry("k"), { key: "shop::k" });
  assertEquals(new Keys(undefined, "1").entry("k"), { key: ":1:k" });
  assertEquals(new Keys().entry("k"), { key: "::k" });
  assertEquals(new Keys("a", 1).entry("k"), new Keys("a", "1").entry("k"));
});

test("entry() escapes controls, spaces and the escape itself, and keeps printable Unicode", () => {
  assertEquals(new Keys().entry("a b\n\0\x7f%é城😀:~").key, "::a%20b%0A%00%7F%25é城😀:~");
  assertEquals(new Keys().entry("\ud800a\udc00").key, "::%uD800a%uDC00");
  assertEquals(new Keys().entry("\udc00\ud800\ud83d\ude00").key, "::%uDC00%uD800😀");
  assertEquals(new Keys("a:b %", "1:2").entry("k").key, "a%3Ab%20%25:1%3A2:k");
});

test("entry() escapes what makes a key look like another where it is shown", () => {
  assertEquals(new Keys().entry("a\u0085b\u2028c\u202ed\u2066e\u061c").key, "::a%u0085b%u2028c%u202Ed%u2066e%u061C");
  assertEquals(new Keys().entry("a\u00a0b\u2027c").key, "::a\u00a0b\u2027c");
});

test("a full key of more than 1 KB is kept as its sha-256, and its lock has a key of its own", () => {
  const keys = new Keys("shop", 1);
  const short = keys.entry("k".repeat(1017)), long = keys.entry("k".repeat(1018)), other = keys.entry("k".repeat(1019));
  assertEquals(short.fullKey, `shop:1:${"k".repeat(1017)}`);
  assertEquals(long.fullKey, sha256Hex(`shop:1:${"k".repeat(1018)}`));
  assert(long.fullKey !== other.fullKey);
  assertEquals(new Set([short, long, other].map((entry) => keys.mintLock(entry))).size, 3);
  for (const entry of [short, long]) assertMatch(keys.mintLock(entry), /^shop:%mint:/);
});

test("two of project, version and key never glue to one", () => {
  const parts = [undefined, "a", "a:", ":a", "a:b", "b", "1", "%", "%3A", ":", "a%3Ab", "%group", "\ud800", "%uD800"];
  const keys = [
    "k",
    "1:k",
    ":k",
    "b:1:k",
    "%group:g",
    "%mint::k",
    "%25",
    "%",
    "a b",
    "a%20b",
    "ab",
    "\ud800",
    "\ufffd",
  ];
  const seen = new Set<string>();
  let count = 0;
  for (const project of parts) {
    for (const version of parts) {
      for (const key of keys) {
        seen.add(new Keys(project, version).entry(key).key);
        count++;
      }
    }
  }
  assertEquals(seen.size, count);
});

test("counters and refresh locks stand where no user's key can", () => {
  const texts = ["%group:g", "group:g", "%25group:g", "%mint:k", "g", "%g", ":%group:g", "a:%group:g", "%mint:1:k"];
  const entries = new Set<string>(), others = new Set<string>();
  for (const project of [undefined, "a", "%group", "%mint"]) {
    for (const version of [undefined, 1, "%group", "%mint"]) {
      const keys = new Keys(project, version);
      for (const text of texts) {
        entries.add(keys.entry(text).key);
        others.add(keys.counter(text));
        others.add(keys.mintLock(keys.entry(text)));
      }
    }
  }
  for (const key of entries) assert(!others.has(key), key);
});

test("counter() carries project and group, not the version", () => {
  assertEquals(new Keys("shop", 1).counter("big cities:%"), "shop:%group:big%20cities:%25");
  assertEquals(new Keys("shop", 1).counter("g"), new Keys("shop", 2).counter("g"));
  assertEquals(new Keys().counter("g"), ":%group:g");
});

test("mintLock() carries the full key it guards", () => {
  const keys = new Keys("shop", 1);
  assertEquals(keys.mintLock(keys.entry("a b")), "shop:%mint:1:a%20b");
  const long = keys.entry("x".repeat(300));
  const sibling = keys.entry("x".repeat(301));
  assertEquals(bytes(keys.mintLock(long)), 250);
  assert(keys.mintLock(long) !== keys.mintLock(sibling));
  // A key that needs no truncation itself may need one under its lock's longer head.
  const whole = keys.entry("x".repeat(243));
  assertEquals([bytes(whole.key), whole.fullKey], [250, undefined]);
  assertMatch(keys.mintLock(whole), /^shop:%mint:1:x+~[0-9a-f]{32}$/);
});

test("a key over 250 bytes is its longest head of whole characters, ~ and the md5 of the full key", () => {
  const keys = new Keys("p", 1);
  assertEquals(keys.entry("x".repeat(246)), { key: "p:1:" + "x".repeat(246) });
  for (
    const [text, head] of [
      ["x".repeat(247), "x".repeat(213)],
      ["п".repeat(150), "п".repeat(106)],
      ["x" + "п".repeat(150), "x" + "п".repeat(106)],
      ["城".repeat(100), "城".repeat(71)],
      ["😀".repeat(100), "😀".repeat(53)],
      ["xx" + "😀".repeat(100), "xx" + "😀".repeat(52)],
    ] as const
  ) {
    const full = "p:1:" + text;
    assertEquals(keys.entry(text), { key: `p:1:${head}~${md5Hex(full)}`, fullKey: full });
    assert(bytes(keys.entry(text).key) <= 250);
  }
});

test("a truncated key never ends inside an escape", () => {
  const keys = new Keys("p", 1);
  for (let before = 0; before < 8; before++) {
    for (const text of [" ", "%", "\ud800"]) {
      const { key, fullKey } = keys.entry("x".repeat(before) + text.repeat(100));
      assertMatch(key, /^p:1:x*(%20|%25|%uD800)+~[0-9a-f]{32}$/);
      assertEquals(key.slice(-32), md5Hex(fullKey!));
      assert(bytes(key) > 240 && bytes(key) <= 250);
    }
  }
});

test("keys of two long texts differ, whatever they share", () => {
  const keys = new Keys("p", 1);
  const seen = new Set(Array.from({ length: 100 }, (_, i) => keys.entry("x".repeat(300 + i)).key));
  assertEquals(seen.size, 100);
});

test("a long project or a long group is truncated like a key", () => {
  const keys = new Keys("p".repeat(300), 1);
  const all = [
    keys.entry("a").key,
    keys.entry("b").key,
    keys.counter("a"),
    keys.counter("b"),
    keys.mintLock(keys.entry("a")),
  ];
  assertEquals(new Set(all).size, 5);
  for (const key of all) assertEquals(bytes(key), 250);
  assertEquals(bytes(new Keys().counter("ю".repeat(200))), 249);
});

test("an empty or wrong project, version, key or group is a TypeError that names it", () => {
  const wrong = (value: unknown) => value as never;
  assertThrows(() => new Keys(""), TypeError, 'Cannot use "" as project: give a non-empty text, or leave it out');
  assertThrows(() => new Keys(wrong(null)), TypeError, "null as project");
  assertThrows(() => new Keys("a", ""), TypeError, 'Cannot use "" as version');
  assertThrows(() => new Keys("a", NaN), TypeError, "Cannot use NaN as version");
  assertThrows(() => new Keys("a", wrong(1n)), TypeError, "bigint as version");
  const keys = new Keys();
  assertThrows(() => keys.entry(""), TypeError, 'Cannot use "" as key: a key is a non-empty string');
  assertThrows(() => keys.entry(wrong(7)), TypeError, "Cannot use 7 as key");
  assertThrows(() => keys.entry(wrong(undefined)), TypeError, "undefined as key");
  assertThrows(() => keys.counter(""), TypeError, 'Cannot use "" as group: a group\'s name is a non-empty string');
  assertThrows(() => keys.counter(wrong(["a"])), TypeError, "an object (Array) as group");
});

test("Keys gives a group the same counter each time, whatever its name, and none of another project's", () => {
  const [shop, other] = [new Keys("shop", 1), new Keys("other", 1)];
  const names = ["cities", "a b", "50%", "größe", "x".repeat(400), "constructor", "__proto__"];
  const first = names.map((name) => shop.counter(name));
  assertEquals(names.map((name) => shop.counter(name)), first);
  assertEquals(names.map((name) => new Keys("shop", 2).counter(name)), first);
  for (const [n, name] of names.entries()) assert(other.counter(name) !== first[n], name);
  assertEquals(shop.counter("cities"), "shop:%group:cities");
});
