/**
 * Time, chance and order of one simulated world. Whatever can happen is an event with a moment that chance chose; one
 * event at a time happens, and everything that waits for no other event settles before the next.
 */
import type { Clock } from "../../src/util/clock.ts";
import type { Random } from "../../src/util/random.ts";

/** sfc32: quick, and the same on every runtime. */
export class Chance implements Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 15; i++) this.#next();
  }

  /** In [0, 1). */
  fraction(): number {
    return this.#next() / 2 ** 32;
  }

  uint64(): bigint {
    return (BigInt(this.#next()) << 32n) | BigInt(this.#next());
  }

  /** A whole number from 0, below this. */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }

  between(from: number, to: number): number {
    return from + this.fraction() * (to - from);
  }

  /** True so often. */
  says(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** One of the names, as often as their weights say. */
  weigh<K extends string>(weights: Readonly<Record<K, number>>): K {
    const names = Object.keys(weights) as K[];
    let left = this.fraction() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) if ((left -= weights[name]) < 0) return name;
    return names[0]!;
  }

  #next(): number {
    const t = (((this.#a + this.#b) >>> 0) + this.#d) >>> 0;
    this.#d = (this.#d + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) >>> 0;
    this.#c = (this.#c + t) >>> 0;
    return t;
  }
}

/** What will happen. */
export interface Coming {
  readonly due: number;
  readonly order: number;
  readonly timer: boolean;
  /** Answers "quiet" if no promise can have been settled by it. */
  readonly happen: () => "quiet" | void;
  gone: boolean;
}

const { setImmediate } = globalThis as unknown as { setImmediate(wake: () => void): unknown };
/** A turn of the event loop: every promise that waits for no event has settled when it resolves. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** 2030: every process's clock stands near it. */
const EPOCH = 1_900_000_000_000;

export class World {
  /** ms since it began. */
  now = 0;
  readonly chance: Chance;
  /** Numbered lines that a person can read; absent unless they are asked for. */
  readonly lines: string[] | undefined;
  /** Events to come that are no timer of a process. */
  busy = 0;
  happened = 0;
  #heap: Coming[] = [];

  constructor(seed: number, lines: string[] | undefined) {
    this.chance = new Chance(seed);
    this.lines = lines;
  }

  /** Something that happens in so many ms. */
  after(ms: number, happen: Coming["happen"], kind: "event" | "timer" = "event"): Coming {
    const timer = kind === "timer";
    const coming = { due: this.now + Math.max(0, ms), order: this.chance.fraction(), timer, happen, gone: false };
    if (!timer) this.busy++;
    push(this.#heap, coming);
    return coming;
  }

  cancel(coming: Coming): void {
    if (coming.gone) return;
    coming.gone = true;
    if (!coming.timer) this.busy--;
  }

  /** A line of the schedule. `text` is only made when somebody reads it. */
  tell(who: string, text: () => string): void {
    this.lines?.push(
      `${String(this.lines.length + 1).padStart(4)}  ${this.now.toFixed(1).padStart(9)} ms  ${who.padEnd(3)} ${text()}`,
    );
  }

  /** Lets everything happen, until nothing is to come. `passing` is told of time before it passes, `between` is asked after each event. */
  async run(
    untilMs: number,
    passing: (ms: number) => void,
    between: () => "struck" | void,
  ): Promise<"over" | "endless"> {
    await turn();
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (next.due > untilMs) return "endless";
      if (next.due > this.now) {
        passing(next.due - this.now);
        this.now = next.due;
      }
      next.gone = true;
      if (!next.timer) this.busy--;
      this.happened++;
      if (next.happen() !== "quiet") await turn();
      if (between() === "struck") await turn();
    }
    return "over";
  }

  #next(): Coming | undefined {
    for (;;) {
      const coming = pop(this.#heap);
      if (coming === undefined || !coming.gone) return coming;
    }
  }
}

/** One process's clock: its skew is its own, and its timers die with it. */
export class SimulatedClock implements Clock {
  readonly #world: World;
  #skewMs: number;
  readonly #timers = new Set<Coming>();

  constructor(world: World, skewMs: number) {
    this.#world = world;
    this.#skewMs = skewMs;
  }

  now(): number {
    return Math.floor(EPOCH + this.#world.now + this.#skewMs);
  }

  monotonic(): number {
    return this.#world.now;
  }

  /** Somebody sets it. */
  set(ms: number): void {
    this.#skewMs += ms;
  }

  setTimeout(wake: () => void, ms: number): Coming {
    const timer = this.#world.after(ms, () => {
      this.#timers.delete(timer);
      wake();
    }, "timer");
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    if (timer === undefined) return;
    this.#timers.delete(timer as Coming);
    this.#world.cancel(timer as Coming);
  }

  /** Timers that have neither fired nor been cleared. */
  get pending(): number {
    return this.#timers.size;
  }

  /** The process crashed. */
  stop(): void {
    for (const timer of this.#timers) this.#world.cancel(timer);
    this.#timers.clear();
  }
}

const before = (one: Coming, other: Coming): boolean =>
  one.due < other.due || (one.due === other.due && one.order < other.order);

function push(heap: Coming[], coming: Coming): void {
  let at = heap.length;
  heap.push(coming);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(coming, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = coming;
}

function pop(heap: Coming[]): Coming | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}
