import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { CacheValueError } from "../../src/errors.ts";
import { type Codec, decodeWith, defaultCodec, encodeWith } from "../../src/codec/codec.ts";
import { difference } from "../../src/testing/difference.ts";
import { KEPT, REFUSED } from "../../src/testing/samples.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";

const CODECS: Record<string, Codec> = {
  "the default": defaultCodec(),
  "always compressing": defaultCodec({ compressOver: 0 }),
  "never compressing": defaultCodec({ compressOver: Infinity }),
};
const codec = CODECS["the default"]!;

for (const [what, make] of Object.entries(KEPT)) {
  test(`defaultCodec() gives ${what} back exactly, compressed or not`, () => {
    for (const [name, codec] of Object.entries(CODECS)) {
      const value = make();
      assertEquals(difference(codec.decode(codec.encode(value)), make()), undefined, name);
      assertEquals(difference(value, make()), undefined, "encoding changed the value");
    }
  });
}

for (const [what, { make, path }] of Object.entries(REFUSED)) {
  test(`defaultCodec() refuses ${what} and says where it is`, () => {
    const error = assertThrows(() => codec.encode(make()), CacheValueError);
    assert(error.message.startsWith(`Cannot keep ${path}`), error.message);
  });
}

test("defaultCodec() keeps a Buffer as a Buffer, at the top and inside", () => {
  const { Buffer } = globalThis as unknown as { Buffer: { from(text: string): Uint8Array } };
  const value = { deep: [Buffer.from("fjord")] };
  const back = codec.decode(codec.encode(value)) as typeof value;
  assertEquals(Object.getPrototypeOf(back.deep[0]), Object.getPrototypeOf(Buffer.from("")));
  assertEquals(difference(back, value), undefined);
  assertEquals(difference(codec.decode(codec.encode(Buffer.from("top"))), Buffer.from("top")), undefined);
});

test("defaultCodec() keeps strings and byte arrays as they are", () => {
  assertEquals(codec.encode("Oslo").subarray(1), new TextEncoder().encode("Oslo"));
  assertEquals(codec.encode(Uint8Array.of(1, 2)).subarray(1), Uint8Array.of(1, 2));
  assertEquals(new TextDecoder().decode(codec.encode({ a: [1] })), ' {"a":[1]}');
});

test("defaultCodec() compresses above compressOver where that pays", () => {
  const text = "fjord ".repeat(1000);
  assert(codec.encode(text).length < 200);
  assertEquals(codec.encode(text.slice(0, 4096)).length, 4097);
  assert(codec.encode(text.slice(0, 4097)).length < 200);
  assertEquals(CODECS["never compressing"]!.encode(text).length, 6001);
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  assertEquals(codec.encode(noise).length, 60_001);
  const photograph = new Uint8Array(200_000);
  for (let i = 0; i < photograph.length; i += 50_000) photograph.set(crypto.getRandomValues(new Uint8Array(50_000)), i);
  assertEquals(codec.encode(photograph).length, 200_001);
});

test("defaultCodec() gives no view on the bytes it was given, and none on its own", () => {
  for (const make of [() => Uint8Array.of(1, 2, 3), () => ({ part: Uint16Array.of(1, 2) })]) {
    const bytes = codec.encode(make());
    const value = codec.decode(bytes);
    bytes.fill(0);
    assertEquals(difference(value, make()), undefined);
  }
  const first = codec.encode("first"), second = codec.encode("other");
  assertEquals(codec.decode(first), "first");
  assertEquals(codec.decode(second), "other");
});

test("defaultCodec() reads its bytes wherever they stand in their buffer, also as a Buffer", () => {
  const { Buffer } = globalThis as unknown as { Buffer: { from(bytes: Uint8Array): Uint8Array } };
  for (const value of ["text", Uint8Array.of(1), { a: [Float64Array.of(1.5)] }, "x".repeat(5000)]) {
    const bytes = codec.encode(value);
    const shifted = new Uint8Array(bytes.length + 7);
    shifted.set(bytes, 3);
    assertEquals(difference(codec.decode(shifted.subarray(3, 3 + bytes.length)), value), undefined);
    assertEquals(difference(codec.decode(Buffer.from(bytes)), value), undefined);
  }
});

