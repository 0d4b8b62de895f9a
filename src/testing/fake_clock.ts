import { type Clock, systemClock } from "../util/clock.ts";

interface Timer {
  readonly due: number;
  readonly wake: () => void;
  referenced: boolean;
}

/** Node's, Deno's and Bun's; a turn of the event loop without a timer's millisecond. */
const { setImmediate } = globalThis as unknown as { setImmediate?(wake: () => void): unknown };

/**
 * A clock that stands still until a test advances it, so that no test sleeps: for a backend (and the store that it
 * makes), a MemoryStore, a Memcached client.
 *
 * @example
 * ```ts
 * import { cached, configure } from "@x/cache-utils";
 * import { FakeClock } from "@x/cache-utils/testing";
 *
 * const clock = new FakeClock();
 * configure({ clock, ttl: "5s", stale: 0 }); // before each test: an empty cache of its own
 * const now = cached(() => clock.now(), { name: "now" });
 * const first = await now();
 * await clock.advance(5000);
 * console.log(await now() - first); // 5000
 * ```
 */
export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  #now: number;
  readonly #began: number;
  #setByMs = 0;

  /** `now`: its first reading, in epoch ms. Default: a moment of 2030. */
  constructor(now = 1_900_000_000_000) {
    this.#now = this.#began = now;
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.#now + this.#setByMs;
  }

  /** How many milliseconds it was advanced by in all, whatever it was set to. */
  monotonic(): number {
    return this.#now - this.#began;
  }

  /** Makes `now()` jump by `ms`, back if that is negative, as when somebody sets the machine's clock. No timer fires. */
  set(ms: number): void {
    this.#setByMs += ms;
  }

  /** Calls `wake` once the clock has advanced by `ms`, never within this call. */
  setTimeout(wake: () => void, ms: number): unknown {
    const timer: Timer = { due: this.#now + (ms > 0 ? ms : 0), wake, referenced: true };
    this.#timers.add(timer);
    return timer;
  }

  /** Forgets a timer; one that has fired, or `undefined`, is fine. */
  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** The timer no longer counts in `referenced`; it fires all the same. */
  unref(timer: unknown): void {
    (timer as Timer).referenced = false;
  }

  /** How many timers have neither fired nor been cleared. */
  get pending(): number {
    return this.#timers.size;
  }

  /** How many of them would keep a process alive. */
  get referenced(): number {
    let count = 0;
    for (const timer of this.#timers) if (timer.referenced) count++;
    return count;
  }

  /**
   * Advances the clock by `ms`. Timers fire one by one, in the order of their times (of one time: in the order they were
   * set), those set on the way included; before, between and after them everything that waits for no timer settles.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`Cannot advance by ${ms}: it must be a number of milliseconds, 0 or more`);
    const end = this.#now + ms;
    await this.settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = next.due;
      next.wake();
      await this.settle();
    }
    this.#now = end;
    await this.settle();
  }

  /** Resolves when everything that waits for no timer and no input has settled. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      if (setImmediate !== undefined) setImmediate(resolve);
      else systemClock.setTimeout(resolve, 0);
    });
  }

  /** A set keeps the order of its additions, so the first of the earliest is the one set first. */
  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }
}
