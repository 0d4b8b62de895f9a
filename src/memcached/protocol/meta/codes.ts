/** The meta protocol's answers (memcached's protocol.txt), and what each of them means to a verb. */

import { VERB, type Verb } from "../request.ts";
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
