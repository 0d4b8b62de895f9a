/**
 * A line of text that is no reply: what a server says that does not speak the wire's protocol, or one that has too many
 * connections.
 */

import type { Request } from "./request.ts";
import { Unreadable } from "./wire.ts";

/** A longer line is not waited for. */
export const LONGEST_LINE: number = 8 * 1024;
/** So much of it is quoted. */
const QUOTED = 200;
const LINE_FEED = 0x0a;
/** What a TLS server answers that is spoken to in plain text begins with this byte: an alert. */
const TLS_ALERT = 0x15;

/** memcached's answer to one connection too many: text, whatever the protocol. It answers no request. */
const TOO_MANY_CONNECTIONS = /too many open connections/i;

/** Such a line says nothing about what the server speaks. */
export const tooManyConnections = (text: string): boolean => TOO_MANY_CONNECTIONS.test(text);

/** What memcached says of a command that it does not know, or does not allow. */
export const ERROR_LINE: RegExp = /^(?:CLIENT_|SERVER_)?ERROR(?: |$)/;

/** Throws an Unreadable that says what the bytes are. `undefined` while that is a line without an end. `cure`: what helps. */
export function readText(bytes: Uint8Array, expected: Request | undefined, cure = ""): undefined {
  const end = bytes.indexOf(LINE_FEED);
  const line = end === -1 ? bytes : bytes.subarray(0, end);
  if (!line.every(isText)) {
    const remedy = bytes[0] === TLS_ALERT ? "; does it want `tls`?" : "";
    throw new Unreadable(`byte 0x${bytes[0]!.toString(16).padStart(2, "0")} where a reply was due${remedy}`);
  }
  if (line.length > LONGEST_LINE) throw new Unreadable(`a line of text over ${LONGEST_LINE} bytes`);
  if (end !== -1) throw asked(quoted(line), expected, cure);
  return undefined;
}

/** The same when no more bytes will come. */
export function endedText(bytes: Uint8Array, cure = ""): Unreadable {
  return asked(quoted(bytes), undefined, cure);
}

/** Another protocol helps only where a memcached says that it did not understand. */
const asked = (text: string, expected: Request | undefined, cure: string): Unreadable => {
  const remedy = ERROR_LINE.test(text) ? cure : "; is it a memcached?";
  return new Unreadable(`the text "${text}"${expected === undefined ? "" : " where a reply was due"}${remedy}`, text);
};

const isText = (byte: number): boolean => byte >= 0x20 && byte !== 0x7f || byte === 0x09 || byte === 0x0d;

/** Printable ASCII, at most 200 characters. */
function quoted(line: Uint8Array): string {
  let text = "";
  for (const byte of line.subarray(0, QUOTED)) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?";
  return text.replace(/\?$/, (mark) => line.at(-1) === 0x0d && line.length <= QUOTED ? "" : mark);
}
