/** How a flight ended for one who waited. Dissolved: nothing was computed under it; `unknown`: since its lease had no answer. */
export type End =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "dissolved"; readonly unknown: boolean };

/** Nobody hears it; but what waited for it, a timer maybe, is done. */
const LEFT: End = { kind: "dissolved", unknown: false };

/** What came out of a computation. Abandoned: every caller aborted first, and what it returns interests nobody. */
export type Computed =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "abandoned" };

/** One caller's place in a flight. */
export interface Seat {
  readonly end: Promise<End>;
  /** The caller goes. When all have gone because they aborted, the flight is abandoned. */
  leave(aborted: boolean): void;
}

/** One computation of this process that others join. */
export class Flight {
  readonly #seats = new Set<(end: End) => void>();
  readonly #copy: (value: unknown) => unknown;
  readonly #controller = new AbortController();
  /** Callers that did not abort. One that timed out still counts: its computation goes on. */
  #interested = 0;
  #answered = false;
  #abandon: (() => void) | undefined;

  /** `copy`: what the second caller and all after it are given. */
  constructor(copy: (value: unknown) => unknown) {
    this.#copy = copy;
  }

  /** Were its callers answered? Who boards now waits for its last write, then goes from the top. */
  get answered(): boolean {
    return this.#answered;
  }

  get abandoned(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Takes a seat. */
  board(): Seat {
    let seat!: (end: End) => void;
    const end = new Promise<End>((resolve) => seat = resolve);
    this.#seats.add(seat);
    this.#interested++;
    return {
      end,
      leave: (aborted) => {
        if (!this.#seats.delete(seat)) return;
        seat(LEFT);
        if (!aborted || --this.#interested > 0) return;
        this.#controller.abort();
        this.#abandon?.();
      },
    };
  }

  /** Runs the function in the caller's async context. Never rejects; whatever an abandoned computation does is dropped. */
  run(compute: (signal: AbortSignal) => unknown): Promise<Computed> {
    return new Promise((resolve) => {
      this.#abandon = () => resolve({ kind: "abandoned" });
      if (this.abandoned) return this.#abandon();
      call(compute, this.#controller.signal).then(
        (value) => resolve({ kind: "value", value }),
        (error) => resolve({ kind: "error", error }),
      );
    });
  }

  /** Answers everybody with the value: the first gets the very one, the others a copy each, all made before anybody runs. */
  land(value: unknown): void {
    let first = true;
    this.#answer(() => {
      const own = first ? value : this.#copy(value);
      first = false;
      return { kind: "value", value: own };
    });
  }

  /** Answers everybody with the function's own error. */
  fail(error: unknown): void {
    this.#answer(() => ({ kind: "error", error }));
  }

  /** Sends everybody who still waits to the top. */
  dissolve(unknown: boolean): void {
    this.#answer(() => ({ kind: "dissolved", unknown }));
  }

  #answer(end: () => End): void {
    this.#answered = true;
    const seats = [...this.#seats];
    this.#seats.clear();
    for (const seat of seats) seat(end());
  }
}

/** A sync exception is a rejection. */
async function call(compute: (signal: AbortSignal) => unknown, signal: AbortSignal): Promise<unknown> {
  return await compute(signal);
}

/**
 * The flights of this process by nonce. A flight is open from before its lease is asked for until its last write is
 * answered; a lease of ours outside an open flight is an orphan.
 */
export class Flights {
  readonly #open = new Map<string, Flight>();
  readonly #copy: (value: unknown) => unknown;

  constructor(copy: (value: unknown) => unknown) {
    this.#copy = copy;
  }

  open(nonce: string): Flight {
    const flight = new Flight(this.#copy);
    this.#open.set(nonce, flight);
    return flight;
  }

  get(nonce: string): Flight | undefined {
    return this.#open.get(nonce);
  }

  /** Whoever still waits goes from the top. */
  close(nonce: string): void {
    this.#open.get(nonce)?.dissolve(false);
    this.#open.delete(nonce);
  }
}
