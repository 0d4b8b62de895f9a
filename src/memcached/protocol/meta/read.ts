/**
 * Replies out of a stream of lines, in place: a reply's value is a view of the chunk it came in. One pass over a line;
 * where it runs off what has come, the answer is "not yet", and it begins again with more.
 *
 *     HD|EN|NF|NS|EX|MN|OK <flags>*\r\n
 *     VA <bytes> <flags>*\r\n<value>\r\n         flags in any order: O opaque, k key, f flags, c cas; others are passed over
 */

import { Chunks } from "../chunks.ts";
import { Decimal } from "../decimal.ts";
import { GIVES_VALUES, type Request, VERB, type Verb } from "../request.ts";
import { LONGEST_ITEM, LONGEST_REPLY } from "../limits.ts";
import { endedText, LONGEST_LINE, readText } from "../text.ts";
import { type Reply, STATUS, tooLong, uint64, Unreadable } from "../wire.ts";
import { CODE, CR, lettersOf, LF, NO_ANSWER, SPACE, statusOf } from "./codes.ts";
import { begins, beginsAnswer, errorOf } from "./line.ts";
import { OPAQUE_DIGITS } from "./write.ts";

const FLAG = { opaque: 0x4f, key: 0x6b, flags: 0x66, cas: 0x63 } as const;

/** The line is not whole. */
const CUT = -1;
/** No opaque stands in the line, or none that we could have sent. */
const NONE = -1;
const FOREIGN = -2;

/** The replies of one connection. */
export class ReplyReader extends Chunks implements Reply {
  status = 0;
  flaw: string | undefined = undefined;
  last = true;
  index = 0;
  flags = 0;
  casHigh = 0;
  casLow = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;

  readonly #longestValueBytes: number;
  readonly #decimal = new Decimal();
  #opaque = NONE;
  #counterHigh = 0;
  #counterLow = 0;
  /** Of the multi-get that is being answered: the first key that has not been passed. */
  #nextIndex = 0;

  /** `longestValueBytes`: of a longer value nothing is kept. */
  constructor(longestValueBytes: number) {
    super();
    this.#longestValueBytes = longestValueBytes;
  }

  /** The next reply; itself, so it is good until the next call. */
  next(expected: Request | undefined): Reply | undefined {
    if (this.available() === 0 || this.#owesEnd && !this.#readEnd()) return undefined;
    const { chunk, at, filled } = this;
    if (filled - at < this.wanted) return undefined;
    // Two letters, and then the code ends; what goes on is another word.
    const third = at + 2 < filled ? chunk[at + 2] : LF;
    if (expected === undefined || third !== SPACE && third !== CR) return this.#readLine(expected);
    const code = chunk[at]! << 8 | chunk[at + 1]!;
    const status = statusOf(code, expected.verb);
    if (status === NO_ANSWER) return this.#refuse(code, expected);
    this.status = status;
    this.flaw = undefined;
    return this.#readReply(code, expected);
  }

  #readReply(code: number, expected: Request): Reply | undefined {
    const { at, filled } = this;
    let bytes = -1;
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
    if (end === CUT ? filled - at > LONGEST_LINE : end - at > LONGEST_LINE) {
      throw new Unreadable(`a line over ${LONGEST_LINE} bytes`);
    }
    if (end === CUT) return undefined;
    this.#checkOpaque(code, expected);
    if (bytes === -1) {
      this.valueStart = this.valueEnd = end;
      this.at = end;
    } else if (bytes > this.#longestValueBytes) this.#passValue(end, bytes, expected);
    else if (!this.#readValue(end, bytes)) return undefined;
    this.wanted = 0;
    this.#place(code, expected);
    return this;
  }

  /** The value behind the line. false: not yet. */
  #readValue(start: number, bytes: number): boolean {
    const { chunk, at, filled } = this;
    const end = start + bytes;
    if (filled < end + 2) {
      this.wanted = end + 2 - at;
      return false;
    }
    if (chunk[end] !== CR || chunk[end + 1] !== LF) throw new Unreadable(`a value that is not ${bytes} bytes long`);
    this.valueStart = start;
    this.valueEnd = end;
    this.at = end + 2;
    return true;
  }

  /** A value that was passed over has been told, and its line break has not come yet. */
  #owesEnd = false;

  /** A value that is too long: nothing of it is kept. */
  #passValue(start: number, bytes: number, { verb }: Request): void {
    if (!GIVES_VALUES.has(verb) || bytes > LONGEST_ITEM) throw new Unreadable(`a value of ${bytes} bytes`);
    this.flaw = tooLong(bytes);
    this.status = STATUS.tooLarge;
    this.valueStart = this.valueEnd = start;
    this.at = start;
    this.#owesEnd = true;
    this.passOver(bytes);
  }

