/** What a real memcached was asked and answered, byte for byte. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { OPCODE_OF_VERB } from "../../../../src/memcached/protocol/binary/write.ts";
import { BinaryWire } from "../../../../src/memcached/protocol/binary/wire.ts";
import { room, write } from "../../../../src/memcached/protocol/binary/write.ts";
import { type Details, Request, VERB, type Verb } from "../../../../src/memcached/protocol/request.ts";
import { uint64, Unreadable } from "../../../../src/memcached/protocol/wire.ts";
import { join, replyTo } from "../../_frames.ts";
import file from "../../../vectors/binary_vectors.json" with { type: "json" };

/** Quiet opcodes, and those with the key in the reply, look like these. */
const LIKE: Record<number, number> = {
  0x09: 0x00,
  0x0c: 0x00,
  0x0d: 0x00,
  0x11: 0x01,
  0x12: 0x02,
  0x13: 0x03,
  0x14: 0x04,
  0x15: 0x05,
  0x16: 0x06,
  0x18: 0x08,
  0x19: 0x0e,
  0x1a: 0x0f,
  0x1e: 0x1d,
  0x23: 0x1d,
  0x24: 0x1d,
};
/** Replies of opcodes that are never sent are read as a NOOP's, which has no body of its own either. */
const NEVER_SENT = new Set([0x07, 0x17, 0x1b, 0x20, 0x22, 0x7f]);

const STATUSES: Record<string, number> = {
  SUCCESS: 0,
  KEY_ENOENT: 1,
  KEY_EEXISTS: 2,
  E2BIG: 3,
  EINVAL: 4,
  NOT_STORED: 5,
  DELTA_BADVAL: 6,
  AUTH_ERROR: 0x20,
  UNKNOWN_COMMAND: 0x81,
};

/** Extras of each opcode that is sent. */
const EXTRAS: Record<number, readonly number[]> = {
  0x00: [0],
  0x01: [8],
  0x02: [8],
  0x03: [8],
  0x04: [0],
  0x05: [20],
  0x06: [20],
  0x08: [0, 4],
  0x0a: [0],
  0x0b: [0],
  0x0e: [0],
  0x0f: [0],
  0x10: [0],
  0x1c: [4],
  0x1d: [4],
  0x21: [0],
};
/** Those whose requests have a value. */
const VALUED = new Set([0x01, 0x02, 0x03, 0x0e, 0x0f, 0x21]);

function bytesOf(hex: string): Uint8Array {
  const whole = hex.replace(
    /\[([0-9a-f]{2})\*(\d+)\]/g,
    (_, byte: string, count: string) => byte.repeat(Number(count)),
  );
  return Uint8Array.from(whole.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The frames of whole messages; what is none (text, a magic that is wrong) ends it. */
function split(bytes: Uint8Array, magic: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at + 24 <= bytes.length && bytes[at] === magic;) {
    const end = at + 24 + new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(8);
    if (end > bytes.length) break;
    frames.push(bytes.slice(at, end));
    at = end;
  }
  return frames;
}

function verbOf(opcode: number): Verb | undefined {
  if (opcode === 0x0a) return VERB.noop;
  const verb = OPCODE_OF_VERB.indexOf(opcode);
  return verb === -1 ? undefined : verb as Verb;
}

/** The request that this frame is, where the driver would ever send it. */
function requestOf(frame: Uint8Array): Request | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const opcode = LIKE[frame[1]!] ?? frame[1]!;
  const verb = verbOf(opcode);
  const [keyBytes, extras, body] = [view.getUint16(2), frame[4]!, view.getUint32(8)];
  if (verb === undefined || view.getUint8(5) !== 0 || view.getUint16(6) !== 0) return undefined;
  const quietGat = frame[1] === 0x1e || frame[1] === 0x23 || frame[1] === 0x24;
  if (!EXTRAS[quietGat ? 0x1d : opcode]!.includes(extras) || extras + keyBytes > body) return undefined;
  const start = 24 + extras;
  const rest = frame.slice(start + keyBytes);
  const noKey = verb === VERB.noop || verb === VERB.version || verb === VERB.flushAll;
  if (rest.length > 0 && !VALUED.has(opcode) || noKey && keyBytes > 0) return undefined;
  const key = new TextDecoder().decode(frame.subarray(start, start + keyBytes));
  const legal = keyBytes <= 250 && (noKey || verb === VERB.stats || keyBytes > 0);
  if (!legal) return undefined;
  const cas = view.getBigUint64(16);
  if (verb === VERB.login) {
    const [, username = "", password = ""] = new TextDecoder().decode(rest).split("\0");
    // Other mechanisms are never used.
    return key === "PLAIN" ? numbered(new Request(verb, "", 0, { login: { username, password } }), view) : undefined;
  }
  const details: Details = extras === 20
    ? { delta: view.getBigUint64(24), initial: view.getBigUint64(32), exptime: view.getUint32(40), cas }
    : extras === 8
    ? { flags: view.getUint32(24), exptime: view.getUint32(28), value: rest, cas }
    : extras === 4
    ? { exptime: view.getUint32(24), cas }
    : VALUED.has(opcode)
    ? { value: rest, cas }
    : { cas };
  const bare = cas === 0n && extras === 0 && rest.length === 0;
  return numbered(new Request(verb, key, keyBytes, bare ? undefined : details), view);
}

