/** Items and confirmed writes. Both remember the connection that gave their cas: see `CasOptions`. */

import { countIn } from "../protocol/decimal.ts";
import { quote } from "../protocol/keys.ts";
import { checkCas } from "../protocol/limits.ts";
import { describeType } from "../../util/checks.ts";
import { type Reply, uint64 } from "../protocol/wire.ts";

/** What is kept under a key. */
export interface Item {
  /** The key it was asked for under. */
  readonly key: string;
  /** Its value; one's own to change. */
  readonly bytes: Uint8Array;
  /** 32 bits that the writer chose. */
  readonly flags: number;
  /** Changes with every write. 0n: the server gives none (memcached -C). */
  readonly cas: bigint;
  /** The value as UTF-8 text. A counter that has lost a digit has a space behind it: "9 " after `decr` of "10". */
  text(): string;
  /** The value as JSON. Throws a SyntaxError that names key and flags for what is none, as of other clients. */
  json(): unknown;
}

/** The answer to a write that was done. */
export interface Stored {
  /** It was written. */
  readonly stored: true;
  /** The cas of what was written. 0n: the server gives none (memcached -C). */
  readonly cas: bigint;
}

/** What `getMulti` found, and which servers could not be asked, or had an item that cannot be given, by name. */
export type MultiResult = Map<string, Item> & { readonly failed: ReadonlyMap<string, Error> };

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A view is given out only if it keeps at most so many times its own size from being freed. */
const MOST_HELD = 4;
const NOTHING = new Uint8Array(0);

/** Remembers the connection that gave a cas, whose identity is all that counts. */
class CasOrigin {
  readonly #connection: object;

  constructor(connection: object) {
    this.#connection = connection;
  }

  /** The connection that gave an Item or Stored; `undefined` for anything else. */
  static connectionOf(token: object): object | undefined {
    return #connection in token ? token.#connection : undefined;
  }
}

/** The connection that gave an Item or Stored; `undefined` for anything else. */
export const originOf: (token: object) => object | undefined = CasOrigin.connectionOf;

/**
 * An item in the chunk it was received in. A view of its bytes is made only when it is asked for, since many items are
 * only looked at through `text` and `json`, which decode in place. `bytes` is a copy where the value is a small part of
 * the chunk's memory: a view would keep all of that alive.
 */
export class ReceivedItem extends CasOrigin implements Item {
  readonly key: string;
  readonly flags: number;
  readonly #casHigh: number;
  readonly #casLow: number;
  #chunk: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  /** `#chunk` is the value alone, or after `release` nothing. */
  #cut = false;

  constructor(key: string, { flags, casHigh, casLow, chunk, valueStart, valueEnd }: Reply, connection: object) {
    super(connection);
    this.key = key;
    this.flags = flags;
    this.#casHigh = casHigh;
    this.#casLow = casLow;
    this.#chunk = chunk;
    this.#start = valueStart;
    this.#end = valueEnd;
  }

  get bytes(): Uint8Array {
    if (!this.#cut) {
      this.#cut = true;
      const value = this.#view();
      this.#chunk = value.buffer.byteLength > value.length * MOST_HELD ? value.slice() : value;
    }
    return this.#chunk;
  }

  /** Made only when it is asked for: most items are never written back. */
  get cas(): bigint {
    return uint64(this.#casHigh, this.#casLow);
  }

  text(): string {
    return decoder.decode(this.#cut ? this.#chunk : this.#view());
  }

  json(): unknown {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch (cause) {
      const who = this.flags === 0 ? "" : "; another client may have written it, whose flags say how";
      throw new SyntaxError(
        `Cannot read ${
          quote(this.key)
        } as JSON: its value, of ${text.length} characters and flags ${this.flags}, is none${who}`,
        { cause },
      );
    }
  }

  #view(): Uint8Array {
    return this.#chunk.subarray(this.#start, this.#end);
  }

  /** The server gives cas values. */
  static isFenced(item: Item): boolean {
    return #chunk in item ? (item.#casHigh | item.#casLow) !== 0 : item.cas !== 0n;
  }

  /** Its bytes to look at, not to keep: they may be a small part of a large chunk. */
  static viewOf(item: Item): Uint8Array {
    return #chunk in item && !item.#cut ? item.#view() : item.bytes;
  }

  /** The number that it holds as text, with spaces behind it perhaps, as a counter does that has lost a digit. */
  static countOf(item: Item): bigint | undefined {
    if (#chunk in item && !item.#cut) return countIn(item.#chunk, item.#start, item.#end);
    return countIn(item.bytes, 0, item.bytes.length);
  }

  /** From now on it is a token alone, and keeps no chunk alive. */
  static release(item: Item): void {
    if (!(#chunk in item)) return;
    item.#cut = true;
    item.#chunk = NOTHING;
  }
}

/** A write that was confirmed. */
export class ConfirmedWrite extends CasOrigin implements Stored {
  readonly stored = true;
  readonly cas: bigint;

  constructor(cas: bigint, connection: object) {
    super(connection);
    this.cas = cas;
  }
}

/** The cas of a token. Throws a TypeError for what is none. */
export function casOf(token: Item | Stored | bigint): bigint {
  if (typeof token === "bigint") return checkCas(token);
  if (typeof token !== "object" || token === null || originOf(token) === undefined) {
    throw new TypeError(
      `Cannot use ${describeType(token)} as \`cas\`: give the very Item or Stored that a Memcached gave, or a bigint`,
    );
  }
  return checkCas(token.cas);
}
