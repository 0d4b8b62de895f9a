import { isPromise, UserSource } from "./callbacks.ts";

/** Time, from outside. Default: the runtime's. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /**
   * Milliseconds of which only differences mean anything, and which never step back, as `performance.now()`. What has
   * elapsed is the larger of what the two say: this one may stand still in a frozen process, `now()` may step back. Absent:
   * `now()` says it alone.
   */
  monotonic?(): number;
  /** Calls `wake` once, after `ms` milliseconds; returns what `clearTimeout` takes. */
  setTimeout(wake: () => void, ms: number): unknown;
  /** The timer does not call `wake` any more. */
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
  monotonic: () => performance.now(),
  // Runtimes cut fractions off, and a wait that ends a millisecond early overtakes one that began before it.
  setTimeout: (wake, ms) => timers.setTimeout(wake, Math.ceil(Math.min(ms, LONGEST_DELAY_MS))),
  clearTimeout: (timer) => timers.clearTimeout(timer),
  unref: (timer) => {
    if (typeof timer === "number") timers.Deno?.unrefTimer(timer);
    else (timer as { unref?(): void }).unref?.();
  },
};

/** Guarded clocks, which need no second guard. */
const guardedClocks = new WeakSet<Clock>();

/** A clock of the user's own, in whose place the runtime's does what it fails at, so that nobody waits for ever. */
function guarded(given: Clock): Clock {
  const source = new UserSource("the clock");
  /** The runtime's timers, by what was returned in their place. */
  const fallbackTimers = new WeakMap<object, unknown>();
  const fallbackTimer = (wake: () => void, ms: number) => {
    const timer = {};
    fallbackTimers.set(timer, systemClock.setTimeout(wake, ms));
    return timer;
  };
  const forward = (verb: "clearTimeout" | "unref") => (timer: unknown): void => {
    const fallback = fallbackTimers.get(timer as object);
    if (fallback !== undefined) systemClock[verb]!(fallback);
    else source.ask(verb, () => given[verb]?.(timer), isNoPromise, () => {});
  };
  const clock: Clock = {
    now: () => source.ask("now", () => given.now(), Number.isFinite, systemClock.now),
    setTimeout: (wake, ms) =>
      source.ask("setTimeout", () => given.setTimeout(wake, ms), isNoPromise, () => fallbackTimer(wake, ms)),
    clearTimeout: forward("clearTimeout"),
    unref: forward("unref"),
  };
  if (given.monotonic !== undefined) {
    const ask = () => given.monotonic!();
    clock.monotonic = () => source.ask("monotonic", ask, Number.isFinite, systemClock.monotonic!);
  }
  guardedClocks.add(clock);
  return clock;
}

const isNoPromise = (answer: unknown): boolean => !isPromise(answer);

/** The clock to use: the given one, guarded against errors of its own, or the runtime's. Throws a TypeError for what is none. */
export function clockOf(given: Clock | undefined): Clock {
  if (given === undefined) return systemClock;
  if (given === systemClock || guardedClocks.has(given)) return given;
  const usable = [given?.now, given?.setTimeout, given?.clearTimeout].every((verb) => typeof verb === "function");
  if (!usable) throw new TypeError("Cannot use clock: it must have now(), setTimeout() and clearTimeout()");
  if (given.monotonic !== undefined && typeof given.monotonic !== "function") {
    throw new TypeError("Cannot use clock: its monotonic must be a function, or absent");
  }
  return guarded(given);
}

/** A reading in ms of which only differences mean anything: of the monotonic clock, or of `now()` where there is none. */
export function monotonicMs(clock: Clock): number {
  return clock.monotonic === undefined ? clock.now() : clock.monotonic();
}

/** A point in time from which something is counted, as both readings of a clock. */
export interface Moment {
  /** Epoch ms. */
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** The present. */
export const momentOf = (clock: Clock): Moment => ({ wallMs: clock.now(), monotonicMs: monotonicMs(clock) });

/** Ms since a moment: the larger of what the clock's two readings say, as either may stand still or be set back. */
export const elapsedMs = (clock: Clock, since: Moment): number =>
  Math.max(clock.now() - since.wallMs, monotonicMs(clock) - since.monotonicMs);

/** The system's monotonic clock is read this often at most. */
const MONOTONIC_EVERY_MS = 100;

/**
 * Reads a clock at every hit. The system's monotonic reading is expensive, so it is taken ten times a second, and when
 * the wall clock steps back; in between it is extrapolated from the wall clock. A step forward is thus seen 100 ms late.
 */
export class ClockReader {
  readonly #clock: Clock;
  /** The wall clock and the monotonic clock when both were read last. */
  #bothAt = Infinity;
  #monotonicThen = 0;
  /** The readings of the last `read()`. */
  wallMs = 0;
  monotonicMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  read(): void {
    const wallMs = this.wallMs = this.#clock.now();
    const sinceMs = wallMs - this.#bothAt;
    if (this.#clock !== systemClock || !(sinceMs >= 0 && sinceMs < MONOTONIC_EVERY_MS)) {
      this.#bothAt = wallMs;
      this.#monotonicThen = this.#clock.monotonic === undefined ? wallMs : this.#clock.monotonic();
    }
    this.monotonicMs = this.#monotonicThen + wallMs - this.#bothAt;
  }
}
