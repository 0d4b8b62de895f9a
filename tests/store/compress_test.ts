import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { compress, decompress } from "../../src/codec/compress.ts";

const text = new TextEncoder().encode("fjord and fell ".repeat(500));

test("compress() and decompress() are each other's reverse", () => {
  const packed = compress(text)!;
  assert(packed.length < text.length / 10);
  assertEquals(decompress(packed, text.length), text);
});

test("compress() declines what it cannot make an eighth smaller", () => {
  for (const size of [5000, 65_536]) {
    assertEquals(compress(crypto.getRandomValues(new Uint8Array(size))), undefined);
  }
});

test("compress() and decompress() give plain byte arrays", () => {
  const packed = compress(text)!;
  assertEquals(Object.getPrototypeOf(packed), Uint8Array.prototype);
  assertEquals(Object.getPrototypeOf(decompress(packed, text.length)), Uint8Array.prototype);
});

test("decompress() throws where the length is another, and where the stream is none", () => {
  const packed = compress(text)!;
  for (const length of [0, 1, text.length - 1, text.length + 1]) {
    assertThrows(() => decompress(packed, length));
  }
  assertThrows(() => decompress(packed.subarray(0, packed.length - 5), text.length));
  assertThrows(() => decompress(Uint8Array.of(255, 255), 10));
});
