/**
 * The floor: what the runtime's socket and the server allow. Its frames are encoded beforehand, what is asked in one
 * tick leaves in one write, and of a reply it sees only the length: it counts, and resolves.
 */

import { joined, open, type Transport } from "./transport.ts";

const GET = 0x00, SET = 0x01, GETQ = 0x09, NOOP = 0x0a;
const HEADER = 24;
const SLAB = 1 << 20;
/** Where a header holds its opcode, and the length of what follows it. */
const OPCODE = 1, LENGTH = 8;

export class Floor {
  #transport!: Transport;
  /** What is asked is copied here, one behind the other, and leaves from `#from` on; a full slab is left to the collector. */
  #slab: Uint8Array = new Uint8Array(SLAB);
  #from = 0;
  #to = 0;
  #waiting: (() => void)[] = [];
  #answered = 0;
  /** How much is missing of the frame that the last chunk ended in, and the part of its header that came. */
  #skip = 0;
  #opcode = 0;
  readonly #header = new Uint8Array(HEADER);
  #headerHas = 0;

  static async open(hostname: string, port: number): Promise<Floor> {
    const floor = new Floor();
    floor.#transport = await open(hostname, port, (bytes) => floor.#receive(bytes));
    return floor;
  }

  /** Sends frames that get one answer that counts: a reply to GET or SET, or the NOOP behind quiet ones. */
  send(frames: Uint8Array): Promise<void> {
    if (this.#to + frames.length > this.#slab.length) {
      if (this.#to > this.#from) this.#flush();
      this.#slab = new Uint8Array(Math.max(SLAB, frames.length));
      this.#from = this.#to = 0;
    }
    if (this.#to === this.#from) queueMicrotask(this.#flush);
    this.#slab.set(frames, this.#to);
    this.#to += frames.length;
    return new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#transport.close();
  }

  readonly #flush = (): void => {
    if (this.#to === this.#from) return;
    this.#transport.write(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
  };

  #receive(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#skip === 0 && this.#headerHas === 0 && bytes.length - at >= HEADER) {
        this.#opcode = bytes[at + OPCODE]!;
        this.#skip = lengthIn(bytes, at);
        at += HEADER;
        if (this.#skip === 0) this.#answer();
      } else if (this.#skip === 0) {
        const part = bytes.subarray(at, at + HEADER - this.#headerHas);
        this.#header.set(part, this.#headerHas);
        this.#headerHas += part.length;
        at += part.length;
        if (this.#headerHas < HEADER) return;
        this.#headerHas = 0;
        this.#opcode = this.#header[OPCODE]!;
        this.#skip = lengthIn(this.#header, 0);
        if (this.#skip === 0) this.#answer();
      }
      const skipped = Math.min(this.#skip, bytes.length - at);
      if (skipped === 0) continue;
      at += skipped;
      this.#skip -= skipped;
      if (this.#skip === 0) this.#answer();
    }
  }

  #answer(): void {
    if (this.#opcode === GETQ) return;
    this.#waiting[this.#answered++]!();
    if (this.#answered !== this.#waiting.length && this.#answered < 4096) return;
    this.#waiting = this.#waiting.slice(this.#answered);
    this.#answered = 0;
  }
}

function lengthIn(bytes: Uint8Array, at: number): number {
  const first = at + LENGTH;
  return bytes[first]! << 24 | bytes[first + 1]! << 16 | bytes[first + 2]! << 8 | bytes[first + 3]!;
}

/** A GET of each key. */
export function gets(keys: readonly string[]): Uint8Array[] {
  return keys.map((key) => frame(GET, key));
}

/** A SET of each key, to live for ever. */
export function sets(keys: readonly string[], value: Uint8Array): Uint8Array[] {
  return keys.map((key) => frame(SET, key, new Uint8Array(8), value));
}

/** Quiet GETs of all the keys and the NOOP that ends them. */
export function multiGet(keys: readonly string[]): Uint8Array {
  return joined([...keys.map((key) => frame(GETQ, key)), frame(NOOP, "")]);
}

function frame(
  opcode: number,
  key: string,
  extras: Uint8Array = new Uint8Array(),
  value: Uint8Array = new Uint8Array(),
): Uint8Array {
  const name = new TextEncoder().encode(key);
  const bytes = new Uint8Array(HEADER + extras.length + name.length + value.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x80;
  bytes[OPCODE] = opcode;
  view.setUint16(2, name.length);
  bytes[4] = extras.length;
  view.setUint32(LENGTH, bytes.length - HEADER);
  bytes.set(extras, HEADER);
  bytes.set(name, HEADER + extras.length);
  bytes.set(value, HEADER + extras.length + name.length);
  return bytes;
}
