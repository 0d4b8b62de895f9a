/**
 * Calls that leave when a signal fires. A signal keeps its listeners in a list, so a thousand calls with one signal, each
 * with a listener of its own, would search that list a thousand times. Here a signal has one listener, while anybody
 * waits for it.
 */

/** Who leaves when the signal fires. */
export interface AbortListener {
  aborted(reason: unknown): void;
}

const watched = new WeakMap<AbortSignal, Watched>();

class Watched {
  readonly #signal: AbortSignal;
  readonly #all = new Set<AbortListener>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(one: AbortListener): void {
    if (this.#all.size === 0) this.#signal.addEventListener("abort", this.#fired);
    this.#all.add(one);
  }

  remove(one: AbortListener): void {
    if (this.#all.delete(one) && this.#all.size === 0) this.#signal.removeEventListener("abort", this.#fired);
  }

  // Those that leave remove themselves, and nobody joins a signal that has fired.
  readonly #fired = (): void => {
    for (const one of this.#all) one.aborted(this.#signal.reason);
  };
}

/** From now on it leaves when the signal fires. */
export function onAbort(signal: AbortSignal, one: AbortListener): void {
  let known = watched.get(signal);
  if (known === undefined) watched.set(signal, known = new Watched(signal));
  known.add(one);
}

/** No longer. */
export function offAbort(signal: AbortSignal, one: AbortListener): void {
  watched.get(signal)?.remove(one);
}
