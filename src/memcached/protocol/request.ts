/**
 * A verb's arguments, checked: what a wire needs to write it and to read its answer.
 */

import { describeType } from "../../util/checks.ts";
import { checkKey, type KeyList, quote } from "./keys.ts";

/** What a server can be asked. */
export const VERB = {
  get: 0,
  getMulti: 1,
  set: 2,
  add: 3,
  replace: 4,
  append: 5,
  prepend: 6,
  delete: 7,
  incr: 8,
  decr: 9,
  touch: 10,
  getAndTouch: 11,
  flushAll: 12,
  stats: 13,
  version: 14,
  noop: 15,
  login: 16,
} as const;

/** One of VERB. */
export type Verb = (typeof VERB)[keyof typeof VERB];

/** A verb's name, as the client's method is called. */
export const VERB_NAMES: readonly string[] = Object.keys(VERB);

/** Verbs whose answer may be too long to be kept. It is passed over then, and its caller alone gets an error. */
export const GIVES_VALUES: ReadonlySet<Verb> = new Set([VERB.get, VERB.getMulti, VERB.getAndTouch, VERB.stats]);

/** What a request has besides its key. Each verb uses its own part of it. */
export interface Details {
  /** Its bytes are the caller's own again once the request is written. */
  value?: Uint8Array | string | undefined;
  readonly flags?: number | undefined;
  /** As memcached reads it: 0 is for ever, up to 30 days is relative, more is an epoch second. See DO_NOT_CREATE. */
  readonly exptime?: number | undefined;
  /** 0n: none. */
  readonly cas?: bigint | undefined;
  readonly delta?: bigint | undefined;
  readonly initial?: bigint | undefined;
  /** Of a login. */
  readonly login?: { readonly username: string; readonly password: string } | undefined;
  /** Of a multi-get. */
  readonly list?: KeyList | undefined;
  /** Of a multi-get: what was wrong with one of its items. */
  failure?: Error | undefined;
  /** How often a server refused it without having changed anything. */
  refusals?: number;
}

/** One request. Keys are checked before it is made. */
export class Request {
  readonly verb: Verb;
  /** stats: its topic, possibly "". */
  readonly key: string;
  /** How long the key is in UTF-8. */
  readonly keyBytes: number;
  readonly details: Details | undefined;
  /** Given by the wire when it writes the request. A multi-get has one for each key, and one more, from this one on. */
  opaque = 0;

  constructor(verb: Verb, key: string, keyBytes: number, details: Details | undefined) {
    this.verb = verb;
    this.key = key;
    this.keyBytes = keyBytes;
    this.details = details;
  }
}

/** How long a topic of `stats` is in UTF-8; it may be empty or hold spaces ("detail on"). Throws a TypeError for what is none. */
export function checkTopic(topic: string): number {
  if (typeof topic !== "string") {
    throw new TypeError(`Cannot use ${describeType(topic)} as \`topic\`: it must be a string`);
  }
  if (topic === "") return 0;
  try {
    return checkKey(topic.replaceAll(" ", "_"));
  } catch {
    throw new TypeError(`Cannot use ${quote(topic)} as \`topic\`: it must be at most 250 bytes, no control characters`);
  }
}
