import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import { type About, type GuardedStore, UNANSWERED } from "../store/guarded.ts";

/** A poll that comes first finds most computations still running; one that comes late makes every waiter late. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/**
 * Waits for leases of other processes: one poller per key and nonce, whoever waits. It only wakes; what there is to see
 * then, each waiter sees in a look of its own. A lease is known by its nonce, not by its token, since cas values repeat
 * after a server restart and the waiter would wait for ever.
 */
export class Pollers {
  readonly #store: GuardedStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pollers = new Map<string, Poller>();

  constructor(store: GuardedStore, clock: Clock, random: Random) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  /** `gone` resolves once another nonce, or none, stands under the key, or the store does not answer. */
  wait(about: About, nonce: string): { readonly gone: Promise<void>; leave(): void } {
    const id = `${nonce} ${about.key}`;
    let poller = this.#pollers.get(id);
    if (poller === undefined) {
      const own = new Poller(this.#clock, this.#random, () => this.#held(about, nonce), () => this.#pollers.delete(id));
      this.#pollers.set(id, poller = own);
    }
    return poller.join();
  }

  async #held(about: About, nonce: string): Promise<boolean> {
    const found = await this.#store.get(about);
    return found !== UNANSWERED && found?.entry.kind === "lease" && found.entry.nonce === nonce;
  }

  /** Wakes everybody: the backend closes. */
  close(): void {
    for (const poller of [...this.#pollers.values()]) poller.wake();
  }
}

class Poller {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #held: () => Promise<boolean>;
  readonly #stopped: () => void;
  readonly #waiters = new Set<() => void>();
  #pauseMs = FIRST_PAUSE_MS;
  #timer: unknown;

  constructor(clock: Clock, random: Random, held: () => Promise<boolean>, stopped: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#held = held;
    this.#stopped = stopped;
    this.#pause();
  }

  /** Each waiter has a promise of its own, so that what waited for it, a timer maybe, is done when it leaves. */
  join(): { readonly gone: Promise<void>; leave(): void } {
    let waiter!: () => void;
    const gone = new Promise<void>((resolve) => waiter = resolve);
    this.#waiters.add(waiter);
    return {
      gone,
      leave: () => {
        this.#waiters.delete(waiter);
        waiter();
        if (this.#waiters.size === 0) this.wake();
      },
    };
  }

  wake(): void {
    if (this.#timer === undefined) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stopped();
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }

  /** Pauses grow and are drawn between half and all, so that processes that began to wait together do not poll together. */
  #pause(): void {
    const ms = this.#pauseMs * (0.5 + this.#random.fraction() / 2);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
    this.#timer = this.#clock.setTimeout(() => void this.#poll(), ms);
  }

  async #poll(): Promise<void> {
    const held = await this.#held();
    // Everybody may have left in between.
    if (this.#timer === undefined) return;
    if (held) this.#pause();
    else this.wake();
  }
}
