import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { checkKey, checkTopic } from "../../src/memcached/request.ts";

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

test("checkTopic() allows none and one with a space", () => {
  assertEquals(checkTopic(""), 0);
  assertEquals(checkTopic("items"), 5);
  assertEquals(checkTopic("detail on"), 9);
  assertThrows(() => checkTopic("a\r\nb"), TypeError, "`topic`");
  assertThrows(() => checkTopic(1 as unknown as string), TypeError, "`topic`");
});
