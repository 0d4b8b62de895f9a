/**
 * A stream of bytes in the chunks it came in. A frame that lies whole in one is read in place; one that was cut is joined,
 * once, into a buffer of its length, as soon as that is known.
 */

const NOTHING = new Uint8Array(0);

/** What a reader of frames reads from. */
export abstract class Chunks {
  chunk: Uint8Array = NOTHING;
  /** Where in `chunk` the next frame begins. */
  protected at = 0;
  /** How many bytes of `chunk` have come: all, unless it is the buffer of a frame that was cut. */
  protected filled = 0;
  /** The length of the frame at `at`; 0 unless the reader knows it and some of it has not come. */
  protected wanted = 0;
  /** What came in one chunk behind the end of a joined frame. */
  #after: Uint8Array | undefined;
  /** So many bytes of a frame that is passed over have not come yet. */
  #toPass = 0;

  /** More bytes. */
  push(bytes: Uint8Array): void {
    if (this.#toPass > 0) {
      const passed = Math.min(this.#toPass, bytes.length);
      this.#toPass -= passed;
      if (passed === bytes.length) return;
      bytes = bytes.subarray(passed);
    }
    if (this.#after !== undefined) return void (this.#after = joined(this.#after, bytes));
    const left = this.filled - this.at;
    if (left === 0) return this.#start(bytes);
    const chunk = this.chunk;
    if (this.filled === chunk.length && this.#continues(bytes)) {
      // The socket reads on into the same slab: one longer view, nothing to copy.
      this.#start(new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset + this.at, left + bytes.length));
      return;
    }
    this.#join(bytes, left);
  }

  /** Lets go of what was not read. */
  release(): void {
    this.#after = undefined;
    this.#toPass = 0;
    this.#start(NOTHING);
  }

  /** How many bytes there are to read from `at` on. */
  protected available(): number {
    const left = this.filled - this.at;
    if (left > 0) return left;
    if (this.#after === undefined) {
      // A joined frame's buffer, or a slab, is not held while nothing comes.
      this.#start(NOTHING);
      return 0;
    }
    this.#start(this.#after);
    this.#after = undefined;
    return this.filled;
  }

  /** The frame at `at` was read; it ended here. */
  protected take(end: number): void {
    this.at = end;
    this.wanted = 0;
  }

  /** The next bytes are of no use: those that have come are let go, and the others as they come, so that none is kept. */
  protected passOver(bytes: number): void {
    const here = Math.min(bytes, this.filled - this.at);
    this.take(this.at + here);
    this.#toPass = bytes - here;
    const after = this.#after;
    this.#after = undefined;
    if (after !== undefined) this.push(after);
  }

  /** What was not read. */
  protected get rest(): Uint8Array {
    return this.chunk.subarray(this.at, this.filled);
  }

  #start(bytes: Uint8Array): void {
    this.chunk = bytes;
    this.filled = bytes.length;
    this.at = 0;
  }

  #continues(bytes: Uint8Array): boolean {
    const { buffer, byteOffset, length } = this.chunk;
    return bytes.buffer === buffer && bytes.byteOffset === byteOffset + length;
  }

  /** While the length of a frame is unknown, the two pieces are simply joined. */
  #join(bytes: Uint8Array, left: number): void {
    const { wanted } = this;
    if (wanted <= left) return this.#start(joined(this.rest, bytes));
    if (this.chunk.length !== wanted || this.at !== 0) {
      const frame = new Uint8Array(wanted);
      frame.set(this.rest);
      this.chunk = frame;
      this.at = 0;
      this.filled = left;
    }
    const missing = wanted - left;
    this.chunk.set(bytes.subarray(0, missing), left);
    this.filled += Math.min(missing, bytes.length);
    if (bytes.length > missing) this.#after = bytes.subarray(missing);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
