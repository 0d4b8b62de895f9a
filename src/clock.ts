import { isPromise, Questions } from "./callbacks.ts";

/** Time, from outside. Default: the runtime's. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Wakes once, in so many ms; returns what `clearTimeout` takes. */
  setTimeout(wake: () => void, ms: number): unknown;
  /** It will not wake any more. */
  clearTimeout(timer: unknown): void;
  /** The timer no longer keeps the process alive. */
  unref?(timer: unknown): void;
}

/** The longest delay a runtime's timer takes; a longer one would fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Deno's timers are numbers unless node's are asked for; Bun's and Node's are objects that know `unref`. */
interface Timers {
  setTimeout(wake: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  readonly Deno?: { unrefTimer(timer: number): void };
}
const timers = globalThis as unknown as Timers;

/** The runtime's clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (wake, ms) => timers.setTimeout(wake, Math.min(ms, LONGEST_DELAY_MS)),
  clearTimeout: (timer) => timers.clearTimeout(timer),
  unref: (timer) => {
    if (typeof timer === "number") timers.Deno?.unrefTimer(timer);
    else (timer as { unref?(): void }).unref?.();
  },
};

/** A clock of the user's own. The runtime's takes its place in what it fails at, so that nobody waits for ever. */
class OwnClock implements Clock {
  readonly #given: Clock;
  readonly #questions = new Questions("the clock");
  /** Those that the runtime's clock has set. */
  readonly #others = new WeakMap<object, unknown>();

  constructor(given: Clock) {
    this.#given = given;
  }

  now(): number {
    return this.#questions.ask("now", () => this.#given.now(), Number.isFinite, systemClock.now);
  }

  setTimeout(wake: () => void, ms: number): unknown {
    const other = () => {
      const timer = {};
      this.#others.set(timer, systemClock.setTimeout(wake, ms));
      return timer;
    };
    return this.#questions.ask("setTimeout", () => this.#given.setTimeout(wake, ms), isNoPromise, other);
  }

  clearTimeout(timer: unknown): void {
    this.#tell("clearTimeout", timer, () => this.#given.clearTimeout(timer));
  }

  unref(timer: unknown): void {
    this.#tell("unref", timer, () => this.#given.unref?.(timer));
  }

  #tell(verb: "clearTimeout" | "unref", timer: unknown, tell: () => void): void {
    const other = typeof timer === "object" && timer !== null ? this.#others.get(timer) : undefined;
    if (other !== undefined) systemClock[verb]!(other);
    else this.#questions.ask(verb, tell, isNoPromise, () => {});
  }
}

const isNoPromise = (answer: unknown): boolean => !isPromise(answer);

/** The clock to use. Throws a TypeError for what is none. */
export function clockOf(given: Clock | undefined): Clock {
  if (given === undefined) return systemClock;
  if (given === systemClock || given instanceof OwnClock) return given;
  const usable = [given?.now, given?.setTimeout, given?.clearTimeout].every((verb) => typeof verb === "function");
  if (!usable) throw new TypeError("Cannot use clock: it must have now(), setTimeout() and clearTimeout()");
  return new OwnClock(given);
}

/** A reading in ms that only differences of mean anything: the monotonic clock's, or a clock from outside. */
export function ticks(clock: Clock): number {
  return clock === systemClock ? performance.now() : clock.now();
}

/** A timer this late was held up by our own event loop. */
const LATE_MS = 50;
/** What came meanwhile gets so long a turn. */
const TURN_MS = 5;

/**
 * Calls `due` in so many ms; returns the way to cancel it. Where the event loop was held up, as by a function that
 * computes for a second, what came in time lies unread behind the timers, and is read first. "unreferenced": it keeps no
 * process alive.
 */
export function deadline(
  clock: Clock,
  ms: number,
  due: () => void,
  keeping: "referenced" | "unreferenced" = "referenced",
): () => void {
  const set = (wake: () => void, ms: number): unknown => {
    const timer = clock.setTimeout(wake, ms);
    if (keeping === "unreferenced") clock.unref?.(timer);
    return timer;
  };
  const end = ticks(clock) + ms;
  let timer = set(() => {
    if (ticks(clock) - end <= LATE_MS) due();
    else timer = set(due, TURN_MS);
  }, ms);
  return () => clock.clearTimeout(timer);
}
