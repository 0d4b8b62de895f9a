/**
 * Requests as lines, written straight into the write buffer. The opaque comes first among the flags and is always
 * eight digits of hex, so that its length is known beforehand.
 *
 *     mg <key> O<opaque> f c v T<exptime>                  get, getAndTouch;  without f c v: touch
 *     mg <key> O<opaque> k q f c v                         each of a multi-get, then mn
 *     ms <key> <bytes> O<opaque> c M<mode> F T C<cas>\r\n<value>
 *     md <key> O<opaque> C<cas>
 *     ma <key> O<opaque> v c M<mode> D<delta> N<exptime> J<initial>
 *
 * None that memcached 1.6.18 lacks: `C` of mg, `E` of ms, `x` of md.
 */

import { type KeyList, writeKey } from "../keys.ts";
import { type Details, type Request, VERB, type Verb } from "../request.ts";
import { DO_NOT_CREATE, mostBytesOf } from "../limits.ts";
import { SPACE } from "./answers.ts";
import { digitsOf, writeNumber, writeUint64 } from "../decimal.ts";

const encoder = new TextEncoder();

/** Digits of an opaque, hex. */
export const OPAQUE_DIGITS = 8;
/** `mg `. */
const COMMAND_BYTES = 3;
/** ` O` and the digits. */
const OPAQUE_BYTES = 2 + OPAQUE_DIGITS;
/** The most that a line has besides its key: that of an incr, ` v c MI D<20> N<10> J<20>`, and then some. */
const MOST_FLAGS = 96;
const QUIET_FLAGS = " k q f c v\r\n";
const NOOP = "mn\r\n";

/** The most bytes that a request takes. */
export function room({ keyBytes, details }: Request): number {
  const own = COMMAND_BYTES + keyBytes + OPAQUE_BYTES + MOST_FLAGS;
  if (details === undefined) return own;
  const { value, list, login } = details;
  if (list !== undefined) {
    return list.bytes.length + list.keys.length * (COMMAND_BYTES + OPAQUE_BYTES + QUIET_FLAGS.length) + NOOP.length;
  }
  if (login !== undefined) return own + mostBytesOf(login.username) + mostBytesOf(login.password);
  return value === undefined ? own : own + mostBytesOf(value);
}

/** Writes a request at `at`, under its opaque; returns where it ends. */
export function write(request: Request, into: Uint8Array, at: number): number {
  const { verb, key, details } = request;
  switch (verb) {
    case VERB.get:
      return ascii(" f c v\r\n", into, head("mg ", request, into, at));
    case VERB.getMulti:
      return writeMulti(details!.list!, request.opaque, into, at);
    case VERB.touch:
    case VERB.getAndTouch:
      at = writeNumber(details!.exptime!, into, ascii(" T", into, head("mg ", request, into, at)));
      return ascii(verb === VERB.touch ? "\r\n" : " f c v\r\n", into, at);
    case VERB.delete:
      return ascii("\r\n", into, writeCas(details?.cas, into, head("md ", request, into, at)));
    case VERB.incr:
    case VERB.decr:
      return writeCount(request, into, at);
    case VERB.flushAll:
      at = ascii("flush_all", into, at);
      if (details !== undefined) at = writeNumber(details.exptime!, into, ascii(" ", into, at));
      return ascii("\r\n", into, at);
    case VERB.stats:
      at = ascii(key === "" ? "stats" : "stats ", into, at);
      return ascii("\r\n", into, writeKey(key, request.keyBytes, into, at));
    case VERB.version:
      return ascii("version\r\n", into, at);
    case VERB.noop:
      return ascii(NOOP, into, at);
    case VERB.login:
      return writeLogin(details!.login!, into, at);
    default:
      return writeValue(request, into, at);
  }
}

/** Of a meta command without a value: command, key, opaque. */
function head(command: string, { key, keyBytes, opaque }: Request, into: Uint8Array, at: number): number {
  return writeFlagO(opaque, into, writeKey(key, keyBytes, into, ascii(command, into, at)));
}

/** Set has none: it is the default. */
const MODES: Partial<Record<Verb, string>> = {
  [VERB.add]: " ME",
  [VERB.replace]: " MR",
  [VERB.append]: " MA",
  [VERB.prepend]: " MP",
};

