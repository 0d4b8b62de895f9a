/** Calls that come before there is something to ask: they wait, and are made in the order in which they came. */

import { deadline } from "../../util/deadline.ts";
import type { Clock } from "../../util/clock.ts";
import { ConnectionError, MemcachedError, QueueFullError, TimeoutError } from "../../errors.ts";
import { clientClosed } from "../connection/failure.ts";
import { type AbortListener, offAbort, onAbort } from "../../util/abort.ts";
import { checkSignal } from "../protocol/request.ts";

/** For how long, and how many of them. */
export interface GateSettings {
  /** Whose name their errors carry. */
  readonly server: string;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  readonly maxBytesInFlight: number;
  /** Connections that they are for: so many times the bounds. */
  readonly lanes: number;
  /** "no list of servers has come": what they wait for. */
  readonly lack: string;
}

/** So many calls are made in one step, so that a hundred thousand do not hold up the event loop. */
const CALLS_A_STEP = 10_000;

interface Waiting extends AbortListener {
  made(): void;
}

/** Shut until what it waits for is there. */
export class Gate {
  /** Nobody has to wait. */
  open: boolean;
  readonly #settings: GateSettings;
  readonly #prepare: (() => Promise<unknown>) | undefined;
  readonly #waiting = new Set<Waiting>();
  /** Of the values that wait. */
  #bytes = 0;
  #preparing = false;
  #closed = false;
  #resolveEmpty: (() => void) | undefined;

  /**
   * `prepare` is called with the first call that waits; if it rejects, so do all that wait, and the next call has it
   * tried again. Without it the gate is open.
   */
  constructor(settings: GateSettings, prepare?: () => Promise<unknown>) {
    this.#settings = settings;
    this.#prepare = prepare;
    this.open = prepare === undefined;
  }

  /** How much of the bounds waits here, from 0 to 1. */
  get load(): number {
    const { lanes, maxInFlight, maxBytesInFlight } = this.#settings;
    return Math.max(this.#waiting.size / (lanes * maxInFlight), this.#bytes / (lanes * maxBytesInFlight));
  }

  /**
   * Makes the call once the gate is open; `action` names it in errors, and `bytes` is what it holds meanwhile. Rejects
   * when that takes too long, or the signal fires.
   */
  whenOpen<T>(action: string, signal: AbortSignal | undefined, call: () => Promise<T>, bytes = 0): Promise<T> {
    const { server, clock, timeoutMs, maxInFlight, maxBytesInFlight, lanes, lack } = this.#settings;
    if (this.#closed) return Promise.reject(clientClosed(action));
    if (signal !== undefined) checkSignal(signal);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { size } = this.#waiting;
    if (size >= lanes * maxInFlight || size > 0 && this.#bytes + bytes > lanes * maxBytesInFlight) {
      const state = `${size} calls with ${this.#bytes} bytes wait already, and ${lack}; nothing was sent`;
      return Promise.reject(new QueueFullError(`Cannot ${action}: ${state}`, server));
    }
    this.#bytes += bytes;
    const made = new Promise<T>((resolve, reject) => {
      const end = () => {
        this.#waiting.delete(waiting);
        this.#bytes -= bytes;
        cancelTimer();
        if (signal !== undefined) offAbort(signal, waiting);
        if (this.#waiting.size === 0) this.#resolveEmpty?.();
      };
      const waiting: Waiting = {
        made: () => {
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
      const message = `Cannot ${action}: ${lack} within ${timeoutMs} ms; nothing was sent`;
      const cancelTimer = deadline(clock, timeoutMs, () => waiting.aborted(new TimeoutError(message, server)));
      if (signal !== undefined) onAbort(signal, waiting);
      this.#waiting.add(waiting);
    });
    if (!this.#preparing) this.#begin();
    return made;
  }

  /** From now on calls reject. Resolves when nobody waits any more. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#resolveEmpty = resolve);
  }

  #begin(): void {
    this.#preparing = true;
    this.#prepare!().then(() => this.#pass(), (error) => {
      this.#preparing = false;
      const { server } = this.#settings;
      // What is no error of ours is a module that cannot be loaded.
      const told = error instanceof MemcachedError
        ? error
        : new ConnectionError(`Cannot load the driver: ${String(error)}; nothing was sent`, server, { cause: error });
      for (const waiting of [...this.#waiting]) waiting.aborted(told);
    });
  }

  /** Those that wait go first, whatever is asked from now on comes after them. */
  #pass(): void {
    if (this.#closed && this.#waiting.size === 0) return; // whoever comes later is refused
    this.open = true;
    let left = CALLS_A_STEP;
    for (const waiting of this.#waiting) {
      waiting.made();
      if (--left === 0) break;
    }
    if (this.#waiting.size === 0) return;
    this.open = false;
    this.#settings.clock.setTimeout(() => this.#pass(), 0);
  }
}
