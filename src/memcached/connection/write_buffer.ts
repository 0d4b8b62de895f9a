/**
 * What leaves next: the frames of one tick, one behind the other, in one buffer that is written at once. While one buffer
 * is being written the other one fills.
 */

import type { Operation } from "./operation.ts";
import type { Wire } from "../protocol/wire.ts";

const FIRST_BYTES = 16 * 1024;
/** A larger buffer is given back to the runtime once it was written. */
const MOST_KEPT = 1024 * 1024;

/** The outgoing bytes of one connection. */
export class WriteBuffer {
  readonly #wire: Wire;
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  /** Where the next frame goes; 0: nothing waits. */
  end = 0;
  /** The other buffer, while it is not being written. */
  #spare: Uint8Array | undefined;
  #written: Uint8Array | undefined;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Writes an operation's frame behind those that wait. From now on the caller may change its value. */
  append(operation: Operation): void {
    const room = this.#wire.room(operation);
    const wanted = this.end + room;
    if (wanted > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(wanted, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.end));
      this.#bytes = larger;
    }
    operation.start = this.end;
    this.end = this.#wire.write(operation, this.#bytes, this.end);
    operation.bytes = this.end - operation.start;
    const value = operation.details?.value;
    if (typeof value === "object") operation.valueBytes = value.length;
  }

  /** Takes the frame that was written last out again. */
  undo({ start }: Operation): void {
    this.end = start;
  }

  /**
   * A frame that is never sent here goes out on another connection: its value is copied back out of it, since the caller
   * may have changed the bytes that were given. Texts cannot change.
   */
  restore({ start, bytes, valueBytes, details }: Operation): void {
    if (typeof details?.value !== "object") return;
    const end = start + bytes - this.#wire.bytesBehindValue;
    details.value = this.#bytes.slice(end - valueBytes, end);
  }

  /** Takes frames out that nobody waits for any more, given in their order in the buffer. */
  drop(frames: readonly { readonly start: number; readonly bytes: number }[]): void {
    let end = frames[0]?.start ?? this.end;
    frames.forEach(({ start, bytes }, n) => {
      const next = frames[n + 1]?.start ?? this.end;
      this.#bytes.copyWithin(end, start + bytes, next);
      end += next - (start + bytes);
    });
    this.end = end;
  }

  /** What is to be written, until `written`; new frames go into the other buffer. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.end);
    this.#written = this.#bytes;
    this.#bytes = this.#spare ?? new Uint8Array(FIRST_BYTES);
    this.#spare = undefined;
    this.end = 0;
    return taken;
  }

  /** What was taken has been written. */
  written(): void {
    if (this.#written !== undefined && this.#written.length <= MOST_KEPT) this.#spare = this.#written;
    this.#written = undefined;
  }

  /** Nothing will be written any more. */
  release(): void {
    this.#bytes = new Uint8Array(0);
    this.end = 0;
    this.#spare = this.#written = undefined;
  }
}
