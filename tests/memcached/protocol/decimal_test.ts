import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { countIn, Decimal, digitsOf, writeNumber, writeUint64 } from "../../../src/memcached/protocol/decimal.ts";
import { SeededRandom } from "../../../src/testing/seeded_random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const read = (text: string): bigint | undefined => countIn(encoder.encode(text), 0, text.length);

test("countIn() reads every counter of 64 bits as BigInt() reads it", () => {
  const random = new SeededRandom(1);
  for (let n = 0; n < 20_000; n++) {
    const value = random.uint64() >> BigInt(n % 64);
    assertEquals(read(String(value)), value);
  }
  for (let digits = 1; digits <= 19; digits++) {
    for (const value of [10n ** BigInt(digits) - 1n, 10n ** BigInt(digits)]) assertEquals(read(String(value)), value);
  }
  for (const value of [0n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    assertEquals(read(String(value)), value);
  }
});

test("countIn() takes the spaces behind a counter that lost a digit, and nothing else", () => {
  assertEquals(read("9 "), 9n);
  assertEquals(read("9999999999999999999  "), 9999999999999999999n);
  for (const text of ["", " ", " 9", "9x", "9 x", "-9", "0x9", "9.0"]) assertEquals(read(text), undefined, text);
});

test("countIn() refuses what is larger than 64 bits, however many digits it has", () => {
  for (const text of ["18446744073709551616", "99999999999999999999", "1".repeat(21), "0".repeat(21)]) {
    assertEquals(read(text), undefined, text);
  }
  assertEquals(read("00000000000000000007"), 7n);
});

test("Decimal reads within its bound, and tells where the digits end and both halves", () => {
  const decimal = new Decimal();
  const bytes = encoder.encode("12 18446744073709551615 7");
  assertEquals([decimal.read(bytes, 0, bytes.length), decimal.value, decimal.end], [true, 12, 2]);
  assertEquals([decimal.read(bytes, 3, bytes.length), decimal.high, decimal.low], [true, 2 ** 32 - 1, 2 ** 32 - 1]);
  assertEquals([decimal.whole, decimal.end], [2n ** 64n - 1n, 23]);
  assertEquals([decimal.read(bytes, 3, 5), decimal.value, decimal.end], [true, 18, 5]);
  assertEquals(decimal.read(bytes, 2, bytes.length), false);
});

test("what writeNumber() and writeUint64() write is the number in digits", () => {
  const into = new Uint8Array(64);
  for (const value of [0, 9, 10, 99, 100, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const end = writeNumber(value, into, 5);
    assertEquals([decoder.decode(into.subarray(5, end)), digitsOf(value)], [String(value), String(value).length]);
  }
  for (const value of [0n, 2n ** 53n, 2n ** 64n - 1n]) {
    assertEquals(decoder.decode(into.subarray(0, writeUint64(value, into, 0))), String(value));
  }
});
