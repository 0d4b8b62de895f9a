import { test } from "node:test";
import zlib from "node:zlib";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { CacheValueError } from "../../src/errors.ts";
import { defaultCodec } from "../../src/codec/codec.ts";
import { readText, writeText } from "../../src/store/key_value/text.ts";
import type { ValueEntry } from "../../src/store/store.ts";

/*
 * Bytes that somebody planted so that reading them takes long, or all memory. What is refused is refused before it is
 * built: none of these takes more than a tenth of a second on an idle machine, and none would be over in a minute if it
 * were read.
 */

const MEGABYTE = 1024 * 1024;
const codec = defaultCodec();
const encoder = new TextEncoder();

const json = (text: string): Uint8Array => encoder.encode(` ${text}`);

function tree(text: string): Uint8Array {
  const encoded = encoder.encode(text);
  const bytes = new Uint8Array(5 + encoded.length);
  bytes[0] = 2;
  new DataView(bytes.buffer).setUint32(1, encoded.length);
  bytes.set(encoded, 5);
  return bytes;
}

function packed(plain: Uint8Array, length: number = plain.length): Uint8Array {
  const deflated = zlib.deflateRawSync(plain, { level: 9 });
  const bytes = new Uint8Array(5 + deflated.length);
  bytes[0] = 3;
  new DataView(bytes.buffer).setUint32(1, length);
  bytes.set(deflated, 5);
  return bytes;
}

/** A list of as many of these as fit. */
function list(part: string | ((i: number) => string), bytes: number): string {
  const parts: string[] = [];
  for (let length = 2, i = 0; length < bytes; i++) {
    const next = typeof part === "string" ? part : part(i);
    length += next.length + 1;
    parts.push(next);
  }
  parts.pop();
  return `[${parts}]`;
}

const tag = (name: string, ...rest: unknown[]): string => JSON.stringify({ $: [name, ...rest] });

const PLANTED: Readonly<Record<string, () => Uint8Array>> = {
  "five million arrays in 14 KB": () => packed(json(list("[]", 15_000_000))),
  "as many that say they are few": () => packed(json(list("[]", 15_000_000)), 1000),
  "arrays to the last byte of maxBytes": () => packed(json(list("[]", 8 * MEGABYTE - 10))),
  "a megabyte of arrays": () => json(list("[]", MEGABYTE)),
  "a megabyte of objects": () => json(list("{}", MEGABYTE)),
  "a megabyte of objects with names of their own": () => json(list((i) => `{"${i.toString(36)}":1}`, MEGABYTE)),
  "a megabyte of arrays inside one another": () => json("[".repeat(MEGABYTE / 2) + "]".repeat(MEGABYTE / 2)),
  "arrays behind a text that ends in backslashes": () => json(`["\\\\\\\\","\\"[",${list("[]", MEGABYTE)}]`),
  "a megabyte of tags": () => tree(list(tag("Set", []), MEGABYTE)),
  "arrays with a million holes": () => tree(list(tag("sparse", 2000, []), 200_000)),
  "regular expressions of emoji": () => tree(list((i) => tag("RegExp", `\\p{RGI_Emoji}${i}`, "v", 0), 2000)),
  "regular expressions of letters": () => tree(list((i) => tag("RegExp", `\\p{L}${i}`, "iu", 0), 60_000)),
  "one of many letters": () => tree(tag("RegExp", "\\p{L}".repeat(1000), "iu", 0)),
  "a long regular expression": () => tree(tag("RegExp", "a".repeat(60_000), "", 0)),
  "one of many named groups": () =>
    tree(tag("RegExp", Array.from({ length: 2000 }, (_, i) => `(?<a${i}>)`).join(""), "", 0)),
  "a megabyte of a bigint's digits": () => tree(tag("bigint", "f".repeat(MEGABYTE))),
  "one behind a sign": () => tree(tag("bigint", `-${"f".repeat(MEGABYTE)}`)),
  "Headers of many names": () => tree(tag("Headers", Array.from({ length: 8000 }, (_, i) => [`a${i}`, "b"]).flat())),
  "a URL of many labels": () => tree(tag("URL", `http://${"ø.".repeat(50_000)}a/`)),
  "a megabyte of parameters": () => tree(tag("URLSearchParams", "a&".repeat(MEGABYTE / 2))),
  "days that are looked for in calendars of the moon": () =>
    tree(list(tag("Temporal.PlainMonthDay", "1972-01-02[u-ca=chinese]"), 6000)),
};

