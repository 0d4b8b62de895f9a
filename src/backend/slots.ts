import type { Clock } from "../util/clock.ts";
import { LATE, within } from "./caller_timeout.ts";

/** So many at once; the others wait in the order in which they came. */
export class Slots {
  readonly #clock: Clock;
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#free = most;
  }

  /**
   * Waits for a slot, at most so long: who comes last behind functions that hang goes on without one. Gives the way to
   * give it back, once.
   */
  async take(longestMs: number): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else {
      let go!: () => void;
      const turn = new Promise<void>((resolve) => go = resolve);
      this.#waiting.add(go);
      if (await within(this.#clock, longestMs, turn) === LATE && this.#waiting.delete(go)) return () => {};
    }
    return () => this.#giveBack();
  }

  #giveBack(): void {
    for (const go of this.#waiting) {
      this.#waiting.delete(go);
      return go();
    }
    this.#free++;
  }
}
