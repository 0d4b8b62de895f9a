/**
 * Calls that heed a signal. A signal keeps its listeners in a list, so a thousand calls with one signal, each with a
 * listener of its own, would search that list a thousand times. Here a signal has one listener, while anybody heeds it.
 */

/** Who leaves when the signal fires. */
export interface Heeding {
  leave(reason: unknown): void;
}

const heeding = new WeakMap<AbortSignal, Signal>();

class Signal {
  readonly #signal: AbortSignal;
  readonly #all = new Set<Heeding>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(one: Heeding): void {
    if (this.#all.size === 0) this.#signal.addEventListener("abort", this.#fired);
    this.#all.add(one);
  }

  remove(one: Heeding): void {
    if (this.#all.delete(one) && this.#all.size === 0) this.#signal.removeEventListener("abort", this.#fired);
  }

  // Those that leave remove themselves, and nobody joins a signal that has fired.
  readonly #fired = (): void => {
    for (const one of this.#all) one.leave(this.#signal.reason);
  };
}

/** From now on it leaves when the signal fires. */
export function heed(signal: AbortSignal, one: Heeding): void {
  let known = heeding.get(signal);
  if (known === undefined) heeding.set(signal, known = new Signal(signal));
  known.add(one);
}

/** No longer. */
export function ignore(signal: AbortSignal, one: Heeding): void {
  heeding.get(signal)?.remove(one);
}
