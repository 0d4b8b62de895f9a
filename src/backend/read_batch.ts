import { deadline, responsiveTime } from "../util/deadline.ts";
import type { Clock } from "../util/clock.ts";
import { type Asking, type GuardedStore, isCount, isFound, type Label, nonsense, UNANSWERED } from "./guarded_store.ts";
import type { Found } from "../store/store.ts";
import type { Told } from "../util/told.ts";
import type { Counter } from "./counters.ts";

/** An entry, and the counters it is judged by. */
export interface Question {
  readonly about: Label;
  readonly counters: readonly Counter[];
}

/** What one call saw: the entry and its groups' counters, all answered, from one round trip. */
export interface Look {
  readonly found: Found | undefined;
  readonly generations: readonly bigint[];
  /** The same object for all whose call began before this look was sent, and who share it. */
  readonly asked: object;
  /** The found value for one caller: a copy for each of those who share the look. */
  hand(value: unknown): unknown;
}

const NO_GENERATIONS: readonly bigint[] = [];
const NONE_ASKED: readonly AskedCounter[] = [];

/**
 * Looks, shared until sent. All that is waited for in one tick is one Tick, and in it each key and each counter is asked
 * once. It leaves the table BEFORE it is sent:
 *
 *   1. A looks at k; the get leaves and reads v1        2. B invalidates k, and that resolves
 *   3. C looks at k: were A's get still in the table, C would be given v1
 *
 * Nothing read is remembered between calls.
 */
export class Looks {
  readonly #store: GuardedStore;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #tick: Tick | undefined;

