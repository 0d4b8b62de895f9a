/**
 * The floor: what the runtime's socket and the server allow. Its frames are encoded beforehand, what is asked in one
 * tick leaves in one write, and of a reply it sees only the length: it counts, and resolves.
 */

import type * as Net from "node:net";

const GET = 0x00, SET = 0x01, GETQ = 0x09, NOOP = 0x0a;
const HEADER = 24;
const SLAB = 1 << 20;
/** Where a header holds its opcode, and the length of what follows it. */
const OPCODE = 1, LENGTH = 8;

/** Bytes out. What is given to `write` is not touched any more. */
interface Transport {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** Called with bytes that came, in a buffer that is used again afterwards. */
type Receive = (bytes: Uint8Array) => void;

export class Floor {
  #transport!: Transport;
  /** What is asked is copied here, one behind the other, and leaves from `#from` on; a full slab is left to the collector. */
  #slab: Uint8Array = new Uint8Array(SLAB);
  #from = 0;
  #to = 0;
  #waiting: (() => void)[] = [];
  #answered = 0;
  /** How much is missing of the frame that the last chunk ended in, and the part of a header that came. */
  #missing = 0;
  #opcode = 0;
  #rest: Uint8Array = new Uint8Array();

  static async open(hostname: string, port: number): Promise<Floor> {
    const floor = new Floor();
    const { Bun, Deno } = globalThis as unknown as Runtimes;
    const open = Bun ? openBun : Deno ? openDeno : openNode;
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

  #receive(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? chunk : joined([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      if (this.#missing === 0) {
        if (bytes.length - at < HEADER) break;
        this.#opcode = bytes[at + OPCODE]!;
        this.#missing = lengthIn(bytes, at + LENGTH);
        at += HEADER;
      }
      const passed = Math.min(this.#missing, bytes.length - at);
      at += passed;
      this.#missing -= passed;
      if (this.#missing > 0) break;
      this.#answer();
    }
    this.#rest = bytes.slice(at);
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
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}

/** A GET of each key. */
export function gets(keys: readonly string[]): Uint8Array[] {
  return keys.map((key) => frame(GET, key));
}

/** A SET of each key, to live for ever. */
export function sets(keys: readonly string[], value: string): Uint8Array[] {
  return keys.map((key) => frame(SET, key, new Uint8Array(8), value));
}

/** Quiet GETs of all the keys and the NOOP that ends them. */
export function multiGet(keys: readonly string[]): Uint8Array {
  return joined([...keys.map((key) => frame(GETQ, key)), frame(NOOP, "")]);
}

function frame(opcode: number, key: string, extras: Uint8Array = new Uint8Array(), value = ""): Uint8Array {
  const body = joined([extras, new TextEncoder().encode(key + value)]);
  const header = new DataView(new ArrayBuffer(HEADER));
  header.setUint8(0, 0x80);
  header.setUint8(OPCODE, opcode);
  header.setUint16(2, new TextEncoder().encode(key).length);
  header.setUint8(4, extras.length);
  header.setUint32(LENGTH, body.length);
  return joined([new Uint8Array(header.buffer), body]);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** What is used of the runtimes' own sockets. */
interface Runtimes {
  readonly Deno: {
    connect(to: { hostname: string; port: number }): Promise<{
      read(into: Uint8Array): Promise<number | null>;
      write(bytes: Uint8Array): Promise<number>;
      close(): void;
      setNoDelay(): void;
    }>;
  };
  readonly Bun: {
    connect(to: {
      hostname: string;
      port: number;
      socket: { data(socket: unknown, bytes: Uint8Array): void; drain(): void };
    }): Promise<{ write(bytes: Uint8Array): number; end(): void }>;
  };
}

async function openDeno(hostname: string, port: number, receive: Receive): Promise<Transport> {
  const conn = await (globalThis as unknown as Runtimes).Deno.connect({ hostname, port });
  conn.setNoDelay();
  let closed = false;
  const reading = async () => {
    const slab = new Uint8Array(SLAB);
    for (let read = await conn.read(slab); read !== null; read = await conn.read(slab)) receive(slab.subarray(0, read));
  };
  reading().catch((error) => {
    if (!closed) throw error;
  });
  let waiting: Uint8Array[] = [];
  let writing = false;
  const drain = async () => {
    writing = true;
    while (waiting.length > 0) {
      let bytes = joined(waiting);
      waiting = [];
      while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
    }
    writing = false;
  };
  return {
    write(bytes) {
      waiting.push(bytes);
      if (!writing) drain();
    },
    close() {
      closed = true;
      conn.close();
    },
  };
}

async function openBun(hostname: string, port: number, receive: Receive): Promise<Transport> {
  let rest: Uint8Array | undefined;
  const drain = () => {
    if (rest === undefined) return;
    const written = Math.max(0, socket.write(rest));
    rest = written < rest.length ? rest.subarray(written) : undefined;
  };
  const { Bun } = globalThis as unknown as Runtimes;
  const socket = await Bun.connect({ hostname, port, socket: { data: (_, bytes) => receive(bytes), drain } });
  return {
    write(bytes) {
      const waited = rest !== undefined;
      rest = waited ? joined([rest!, bytes]) : bytes;
      if (!waited) drain();
    },
    close: () => socket.end(),
  };
}

async function openNode(hostname: string, port: number, receive: Receive): Promise<Transport> {
  // Loaded here, so that the other runtimes do not load it.
  const { connect } = await import("node:net") as typeof Net;
  const socket = connect(port, hostname);
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.setNoDelay();
  socket.on("data", receive);
  return { write: (bytes) => void socket.write(bytes), close: () => socket.destroy() };
}