for (const [what, make] of Object.entries(PLANTED)) {
  test(`defaultCodec() refuses ${what} before it builds them`, () => {
    const bytes = make();
    assert(bytes.length <= MEGABYTE + 1000, `${bytes.length}`);
    const error = assertThrows(() => codec.decode(bytes), CacheValueError);
    assertStringIncludes(error.message, "Cannot read a kept value");
  });
}

test("an array of millions of holes takes no memory for them", () => {
  const arrays = codec.decode(tree(list(tag("sparse", 30_000_000, [5, 1]), 100_000))) as unknown[][];
  assert(arrays.length > 2000); // with a place for each hole it would be 600 GB
  assertEquals([arrays[0]!.length, Object.keys(arrays[0]!)], [30_000_000, ["5"]]);
});

/** What is too much to be read back is refused when it is to be kept, with what to do. */
const TOO_MUCH: Readonly<Record<string, () => unknown>> = {
  "a million numbers and more": () => new Array(1_000_002).fill(1),
  "200,000 arrays": () => Array.from({ length: 200_000 }, () => []),
  "200,000 arrays and a date": () => [new Date(), Array.from({ length: 200_000 }, () => [])],
  "a bigint of a million bits and more": () => 1n << 4_000_000n,
  "a regular expression of 60,000 characters": () => new RegExp("a".repeat(60_000)),
  "3,000 headers": () => new Headers(Array.from({ length: 3000 }, (_, i) => [`a${i}`, "b"])),
  "30,000 URLs": () => Array.from({ length: 30_000 }, (_, i) => new URL(`http://a/${i}`)),
};

for (const [what, make] of Object.entries(TOO_MUCH)) {
  test(`${what} are refused when they are to be kept, and so is their text for a plain cache`, () => {
    const value = make();
    for (
      const keep of [
        () => codec.encode(value),
        () => writeText("id", entryOf(value), Infinity, undefined),
      ]
    ) {
      const { message } = assertThrows(keep, CacheValueError);
      assertStringIncludes(message, "Cannot keep a value");
      assert(/keep (it in parts|fewer of them)/.test(message), message);
    }
  });
}

test("what people keep is far from these bounds", { timeout: 60_000 }, () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => ({
    id: i,
    name: `city ${i}`,
    at: new Date(i),
    lat: i / 7,
    tags: ["a", "b"],
  }));
  const pattern = /^(?<year>\d{4})-(?<month>\d\d)[^\p{L}]*\p{Lu}+$/iu, emoji = new RegExp("\\p{RGI_Emoji}", "v");
  const urls = Array.from({ length: 5000 }, (_, i) => new URL(`https://example.com/a/long/enough/path/${i}?q=1`));
  const headers = Array.from({ length: 1000 }, () => new Headers({ "content-type": "text/html", etag: "1", age: "2" }));
  for (const value of [rows, [pattern, emoji], urls, headers, new Array(900_000).fill(1), 1n << 200_000n]) {
    codec.decode(codec.encode(value));
    assert(readText(writeText("id", entryOf(value), Infinity, undefined), undefined) !== undefined);
  }
});

test("a plain cache's planted text is a miss", () => {
  const head = '["cache-utils 2","id",9e15,9e15,9e15,null,null,';
  for (
    const rest of [
      `"json",${list("[]", MEGABYTE)}]`,
      `"tree",${list(tag("RegExp", "\\p{RGI_Emoji}", "v", 0), 2000)},""]`,
      `"json","${"x".repeat(12 * MEGABYTE)}"]`,
    ]
  ) assertEquals(readText(head + rest, undefined), undefined);
  assert(readText(`${head}"json",1]`, undefined) !== undefined, "the head is right");
});

function entryOf(value: unknown): ValueEntry {
  return { kind: "value", value, freshUntil: 1, staleUntil: 2, generations: [] };
}
