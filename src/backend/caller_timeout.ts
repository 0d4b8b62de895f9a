import { CacheTimeoutError } from "../errors.ts";
import { type AbortListener, offAbort, onAbort } from "../util/abort.ts";
import type { Clock } from "../util/clock.ts";

/** How long one caller waits: its `timeout`, counted from the beginning of its call, and its signal. */
export class CallerTimeout implements AbortListener {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: unknown;
  /** Why the caller left, once it did. */
  #left: { readonly reason: unknown; readonly why: "aborted" | "timed out" } | undefined;
  /** Rejects the one wait that is under way: a call waits for one thing at a time. */
  #reject: ((reason: unknown) => void) | undefined;

  constructor(clock: Clock, key: string, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#signal = signal;
    if (timeoutMs !== Infinity) {
      const error = () =>
        new CacheTimeoutError(`Cannot answer ${key}: no result within the call's timeout of ${timeoutMs} ms`);
      this.#timer = clock.setTimeout(() => this.#leave(error(), "timed out"), timeoutMs);
    }
    if (signal?.aborted) this.aborted(signal.reason);
    else if (signal !== undefined) onAbort(signal, this);
  }

  /** The signal has fired. */
  aborted(reason: unknown): void {
    this.#leave(reason, "aborted");
  }

  get hasLeft(): boolean {
    return this.#left !== undefined;
  }

  /** Why the caller left: a timeout is no abort, so a computation goes on for it. */
  get why(): "aborted" | "timed out" {
    return this.#left?.why ?? "timed out";
  }

  /** Settles as the promise does, or rejects as soon as the caller leaves. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#left !== undefined) reject(this.#left.reason);
      this.#reject = reject;
      promise.then(resolve, reject);
    });
  }

  /** The call is over: no timer and no listener stays. */
  end(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    if (this.#signal !== undefined) offAbort(this.#signal, this);
  }

  #leave(reason: unknown, why: "aborted" | "timed out"): void {
    this.#left ??= { reason, why };
    this.#reject?.(reason);
    this.end();
  }
}

/** What `withTimeout` gives when the time was up first. */
export const TIMED_OUT: unique symbol = Symbol("timed out");

/** Settles as the promise does, or gives TIMED_OUT after so many ms. */
export function withTimeout<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | typeof TIMED_OUT> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => resolve(TIMED_OUT), Math.max(0, ms));
    const settled = () => clock.clearTimeout(timer);
    promise.then((value) => (settled(), resolve(value)), (error) => (settled(), reject(error)));
  });
}