test("defaultCodec() refuses what is larger than maxBytes, in both directions and compressed or not", () => {
  const small = defaultCodec({ maxBytes: 10_000 }), text = "x".repeat(10_000);
  for (const value of [text, new Uint8Array(10_000), [text], [new Uint8Array(10_000)], { a: [1n, text] }]) {
    const error = assertThrows(() => small.encode(value), CacheValueError);
    assertStringIncludes(error.message, "maxBytes");
    for (const codec of Object.values(CODECS)) {
      assertStringIncludes(assertThrows(() => small.decode(codec.encode(value)), CacheValueError).message, "maxBytes");
    }
  }
  assertEquals(small.decode(small.encode(text.slice(1))), text.slice(1));
  const error = assertThrows(() => codec.encode("x".repeat(8 * 1024 * 1024)), CacheValueError);
  assertStringIncludes(error.message, "8388609 bytes, and the maxBytes of its codec is 8388608");
  const large = defaultCodec({ maxBytes: Infinity });
  assertEquals((large.decode(large.encode("x".repeat(9_000_000))) as string).length, 9_000_000);
});

test("defaultCodec() writes what it can read: what would be inflated too far is not compressed", () => {
  for (const length of [1_000_000, 5_000_000]) {
    const bytes = codec.encode(new Uint8Array(length));
    assertEquals((codec.decode(bytes) as Uint8Array).length, length);
    assertEquals(bytes.length > length, length > 1_048_576);
  }
});

test("defaultCodec() refuses bytes that are none of its own, whatever they are", () => {
  const encoder = new TextEncoder();
  const json = (text: string) => encoder.encode(` ${text}`);
  const tree = (text: string, ...bytes: number[]) => {
    const encoded = encoder.encode(text);
    return Uint8Array.of(2, 0, 0, encoded.length >> 8, encoded.length, ...encoded, ...bytes);
  };
  const wrong: Record<string, Uint8Array> = {
    "nothing": new Uint8Array(0),
    "an unknown form": Uint8Array.of(77, 1, 2, 3),
    "no UTF-8": Uint8Array.of(0, 0xff, 0xfe),
    "no JSON": json("{"),
    "JSON nested too deep": json("[".repeat(501) + "]".repeat(501)),
    "JSON nested far too deep": json("[".repeat(200_000) + "]".repeat(200_000)),
    "a tree nested too deep": tree('[{"$":"NaN"},' + "[".repeat(502) + "]".repeat(502) + "]"),
    "a truncated length": Uint8Array.of(2, 0, 0),
    "a length that lies": Uint8Array.of(2, 255, 255, 255, 255, 91, 93),
    "a compressed nothing": Uint8Array.of(3),
    "a compressed lie": Uint8Array.of(3, 0, 0, 0, 9, 1, 2, 3, 4),
    "an unknown tag": tree('{"$":"else"}'),
    "an unknown kind": tree('{"$":["Worker",0]}'),
    "a kind that objects have": tree('{"$":["constructor",0]}'),
    "a tag that is no list": tree('{"$":{"length":1e9}}'),
    "an empty tag": tree('{"$":[]}'),
    "a Map that only has a length": tree('{"$":["Map",{"length":1000000000}]}'),
    "a bare text": tree('{"$":["bare","text"]}'),
    "a plain list": tree('{"$":["plain",[1]]}'),
    "a bigint that is none": tree('{"$":["bigint","0x"]}'),
    "a bigint that is a number": tree('{"$":["bigint",5]}'),
    "a Date of text": tree('{"$":["Date","2030"]}'),
    "a URL that is none": tree('{"$":["URL","http://"]}'),
    "a RegExp that is none": tree('{"$":["RegExp","(","",0]}'),
    "a RegExp with unknown flags": tree('{"$":["RegExp","a","zz",0]}'),
    "more bytes than there are": tree('{"$":["Uint8Array",3]}', 1, 2),
    "fewer bytes than there are": tree('{"$":["Uint8Array",1]}', 1, 2),
    "a negative number of bytes": tree('[{"$":["Uint8Array",2]},{"$":["Uint8Array",-2]}]', 1, 2),
    "half an element": tree('{"$":["Float64Array",3]}', 1, 2, 3),
    "half a byte": tree('{"$":["Uint8Array",0.5]}', 1),
  };
  for (const [name, bytes] of Object.entries(wrong)) {
    const error = assertThrows(() => codec.decode(bytes), CacheValueError, undefined, name);
    assertStringIncludes(error.message, "Cannot read a kept value", name);
  }
});

