import { type Computation, contextOpening, currentComputation, noteWait, runAs } from "./context.ts";

/**
 * How a flight ended for one who waited. Dissolved: nothing was computed under it, or it is over; `why`: its lease was
 * refused, its lease had no answer, or its last write is answered.
 */
export type End =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "dissolved"; readonly why: "refused" | "unknown" | "over" };

/** Nobody hears it; but what waited for it, a timer maybe, is done. And what those are told who were not given the value. */
const OVER: End = { kind: "dissolved", why: "over" };

/** What came out of a computation. Abandoned: every caller aborted first, and what it returns interests nobody. */
export type Computed =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "abandoned" };

/** One caller's place in a flight. */
export interface Seat {
  readonly end: Promise<End>;
  /** The caller goes. When all have gone because they aborted, the flight is abandoned. */
  leave(why: "aborted" | "late"): void;
}

/** One computation of this process that others join. */
export class Flight implements Computation {
  readonly waitsFor: Map<Computation, number> = new Map();
  readonly #seats = new Set<(end: End) => void>();
  readonly #copy: (value: unknown) => unknown;
  readonly #controller = new AbortController();
  /** Callers that did not abort. One that was late still counts: its computation goes on. */
  #interested = 0;
  /** A refresh behind the answer has no callers, and goes on all the same. */
  #boarded = false;
  #answered = false;
  /** Whose function runs: who boarded first. */
  #leader: ((end: End) => void) | undefined;
  /** Ends the computation that runs. */
  #abandon: (() => void) | undefined;

  /** `copy`: what the second caller and all after it are given. It throws for what cannot be copied. */
  constructor(copy: (value: unknown) => unknown) {
    this.#copy = copy;
  }

  /** Were its callers answered? Who boards now waits for its last write, then goes from the top. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Takes a seat. */
  board(): Seat {
    let seat!: (end: End) => void;
    const noLonger = noteWait(currentComputation(), this);
    const end = new Promise<End>((resolve) => {
      seat = (end) => {
        noLonger();
        resolve(end);
      };
    });
    this.#seats.add(seat);
    this.#leader ??= seat;
    this.#interested++;
    this.#boarded = true;
    return {
      end,
      leave: (why) => {
        if (!this.#seats.delete(seat)) return;
        seat(OVER);
        if (why === "aborted" && --this.#interested === 0) this.#abandon?.();
      },
    };
  }

  /**
   * Runs the function in the caller's async context, unless all who boarded have aborted by now. Never rejects;
   * whatever an abandoned computation does is dropped.
   */
  run(compute: (signal: AbortSignal) => unknown): Promise<Computed> {
    const opening = contextOpening();
    return opening === undefined ? this.#run(compute) : opening.then(() => this.#run(compute));
  }

  #run(compute: (signal: AbortSignal) => unknown): Promise<Computed> {
    return new Promise((resolve) => {
      if (this.#boarded && this.#interested === 0) return resolve({ kind: "abandoned" });
      this.#abandon = () => {
        this.#controller.abort();
        resolve({ kind: "abandoned" });
      };
      runAs(this, () => call(compute, this.#controller.signal)).then(
        (value) => resolve({ kind: "value", value }),
        (error) => resolve({ kind: "error", error }),
      );
    });
  }

  /**
   * Answers everybody with the value: the first gets the very one, the others a copy each, all made before anybody runs.
   * Of what cannot be copied (a stream, an instance of a class) there is one: the others go to the top.
   */
  land(value: unknown): void {
    let first = true;
    this.#answer(() => {
      if (!first) return this.#copied(value);
      first = false;
      return { kind: "value", value };
    });
  }

  /** Answers the one whose function ran, since its result is no other's; the others go to the top. */
  landAlone(value: unknown): void {
    this.#answer((seat) => seat === this.#leader ? { kind: "value", value } : OVER);
  }

  #copied(value: unknown): End {
    try {
      return { kind: "value", value: this.#copy(value) };
    } catch {
      return OVER;
    }
  }

  /** Fires the computation's signal, and goes on: a function that does not heed it may still end. */
  expire(): void {
    this.#controller.abort(new DOMException("the refresh took longer than mintDelay", "TimeoutError"));
  }

  /** Answers everybody with the function's own error. */
  fail(error: unknown): void {
    this.#answer(() => ({ kind: "error", error }));
  }

  /** Answers the one whose function ran with its error, likewise. */
  failAlone(error: unknown): void {
    this.#answer((seat) => seat === this.#leader ? { kind: "error", error } : OVER);
  }

  /** Sends everybody who still waits to the top. */
  dissolve(why: "refused" | "unknown" | "over"): void {
    this.#answer(() => ({ kind: "dissolved", why }));
  }

  #answer(end: (seat: (end: End) => void) => End): void {
    this.#answered = true;
    const seats = [...this.#seats];
    this.#seats.clear();
    for (const seat of seats) seat(end(seat));
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
  readonly #open = new Map<string, { readonly key: string; readonly flight: Flight }>();
  readonly #copy: (value: unknown) => unknown;

  constructor(copy: (value: unknown) => unknown) {
    this.#copy = copy;
  }

  open(key: string, nonce: string): Flight {
    const flight = new Flight(this.#copy);
    this.#open.set(nonce, { key, flight });
    return flight;
  }

  /** The one under this key: a lease that was copied to another key is nobody's there. */
  get(key: string, nonce: string): Flight | undefined {
    const open = this.#open.get(nonce);
    return open?.key === key ? open.flight : undefined;
  }

  /** Whoever still waits goes from the top. */
  close(nonce: string): void {
    this.#open.get(nonce)?.flight.dissolve("over");
    this.#open.delete(nonce);
  }
}
