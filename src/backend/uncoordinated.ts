import type { Clock } from "../util/clock.ts";
import { type Call, isShared } from "./call.ts";
import { noteWait } from "./context.ts";
import { Flight, type Seat } from "./computation.ts";
import { within } from "./caller_timeout.ts";
import { Slots } from "./slots.ts";

/**
 * Those who are told at once that there is no lease learn it some microtasks apart: who has groups or a timeout comes
 * last. A computation begins when all of them have boarded.
 */
const BOARDING_MICROTASKS = 12;

/** One caller's place in a computation without a lease. */
export interface Place {
  readonly seat: Seat;
  /** It is this caller's function that will run. `done`: when it has run. */
  readonly leads: boolean;
  readonly done: Promise<void>;
}

/**
 * Computations without a lease, shared by the trailing edge: a call may join only a computation that has not begun yet,
 * so that per key one runs and one waits. Joining one that runs could return what was read before an invalidation.
 */
export class Alone {
  /** Not begun: may be joined. */
  readonly #waiting = new Map<string, Waiting>();
  /** Begun. */
  readonly #running = new Map<string, Running>();
  readonly #clock: Clock;
  readonly #copy: (value: unknown) => unknown;
  /** Absent: as many keys at once as are asked for. */
  readonly #slots: Slots | undefined;
  readonly #isInside: () => boolean;

  /**
   * `most`: so many keys are computed at once. `isInside`: does the call come from inside a computation? Such a one takes
   * no slot: an outer computation would wait for it, and it for the outer one's slot.
   */
  constructor(clock: Clock, copy: (value: unknown) => unknown, most: number = Infinity, isInside = () => false) {
    this.#clock = clock;
    this.#copy = copy;
    this.#slots = most === Infinity ? undefined : new Slots(clock, most);
    this.#isInside = isInside;
  }

  /**
   * Takes a seat in the next computation of the call's key, which waits for the one that runs at most `mintDelay`. `keep`
   * is told its value before anybody is answered; of several callers who bring one, the first one's is used.
   */
  board(call: Call, keep?: Keep): Place {
    const key = keyOf(call);
    let next = this.#waiting.get(key);
    const leads = next === undefined;
    if (next === undefined) {
      const flight = new Flight(this.#copy);
      this.#waiting.set(key, next = { flight, keep, done: Promise.resolve() });
      const seat = flight.board();
      next.done = this.#lead(key, next, call);
      return { seat, leads, done: next.done };
    }
    next.keep ??= keep;
    return { seat: next.flight.board(), leads, done: next.done };
  }

  /** What a call would wait for if it boarded: the computation that waits, and the one that runs. */
  awaited(call: Call): readonly Flight[] {
    const key = keyOf(call);
    return [this.#waiting.get(key), this.#running.get(key)].flatMap((one) => one === undefined ? [] : one.flight);
  }

  async #lead(key: string, own: Waiting, call: Call): Promise<void> {
    // Who saw the mark computes because of its result, outage or none.
    const isBounded = this.#slots !== undefined && own.keep === undefined && !this.#isInside();
    const before = this.#running.get(key);
    if (before !== undefined) {
      const noLonger = noteWait(own.flight, before.flight);
      await within(this.#clock, call.mintDelayMs, before.done);
      noLonger();
    } else for (let i = 0; i < BOARDING_MICROTASKS; i++) await undefined;
    const giveBack = isBounded ? await this.#slots!.take(call.mintDelayMs) : undefined;
    const run: Running = { flight: own.flight, done: this.#run(own, call) };
    this.#running.set(key, run);
    this.#waiting.delete(key);
    await run.done;
    giveBack?.();
    if (this.#running.get(key) === run) this.#running.delete(key);
  }

  async #run({ flight, ...own }: Waiting, call: Call): Promise<void> {
    const computed = await flight.run(call.compute);
    if (computed.kind === "abandoned") return;
    const shared = isShared(call);
    if (computed.kind === "error") return shared ? flight.fail(computed.error) : flight.failAlone(computed.error);
    if (!shared) return flight.landAlone(computed.value);
    own.keep?.(computed.value);
    flight.land(computed.value);
  }
}

/** Of one source: what another one computes under this key may not be meant for this caller. */
function keyOf({ about, fullKey = about.key, source = "" }: Call): string {
  return `${source} ${fullKey}`;
}

type Keep = (value: unknown) => void;
interface Running {
  readonly flight: Flight;
  readonly done: Promise<void>;
}
interface Waiting {
  readonly flight: Flight;
  keep: Keep | undefined;
  done: Promise<void>;
}