  /** The line break behind a value that was passed over. false: not yet. */
  #readEnd(): boolean {
    if (this.available() < 2) return false;
    const { chunk, at } = this;
    if (chunk[at] !== CR || chunk[at + 1] !== LF) throw new Unreadable("a value that is not as long as was said");
    this.take(at + 2);
    this.#owesEnd = false;
    return this.available() > 0;
  }

  /** Everything behind the code and the size. Returns where the line ends, or CUT. */
  #readFlags(at: number): number {
    const { chunk, filled } = this;
    this.#opaque = NONE;
    this.flags =
      this.casHigh =
      this.casLow =
      this.keyStart =
      this.keyEnd =
        0;
    while (at < filled) {
      if (chunk[at] === CR) {
        if (at + 1 === filled) return CUT;
        if (chunk[at + 1] === LF) return at + 2;
      }
      if (chunk[at] !== SPACE) throw new Unreadable(`byte ${chunk[at]} within a line of flags`);
      const flag = chunk[++at];
      switch (flag) {
        case FLAG.opaque:
          at = this.#readOpaque(at + 1);
          break;
        case FLAG.flags:
          at = this.#readNumber(at + 1);
          // A server may be built for 64 bits of them.
          if (this.#decimal.high !== 0) this.flaw = "flags of more than 32 bits";
          this.flags = this.#decimal.low;
          break;
        case FLAG.cas:
          at = this.#readNumber(at + 1);
          this.casHigh = this.#decimal.high;
          this.casLow = this.#decimal.low;
          break;
        case FLAG.key:
          this.keyStart = at + 1;
          at = this.keyEnd = this.#pass(at + 1);
          break;
        default:
          at = this.#pass(at);
      }
    }
    return CUT;
  }

  /** Where this flag ends. */
  #pass(at: number): number {
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
  #readOpaque(at: number): number {
    const { chunk, filled } = this;
    const start = at;
    let opaque = 0;
    for (; at < filled && chunk[at]! > SPACE; at++) {
      const byte = chunk[at]!;
      const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : NONE;
      if (digit === NONE) {
        this.#opaque = FOREIGN;
        return this.#pass(at);
      }
      opaque = opaque << 4 | digit;
    }
    this.#opaque = at - start === OPAQUE_DIGITS ? opaque >>> 0 : FOREIGN;
    return at;
  }

  /** Is this the answer to that? Replies come in the order of their requests, so anything else is out of step. */
  #checkOpaque(code: number, expected: Request): void {
    const opaque = this.#opaque;
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
    // Hits come in the order of their keys: a key that was answered is not answered again.
    const list = expected.details!.list!;
    if (index >= list.keys.length || index < this.#nextIndex) {
      throw new Unreadable(`opaque ${opaque} where another was due`);
    }
    if (!list.isAt(index, this.chunk, this.keyStart, this.keyEnd - this.keyStart)) {
      throw new Unreadable("another key than the opaque's");
    }
    this.index = index;
  }

  /** Whether another reply follows, and what a counter says. */
  #place(code: number, { verb, details }: Request): void {
    this.last = true;
    if (verb === VERB.getMulti) {
      this.last = code === CODE.MN;
      if (this.last) this.index = details!.list!.keys.length;
      this.#nextIndex = this.last ? 0 : this.index + 1;
    } else if (code === CODE.VA && (verb === VERB.incr || verb === VERB.decr)) {
      const decimal = this.#decimal;
      if (!decimal.read(this.chunk, this.valueStart, this.valueEnd) || decimal.end !== this.valueEnd) {
        this.flaw = "a counter that is no number of 64 bits";
        return;
      }
      this.#counterHigh = decimal.high;
      this.#counterLow = decimal.low;
    }
  }

  /** A line that is no code with flags. */
  #readLine(expected: Request | undefined): Reply | undefined {
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
    this.status = STATUS.ok;
    this.flaw = undefined;
    const error = errorOf(chunk, at, end, verb);
    if (error !== undefined) {
      this.status = error;
      this.valueStart = at;
      // Of one key only: the run goes on to its MN.
      this.last = verb !== VERB.getMulti;
    } else if (!this.#readWords(verb, end)) return readText(chunk.subarray(at, filled), expected);
    this.at = lineFeed + 1;
    if (verb === VERB.stats) this.#countStatistics(this.at - at);
    return this;
  }

  /** Of the statistics that are being given. */
  #statisticBytes = 0;

  /** All of them are gathered, so all of them together may be as long as one value and what is around it. */
  #countStatistics(bytes: number): void {
    this.#statisticBytes += bytes;
    if (this.#statisticBytes > this.#longestValueBytes + LONGEST_REPLY) {
      this.flaw = tooLong(this.#statisticBytes);
      this.status = STATUS.tooLarge;
    }
    if (this.last) this.#statisticBytes = 0;
  }

  /** The answers to the classic commands. false: it is none of them. */
  #readWords(verb: Verb, end: number): boolean {
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
    const nameStart = Math.min(at + word.length + 1, end);
    const space = chunk.indexOf(SPACE, nameStart);
    this.keyStart = nameStart;
    this.keyEnd = space === -1 || space > end ? end : space;
    this.valueStart = Math.min(this.keyEnd + 1, end);
    this.last = false;
    return true;
  }

  /** A code that answers another verb. Two letters that are none begin a text, which is quoted once its line is whole. */
  #refuse(code: number, expected: Request): undefined {
    const known = Object.values(CODE).includes(code);
    if (!known) return readText(this.chunk.subarray(this.at, this.filled), expected);
    throw new Unreadable(`${lettersOf(code)} where it is no answer`);
  }

  /** Of incr and decr that were done. */
  counter(): bigint {
    return uint64(this.#counterHigh, this.#counterLow);
  }

  /** The connection has ended: a line of text that was not finished says why, perhaps. */
  end(): Unreadable | undefined {
    if (this.available() === 0) return undefined;
    const { rest } = this;
    return beginsAnswer(rest) ? new Unreadable("the connection ended within a reply") : endedText(rest);
  }
}
