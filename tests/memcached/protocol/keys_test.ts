import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { checkKey, KeyList } from "../../../src/memcached/protocol/keys.ts";

test("checkKey() counts bytes of UTF-8, not characters", () => {
  assertEquals(checkKey("a"), 1);
  assertEquals(checkKey("clé"), 4);
  assertEquals(checkKey("日本"), 6);
  assertEquals(checkKey("🙂"), 4);
  assertEquals(checkKey("߿ࠀ"), 5);
  for (const key of ["x".repeat(250), "é".repeat(125), "日".repeat(83), "🙂".repeat(62)]) {
    assertEquals(checkKey(key), new TextEncoder().encode(key).length);
  }
});

test("checkKey() refuses a key of more than 250 bytes, however few its characters", () => {
  for (const key of ["x".repeat(251), "é".repeat(126), "日".repeat(84), "🙂".repeat(63)]) {
    assertThrows(() => checkKey(key), TypeError, "at most 250");
  }
});

test("checkKey() refuses an empty key and what is no string", () => {
  assertThrows(() => checkKey(""), TypeError, "`key`");
  for (const key of [undefined, null, 1, {}, ["a"]]) {
    assertThrows(() => checkKey(key as unknown as string), TypeError, "`key`");
  }
});

test("checkKey() refuses spaces and control characters, so that nobody writes a command into a key", () => {
  for (let code = 0; code <= 0x20; code++) {
    assertThrows(() => checkKey(`a${String.fromCharCode(code)}b`), TypeError, "control character");
  }
  assertThrows(() => checkKey("a\x7fb"), TypeError, "control character");
  assertThrows(() => checkKey("a\r\nset b 0 0 1\r\nx"), TypeError, "control character");
  assertEquals(checkKey("\u0080\u00a0"), 4);
});

test("checkKey() refuses a lone surrogate, which UTF-8 folds together with every other one", () => {
  assertThrows(() => checkKey("a\ud800"), TypeError, "surrogate");
  assertThrows(() => checkKey("\udc00a"), TypeError, "surrogate");
});

test("checkKey() quotes at most a line of a bad key", () => {
  const error = assertThrows(() => checkKey("x".repeat(100_000)), TypeError);
  assertEquals(error.message.length < 250, true);
});

test("KeyList writes its keys as UTF-8, short and long, plain and not", () => {
  for (
    const keys of [["a", "b:2", "x".repeat(65), "y".repeat(250)], ["a", "clé", "日本", "🙂".repeat(62), "b"], ["é"], []]
  ) {
    const list = new KeyList(keys);
    const into = new Uint8Array(2000);
    let at = 7;
    keys.forEach((key, n) => {
      const end = list.write(n, into, at);
      assertEquals(new TextDecoder().decode(into.subarray(at, end)), key);
      assertEquals(list.lengthOf(n), end - at);
      at = end;
    });
    assertEquals(list.bytes.length, at - 7);
    assertEquals(into.subarray(at).every((byte) => byte === 0), true);
  }
});

test("KeyList tells whether the nth key stands there", () => {
  const list = new KeyList(["ab", "b", "bæ"]);
  const chunk = new TextEncoder().encode("-abbæ");
  assertEquals([list.isAt(0, chunk, 1, 2), list.isAt(1, chunk, 2, 1), list.isAt(2, chunk, 3, 3)], [true, true, true]);
  assertEquals([list.isAt(0, chunk, 1, 1), list.isAt(0, chunk, 1, 3), list.isAt(1, chunk, 1, 1)], [
    false,
    false,
    false,
  ]);
  assertEquals(list.isAt(2, chunk, 3, 4), false);
  assertEquals(list.isAt(2, new TextEncoder().encode("bø"), 0, 3), false);
});

test("KeyList refuses what is no key, and names it, wherever it stands", () => {
  const bad = ["", "a b", "a\r\nb", "\x7f", "x".repeat(251), "é".repeat(126), "a\ud800", "\udc00"];
  for (const key of bad) {
    const alone = assertThrows(() => checkKey(key), TypeError);
    for (const keys of [[key], ["a", key], [key, "b"], ["é", key, "c"]]) {
      assertEquals(assertThrows(() => new KeyList(keys), TypeError).message, alone.message);
    }
  }
  assertThrows(() => new KeyList(["a\ud83d", "\ude42"]), TypeError, "surrogate");
});
