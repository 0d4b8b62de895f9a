/**
 * Requests as frames, written straight into the write buffer, and the numbers of the protocol (memcached's
 * protocol_binary.h).
 *
 *     0      1       2           4              5         6        8            12      16   24
 *     magic | opcode | key length | extras length | datatype | vbucket | body length | opaque | cas | extras | key | value
 *
 * All numbers are big endian. Datatype and vbucket are 0.
 */

import { type KeyList, writeKey } from "../keys.ts";
import { mostBytesOf } from "../limits.ts";
import { type Details, type Request, VERB, VERB_NAMES } from "../request.ts";
import { halves } from "../wire.ts";

/** First byte of a request, and of a reply. */
export const MAGIC = { request: 0x80, reply: 0x81 } as const;

/** Bytes of every header. */
export const HEADER = 24;

/** A `get` that answers a hit with its key, and a miss not at all. */
export const GET_KEY_QUIETLY = 0x0d;

/** The opcode that ends each verb's answer. Never VERBOSITY (0x1b): memcached swallows its body twice and is out of step [measured]. */
const OPCODES: Readonly<Record<keyof typeof VERB, number>> = {
  get: 0x00,
  getMulti: 0x0a, // a run of quiet gets, and a NOOP
  set: 0x01,
  add: 0x02,
  replace: 0x03,
  append: 0x0e,
  prepend: 0x0f,
  delete: 0x04,
  incr: 0x05,
  decr: 0x06,
  touch: 0x1c,
  getAndTouch: 0x1d,
  flushAll: 0x08,
  stats: 0x10,
  version: 0x0b,
  noop: 0x0a,
  login: 0x21, // SASL AUTH
};

/** The same by verb. */
export const OPCODE_OF_VERB: readonly number[] = VERB_NAMES.map((name) => OPCODES[name as keyof typeof VERB]);

export const NOOP: number = OPCODES.noop;
const LOGIN: number = OPCODES.login;

const encoder = new TextEncoder();

/** The largest extras: delta u64, initial u64, exptime u32. */
const MOST_EXTRAS = 20;

/** The most bytes that a request takes. */
export function room(request: Request): number {
  const { details } = request;
  const own = HEADER + MOST_EXTRAS + request.keyBytes;
  if (details === undefined) return own;
  const { value, list, login } = details;
  if (list !== undefined) return list.bytes.length + HEADER * (list.keys.length + 1);
  if (login !== undefined) {
    return own + MECHANISM.length + 2 + mostBytesOf(login.username) + mostBytesOf(login.password);
  }
  return value === undefined ? own : own + mostBytesOf(value);
}

/** Writes a request at `at`, under its opaque; returns where it ends. */
export function write(request: Request, into: Uint8Array, at: number): number {
  const { verb, key, keyBytes, details, opaque } = request;
  if (verb === VERB.getMulti) return writeMulti(details!.list!, opaque, into, at);
  if (verb === VERB.login) return writeLogin(details!.login!, opaque, into, at);
  const opcode = OPCODE_OF_VERB[verb]!;
  if (details === undefined) {
    header(into, at, opcode, keyBytes, 0, keyBytes, opaque);
    return writeKey(key, keyBytes, into, at + HEADER);
  }

  let extras = 0;
  const start = at + HEADER;
  switch (verb) {
    // flags u32 | exptime u32
    case VERB.set:
    case VERB.add:
    case VERB.replace:
      uint32(into, start, details.flags!);
      uint32(into, start + 4, details.exptime!);
      extras = 8;
      break;
    // delta u64 | initial u64 | exptime u32
    case VERB.incr:
    case VERB.decr:
      uint64(into, start, details.delta!);
      uint64(into, start + 8, details.initial!);
      uint32(into, start + 16, details.exptime!);
      extras = 20;
      break;
    // exptime u32; a flush without it happens at once
    case VERB.touch:
    case VERB.getAndTouch:
    case VERB.flushAll:
      uint32(into, start, details.exptime!);
      extras = 4;
      break;
  }
  let end = writeKey(key, keyBytes, into, start + extras);
  const { value, cas } = details;
  if (typeof value === "string") end += encoder.encodeInto(value, into.subarray(end)).written;
  else if (value !== undefined) {
    into.set(value, end);
    end += value.length;
  }
  header(into, at, opcode, keyBytes, extras, end - start, opaque);
  if (cas !== undefined && cas !== 0n) uint64(into, at + 16, cas);
  return end;
}

type Login = NonNullable<Details["login"]>;

/** The one SASL mechanism that memcached builds have in common. */
const MECHANISM = "PLAIN";

/** key: the mechanism; value: authorization identity (none), 0, user, 0, password (RFC 4616). */
function writeLogin({ username, password }: Login, opaque: number, into: Uint8Array, at: number): number {
  const value = encoder.encode(`\0${username}\0${password}`);
  const body = MECHANISM.length + value.length;
  header(into, at, LOGIN, MECHANISM.length, 0, body, opaque);
  into.set(value, writeKey(MECHANISM, MECHANISM.length, into, at + HEADER));
  return at + HEADER + body;
}

/** GETKQ for each key, then a NOOP, whose answer says that no more hits follow. */
function writeMulti(list: KeyList, first: number, into: Uint8Array, at: number): number {
  const { length } = list.keys;
  for (let n = 0; n < length; n++) {
    const keyBytes = list.lengthOf(n);
    header(into, at, GET_KEY_QUIETLY, keyBytes, 0, keyBytes, (first + n) >>> 0);
    at = list.write(n, into, at + HEADER);
  }
  header(into, at, NOOP, 0, 0, 0, (first + length) >>> 0);
  return at + HEADER;
}

function header(
  into: Uint8Array,
  at: number,
  opcode: number,
  keyBytes: number,
  extras: number,
  body: number,
  opaque: number,
): void {
  into[at] = MAGIC.request;
  into[at + 1] = opcode;
  into[at + 2] = 0; // a key is at most 250 bytes
  into[at + 3] = keyBytes;
  into[at + 4] = extras;
  into[at + 5] = 0;
  into[at + 6] = 0;
  into[at + 7] = 0;
  uint32(into, at + 8, body);
  uint32(into, at + 12, opaque);
  // The buffer has been used before, so "no cas" has to be written as well.
  uint32(into, at + 16, 0);
  uint32(into, at + 20, 0);
}

function uint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function uint64(into: Uint8Array, at: number, value: bigint): void {
  const [high, low] = halves(value);
  uint32(into, at, high);
  uint32(into, at + 4, low);
}
