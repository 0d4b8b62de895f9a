/**
 * The meta protocol: text, and what memcached's own proxy and hosted servers speak. Replies are read out of a stream of
 * lines, in place: a reply's value is a view of the chunk it came in. One pass over a line; where that runs off what has
 * come, nothing is taken, and the next call begins again at the line's first byte.
 *
 *     HD|EN|NF|NS|EX|MN|OK <flags>*\r\n
 *     VA <bytes> <flags>*\r\n<value>\r\n         flags in any order: O opaque, k key, f flags, c cas; others are passed over
 */

import { Decimal } from "../decimal.ts";
import { LONGEST_ITEM } from "../limits.ts";
import { GIVES_VALUES, type Request, VERB, type Verb } from "../request.ts";
import { endedText, LONGEST_LINE, readText } from "../text.ts";
import { type Encode, type Reply, STATUS, uint64, Unreadable, Wire } from "../wire.ts";
import { begins, beginsAnswer, CODE, CR, errorOf, lettersOf, LF, NO_ANSWER, SPACE, statusOf } from "./answers.ts";
import { OPAQUE_DIGITS, room, write } from "./write.ts";

const FLAG = { opaque: 0x4f, key: 0x6b, flags: 0x66, cas: 0x63 } as const;

/** In place of an offset: the line is not whole yet. */
const INCOMPLETE = -1;
/** In place of an opaque: the line has none, or none that we could have sent. */
const NONE = -1;
const FOREIGN = -2;

/** One connection's lines. */
export class MetaWire extends Wire {
  readonly speaks = "meta";
  readonly room: Wire["room"] = room;
  protected readonly encode: Encode = write;
  readonly bytesBehindValue = 2;
  /** What comes next: a reply, or the line break behind a value that was too long and has been passed over. */
  #due: "reply" | "value's end" = "reply";
  /** What the line that was read last says, besides what a Reply has. */
  readonly #line = { opaque: NONE, counterHigh: 0, counterLow: 0 };
  readonly #decimal = new Decimal();

  next(expected: Request | undefined): Reply | undefined {
    if (this.available() === 0 || this.#due === "value's end" && !this.#passValueEnd()) return undefined;
    const { chunk, at, filled } = this;
    if (filled - at < this.wanted) return undefined;
    // Two letters, and then the code ends; what goes on is another word.
    const third = at + 2 < filled ? chunk[at + 2] : LF;
    if (expected === undefined || third !== SPACE && third !== CR) return this.#readWords(expected);
    const code = chunk[at]! << 8 | chunk[at + 1]!;
    const status = statusOf(code, expected.verb);
    if (status !== NO_ANSWER) return this.#readReply(code, status, expected);
    if (isCode(code)) throw new Unreadable(`${lettersOf(code)} where it is no answer`);
    // Two letters that are no code begin a text, which is quoted once its line is whole.
    return readText(chunk.subarray(at, filled), expected);
  }

  /** A code with flags, and the value behind its line. */
  #readReply(code: number, status: number, expected: Request): Reply | undefined {
    const { at, filled } = this;
    this.status = status;
    this.flaw = undefined;
    let bytes = 0;
    let flagsAt = at + 2;
    if (code === CODE.VA) {
      // Up to the end of the line no digit is certain to be the last.
      if (flagsAt + 1 >= filled) return undefined;
      const decimal = this.#decimal;
      const isNumber = decimal.read(this.chunk, flagsAt + 1, filled);
      flagsAt = decimal.end;
      if (flagsAt === filled && flagsAt - at <= LONGEST_LINE) return undefined;
      if (!isNumber) throw new Unreadable("a value whose size is no number");
      bytes = decimal.value;
    }
    const end = this.#readFlags(flagsAt);
    if ((end === INCOMPLETE ? filled : end) - at > LONGEST_LINE) {
      throw new Unreadable(`a line over ${LONGEST_LINE} bytes`);
    }
    if (end === INCOMPLETE) return undefined;
    this.#checkOpaque(code, expected);
    this.valueStart = this.valueEnd = end;
    if (code !== CODE.VA) this.take(end);
    else if (bytes > this.longestValueBytes) this.#passLongValue(end, bytes, expected.verb);
    else if (!this.#readValue(end, bytes)) return undefined;
    this.#finish(code, expected);
    return this;
  }

  /** The value behind the line. false: not whole yet. */
  #readValue(start: number, bytes: number): boolean {
    const { chunk, at, filled } = this;
    const end = start + bytes;
    if (filled < end + 2) {
      this.wanted = end + 2 - at;
      return false;
    }
    if (chunk[end] !== CR || chunk[end + 1] !== LF) throw new Unreadable(`a value that is not ${bytes} bytes long`);
    this.valueEnd = end;
    this.take(end + 2);
    return true;
  }

