/** Keys, checked: one by one, or as a multi-get asks for them. */

import { describeType, printable } from "../../util/checks.ts";

/** memcached's KEY_MAX_LENGTH. */
const MAX_KEY_BYTES = 250;

/** Spaces and control characters: with them a key could hold a command. */
const isForbidden = (code: number): boolean => code <= 0x20 || code === 0x7f;

/** Up to so many bytes a loop is quicker than `set` and `encodeInto`. */
const SHORT = 64;

const encoder = new TextEncoder();

/** How long a key is in UTF-8. Throws a TypeError for what is no key on either wire. */
export function checkKey(key: string): number {
  if (typeof key !== "string") throw new TypeError(`Cannot use ${describeType(key)} as \`key\`: it must be a string`);
  const length = key.length;
  let bytes = length;
  for (let at = 0; at < length; at++) {
    const code = key.charCodeAt(at);
    if (isForbidden(code)) {
      throw new TypeError(`Cannot use ${quote(key)} as \`key\`: it has a space or a control character at ${at}`);
    }
    // Each half of a surrogate pair counts 2: a pair is 4 bytes.
    if (code >= 0x80) bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2;
  }
  if (bytes === 0) throw new TypeError('Cannot use "" as `key`: it must not be empty');
  if (bytes > MAX_KEY_BYTES) {
    throw new TypeError(`Cannot use ${quote(key)} as \`key\`: it is ${bytes} bytes of UTF-8, at most 250 are allowed`);
  }
  // UTF-8 turns every lone surrogate into the same three bytes, so two keys would be one.
  if (bytes !== length && !key.isWellFormed()) {
    throw new TypeError(`Cannot use ${quote(key)} as \`key\`: it has a lone surrogate, which UTF-8 cannot carry`);
  }
  return bytes;
}

/** Writes a checked key of so many bytes at `at`; returns where it ends. Short ASCII is quicker by hand than by `encodeInto`. */
export function writeKey(key: string, keyBytes: number, into: Uint8Array, at: number): number {
  if (keyBytes === key.length && keyBytes <= SHORT) {
    for (let n = 0; n < keyBytes; n++) into[at + n] = key.charCodeAt(n);
  } else encoder.encodeInto(key, into.subarray(at, at + keyBytes));
  return at + keyBytes;
}

/** A text in an error, a server's maybe: quoted, not longer than a line, without controls. */
export function quote(text: string): string {
  return printable(JSON.stringify(text.length > 80 ? text.slice(0, 79) + "…" : text));
}

/** The keys of one multi-get, as bytes as well: those are quicker to write and to compare than texts. */
export class KeyList {
  readonly keys: readonly string[];
  /** Their UTF-8, one behind the other. */
  readonly bytes: Uint8Array;
  /** Where each ends in `bytes`. */
  readonly #ends: readonly number[];

  /** Throws a TypeError for what is no key. */
  constructor(keys: readonly string[]) {
    this.keys = keys;
    const text = keys.join("");
    this.bytes = encoder.encode(text);
    this.#ends = (this.bytes.length === text.length ? endsOfPlain(keys, this.bytes) : undefined) ?? endsOf(keys);
  }

  /** Writes the nth key at `at`; returns where it ends. */
  write(n: number, into: Uint8Array, at: number): number {
    const { bytes } = this;
    const start = this.#startOf(n), end = this.#ends[n]!;
    if (end - start > SHORT) into.set(bytes.subarray(start, end), at);
    else for (let from = start, to = at; from < end;) into[to++] = bytes[from++]!;
    return at + end - start;
  }

  /** How long the nth key is. */
  lengthOf(n: number): number {
    return this.#ends[n]! - this.#startOf(n);
  }

  /** Is the nth key what the chunk has at `start`? */
  isAt(n: number, chunk: Uint8Array, start: number, length: number): boolean {
    const { bytes } = this;
    const from = this.#startOf(n);
    if (length !== this.#ends[n]! - from) return false;
    for (let at = 0; at < length; at++) if (chunk[start + at] !== bytes[from + at]) return false;
    return true;
  }

  #startOf(n: number): number {
    return n === 0 ? 0 : this.#ends[n - 1]!;
  }
}

/** Where each key of ASCII ends. `undefined`: one of them is no key. */
function endsOfPlain(keys: readonly string[], bytes: Uint8Array): number[] | undefined {
  for (let at = 0; at < bytes.length; at++) if (isForbidden(bytes[at]!)) return undefined;
  const ends: number[] = [];
  let end = 0;
  for (const { length } of keys) {
    if (length === 0 || length > MAX_KEY_BYTES) return undefined;
    ends.push(end += length);
  }
  return ends;
}

/** Where each key ends, whatever its characters. Throws for what is no key. */
function endsOf(keys: readonly string[]): number[] {
  let end = 0;
  return keys.map((key) => end += checkKey(key));
}
