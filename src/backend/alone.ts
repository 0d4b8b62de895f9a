import { Flight, type Seat } from "./flights.ts";

/**
 * Computations without a lease, shared by the trailing edge: a call may join only a computation that has not begun yet,
 * so that per key one runs and one waits. Joining one that runs could return what was read before an invalidation.
 */
export class Alone {
  /** Not begun: may be joined. */
  readonly #waiting = new Map<string, Waiting>();
  /** Begun: its end. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #copy: (value: unknown) => unknown;

  constructor(copy: (value: unknown) => unknown) {
    this.#copy = copy;
  }

  /**
   * Takes a seat in the next computation of `key`. `keep` is told its value before anybody is answered; of several
   * callers who bring one, the first one's is used. `leads`: it is this caller's function that will run.
   */
  board(key: string, compute: (signal: AbortSignal) => unknown, keep?: Keep): { seat: Seat; leads: boolean } {
    const joined = this.#waiting.get(key);
    if (joined !== undefined) {
      joined.keep ??= keep;
      return { seat: joined.flight.board(), leads: false };
    }
    const own: Waiting = { flight: new Flight(this.#copy), keep };
    this.#waiting.set(key, own);
    const seat = own.flight.board();
    void this.#lead(key, own, compute);
    return { seat, leads: true };
  }

  /** Begins a microtask later at the earliest, so that all who were told at once that there is no lease share it. */
  async #lead(key: string, own: Waiting, compute: (signal: AbortSignal) => unknown): Promise<void> {
    await this.#running.get(key);
    let end!: () => void;
    const running = new Promise<void>((resolve) => end = resolve);
    this.#running.set(key, running);
    this.#waiting.delete(key);
    const computed = await own.flight.run(compute);
    if (computed.kind === "value") {
      own.keep?.(computed.value);
      own.flight.land(computed.value);
    } else if (computed.kind === "error") own.flight.fail(computed.error);
    if (!this.#waiting.has(key)) this.#running.delete(key);
    end();
  }
}

type Keep = (value: unknown) => void;
interface Waiting {
  readonly flight: Flight;
  keep: Keep | undefined;
}
