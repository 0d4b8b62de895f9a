import { type AbortListener, offAbort, onAbort } from "../util/abort.ts";
import type { Clock } from "../util/clock.ts";
import { CacheTimeoutError } from "../errors.ts";

/** One caller's patience: its `timeout`, counted from the beginning of its call, and its signal. */
export class Patience implements AbortListener {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #timer: unknown;
  /** Why the caller left, once it did. */
  #left: { readonly reason: unknown } | undefined;
  #why: "aborted" | "late" = "late";
  /** Rejects the one wait that is under way: a call waits for one thing at a time. */
  #reject: ((reason: unknown) => void) | undefined;

  constructor(clock: Clock, key: string, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#signal = signal;
    if (timeoutMs !== Infinity) {
      this.#timer = clock.setTimeout(() => {
        this.#end(
          new CacheTimeoutError(`Cannot answer ${key}: no result within the call's timeout of ${timeoutMs} ms`),
        );
      }, timeoutMs);
    }
    if (signal?.aborted) this.aborted(signal.reason);
    else if (signal !== undefined) onAbort(signal, this);
  }

  /** The signal has fired. */
  aborted(reason: unknown): void {
    this.#why = "aborted";
    this.#end(reason);
  }

  /** What ended it: a timeout is no abort. */
  get why(): "aborted" | "late" {
    return this.#why;
  }

  /** As the promise settles, or a rejection as soon as the caller leaves. */
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

  #end(reason: unknown): void {
    this.#left ??= { reason };
    this.#reject?.(reason);
    this.end();
  }
}

/** The answer of `within` when the time was up first. */
export const LATE: unique symbol = Symbol("late");

/** As the promise settles, or LATE after so many ms. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => resolve(LATE), Math.max(0, ms));
    promise.then(
      (value) => {
        clock.clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clock.clearTimeout(timer);
        reject(error);
      },
    );
  });
}
