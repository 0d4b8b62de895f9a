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
  monotonic: () => performance.now(),
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
  readonly #questions = new UserSource("the clock");
  /** Those that the runtime's clock has set. */
  readonly #others = new WeakMap<object, unknown>();

  readonly monotonic?: () => number;

  constructor(given: Clock) {
    this.#given = given;
    if (given.monotonic !== undefined) {
      const fallback = () => systemClock.monotonic!();
      this.monotonic = () => this.#questions.ask("monotonic", () => given.monotonic!(), Number.isFinite, fallback);
    }
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
  if (given.monotonic !== undefined && typeof given.monotonic !== "function") {
    throw new TypeError("Cannot use clock: its monotonic must be a function, or absent");
  }
  return new OwnClock(given);
}

/** A reading in ms that only differences of mean anything: the monotonic clock's, if there is one. */
export function monotonicMs(clock: Clock): number {
  return clock.monotonic === undefined ? clock.now() : clock.monotonic();
}

/** A moment, to count from. */
export interface Moment {
  /** Epoch ms. */
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** Now. */
export const momentOf = (clock: Clock): Moment => ({ wallMs: clock.now(), monotonicMs: monotonicMs(clock) });

/** How long ago that was: the larger of what the clock's two readings say. */
export const elapsedMs = (clock: Clock, since: Moment): number =>
  Math.max(clock.now() - since.wallMs, monotonicMs(clock) - since.monotonicMs);

/** A step of the system's wall clock is seen after so long at the latest. */
const READ_EVERY_MS = 100;

/**
 * Both readings of a clock, for those who read it at every hit. The system's monotonic one is read ten times a second, or
 * when the wall clock steps back, and told by the wall clock in between.
 */
export class ClockReader {
  readonly #clock: Clock;
  #readAt = Infinity;
  #readTicks = 0;
  /** What was read last. */
  wallMs = 0;
  monotonicMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Reads both. */
  read(): void {
    const wall = this.wallMs = this.#clock.now();
    const since = wall - this.#readAt;
    if (this.#clock !== systemClock || !(since >= 0 && since < READ_EVERY_MS)) {
      this.#readAt = wall;
      this.#readTicks = this.#clock.monotonic === undefined ? wall : this.#clock.monotonic();
    }
    this.monotonicMs = this.#readTicks + wall - this.#readAt;
  }
}
