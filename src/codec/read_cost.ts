import type { TextTag } from "../data/type_tags.ts";
import { isSparse } from "../data/copy.ts";

/*
 * What reading a kept value costs. Bytes may come from anybody who can write to the store, and 14 KB of them can make a
 * process build millions of objects. So the cost is bounded before reading begins, and writing refuses what reading would.
 */

/** JSON up to this many bytes is parsed quickly, whatever it is, so its parts are not counted. */
const ALWAYS_QUICK = 512 * 1024;
/** What JSON may hold: a number or a text counts as one, a name as three, an object or array as seven. */
const MAX_PARTS = 1_000_000;

const QUOTE = 0x22, BACKSLASH = 0x5c;
/** What a byte of JSON counts, outside of texts. */
const COUNTS = new Uint8Array(256);
for (const [character, count] of [[",", 1], [":", 3], ["[", 7], ["{", 7]] as const) {
  COUNTS[character.charCodeAt(0)] = count;
}

/** Whether JSON has more parts than are read. `json`: as UTF-8. */
export function hasTooManyParts(json: Uint8Array): boolean {
  if (json.length <= ALWAYS_QUICK) return false;
  // Counting inside of texts as well takes half the time, and mostly the sum is small enough.
  let most = 0;
  for (let i = 0; i < json.length; i++) most += COUNTS[json[i]!]!;
  return most > MAX_PARTS && partsOf(json) > MAX_PARTS;
}

function partsOf(json: Uint8Array): number {
  let parts = 0, inText = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]!;
    if (byte === QUOTE) inText = !inText;
    else if (!inText) parts += COUNTS[byte]!;
    else if (byte === BACKSLASH) i++;
  }
  return parts;
}

/** The same for JSON as text. */
export const hasTooManyPartsAsText = (json: string): boolean =>
  json.length > ALWAYS_QUICK && hasTooManyParts(new TextEncoder().encode(json));

/** What all tags of a value may cost: about 50 ms, as a unit is half a microsecond. */
export const MAX_READ_COST = 100_000;

/** A tag that costs nothing beyond itself. */
export const TAG_COST = 1;

/** Some engines read a bigint's digits in more than linear time. */
export const bigintCost = (digits: number): number => 1 + digits / 64 + (digits / 2048) ** 2;

/** An array with holes has all its places in memory, if it is short. */
export const sparseCost = (length: number, elements: number): number =>
  isSparse(length, elements) ? 2 + elements : 2 + length / 32;

/** Some runtimes compare each name with all before it. */
export const headersCost = (count: number): number => 8 + 2 * count + count ** 2 / 50;

/** In lunar calendars an engine may search decades for one of these. */
const SLOW = /^Temporal\.Plain(MonthDay|YearMonth)/;
const QUICK_CALENDAR = /\[!?u-ca=(iso8601|gregory)\]$/;

export function textualCost(tag: TextTag, text: string): number {
  // All URLs but data: ones have a host, whose labels take some engines more than linear time.
  if (tag === "URL") return 4 + text.length / 16 + (text.startsWith("data:") ? 0 : text.length ** 2 / 20_000);
  if (tag === "URLSearchParams") return 4 + text.length / 4;
  return (SLOW.test(tag) && !QUICK_CALENDAR.test(text) ? 3000 : 8) + text.length / 16;
}

/** These may cost a hundred times as much as other characters. */
const PROPERTY = /\\p/gi;
const NAMED_GROUP = /\(\?</g;

/**
 * A RegExp's source is compiled at once. A property of characters is a set of thousands of ranges, one of emoji a set of
 * strings.
 */
export function regexpCost(source: string, flags: string): number {
  const { length } = source;
  const cost = 16 + length / 4 + length ** 2 / 10_000;
  if (length < 3) return cost;
  const properties = source.match(PROPERTY)?.length ?? 0, groups = source.match(NAMED_GROUP)?.length ?? 0;
  const each = !/[uv]/.test(flags) ? 0 : !flags.includes("v") ? 300 : /Emoji|RGI/.test(source) ? 40_000 : 2000;
  return cost + each * properties + groups ** 2 / 4;
}
