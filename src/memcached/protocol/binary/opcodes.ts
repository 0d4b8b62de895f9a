/** The binary protocol's numbers (memcached's protocol_binary.h). */

/** First byte of a request, and of a reply. */
export const MAGIC = { request: 0x80, reply: 0x81 } as const;

/** Bytes of every header. */
export const HEADER = 24;

/** The opcodes that are sent. Never VERBOSITY (0x1b): memcached swallows its body twice and is out of step [measured]. */
export const OPCODE = {
  get: 0x00,
  set: 0x01,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  increment: 0x05,
  decrement: 0x06,
  flush: 0x08,
  noop: 0x0a,
  version: 0x0b,
  /** Quiet, and the reply has the key: a miss is not answered at all. */
  getKeyQuietly: 0x0d,
  append: 0x0e,
  prepend: 0x0f,
  stat: 0x10,
  touch: 0x1c,
  getAndTouch: 0x1d,
  /** SASL AUTH. */
  login: 0x21,
} as const;

/** The opcode that ends each verb's answer, in the order of VERB: a multi-get is a run of quiet gets and a NOOP. */
export const OPCODE_OF_VERB: readonly number[] = [
  OPCODE.get,
  OPCODE.noop,
  OPCODE.set,
  OPCODE.add,
  OPCODE.replace,
  OPCODE.append,
  OPCODE.prepend,
  OPCODE.delete,
  OPCODE.increment,
  OPCODE.decrement,
  OPCODE.touch,
  OPCODE.getAndTouch,
  OPCODE.flush,
  OPCODE.stat,
  OPCODE.version,
  OPCODE.noop,
  OPCODE.login,
];
