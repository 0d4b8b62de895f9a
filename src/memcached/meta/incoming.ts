/**
 * Bytes that have come and were not read yet. A reply is read in the chunk that it came in; only one that was cut is
 * joined, once its length is known, into a buffer of just that length.
 */

const NOTHING = new Uint8Array(0);

/** What a reader stands on. */
export class Incoming {
  chunk: Uint8Array = NOTHING;
  /** Where in `chunk` the next reply begins. */
  protected at = 0;
  /** How many bytes of `chunk` have come: all, unless it is the buffer of a reply that was cut. */
  protected filled = 0;
  /** How long the reply is that begins at `at`. 0: not known, its first line is cut. */
  protected known = 0;
  /** What came in one chunk behind the end of a joined reply. */
  #after: Uint8Array | undefined;

  /** More bytes. */
  push(bytes: Uint8Array): void {
    if (this.#after !== undefined) {
      this.#after = join(this.#after, bytes);
      return;
    }
    const left = this.filled - this.at;
    if (left === 0) {
      this.#start(bytes);
      return;
    }
    const chunk = this.chunk;
    if (this.filled === chunk.length && this.#continues(bytes)) {
      // The socket reads on into the same slab: one longer view, nothing to copy.
      this.#start(new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset + this.at, left + bytes.length));
      return;
    }
    if (this.known === 0) this.#start(join(chunk.subarray(this.at, this.filled), bytes));
    else this.#fill(bytes, left);
  }

  /** Is there anything to read? */
  protected more(): boolean {
    if (this.filled > this.at) return true;
    if (this.#after === undefined) {
      // A joined reply's buffer, or a slab, is not held while nothing comes.
      this.#start(NOTHING);
      return false;
    }
    this.#start(this.#after);
    this.#after = undefined;
    return this.filled > 0;
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

  /** The rest of a reply whose length is known; what comes behind it is a chunk of its own. */
  #fill(bytes: Uint8Array, left: number): void {
    const { known } = this;
    if (left >= known) {
      // It is whole already, and was not read yet.
      this.#after = bytes;
      return;
    }
    if (this.chunk.length !== known || this.at !== 0) {
      const reply = new Uint8Array(known);
      reply.set(this.chunk.subarray(this.at, this.filled));
      this.chunk = reply;
      this.at = 0;
      this.filled = left;
    }
    const missing = known - left;
    if (bytes.length <= missing) {
      this.chunk.set(bytes, left);
      this.filled += bytes.length;
      return;
    }
    this.chunk.set(bytes.subarray(0, missing), left);
    this.filled = known;
    this.#after = bytes.subarray(missing);
  }
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