test("defaultCodec() never writes to a prototype", () => {
  const before = Reflect.ownKeys(Object.prototype).length;
  for (
    const text of [
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
      '{"$":["plain",{"__proto__":{"$":["plain",{"polluted":1}]}}]}',
      '{"$":["bare",{"__proto__":{"polluted":1}}]}',
    ]
  ) {
    const encoded = new TextEncoder().encode(text);
    const value = codec.decode(Uint8Array.of(2, 0, 0, 0, encoded.length, ...encoded)) as { polluted?: number };
    assertEquals(value.polluted, undefined);
    assert(Object.hasOwn(value, "__proto__"));
    assertEquals(({} as { polluted?: number }).polluted, undefined);
  }
  assertEquals(Reflect.ownKeys(Object.prototype).length, before);
});

test("defaultCodec() survives thousands of mutated and truncated encodings", { timeout: 60_000 }, () => {
  const random = new SeededRandom(2030);
  const below = (n: number) => Math.floor(random.fraction() * n);
  const originals = Object.values(KEPT).flatMap((make) =>
    [codec, CODECS["never compressing"]!, CODECS["always compressing"]!].map((c) => c.encode(make()))
  )
    .filter((bytes) => bytes.length < 5000);
  const near = '0123456789-.e"{}[],:$ntfabMapSetDate';
  let read = 0, refused = 0;
  for (let i = 0; i < 9000; i++) {
    const original = originals[i % originals.length]!;
    const bytes = original.slice(0, i % 3 === 0 ? below(original.length + 1) : original.length);
    for (let n = below(4); n >= 0 && bytes.length > 0; n--) {
      // Half of them stay close to what the codec writes, and so get further into it.
      bytes[below(bytes.length)] = below(2) ? below(256) : near.charCodeAt(below(near.length));
    }
    try {
      codec.decode(bytes);
      read++;
    } catch (error) {
      assertInstanceOf(error, CacheValueError);
      refused++;
    }
  }
  assert(read > 300 && refused > 300, `${read} read, ${refused} refused`);
});

test("defaultCodec() names a wrong option", () => {
  for (const wrong of [-1, NaN, -Infinity]) {
    assertThrows(() => defaultCodec({ compressOver: wrong }), RangeError, "compressOver");
    assertThrows(() => defaultCodec({ maxBytes: wrong }), RangeError, "maxBytes");
  }
  assertThrows(() => defaultCodec({ maxBytes: "1" as never }), TypeError, "maxBytes");
});

test("a codec of one's own may wrap the default one", () => {
  const inner = defaultCodec();
  const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x5a);
  const flipped: Codec = { encode: (value) => flip(inner.encode(value)), decode: (bytes) => inner.decode(flip(bytes)) };
  const value = { a: 1n };
  assertEquals(decodeWith(flipped, encodeWith(flipped, value)), value);
});

test("what a codec of one's own throws is the cause of a CacheValueError", () => {
  const thrown = new Error("no key");
  const fails = () => {
    throw thrown;
  };
  assertEquals(assertThrows(() => encodeWith({ encode: fails, decode: fails }, 1), CacheValueError).cause, thrown);
  assertEquals(
    assertThrows(() => decodeWith({ encode: fails, decode: fails }, new Uint8Array(1)), CacheValueError).cause,
    thrown,
  );
  assertThrows(() => encodeWith({ encode: () => "text" as never, decode: fails }, 1), CacheValueError, "Uint8Array");
});
