import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { ConfirmedWrite, originOf, ReceivedItem } from "../../../src/memcached/connection/item.ts";

function received(value: string, slab: Uint8Array): ReceivedItem {
  const bytes = new TextEncoder().encode(value);
  slab.set(bytes, 10);
  const reply = {
    status: 0,
    flaw: undefined,
    last: true,
    index: 0,
    keyStart: 10,
    keyEnd: 10,
    flags: 1,
    casHigh: 1,
    casLow: 2,
    counter: () => 0n,
  };
  return new ReceivedItem("k", { ...reply, chunk: slab, valueStart: 10, valueEnd: 10 + bytes.length }, origin);
}
const origin = {};

test("a small value in a large chunk is copied when its bytes are asked for, so that it does not keep the chunk alive", () => {
  const slab = new Uint8Array(100_000);
  const item = received("hello", slab);
  assertEquals(item.text(), "hello");
  assertEquals(item.bytes.buffer.byteLength, 5);
  assertStrictEquals(item.bytes, item.bytes);
  item.bytes[0] = 0x6a;
  assertEquals(item.text(), "jello");
  assertEquals(slab[10], 0x68);
});

test("a value that is most of its chunk is a view of it", () => {
  const slab = new Uint8Array(1000);
  assertStrictEquals(received("x".repeat(900), slab).bytes.buffer, slab.buffer);
});

test("an item knows its 64-bit cas, and both kinds of token know where they come from", () => {
  const item = received("x", new Uint8Array(100));
  assertEquals(item.cas, 2n ** 32n + 2n);
  assertStrictEquals(originOf(item), origin);
  assertStrictEquals(originOf(new ConfirmedWrite(1n, origin)), origin);
  assert(originOf({ ...item }) === undefined && originOf({}) === undefined);
});

test("a byte order mark is part of a text", () => {
  assertEquals(received("\ufeffa", new Uint8Array(100)).text(), "\ufeffa");
});
