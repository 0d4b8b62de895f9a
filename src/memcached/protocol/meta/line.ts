/** Lines that are text rather than a code with flags: errors, and the answers to the classic commands. */

import { VERB, type Verb } from "../request.ts";
import { STATUS } from "../wire.ts";
import { tooManyConnections } from "../text.ts";
import { SPACE } from "./codes.ts";

const decoder = new TextDecoder();

/** What an error's text says, as the binary protocol numbers it [every text measured on 1.6.18]. */
const ERRORS: readonly (readonly [said: RegExp, status: number])[] = [
  [/too large/i, STATUS.tooLarge],
  [/non-numeric/i, STATUS.notNumeric],
  [/out of memory/i, STATUS.outOfMemory],
  // "flush_all not allowed", under -F, is the same status on the binary wire.
  [/unauthenticated|authentication failure|flush_all not allowed/i, STATUS.auth],
];

/** Begins the line with this word? It ends there, or a space follows. */
export function begins(chunk: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start < word.length) return false;
  for (let n = 0; n < word.length; n++) if (chunk[start + n] !== word.charCodeAt(n)) return false;
  return start + word.length === end || chunk[start + word.length] === SPACE;
}

/** The status of an error line; `undefined`: it is none, or one that answers no request. */
export function errorOf(chunk: Uint8Array, start: number, end: number, verb: Verb): number | undefined {
  const bare = begins(chunk, start, end, "ERROR");
  if (!bare && !begins(chunk, start, end, "CLIENT_ERROR") && !begins(chunk, start, end, "SERVER_ERROR")) {
    return undefined;
  }
  const text = decoder.decode(chunk.subarray(start, end));
  if (tooManyConnections(text)) return undefined;
  for (const [said, status] of ERRORS) if (said.test(text)) return status;
  if (!bare) return STATUS.invalid;
  // It knows `stats`, but not the topic: not found, says the binary protocol.
  return verb === VERB.stats ? STATUS.notFound : STATUS.unknownCommand;
}

/** What a line may begin with that is an answer, for a connection that ends within it. */
const WORDS = ["STAT ", "PREFIX ", "ITEM ", "END\r", "RESET\r", "VERSION ", "STORED\r"];

/** Is this the beginning of an answer's line? Errors are none: they say why the connection ends. */
export function beginsAnswer(rest: Uint8Array): boolean {
  const text = decoder.decode(rest.subarray(0, 8));
  return /^(?:HD|VA|EN|NF|NS|EX|OK|MN)(?:[ \r]|$)/.test(text) ||
    WORDS.some((word) => text.startsWith(word) || word.startsWith(text));
}
