/**
 * What a request may say: lifetimes, sizes, numbers. Every function returns what memcached takes, or throws a TypeError or
 * RangeError that names the argument.
 */

import { type Duration, toMsFromZero } from "../../util/duration.ts";
import { describeType } from "../../util/checks.ts";

/** memcached's REALTIME_MAXDELTA: a larger exptime is read as an epoch second. */
const LONGEST_RELATIVE = 60 * 60 * 24 * 30;
/** The text commands read an exptime as a signed 32-bit number: January 2038. */
const LAST_SECOND = 2 ** 31 - 1;
/** INCR and DECR with this exptime do not create (protocol-binary.xml). */
export const DO_NOT_CREATE = 0xffffffff;

/** memcached's default item size. */
export const DEFAULT_ITEM_BYTES: number = 1024 * 1024;
/** What an item takes besides key, value and flags [measured, 1.6.18: 1,048,514 bytes is the most for a 3-byte key]. */
const ITEM_OVERHEAD = 59;
/** Flags other than 0 are stored with the item. */
const FLAGS_BYTES = 4;
/** The most that memcached's -I takes: whoever says that a value is longer is no memcached. */
export const LONGEST_ITEM: number = 1024 * 1024 * 1024;
/** What is no value is short: the body of a reply that says what was done, or an error's text. */
export const LONGEST_REPLY: number = 64 * 1024;

const UINT32 = 0xffffffff;
const UINT64 = 2n ** 64n - 1n;

/** The exptime of a ttl. 0, Infinity and no ttl: for ever. Fractions of a second round up, since 0 means for ever. */
export function exptime(ttl: Duration | undefined, nowMs: number): number {
  if (ttl === undefined) return 0;
  const ms = toMsFromZero(ttl, "`ttl`");
  const seconds = Math.ceil(ms / 1000);
  if (seconds <= LONGEST_RELATIVE) return seconds;
  const end = Math.ceil((nowMs + ms) / 1000);
  return end <= LAST_SECOND ? end : 0;
}

/** The exptime of a `flushAll` delay: like a ttl, but there is no flush at the end of time. */
export function flushDelay(delay: Duration | undefined, nowMs: number): number {
  if (delay === undefined || toMsFromZero(delay, "`delay`") === 0) return 0;
  const time = exptime(delay, nowMs);
  if (time === 0) throw new RangeError(`Cannot use ${delay} as \`delay\`: it ends after January 2038`);
  return time;
}

/** Flags: 32 bits. Default 0. */
export function checkFlags(flags: number | undefined): number {
  if (flags === undefined) return 0;
  assertNumber(flags, "flags");
  if (!Number.isInteger(flags) || flags < 0 || flags > UINT32) {
    throw new RangeError(`Cannot use ${flags} as \`flags\`: it must be an integer from 0 to ${UINT32}`);
  }
  return flags;
}

/** A count or a number of bytes among the options. */
export function checkCount<F extends number | undefined>(
  value: number | undefined,
  option: string,
  fallback: F,
  most: number = Infinity,
): number | F {
  if (value === undefined) return fallback;
  assertNumber(value, option);
  if (value !== Infinity && !Number.isInteger(value) || value < 1) {
    throw new RangeError(`Cannot use ${value} as \`${option}\`: it must be an integer >= 1`);
  }
  if (value > most) throw new RangeError(`Cannot use ${value} as \`${option}\`: it must be at most ${most}`);
  return value;
}

function assertNumber(value: number, argument: string): void {
  if (typeof value === "number") return;
  throw new TypeError(`Cannot use ${describeType(value)} as \`${argument}\`: it must be a number`);
}

/** A counter's 64 bits: `delta` or `initial`. */
export function checkCounter(value: bigint | number, argument: string): bigint {
  if (typeof value !== "bigint" && typeof value !== "number") {
    throw new TypeError(`Cannot use ${describeType(value)} as \`${argument}\`: it must be a bigint or a number`);
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(
      `Cannot use ${value} as \`${argument}\`: it must be a safe integer; give larger ones as bigint`,
    );
  }
  const counter = BigInt(value);
  if (counter < 0n || counter > UINT64) {
    throw new RangeError(`Cannot use ${value} as \`${argument}\`: it must be from 0 to 2^64 - 1`);
  }
  return counter;
}

/** A cas: 64 bits, and not 0, since that means "whatever is there". */
export function checkCas(cas: bigint): bigint {
  if (cas <= 0n || cas > UINT64) {
    throw new RangeError(
      `Cannot use ${cas}n as \`cas\`: it must be from 1 to 2^64 - 1 (0: the server gives none, as memcached -C does)`,
    );
  }
  return cas;
}

/** A value: bytes, or text, which is kept as UTF-8. */
export type Value = string | Uint8Array;

const encoder = new TextEncoder();
/** Longer text is encoded apart: in the outgoing buffer it would need three times its room. */
const LONGEST_IN_PLACE = 16 * 1024;

/** A value whose `length` is either its bytes, or that of text which certainly has no more than `longest` bytes. */
export function checkValue(value: Value, longest: number): Value {
  if (typeof value === "string") {
    if (value.length <= LONGEST_IN_PLACE && value.length * 3 <= longest) return value;
    // Too long in any encoding: no need to encode it to tell.
    return value.length > longest ? value : encoder.encode(value);
  }
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`Cannot use ${describeType(value)} as \`value\`: it must be a string or a Uint8Array`);
}

/** The most bytes that it takes: a character of a string takes at most three (a pair of surrogates: four). */
export const mostBytesOf = (value: Value): number => value.length * (typeof value === "string" ? 3 : 1);

/** The longest value that is sent. */
export function longestValue(maxValueBytes: number | undefined, keyBytes: number, flags: number): number {
  if (maxValueBytes !== undefined) return maxValueBytes;
  return DEFAULT_ITEM_BYTES - ITEM_OVERHEAD - keyBytes - (flags !== 0 ? FLAGS_BYTES : 0);
}
