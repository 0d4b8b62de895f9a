/** Decimal numbers of 64 bits in a stream of bytes, read without a string between. */

import { uint64 } from "./wire.ts";

const UINT32 = 2 ** 32;
/** 2^64 - 1 has twenty. */
const MOST_DIGITS = 20;

/** What `readDecimal` has read. */
export const decimal = { high: 0, low: 0 };

/** Reads digits into `decimal`, and returns where they end; -1: there is no number of 64 bits. */
export function readDecimal(chunk: Uint8Array, start: number, end: number): number {
  let high = 0;
  let low = 0;
  let at = start;
  for (; at < end; at++) {
    const digit = chunk[at]! - 0x30;
    if (digit < 0 || digit > 9) break;
    low = low * 10 + digit;
    const carry = Math.floor(low / UINT32);
    low -= carry * UINT32;
    high = high * 10 + carry;
  }
  if (at === start || at - start > MOST_DIGITS || high >= UINT32) return -1;
  decimal.high = high;
  decimal.low = low;
  return at;
}

/** The counter that these bytes are: digits, then spaces, as one has that lost a digit. `undefined`: none. */
export function countIn(chunk: Uint8Array, start: number, end: number): bigint | undefined {
  let at = readDecimal(chunk, start, end);
  if (at === -1) return undefined;
  for (; at < end; at++) if (chunk[at] !== 0x20) return undefined;
  return uint64(decimal.high, decimal.low);
}