  constructor(store: GuardedStore, clock: Clock, timeoutMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Looks at an entry and at counters. `undefined`: not every answer came, so there is no look. */
  look({ about, counters }: Question): Promise<Look | undefined> {
    const tick = this.#open();
    return new Promise((resolve) => new OpenLook(tick.entry(about), tick.generations(about.name, counters), resolve));
  }

  /**
   * The same from a store that tells at once; `undefined` from any other, and where not all of it came. Shared with
   * nobody, so no miss begins with it: those who share a look share the flight that it begins.
   */
  atOnce({ about, counters }: Question): Look | undefined {
    const store = this.#store;
    // Where it is looked for already, what is there was of no use to somebody, and a copy of it would be wasted again.
    if (!store.tellsAtOnce || this.#tick?.asks(about.key)) return undefined;
    const entry = new Caught<Found | undefined>();
    store.entry(about.key, entry);
    if (!entry.given || !isFound(entry.answer)) return undefined;
    const found = entry.answer;
    if (counters.length === 0) return new OwnLook(found, NO_GENERATIONS);
    const generations: bigint[] = [];
    for (const counter of counters) {
      const caught = new Caught<bigint>();
      store.generation(counter.key, caught);
      if (!caught.given || !isCount(caught.answer)) return undefined;
      generations.push(caught.answer!);
    }
    return new OwnLook(found, generations);
  }

  #open(): Tick {
    if (this.#tick === undefined) {
      const tick = this.#tick = new Tick(this.#store);
      queueMicrotask(() => {
        this.#tick = undefined;
        tick.send(this.#clock, this.#timeoutMs);
      });
    }
    return this.#tick;
  }
}

/** An answer that was told at once, if it was. A failure is told of by whoever asks again. */
class Caught<T> implements Told<T> {
  answer: T | undefined = undefined;
  given = false;

  answered(answer: T): void {
    this.answer = answer;
    this.given = true;
  }

  failed(): void {}
}

/** A look that nobody shares. */
class OwnLook implements Look {
  readonly found: Found | undefined;
  readonly generations: readonly bigint[];

  constructor(found: Found | undefined, generations: readonly bigint[]) {
    this.found = found;
    this.generations = generations;
  }

  get asked(): object {
    return this;
  }

  hand(value: unknown): unknown {
    return value;
  }
}

/** What is asked in one tick. */
class Tick {
  readonly store: GuardedStore;
  readonly #entries = new Map<string, AskedEntry>();
  readonly #counters: AskedCounter[] = [];
  /** Those whose counter is another object at each call. */
  #strangers: Map<string, AskedCounter> | undefined;
  #open = 0;
  #clock: Clock | undefined;
  #answeredAll: (() => void) | undefined;

  constructor(store: GuardedStore) {
    this.store = store;
  }

  /** As `responsiveTime` reads time. */
  get now(): number {
    return this.#clock === undefined ? 0 : responsiveTime(this.#clock);
  }

  asks(key: string): boolean {
    return this.#entries.has(key);
  }

  entry(about: Label): AskedEntry {
    let asked = this.#entries.get(about.key);
    if (asked === undefined) this.#entries.set(about.key, asked = new AskedEntry(about, this));
    return asked;
  }

  generations(name: string | undefined, counters: readonly Counter[]): readonly AskedCounter[] {
    if (counters.length === 0) return NONE_ASKED;
    return counters.map((counter) => this.#asked(counter) ?? this.#ask(name, counter));
  }

  #asked(counter: Counter): AskedCounter | undefined {
    if (!counter.isRemembered) return this.#strangers?.get(counter.key);
    const asked = counter.asked as AskedCounter | undefined;
    // Another tick's may not have been answered yet.
    return asked?.tick === this ? asked : undefined;
  }

  #ask(name: string | undefined, counter: Counter): AskedCounter {
    const asked = new AskedCounter(name, counter, this);
    this.#counters.push(asked);
    if (counter.isRemembered) counter.asked = asked;
    else (this.#strangers ??= new Map()).set(counter.key, asked);
    return asked;
  }

  /** Asks everything at once, and bounds the wait. */
  send(clock: Clock, timeoutMs: number): void {
    this.#open = this.#entries.size + this.#counters.length;
    this.#clock = clock;
    this.store.begin();
    for (const [key, asked] of this.#entries) this.store.askEntry(key, asked);
    for (const asked of this.#counters) this.store.askGeneration(asked.counter.key, asked);
    // Also where a store says that it answers within the tick, and does not.
    if (this.#open > 0) this.#bound(clock, timeoutMs, timeoutMs);
  }

  /** One more answer has come. */
  closed(): void {
    if (--this.#open > 0) return;
    this.#answeredAll?.();
    // A look lives as long as its call, a counter as long as its backend: they must not keep the answers of others.
    for (const asked of this.#counters) if (asked.counter.asked === asked) asked.counter.asked = undefined;
    this.#counters.length = 0;
    this.#entries.clear();
    this.#strangers = undefined;
  }

  #bound(clock: Clock, ms: number, timeoutMs: number): void {
    this.#answeredAll = deadline(clock, ms, () => {
      const more = this.#giveUp(timeoutMs, responsiveTime(clock));
      if (more < Infinity) this.#bound(clock, more, timeoutMs);
    });
  }

  /**
   * Those that could be asked for a whole timeout. Returns for how many ms the first of the others may go on. Of those
   * that wait for room it is the room that says when that was too long.
   */
  #giveUp(timeoutMs: number, now: number): number {
    let more = Infinity;
    for (const asked of [...this.#entries.values(), ...this.#counters]) {
      if (asked.given) continue;
      const { sentLate = -Infinity } = asked;
      const waitedMs = sentLate === "not yet" ? 0 : Math.min(this.store.sendableMs(asked.about.key), now - sentLate);
      const left = timeoutMs - waitedMs;
      if (left > 0) more = Math.min(more, left);
      else asked.failed(this.store.tooLate(`look at ${asked.about.key}`));
    }
    return more;
  }
}

/** One question of a tick, and its answer for all whose look waits for it. */
abstract class Asked<T> implements Asking<T> {
  answer: T | typeof UNANSWERED | undefined = undefined;
  given = false;
  /** Only of one that had to wait for room: when it was asked after all, as `responsiveTime` reads time. */
  sentLate: "not yet" | number | undefined = undefined;
  readonly tick: Tick;
  /** Mostly there is one. */
  #first: OpenLook | undefined = undefined;
  #others: OpenLook[] | undefined = undefined;

  constructor(tick: Tick) {
    this.tick = tick;
  }

  /** For those who are told of a failure. */
  abstract readonly about: Label;
  protected abstract readonly operation: "get" | "counter";
  /** Is it an answer at all? */
  protected abstract means(answer: T): boolean;

  /** A look waits for the answer. */
  join(look: OpenLook): void {
    if (this.#first === undefined) this.#first = look;
    else (this.#others ??= []).push(look);
  }

  waits(): void {
    this.sentLate = "not yet";
  }

  sent(): void {
    this.sentLate = this.tick.now;
  }

  answered(answer: T): void {
    const { store } = this.tick;
    if (!this.means(answer)) return this.failed(nonsense(this.operation, this.about.key));
    if (store.isDown) store.worked(this.about.key);
    this.#give(answer);
  }

  /** Told once, whether it failed or took too long. */
  failed(error: unknown): void {
    if (!this.given) this.#give(this.tick.store.failed(this.operation, this.about, error));
  }

  #give(answer: T | typeof UNANSWERED): void {
    if (this.given) return;
    this.given = true;
    this.answer = answer;
    const really = answer !== UNANSWERED;
    this.#first?.answered(really);
    if (this.#others !== undefined) { for (const look of this.#others) look.answered(really); }
    this.#first = this.#others = undefined;
    this.tick.closed();
  }
}

class AskedCounter extends Asked<bigint> {
  readonly counter: Counter;
  readonly #name: string | undefined;

  constructor(name: string | undefined, counter: Counter, tick: Tick) {
    super(tick);
    this.#name = name;
    this.counter = counter;
  }

  get about(): Label {
    return { name: this.#name, key: this.counter.key };
  }

  get operation(): "counter" {
    return "counter";
  }

  means(answer: unknown): boolean {
    return isCount(answer);
  }
}

class AskedEntry extends Asked<Found | undefined> {
  readonly about: Label;
  #sharers = 0;

  constructor(about: Label, tick: Tick) {
    super(tick);
    this.about = about;
  }

  get operation(): "get" {
    return "get";
  }

  means(answer: unknown): boolean {
    return isFound(answer);
  }

  /** None joins after it was sent, so whoever is handed the value knows how many come after. */
  override join(look: OpenLook): void {
    this.#sharers++;
    super.join(look);
  }

  /** The last one gets the very value: until then nobody holds it who could change it before the next copy is made. */
  hand(value: unknown): unknown {
    return --this.#sharers === 0 ? value : this.tick.store.copy(value);
  }
}

/** A call's look while its answers come: whole, or none, since generations that cannot be compared prove nothing. */
class OpenLook implements Look {
  generations: readonly bigint[] = NO_GENERATIONS;
  readonly asked: AskedEntry;
  readonly #counters: readonly AskedCounter[];
  readonly #resolve: (look: Look | undefined) => void;
  #open: number;

  constructor(entry: AskedEntry, counters: readonly AskedCounter[], resolve: (look: Look | undefined) => void) {
    this.asked = entry;
    this.#counters = counters;
    this.#resolve = resolve;
    this.#open = 1 + counters.length;
    entry.join(this);
    for (const counter of counters) counter.join(this);
  }

  get found(): Found | undefined {
    return this.asked.answer as Found | undefined;
  }

  hand(value: unknown): unknown {
    return this.asked.hand(value);
  }

  answered(really: boolean): void {
    if (!really) return this.#resolve(undefined);
    if (--this.#open > 0) return;
    if (this.#counters.length > 0) this.generations = this.#counters.map((counter) => counter.answer as bigint);
    this.#resolve(this);
  }
}
