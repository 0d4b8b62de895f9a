import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { Operation } from "../../../src/memcached/connection/operation.ts";
import { WriteBuffer } from "../../../src/memcached/connection/write_buffer.ts";
import { MetaWire } from "../../../src/memcached/protocol/meta/wire.ts";
import { VERB } from "../../../src/memcached/protocol/request.ts";
import type { Wire } from "../../../src/memcached/protocol/wire.ts";

const encoder = new TextEncoder();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A wire whose frames are the keys alone. */
class Keys extends MetaWire {
  override readonly room: Wire["room"] = ({ key }) => key.length;
  protected override readonly encode: Wire["write"] = ({ key }, into, at) => {
    into.set(encoder.encode(key), at);
    return at + key.length;
  };
}

const newBuffer = () => new WriteBuffer(new Keys(1000));

function put(buffer: WriteBuffer, key: string): Operation {
  const operation = new Operation(VERB.get, key, key.length);
  buffer.append(operation);
  return operation;
}

test("WriteBuffer gives everything that was put in, in one piece", () => {
  const buffer = newBuffer();
  for (const word of ["one", "two", "three"]) put(buffer, word);
  assertEquals(text(buffer.take()), "onetwothree");
  assertEquals(buffer.end, 0);
});

test("WriteBuffer leaves what was taken alone until it was written, then uses that buffer again", () => {
  const buffer = newBuffer();
  put(buffer, "first");
  const first = buffer.take();
  put(buffer, "second");
  assertEquals(text(first), "first");
  buffer.written();
  const second = buffer.take();
  assertNotStrictEquals(second.buffer, first.buffer);
  buffer.written();
  put(buffer, "third");
  assertStrictEquals(buffer.take().buffer, first.buffer);
});

test("WriteBuffer grows, and keeps what is there", () => {
  const buffer = newBuffer();
  const word = "0123456789".repeat(1000);
  for (let n = 0; n < 10; n++) put(buffer, word);
  assertEquals(text(buffer.take()), word.repeat(10));
});

test("WriteBuffer does not hold on to a very large buffer", () => {
  const buffer = newBuffer();
  put(buffer, "x".repeat(8_000_000));
  const large = buffer.take().buffer;
  for (let n = 0; n < 3; n++) {
    buffer.written();
    const { buffer: next } = buffer.take();
    assert(next !== large && next.byteLength < 1_000_000);
  }
});

test("WriteBuffer takes frames out, wherever they stand, and the last one again", () => {
  for (
    const [dropped, left] of [[[0], "bbcccd"], [[1, 3], "accc"], [[0, 1, 2, 3], ""], [[2], "abbd"], [
      [0, 3],
      "bbccc",
    ]] as const
  ) {
    const buffer = newBuffer();
    const frames = ["a", "bb", "ccc", "d"].map((word) => put(buffer, word));
    buffer.undo(put(buffer, "undone"));
    buffer.drop(dropped.map((n) => frames[n]!));
    assertEquals(text(buffer.take()), left);
  }
});
