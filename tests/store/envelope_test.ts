import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { CacheValueError } from "../../src/errors.ts";
import { type Codec, defaultCodec } from "../../src/codec/codec.ts";
import { decodeEntry, encodeEntry } from "../../src/store/envelope.ts";
import type { Entry, UnreadableEntry, ValueEntry } from "../../src/store/store.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";

const codec = defaultCodec();
const ENTRIES: readonly Entry[] = [
  {
    kind: "value",
    value: { a: [1n] },
    freshUntil: 1.5,
    staleUntil: Infinity,
    generations: [],
    fullKey: undefined,
    source: undefined,
  },
  {
    kind: "value",
    value: "",
    freshUntil: -Infinity,
    staleUntil: 0,
    generations: [0n, 2n ** 64n - 1n],
    fullKey: "ø🏔",
    source: undefined,
  },
  { kind: "value", value: [1], freshUntil: 1, staleUntil: 2, generations: [3n], source: "0f3a", fullKey: "k" },
  { kind: "lease", nonce: "0123456789abcdef.7", beat: undefined, generations: [7n], fullKey: "", source: undefined },
  { kind: "lease", nonce: "n", beat: 2 ** 32 - 1, generations: [], fullKey: undefined, source: "0f3a" },
  {
    kind: "uncacheable",
    generations: Array.from({ length: 1000 }, (_, i) => BigInt(i)),
    fullKey: "k".repeat(70_000),
    source: undefined,
  },
];

/** An entry with its value as an own property. */
const opened = (entry: Entry | UnreadableEntry): Entry | UnreadableEntry =>
  entry.kind === "value" ? { ...entry, value: entry.value } : entry;

test("an entry of every kind comes back from its bytes", () => {
  for (const entry of ENTRIES) assertEquals(opened(decodeEntry(encodeEntry(entry, codec), codec)), entry);
});

test("a value is decoded when it is asked for, and once", () => {
  let decoded = 0;
  const counting: Codec = {
    encode: codec.encode,
    decode: (bytes) => {
      decoded++;
      return codec.decode(bytes);
    },
  };
  const entry = decodeEntry(encodeEntry(ENTRIES[0]!, codec), counting) as ValueEntry;
  assertEquals([entry.freshUntil, entry.staleUntil, entry.fullKey, decoded], [1.5, Infinity, undefined, 0]);
  const { value } = entry;
  assertStrictEquals(entry.value, value);
  assertEquals(decoded, 1);
});

test("asking for a value that cannot be decoded throws each time, and decodes once", () => {
  let decoded = 0;
  const broken: Codec = {
    encode: codec.encode,
    decode: () => {
      decoded++;
      throw new Error("no key");
    },
  };
  const entry = decodeEntry(encodeEntry(ENTRIES[0]!, codec), broken) as ValueEntry;
  for (let i = 0; i < 3; i++) assertThrows(() => entry.value, CacheValueError);
  assertEquals(decoded, 1);
});

test("an entry's bytes begin with a magic and a version, and are a view's as well", () => {
  const bytes = encodeEntry(ENTRIES[0]!, codec);
  assertEquals(bytes.subarray(0, 3), Uint8Array.of(0xc1, 0x75, 2));
  const shifted = new Uint8Array(bytes.length + 5);
  shifted.set(bytes, 5);
  const entry = opened(decodeEntry(shifted.subarray(5), codec));
  shifted.fill(0);
  assertEquals(entry, ENTRIES[0]);
});

test("bytes that are no entry are unreadable", () => {
  const good = encodeEntry(ENTRIES[1]!, codec);
  const changed = (at: number, ...to: number[]) => {
    const bytes = good.slice();
    bytes.set(to, at);
    return bytes;
  };
  const wrong: Record<string, Uint8Array> = {
    "nothing": new Uint8Array(0),
    "text": new TextEncoder().encode("a value that another program keeps here"),
    "a number": new TextEncoder().encode("12345"),
    "another magic": changed(0, 0xc2),
    "the version before": changed(2, 1),
    "another version": changed(2, 3),
    "an unknown kind": changed(3, 3),
    "more generations than there is room": changed(4, 255, 255),
    "a field longer than all": changed(24 + 16 + 1, 0, 0, 255, 255),
    "more fields than there are": changed(6, 255),
    "a flag": changed(7, 1),
    "a field that must be understood": changed(24 + 16, 128),
    "a time that is none": changed(8, 0x7f, 0xf8),
    "a mark with something behind it": changed(3, 2),
    "a full key that is no UTF-8": changed(24 + 16 + 5, 0xff),
    "only a head": good.slice(0, 23),
  };
  for (const [name, bytes] of Object.entries(wrong)) {
    assertEquals(decodeEntry(bytes, codec), { kind: "unreadable" }, name);
  }
});

test("a field that a later release added is passed over", () => {
  const good = encodeEntry(ENTRIES[2]!, codec);
  const unknown = good.slice();
  assertEquals(unknown[24 + 8], 1, "the full key is the first field");
  unknown[24 + 8] = 127;
  assertEquals(opened(decodeEntry(unknown, codec)), { ...ENTRIES[2] as ValueEntry, fullKey: undefined });
});

test("thousands of mutated and truncated entries are read or unreadable, never an exception", () => {
  const random = new SeededRandom(7);
  const below = (n: number) => Math.floor(random.fraction() * n);
  const originals = ENTRIES.slice(0, 3).map((entry) => encodeEntry(entry, codec));
  let unreadable = 0;
  for (let i = 0; i < 5000; i++) {
    const original = originals[i % originals.length]!;
    const bytes = original.slice(0, i % 3 === 0 ? below(original.length + 1) : original.length);
    for (let n = below(4); n >= 0 && bytes.length > 0; n--) bytes[below(bytes.length)] = below(256);
    const entry = decodeEntry(bytes, codec);
    if (entry.kind === "unreadable") unreadable++;
    if (entry.kind !== "value") continue;
    try {
      void entry.value;
    } catch (error) {
      assertInstanceOf(error, CacheValueError);
      unreadable++;
    }
  }
  assert(unreadable > 1000 && unreadable < 5000, `${unreadable} unreadable`);
});

test("a codec that throws, or gives no bytes, makes a CacheValueError of the value, and of nothing else", () => {
  const broken = {
    encode: () => {
      throw "text";
    },
    decode: () => {
      throw undefined;
    },
  };
  assertThrows(() => encodeEntry(ENTRIES[0]!, broken), CacheValueError);
  const entry = decodeEntry(encodeEntry(ENTRIES[0]!, codec), broken) as ValueEntry;
  assertEquals(entry.freshUntil, 1.5);
  assertThrows(() => entry.value, CacheValueError);
  assertEquals(decodeEntry(encodeEntry(ENTRIES[3]!, codec), broken), ENTRIES[3]);
});

test("an entry that cannot be kept exactly is refused", () => {
  assertThrows(() => encodeEntry({ ...ENTRIES[0]!, fullKey: "\ud800" }, codec), CacheValueError, "full key");
  const generations = new Array<bigint>(65_536).fill(0n);
  assertThrows(() => encodeEntry({ ...ENTRIES[0]!, generations }, codec), CacheValueError, "65536 groups");
});