  /** A value that is too long: nothing of it is kept. Its line break is read before the next reply. */
  #passLongValue(start: number, bytes: number, verb: Verb): void {
    if (!GIVES_VALUES.has(verb) || bytes > LONGEST_ITEM) throw new Unreadable(`a value of ${bytes} bytes`);
    this.refuseAsTooLong(bytes);
    this.take(start);
    this.passOver(bytes);
    this.#due = "value's end";
  }

  /** true: there are bytes of the next reply. */
  #passValueEnd(): boolean {
    if (this.available() < 2) return false;
    const { chunk, at } = this;
    if (chunk[at] !== CR || chunk[at + 1] !== LF) throw new Unreadable("a value that is not as long as was said");
    this.take(at + 2);
    this.#due = "reply";
    return this.available() > 0;
  }

  /** Everything behind the code and the size. Returns where the line ends, or INCOMPLETE. */
  #readFlags(at: number): number {
    const { chunk, filled } = this;
    const decimal = this.#decimal;
    this.#line.opaque = NONE;
    this.flags =
      this.casHigh =
      this.casLow =
      this.keyStart =
      this.keyEnd =
        0;
    while (at < filled) {
      if (chunk[at] === CR) {
        if (at + 1 === filled) return INCOMPLETE;
        if (chunk[at + 1] === LF) return at + 2;
      }
      if (chunk[at] !== SPACE) throw new Unreadable(`byte ${chunk[at]} within a line of flags`);
      switch (chunk[++at]) {
        case FLAG.opaque:
          at = this.#readOpaque(at + 1);
          break;
        case FLAG.flags:
          at = this.#readNumber(at + 1);
          // A server may be built for 64 bits of them.
          if (decimal.high !== 0) this.flaw = "flags of more than 32 bits";
          this.flags = decimal.low;
          break;
        case FLAG.cas:
          at = this.#readNumber(at + 1);
          this.casHigh = decimal.high;
          this.casLow = decimal.low;
          break;
        case FLAG.key:
          this.keyStart = at + 1;
          at = this.keyEnd = this.#endOfFlag(at + 1);
          break;
        default:
          at = this.#endOfFlag(at);
      }
    }
    return INCOMPLETE;
  }

  #endOfFlag(at: number): number {
    const { chunk, filled } = this;
    while (at < filled && chunk[at]! > SPACE) at++;
    return at;
  }

  #readNumber(at: number): number {
    const decimal = this.#decimal;
    // Cut behind the flag's letter there are no digits yet; the line is read again when more has come.
    if (!decimal.read(this.chunk, at, this.filled) && at < this.filled) {
      throw new Unreadable("a flag that is no number");
    }
    return decimal.end;
  }

  /** Just as it was sent: eight digits of lower-case hex. */
  #readOpaque(start: number): number {
    const { chunk, filled } = this;
    let opaque = 0;
    let at = start;
    for (; at < filled && chunk[at]! > SPACE; at++) {
      const byte = chunk[at]!;
      const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : NONE;
      if (digit === NONE) {
        this.#line.opaque = FOREIGN;
        return this.#endOfFlag(at);
      }
      opaque = opaque << 4 | digit;
    }
    this.#line.opaque = at - start === OPAQUE_DIGITS ? opaque >>> 0 : FOREIGN;
    return at;
  }

  /** Replies come in the order of their requests: anything but the answer to the one that is due is out of step. */
  #checkOpaque(code: number, expected: Request): void {
    const { opaque } = this.#line;
    this.index = 0;
    if (code === CODE.MN || code === CODE.OK) return;
    // A refusal may come without one (EN of old servers): then the order is all there is.
    if (opaque === NONE && code !== CODE.VA && code !== CODE.HD) return;
    if (opaque < 0) {
      throw new Unreadable(
        `${lettersOf(code)} ${opaque === NONE ? "without an opaque" : "with an opaque of no request"}`,
      );
    }
    const index = (opaque - expected.opaque) >>> 0;
    if (expected.verb !== VERB.getMulti) {
      if (index !== 0) throw new Unreadable(`opaque ${opaque} where ${expected.opaque} was due`);
      return;
    }
    // Hits come in the order of their keys, and each key once.
    const list = expected.details!.list!;
    if (index >= list.keys.length || index < this.nextIndex) {
      throw new Unreadable(`opaque ${opaque} where another was due`);
    }
    if (!list.isAt(index, this.chunk, this.keyStart, this.keyEnd - this.keyStart)) {
      throw new Unreadable("another key than the opaque's");
    }
    this.index = index;
  }

  /** Whether another reply follows, and what a counter says. */
  #finish(code: number, { verb, details }: Request): void {
    this.last = true;
    if (verb === VERB.getMulti) {
      this.last = code === CODE.MN;
      if (this.last) this.index = details!.list!.keys.length;
      this.nextIndex = this.last ? 0 : this.index + 1;
    } else if (code === CODE.VA && (verb === VERB.incr || verb === VERB.decr)) {
      const decimal = this.#decimal;
      if (!decimal.read(this.chunk, this.valueStart, this.valueEnd) || decimal.end !== this.valueEnd) {
        this.flaw = "a counter that is no number of 64 bits";
      }
      this.#line.counterHigh = decimal.high;
      this.#line.counterLow = decimal.low;
    }
  }

  /** A line of words: an error, an answer to a classic command, or a text that is no reply. */
  #readWords(expected: Request | undefined): Reply | undefined {
    const { chunk, at, filled } = this;
    const lineFeed = chunk.indexOf(LF, at);
    const end = lineFeed - 1;
    if (expected === undefined || lineFeed === -1 || lineFeed - at > LONGEST_LINE || chunk[end] !== CR) {
      return readText(chunk.subarray(at, filled), expected);
    }
    const { verb } = expected;
    this.flags =
      this.casHigh =
      this.casLow =
      this.index =
        0;
    this.keyStart =
      this.keyEnd =
      this.valueStart =
      this.valueEnd =
        end;
    this.last = true;
    this.flaw = undefined;
    const error = errorOf(chunk, at, end, verb);
    this.status = error ?? STATUS.ok;
    if (error !== undefined) {
      this.valueStart = at;
      // In a multi-get it is the answer to one key; the others follow, and the MN.
      this.last = verb !== VERB.getMulti;
    } else if (!this.#readClassic(verb, end)) return readText(chunk.subarray(at, filled), expected);
    this.take(lineFeed + 1);
    if (verb === VERB.stats) this.countStatistic(this.at - at);
    return this;
  }

  /** The answers to the classic commands. false: it is none of them. */
  #readClassic(verb: Verb, end: number): boolean {
    const { chunk, at } = this;
    if (verb === VERB.login) return begins(chunk, at, end, "STORED");
    if (verb === VERB.version && begins(chunk, at, end, "VERSION")) {
      this.valueStart = Math.min(at + "VERSION ".length, end);
      return true;
    }
    if (verb !== VERB.stats) return false;
    if (begins(chunk, at, end, "END") || begins(chunk, at, end, "RESET")) return true;
    const word = ["STAT", "PREFIX", "ITEM"].find((word) => begins(chunk, at, end, word));
    if (word === undefined) return false;
    // STAT <name> <value>; the value may be empty, or hold spaces.
    this.keyStart = Math.min(at + word.length + 1, end);
    const space = chunk.indexOf(SPACE, this.keyStart);
    this.keyEnd = space === -1 || space > end ? end : space;
    this.valueStart = Math.min(this.keyEnd + 1, end);
    this.last = false;
    return true;
  }

  counter(): bigint {
    return uint64(this.#line.counterHigh, this.#line.counterLow);
  }

  end(): Unreadable | undefined {
    if (this.available() === 0) return undefined;
    const { rest } = this;
    return beginsAnswer(rest) ? new Unreadable("the connection ended within a reply") : endedText(rest);
  }
}

const isCode = (code: number): boolean => Object.values(CODE).includes(code);
