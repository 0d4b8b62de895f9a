import type { Clock } from "../util/clock.ts";
import { TIMED_OUT, withTimeout } from "./caller_timeout.ts";

/** Lets so many computations run at once; the others wait in the order in which they came. */
export class ConcurrencyLimit {
  readonly #clock: Clock;
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#free = most;
  }

  /**
   * Waits for a turn, and after `longestMs` goes on without one, since the functions before it may hang. Returns a function
   * that ends the turn; call it once.
   */
  async acquire(longestMs: number): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else {
      let go!: () => void;
      const turn = new Promise<void>((resolve) => go = resolve);
      this.#waiting.add(go);
      if (await withTimeout(this.#clock, longestMs, turn) === TIMED_OUT && this.#waiting.delete(go)) return () => {};
    }
    return () => this.#release();
  }

  #release(): void {
    for (const go of this.#waiting) {
      this.#waiting.delete(go);
      return go();
    }
    this.#free++;
  }
}
