import type { Clock } from "../clock.ts";
import { type About, type GuardedStore, UNANSWERED } from "../store/guarded.ts";
import type { Found } from "../store/store.ts";

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

/**
 * Looks, shared until sent. All that is asked in one tick is one Tick, and in it each key and each counter is asked
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

  /** Looks at an entry and at counters by their keys. `undefined`: not every answer came, so there is no look. */
  look(about: About, counters: readonly string[]): Promise<Look | undefined> {
    const tick = this.#open();
    const entry = tick.entry(about).join();
    return counters.length === 0 ? entry : whole(entry, tick.generations(about, counters));
  }

  #open(): Tick {
    if (this.#tick === undefined) {
      const tick = this.#tick = new Tick(this.#store);
      queueMicrotask(() => {
        this.#tick = undefined;
        tick.send(this.#store.immediate ? undefined : this.#clock, this.#timeoutMs);
      });
    }
    return this.#tick;
  }
}

/** What is asked in one tick. */
class Tick {
  readonly #store: GuardedStore;
  readonly #entries = new Map<string, AskedEntry>();
  /** Made only for a call with groups. */
  #counters: Map<string, AskedCounter> | undefined;
  #open = 0;
  #answeredAll: (() => void) | undefined;

  constructor(store: GuardedStore) {
    this.#store = store;
  }

  entry(about: About): AskedEntry {
    let asked = this.#entries.get(about.key);
    if (asked === undefined) this.#entries.set(about.key, asked = new AskedEntry(about, this.#store));
    return asked;
  }

  async generations(about: About, counters: readonly string[]): Promise<readonly bigint[] | undefined> {
    const asked = counters.map((key) => this.#counter({ name: about.name, key }).answer);
    const generations: bigint[] = [];
    for (const answer of asked) {
      const generation = await answer;
      if (generation === UNANSWERED) return undefined;
      generations.push(generation);
    }
    return generations;
  }

  #counter(about: About): AskedCounter {
    const counters = this.#counters ??= new Map();
    let asked = counters.get(about.key);
    if (asked === undefined) counters.set(about.key, asked = new AskedCounter(about));
    return asked;
  }

  /** Asks everything at once. `clock`: bounds the wait; absent for a store that answers within the tick. */
  send(clock: Clock | undefined, timeoutMs: number): void {
    this.#open = this.#entries.size + (this.#counters?.size ?? 0);
    if (clock !== undefined) {
      const timer = clock.setTimeout(() => this.#giveUp(), timeoutMs);
      this.#answeredAll = () => clock.clearTimeout(timer);
    }
    for (const asked of this.#entries.values()) this.#listen("get", asked, this.#store.entry(asked.about.key));
    for (const asked of this.#counters?.values() ?? []) {
      this.#listen("counter", asked, this.#store.generation(asked.about.key));
    }
  }

  #listen<T>(operation: Operation, asked: Asked<T>, answer: Promise<T>): void {
    answer.then(
      (value) => this.#give(asked, value),
      (error) => this.#fail(operation, asked, error),
    );
  }

  #give<T>(asked: Asked<T>, answer: T | typeof UNANSWERED): void {
    if (asked.given) return;
    asked.give(answer);
    if (--this.#open === 0) this.#answeredAll?.();
  }

  /** Told once, whether it failed or took too long. */
  #fail<T>(operation: Operation, asked: Asked<T>, error: unknown): void {
    if (asked.given) return;
    this.#store.failed(operation, asked.about, error);
    this.#give(asked, UNANSWERED);
  }

  #giveUp(): void {
    for (const asked of this.#entries.values()) this.#tooLate("get", asked);
    for (const asked of this.#counters?.values() ?? []) this.#tooLate("counter", asked);
  }

  #tooLate<T>(operation: Operation, asked: Asked<T>): void {
    if (!asked.given) this.#fail(operation, asked, this.#store.tooLate(`look at ${asked.about.key}`));
  }
}

type Operation = "get" | "counter";

/** A whole look, or none: an entry whose generations could not be compared is not believed. */
async function whole(
  entry: Promise<Look | undefined>,
  counters: Promise<readonly bigint[] | undefined>,
): Promise<Look | undefined> {
  const look = await entry;
  const generations = await counters;
  if (look === undefined || generations === undefined) return undefined;
  return { found: look.found, generations, asked: look.asked, hand: look.hand };
}

/** One question of a tick, and its answer for all who asked it. */
abstract class Asked<T> {
  readonly about: About;
  given = false;

  constructor(about: About) {
    this.about = about;
  }

  /** Answers all who asked, once. */
  give(answer: T | typeof UNANSWERED): void {
    this.given = true;
    this.resolve(answer);
  }

  protected abstract resolve(answer: T | typeof UNANSWERED): void;
}

class AskedCounter extends Asked<bigint> {
  readonly answer: Promise<bigint | typeof UNANSWERED>;
  #resolve!: (answer: bigint | typeof UNANSWERED) => void;

  constructor(about: About) {
    super(about);
    this.answer = new Promise((resolve) => this.#resolve = resolve);
  }

  protected override resolve(answer: bigint | typeof UNANSWERED): void {
    this.#resolve(answer);
  }
}

class AskedEntry extends Asked<Found | undefined> {
  readonly #store: GuardedStore;
  readonly #look: Promise<Look | undefined>;
  #resolve!: (look: Look | undefined) => void;
  #sharers = 0;

  constructor(about: About, store: GuardedStore) {
    super(about);
    this.#store = store;
    this.#look = new Promise((resolve) => this.#resolve = resolve);
  }

  /** One more call asks this. None does after it was sent, so whoever is handed the value knows how many come after. */
  join(): Promise<Look | undefined> {
    this.#sharers++;
    return this.#look;
  }

  protected override resolve(found: Found | undefined | typeof UNANSWERED): void {
    const look = found === UNANSWERED
      ? undefined
      : { found: found ?? undefined, generations: NO_GENERATIONS, asked: this, hand: this.#hand };
    this.#resolve(look);
  }

  /** The last one gets the very value: until then nobody holds it who could change it before the next copy is made. */
  readonly #hand = (value: unknown): unknown => --this.#sharers === 0 ? value : this.#store.share(value);
}
