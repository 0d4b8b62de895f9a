import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { Outgoing } from "../../../src/memcached/connection/write_buffer.ts";

/** Puts a text in, as a frame would be. */
function put(outgoing: Outgoing, text: string): { start: number; bytes: number } {
  const bytes = new TextEncoder().encode(text);
  outgoing.reserve(bytes.length);
  outgoing.bytes.set(bytes, outgoing.end);
  const frame = { start: outgoing.end, bytes: bytes.length };
  outgoing.end += bytes.length;
  return frame;
}
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("Outgoing gives everything that was put in, in one piece", () => {
  const outgoing = new Outgoing();
  for (const word of ["one", "two", "three"]) put(outgoing, word);
  assertEquals(text(outgoing.take()), "onetwothree");
  assertEquals(outgoing.end, 0);
});

test("Outgoing leaves what was taken alone until it was written, then uses that buffer again", () => {
  const outgoing = new Outgoing();
  put(outgoing, "first");
  const taken = outgoing.take();
  put(outgoing, "second");
  assertEquals(text(taken), "first");
  assertNotStrictEquals(outgoing.bytes.buffer, taken.buffer);
  outgoing.written();
  outgoing.take();
  assertStrictEquals(outgoing.bytes.buffer, taken.buffer);
});

test("Outgoing grows, and keeps what is there", () => {
  const outgoing = new Outgoing();
  const word = "0123456789".repeat(1000);
  for (let n = 0; n < 10; n++) put(outgoing, word);
  assertEquals(text(outgoing.take()), word.repeat(10));
});

test("Outgoing does not hold on to a very large buffer", () => {
  const outgoing = new Outgoing();
  outgoing.reserve(8_000_000);
  outgoing.end = 8_000_000;
  const large = outgoing.take().buffer;
  outgoing.written();
  outgoing.take();
  outgoing.written();
  assert(outgoing.bytes.buffer !== large && outgoing.bytes.length < 1_000_000);
});

test("Outgoing takes frames out, wherever they stand", () => {
  for (
    const [dropped, left] of [[[0], "bbcccd"], [[1, 3], "accc"], [[0, 1, 2, 3], ""], [[2], "abbd"], [
      [0, 3],
      "bbccc",
    ]] as const
  ) {
    const outgoing = new Outgoing();
    const frames = ["a", "bb", "ccc", "d"].map((word) => put(outgoing, word));
    outgoing.drop(dropped.map((n) => frames[n]!));
    assertEquals(text(outgoing.take()), left);
  }
});
