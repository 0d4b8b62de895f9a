/** The binary protocol's numbers (memcached's protocol_binary.h). */

import { type VERB, VERB_NAMES } from "../request.ts";

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
export const LOGIN: number = OPCODES.login;
