/**
 * What the first bytes of a meta line mean (memcached's protocol.txt): a code with flags, whose status depends on the verb;
 * or words, as errors and the answers to the classic commands are.
 */

import { VERB, type Verb } from "../request.ts";
import { tooManyConnections } from "../text.ts";
import { STATUS } from "../wire.ts";

export const SPACE = 0x20;
export const CR = 0x0d;
export const LF = 0x0a;

const code = (letters: string): number => letters.charCodeAt(0) << 8 | letters.charCodeAt(1);

/** The two letters that a reply begins with, as one number. */
export const CODE: Readonly<Record<"HD" | "VA" | "EN" | "NF" | "NS" | "EX" | "OK" | "MN", number>> = {
  HD: code("HD"),
  VA: code("VA"),
  EN: code("EN"),
  NF: code("NF"),
  NS: code("NS"),
  EX: code("EX"),
  OK: code("OK"),
  MN: code("MN"),
};

const WRITES: readonly Verb[] = [VERB.set, VERB.add, VERB.replace, VERB.append, VERB.prepend];
const COUNTS: readonly Verb[] = [VERB.incr, VERB.decr];

/** Which verbs a code answers, and with what status. */
const MEANINGS: readonly (readonly [code: number, status: number, verbs: readonly Verb[]])[] = [
  [CODE.VA, STATUS.ok, [VERB.get, VERB.getMulti, VERB.getAndTouch, ...COUNTS]],
  [CODE.HD, STATUS.ok, [...WRITES, VERB.delete, VERB.touch]],
  [CODE.EN, STATUS.notFound, [VERB.get, VERB.getAndTouch, VERB.touch]],
  [CODE.NF, STATUS.notFound, [...WRITES, ...COUNTS, VERB.delete, VERB.touch]],
  [CODE.EX, STATUS.exists, [...WRITES, ...COUNTS, VERB.delete]],
  // "Not stored" has a reason, which only the request knows.
  [CODE.NS, STATUS.exists, [VERB.add]],
  [CODE.NS, STATUS.notFound, [VERB.replace]],
  [CODE.NS, STATUS.notStored, [VERB.set, VERB.append, VERB.prepend, ...COUNTS]],
  [CODE.OK, STATUS.ok, [VERB.flushAll, VERB.stats]],
  [CODE.MN, STATUS.ok, [VERB.getMulti, VERB.noop]],
];

const VERBS = Object.keys(VERB).length;

/** What a code that is none of CODE, or is no answer to the verb, means. */
export const NO_ANSWER = -1;

/** By verb: code -> status. One look-up for each reply. */
const STATUSES: readonly ReadonlyMap<number, number>[] = Array.from(
  { length: VERBS },
  (_, verb) =>
    new Map(MEANINGS.filter(([, , verbs]) => verbs.includes(verb as Verb)).map(([code, status]) => [code, status])),
);

/** The status of a reply, or NO_ANSWER. */
export function statusOf(code: number, verb: Verb): number {
  return STATUSES[verb]!.get(code) ?? NO_ANSWER;
}

/** The two letters. */
export const lettersOf = (code: number): string => String.fromCharCode(code >> 8, code & 0xff);

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
