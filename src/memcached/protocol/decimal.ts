/** Numbers as decimal digits, written and read in place. */

import { uint64 } from "./wire.ts";

const ZERO = 0x30;
/** So many digits are a safe integer, whatever they are. */
const SAFE_DIGITS = 15;
/** 10^6 times 2^32 is a safe integer. */
const PIECE_DIGITS = 6;
/** Digits of 2^64 - 1. */
const MOST_DIGITS = 20;
const TWO_32 = 2 ** 32;

/** How many digits a number has: a safe integer, not negative. */
export function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}

/** Writes a safe integer, not negative, at `at`; returns where it ends. */
export function writeNumber(value: number, into: Uint8Array, at: number): number {
  const end = at + digitsOf(value);
  for (let digitAt = end; digitAt > at;) {
    const tenth = Math.floor(value / 10);
    into[--digitAt] = ZERO + (value - tenth * 10); // ZERO + value may be more than a safe integer
    value = tenth;
  }
  return end;
}

/** Writes 64 bits. */
export function writeUint64(value: bigint, into: Uint8Array, at: number): number {
  if (value <= Number.MAX_SAFE_INTEGER) return writeNumber(Number(value), into, at);
  const digits = value.toString();
  for (let n = 0; n < digits.length; n++) into[at + n] = digits.charCodeAt(n);
  return at + digits.length;
}

/** A number that was read. One for each reader: nothing is allocated for a number. */
export class Decimal {
  high = 0;
  low = 0;
  /** Where its digits end. */
  end = 0;

  /** Reads the digits at `start`, at most up to `bound`. false: there are none, or too many for 64 bits. */
  read(chunk: Uint8Array, start: number, bound: number): boolean {
    let at = start;
    let value = 0;
    for (; at < bound; at++) {
      const digit = chunk[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    this.end = at;
    const digits = at - start;
    if (digits === 0) return false;
    if (digits > SAFE_DIGITS) return this.#readLong(chunk, start, digits);
    this.high = Math.floor(value / TWO_32);
    this.low = value >>> 0;
    return true;
  }

  /** In pieces that leave the product with 2^32 exact: a BigInt of the text would take ten times as long. */
  #readLong(chunk: Uint8Array, start: number, digits: number): boolean {
    if (digits > MOST_DIGITS) return false;
    let high = 0, low = 0;
    for (let at = start, end = start + digits; at < end;) {
      let piece = 0, scale = 1;
      for (const stop = Math.min(at + PIECE_DIGITS, end); at < stop; at++) {
        piece = piece * 10 + chunk[at]! - ZERO;
        scale *= 10;
      }
      const lower = low * scale + piece;
      high = high * scale + Math.floor(lower / TWO_32);
      low = lower % TWO_32;
    }
    if (high >= TWO_32) return false;
    this.high = high;
    this.low = low;
    return true;
  }

  /** As a number; only exact up to 2^53. */
  get value(): number {
    return this.high * TWO_32 + this.low;
  }

  /** As 64 bits. */
  get whole(): bigint {
    return uint64(this.high, this.low);
  }
}

const counter = new Decimal();

/** The counter that these bytes are: digits, then spaces, as one has that lost a digit. `undefined`: none. */
export function countIn(chunk: Uint8Array, start: number, end: number): bigint | undefined {
  if (!counter.read(chunk, start, end)) return undefined;
  for (let at = counter.end; at < end; at++) if (chunk[at] !== 0x20) return undefined;
  return counter.whole;
}
