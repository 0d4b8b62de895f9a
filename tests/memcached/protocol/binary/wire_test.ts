import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { BinaryWire } from "../../../../src/memcached/protocol/binary/wire.ts";
import { KeyList } from "../../../../src/memcached/protocol/keys.ts";
import { Request, VERB } from "../../../../src/memcached/protocol/request.ts";
import { halves, uint64 } from "../../../../src/memcached/protocol/wire.ts";
import { framesIn, replyTo } from "../../_frames.ts";

const get = () => new Request(VERB.get, "k", 1, undefined);

test("BinaryWire counts opaques across 2^31 and wraps at 2^32", () => {
  for (const first of [2 ** 31 - 2, 2 ** 32 - 2]) {
    const wire = new BinaryWire(1000, first);
    for (let n = 0; n < 5; n++) {
      const request = get();
      const into = new Uint8Array(wire.room(request));
      const [frame] = framesIn(into.subarray(0, wire.write(request, into, 0)));
      assertEquals(frame!.opaque, (first + n) >>> 0);
      wire.push(replyTo(frame!, { status: 1 }));
      assertEquals(wire.next(request)!.status, 1);
    }
  }
});

test("BinaryWire gives a multi-get one opaque for each key and one for the NOOP, across the wrap", () => {
  const wire = new BinaryWire(1000, 2 ** 32 - 2);
  const multi = new Request(VERB.getMulti, "", 0, { list: new KeyList(["a", "b", "c"]) });
  const into = new Uint8Array(wire.room(multi));
  const end = wire.write(multi, into, 0);
  assertEquals(end, into.length);
  assertEquals(framesIn(into).map(({ opcode, opaque }) => [opcode, opaque]), [
    [0x0d, 0xfffffffe],
    [0x0d, 0xffffffff],
    [0x0d, 0],
    [0x0a, 1],
  ]);
  const after = get();
  wire.write(after, into, 0);
  assertEquals(after.opaque, 2);
});

test("a buffer that was used before leaves no cas behind", () => {
  const wire = new BinaryWire(1000);
  const request = new Request(VERB.set, "k", 1, { value: "v", flags: 0, exptime: 0, cas: 0n });
  const into = new Uint8Array(wire.room(request)).fill(0xff);
  const [frame] = framesIn(into.subarray(0, wire.write(request, into, 0)));
  assertEquals([frame!.cas, frame!.value], [0n, "v"]);
});

test("a value is written as UTF-8, and a long key as well", () => {
  const wire = new BinaryWire(1000);
  const key = "é".repeat(120);
  const request = new Request(VERB.set, key, 240, { value: "日本🙂", flags: 1, exptime: 2, cas: 3n });
  const into = new Uint8Array(wire.room(request));
  const [frame] = framesIn(into.subarray(0, wire.write(request, into, 0)));
  assertEquals([frame!.key, frame!.value, frame!.cas], [key, "日本🙂", 3n]);
});

test("uint64() and halves() are each other's reverse, to the last bit", () => {
  for (const value of [0n, 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    assertEquals(uint64(...halves(value)), value);
  }
  assertEquals(uint64(1, 2), 2n ** 32n + 2n);
});
