import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { md5, md5Hex, sha256Hex } from "../../src/util/builtin.ts";

// Source: RFC 1321, A.5.
const SUITE = [
  ["", "d41d8cd98f00b204e9800998ecf8427e"],
  ["a", "0cc175b9c0f1b6a831c399e269772661"],
  ["abc", "900150983cd24fb0d6963f7d28e17f72"],
  ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
  [
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
    "57edf4a22be3c955ac49da2e2107b67a",
  ],
] as const;

test("md5Hex() gives the digests of RFC 1321", () => {
  for (const [text, digest] of SUITE) assertEquals(md5Hex(text), digest);
});

test("md5() gives the same digest as bytes, of text or of its UTF-8", () => {
  for (const text of ["abc", "по-русски"]) {
    const digest = md5(text);
    assertEquals(digest.length, 16);
    assertEquals(Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""), md5Hex(text));
    assertEquals(md5Hex(new TextEncoder().encode(text)), md5Hex(text));
  }
});

test("sha256Hex() gives the digest of FIPS 180-2, B.1", () => {
  assertEquals(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