function numbered(request: Request, view: DataView): Request {
  request.opaque = view.getUint32(12);
  return request;
}

/** A run of packets, of which the file keeps the first and the last. */
function packets(decoded: readonly { opaque: number; key?: string; value?: string }[]): Uint8Array {
  return join(
    ...decoded.map(({ opaque, key, value }) =>
      replyTo({ opcode: 0x10, opaque }, { ...key !== undefined && { key }, ...value !== undefined && { value } })
    ),
  );
}

/** The frames of an answer, as the driver would see them, and what each of them answers. */
function replies(bytes: Uint8Array): { readonly frames: Uint8Array[]; readonly expected: Request[] } {
  const frames = split(bytes, 0x81);
  const expected = frames.map((frame) => {
    const opcode = frame[1]!;
    if (NEVER_SENT.has(opcode)) frame[1] = 0x0a;
    else if (LIKE[opcode] !== undefined) frame[1] = LIKE[opcode]!;
    return numbered(new Request(verbOf(frame[1]!)!, "", 0, undefined), new DataView(frame.buffer));
  });
  return { frames, expected };
}

test("all vectors are here", () => assertEquals(file.vectors.length, 134));

let encoded = 0;
for (const vector of file.vectors) {
  const requests = [...("setupHex" in vector ? vector.setupHex as string[] : []), vector.requestHex];

  test(`vector ${vector.name}: what the driver sends is these bytes`, () => {
    for (const frame of requests.flatMap((hex) => split(bytesOf(hex), 0x80))) {
      const request = requestOf(frame);
      if (request === undefined) continue;
      const into = new Uint8Array(room(request)).fill(0xff);
      const end = write(request, into, 0);
      // The driver sends the loud opcode where the vector has the quiet one.
      const written = into.slice(0, end);
      written[1] = frame[1]!;
      assertEquals(hexOf(written), hexOf(frame));
      encoded++;
    }
  });

  test(`vector ${vector.name}: of every prefix of its answer just the whole replies are read`, () => {
    const bytes = vector.responseHex === null ? packets(vector.decoded) : bytesOf(vector.responseHex);
    const { frames, expected } = replies(bytes);
    const ends = frames.map((_, n) => join(...frames.slice(0, n + 1)).length);
    const stream = join(...frames);
    for (let length = 0; length < stream.length; length++) {
      // Inside a long value one byte is like the next.
      const boring = stream.length > 4096 && ends.every((end) => Math.abs(end - length) > 200);
      if (boring && length > 200) continue;
      const reader = new BinaryWire(1_200_000);
      reader.push(stream.slice(0, length));
      let n = 0;
      while (reader.next(expected[n]) !== undefined) n++;
      assertEquals(n, ends.filter((end) => end <= length).length);
      assertEquals(reader.end() === undefined, length === 0 || ends.includes(length));
    }
  });

  for (const size of [Infinity, 7, 1]) {
    test(`vector ${vector.name}: its answer is read, ${size === Infinity ? "whole" : `${size} bytes at a time`}`, () => {
      const bytes = vector.responseHex === null ? packets(vector.decoded) : bytesOf(vector.responseHex);
      const reader = new BinaryWire(1_200_000);
      if (bytes.length > 0 && bytes[0] !== 0x81) {
        reader.push(bytes);
        const error = assertThrows(() => reader.next(new Request(VERB.noop, "", 0, undefined)), Unreadable);
        assertEquals(error.text, new TextDecoder().decode(bytes).trimEnd());
        return;
      }
      const { frames, expected } = replies(bytes);
      const stream = join(...frames);
      assertEquals(stream.length, bytes.length);
      let n = 0;
      const read = () => {
        for (let reply = reader.next(expected[n]); reply !== undefined; reply = reader.next(expected[n])) {
          const wanted = vector.decoded[n++]! as {
            readonly status: string;
            readonly cas: string;
            readonly extrasHex?: string;
            readonly key?: string;
            readonly value?: string;
            readonly valueHex?: string;
          };
          assertEquals(reply.status, STATUSES[wanted.status]);
          assertEquals(uint64(reply.casHigh, reply.casLow), BigInt(wanted.cas));
          assertEquals(reply.flags, parseInt(wanted.extrasHex ?? "0", 16));
          const key = reply.chunk.slice(reply.keyStart, reply.valueStart);
          assertEquals(new TextDecoder().decode(key), wanted.key ?? "");
          const value = reply.chunk.slice(reply.valueStart, reply.valueEnd);
          if (wanted.valueHex !== undefined) assertEquals(value, bytesOf(wanted.valueHex));
          else assertEquals(new TextDecoder().decode(value), wanted.value ?? "");
        }
      };
      const step = Math.min(size, Math.max(stream.length, 1));
      for (let at = 0; at < stream.length; at += step) {
        reader.push(stream.slice(at, at + step));
        read();
      }
      assertEquals(n, vector.decoded.length);
      assertEquals(reader.end(), undefined);
    });
  }
}

test("nearly every request of the vectors is one that the driver can write", () => {
  assert(encoded > 200, `${encoded}`);
});
