/** Calls that come before it is known which servers to ask: they wait, and are made in the order in which they came. */

import { deadline } from "../../util/deadline.ts";
import { QueueFullError, TimeoutError } from "../../errors.ts";
import { clientClosed } from "../connection/failure.ts";
import type { ConnectionOptions } from "../connection/connection.ts";
import { type AbortListener, offAbort, onAbort } from "../../util/abort.ts";
import { assertSignal } from "../../util/checks.ts";

/** For how long they wait, and how many of them. */
export interface PendingOptions extends Pick<ConnectionOptions, "clock" | "timeoutMs"> {
  /** Whose name their errors carry. */
  readonly server: string;
  readonly maxCalls: number;
  readonly maxBytes: number;
  /** What has not come yet, as a sentence: "no list of servers has come". */
  readonly waitingFor: string;
}

interface PendingCall extends AbortListener {
  make(): void;
}

/** Calls wait here until what they need is there. */
export class PendingCalls {
  /** Calls pass at once: what they need is there. */
  open: boolean;
  readonly #options: PendingOptions;
  readonly #prepare: (() => Promise<unknown>) | undefined;
  readonly #calls = new Set<PendingCall>();
  /** Bytes of the values that waiting calls hold. */
  #bytes = 0;
  #preparing = false;
  #closed = false;
  #resolveEmpty: (() => void) | undefined;

  /**
   * `prepare` is called with the first call that waits; if it rejects, so do all that wait, and the next call has it
   * tried again. Without it nobody waits.
   */
  constructor(options: PendingOptions, prepare?: () => Promise<unknown>) {
    this.#options = options;
    this.#prepare = prepare;
    this.open = prepare === undefined;
  }

  /** How much of the bounds waits here, from 0 to 1. */
  get load(): number {
    return Math.max(this.#calls.size / this.#options.maxCalls, this.#bytes / this.#options.maxBytes);
  }

  /**
   * Makes the call once that is possible; `action` names it in errors, and `bytes` is what it holds meanwhile. Rejects when
   * that takes too long, or the signal fires.
   */
  whenOpen<T>(action: string, signal: AbortSignal | undefined, call: () => Promise<T>, bytes = 0): Promise<T> {
    const { server, clock, timeoutMs, maxCalls, maxBytes, waitingFor } = this.#options;
    if (this.#closed) return Promise.reject(clientClosed(action));
    if (signal !== undefined) assertSignal(signal);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { size } = this.#calls;
    if (size >= maxCalls || size > 0 && this.#bytes + bytes > maxBytes) {
      const state = `${size} calls with ${this.#bytes} bytes wait already, and ${waitingFor}; nothing was sent`;
      return Promise.reject(new QueueFullError(`Cannot ${action}: ${state}`, server));
    }
    this.#bytes += bytes;
    const made = new Promise<T>((resolve, reject) => {
      const end = () => {
        this.#calls.delete(pending);
        this.#bytes -= bytes;
        cancelTimer();
        if (signal !== undefined) offAbort(signal, pending);
        if (this.#calls.size === 0) this.#resolveEmpty?.();
      };
      const pending: PendingCall = {
        make: () => {
          end();
          try {
            resolve(call());
          } catch (error) {
            reject(error);
          }
        },
        aborted: (reason) => {
          end();
          reject(reason);
        },
      };
      const message = `Cannot ${action}: ${waitingFor} within ${timeoutMs} ms; nothing was sent`;
      const cancelTimer = deadline(clock, timeoutMs, () => pending.aborted(new TimeoutError(message, server)));
      if (signal !== undefined) onAbort(signal, pending);
      this.#calls.add(pending);
    });
    if (!this.#preparing) this.#begin();
    return made;
  }

  /** From now on calls reject. Resolves when nobody waits any more. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.#calls.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#resolveEmpty = resolve);
  }

  #begin(): void {
    this.#preparing = true;
    this.#prepare!().then(() => {
      if (this.#closed && this.#calls.size === 0) return; // whoever comes later is refused
      this.open = true;
      // In one step: whatever is asked from now on comes after those that wait.
      for (const pending of this.#calls) pending.make();
    }, (error) => {
      this.#preparing = false;
      for (const pending of [...this.#calls]) pending.aborted(error);
    });
  }
}
