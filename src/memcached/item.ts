/** What the driver gives out for what is on a server. Both remember the connection that gave them: see `CasOptions`. */

/** Something found. */
export interface Item {
  /** The key it was asked for under. */
  readonly key: string;
  /** Its value; one's own to change. */
  readonly bytes: Uint8Array;
  /** 32 bits that the writer chose. */
  readonly flags: number;
  /** Changes with every write. 0n: the server gives none (memcached -C). */
  readonly cas: bigint;
  /** The value as UTF-8 text. */
  text(): string;
  /** The value as JSON. Throws a SyntaxError for what is none. */
  json(): unknown;
}

/** What a successful write left there. */
export interface Stored {
  /** It was written. */
  readonly stored: true;
  /** Of what is there now. 0n: the server gives none (memcached -C). */
  readonly cas: bigint;
}

/** Whatever gives items: its identity is all that counts. */
type Origin = object;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A view is given out only if it keeps at most so many times its own size from being freed. */
const MOST_HELD = 4;

/**
 * An item in the chunk it was received in. Its bytes are looked at only when they are asked for: `text` and `json` decode
 * in place; `bytes` is a copy where the value is a small part of the chunk, since a view would keep all of that alive.
 */
export class ReceivedItem implements Item {
  readonly key: string;
  readonly flags: number;
  readonly cas: bigint;
  #bytes: Uint8Array;
  #own = false;
  readonly #origin: Origin;

  constructor(key: string, view: Uint8Array, flags: number, cas: bigint, origin: Origin) {
    this.key = key;
    this.flags = flags;
    this.cas = cas;
    this.#bytes = view;
    this.#origin = origin;
  }

  get bytes(): Uint8Array {
    if (!this.#own) {
      this.#own = true;
      if (this.#bytes.buffer.byteLength > this.#bytes.length * MOST_HELD) this.#bytes = this.#bytes.slice();
    }
    return this.#bytes;
  }

  text(): string {
    return decoder.decode(this.#bytes);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  /** The connection that gave it; `undefined`: it is none of ours. */
  static originOf(item: object): Origin | undefined {
    return #origin in item ? item.#origin : undefined;
  }
}

/** A write that was confirmed. */
export class ConfirmedWrite implements Stored {
  readonly stored = true;
  readonly cas: bigint;
  readonly #origin: Origin;

  constructor(cas: bigint, origin: Origin) {
    this.cas = cas;
    this.#origin = origin;
  }

  /** The connection that gave it; `undefined`: it is none of ours. */
  static originOf(stored: object): Origin | undefined {
    return #origin in stored ? stored.#origin : undefined;
  }
}

/** The connection that gave an Item or Stored; `undefined`: it is none of ours. */
export function originOf(token: object): Origin | undefined {
  return ReceivedItem.originOf(token) ?? ConfirmedWrite.originOf(token);
}