function writeValue(request: Request, into: Uint8Array, at: number): number {
  const { key, keyBytes, details } = request;
  const { value = "" } = details!;
  const lengthAt = ascii(" ", into, writeKey(key, keyBytes, into, ascii("ms ", into, at)));
  const { length } = value;
  let start = writeLine(request, length, into, lengthAt);
  if (typeof value !== "string") {
    into.set(value, start);
    return ascii("\r\n", into, start + length);
  }
  // Its length in UTF-8 comes before it: the text is taken for ASCII at first, as most are.
  const { written } = encoder.encodeInto(value, into.subarray(start));
  if (written !== length) {
    const shift = digitsOf(written) - digitsOf(length);
    if (shift > 0) into.copyWithin(start + shift, start, start + written);
    start = writeLine(request, written, into, lengthAt);
  }
  return ascii("\r\n", into, start + written);
}

/** The line of an `ms`, from its length on. Flags and ttl of 0 are the default; append and prepend leave what is there. */
function writeLine({ verb, opaque, details }: Request, bytes: number, into: Uint8Array, at: number): number {
  at = ascii(" c", into, writeFlagO(opaque, into, writeNumber(bytes, into, at)));
  const mode = MODES[verb];
  if (mode !== undefined) at = ascii(mode, into, at);
  if (verb !== VERB.append && verb !== VERB.prepend) {
    const { flags, exptime } = details!;
    if (flags) at = writeNumber(flags, into, ascii(" F", into, at));
    if (exptime) at = writeNumber(exptime, into, ascii(" T", into, at));
  }
  return ascii("\r\n", into, writeCas(details!.cas, into, at));
}

function writeCount(request: Request, into: Uint8Array, at: number): number {
  const { delta, initial, exptime, cas } = request.details!;
  at = ascii(request.verb === VERB.incr ? " v c D" : " v c MD D", into, head("ma ", request, into, at));
  at = writeUint64(delta!, into, at);
  if (exptime !== DO_NOT_CREATE) {
    at = writeNumber(exptime!, into, ascii(" N", into, at));
    at = writeUint64(initial!, into, ascii(" J", into, at));
  }
  return ascii("\r\n", into, writeCas(cas, into, at));
}

function writeCas(cas: bigint | undefined, into: Uint8Array, at: number): number {
  return cas === undefined || cas === 0n ? at : writeUint64(cas, into, ascii(" C", into, at));
}

/** A quiet `mg` for each key, then `mn`, whose answer says that no more hits follow. */
function writeMulti(list: KeyList, first: number, into: Uint8Array, at: number): number {
  const { length } = list.keys;
  for (let n = 0; n < length; n++) {
    at = list.write(n, into, ascii("mg ", into, at));
    at = ascii(QUIET_FLAGS, into, writeFlagO((first + n) >>> 0, into, at));
  }
  return ascii(NOOP, into, at);
}

/** To a server with text logins the first `set` of a connection is one, whatever its key (memcached's -Y). */
function writeLogin({ username, password }: NonNullable<Details["login"]>, into: Uint8Array, at: number): number {
  const value = encoder.encode(`${username} ${password}`);
  at = ascii("\r\n", into, writeNumber(value.length, into, ascii("set %login 0 -1 ", into, at)));
  into.set(value, at);
  return ascii("\r\n", into, at + value.length);
}

function ascii(text: string, into: Uint8Array, at: number): number {
  for (let n = 0; n < text.length; n++) into[at + n] = text.charCodeAt(n);
  return at + text.length;
}

function writeFlagO(opaque: number, into: Uint8Array, at: number): number {
  into[at] = SPACE;
  into[at + 1] = 0x4f;
  return writeOpaque(opaque, into, at + 2);
}

/** Eight digits of lower-case hex. */
function writeOpaque(opaque: number, into: Uint8Array, at: number): number {
  const end = at + OPAQUE_DIGITS;
  for (let digitAt = end; digitAt > at;) {
    const digit = opaque & 0xf;
    into[--digitAt] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    opaque >>>= 4;
  }
  return end;
}
