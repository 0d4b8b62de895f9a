import { type Clock, deadline } from "../clock.ts";
import { type About, type GuardedStore, UNANSWERED } from "../store/guarded.ts";
import type { Found } from "../store/store.ts";
import type { Told } from "../told.ts";

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
const NO_COUNTERS: readonly AskedCounter[] = [];

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
    return new Promise((resolve) => new OpenLook(tick.entry(about), tick.generations(about, counters), resolve));
  }

  /**
   * The same from a store that tells at once; `undefined` from any other, and where not all of it came. Shared with
   * nobody, so no miss begins with it: those who share a look share the flight that it begins.
   */
  atOnce({ key }: About, counters: readonly string[]): Look | undefined {
    const store = this.#store;
    if (!store.tellsAtOnce) return undefined;
    const entry = new Caught<Found | undefined>();
    store.entry(key, entry);
    if (!entry.given) return undefined;
    const found = entry.answer;
    if (counters.length === 0) return new OwnLook(found, NO_GENERATIONS);
    const generations: bigint[] = [];
    for (const counter of counters) {
      const caught = new Caught<bigint>();
      store.generation(counter, caught);
      if (!caught.given) return undefined;
      generations.push(caught.answer!);
    }
    return new OwnLook(found, generations);
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
  /** Made only for a call with groups. */
  #counters: Map<string, AskedCounter> | undefined;
  #open = 0;
  #answeredAll: (() => void) | undefined;

  constructor(store: GuardedStore) {
    this.store = store;
  }

  entry(about: About): AskedEntry {
    let asked = this.#entries.get(about.key);
    if (asked === undefined) this.#entries.set(about.key, asked = new AskedEntry("get", about, this));
    return asked;
  }

  generations(about: About, counters: readonly string[]): readonly AskedCounter[] {
    if (counters.length === 0) return NO_COUNTERS;
    return counters.map((key) => this.#counter(about.name, key));
  }

  #counter(name: string | undefined, key: string): AskedCounter {
    const counters = this.#counters ??= new Map();
    let asked = counters.get(key);
    if (asked === undefined) counters.set(key, asked = new Asked("counter", { name, key }, this));
    return asked;
  }

  /** Asks everything at once. `clock`: bounds the wait; absent for a store that answers within the tick. */
  send(clock: Clock | undefined, timeoutMs: number): void {
    this.#open = this.#entries.size + (this.#counters?.size ?? 0);
    if (clock !== undefined) this.#answeredAll = deadline(clock, timeoutMs, () => this.#giveUp());
    for (const [key, asked] of this.#entries) this.store.entry(key, asked);
    if (this.#counters !== undefined) {
      for (const [key, asked] of this.#counters) this.store.generation(key, asked);
    }
  }

  /** One more answer has come. */
  closed(): void {
    if (--this.#open > 0) return;
    this.#answeredAll?.();
    // A look lives as long as its call: it must not keep the answers of others.
    this.#entries.clear();
    this.#counters = undefined;
  }

  #giveUp(): void {
    for (const asked of [...this.#entries.values(), ...this.#counters?.values() ?? []]) {
      if (!asked.given) asked.failed(this.store.tooLate(`look at ${asked.about.key}`));
    }
  }
}

/** One question of a tick, and its answer for all whose look waits for it. */
class Asked<T> implements Told<T> {
  readonly about: About;
  answer: T | typeof UNANSWERED | undefined = undefined;
  given = false;
  readonly #operation: "get" | "counter";
  readonly #tick: Tick;
  readonly #looks: OpenLook[] = [];

  constructor(operation: "get" | "counter", about: About, tick: Tick) {
    this.about = about;
    this.#operation = operation;
    this.#tick = tick;
  }

  /** A look waits for the answer. */
  join(look: OpenLook): void {
    this.#looks.push(look);
  }

  answered(answer: T): void {
    this.#give(answer);
  }

  /** Told once, whether it failed or took too long. */
  failed(error: unknown): void {
    if (!this.given) this.#give(this.#tick.store.failed(this.#operation, this.about, error));
  }

  #give(answer: T | typeof UNANSWERED): void {
    if (this.given) return;
    this.given = true;
    this.answer = answer;
    for (const look of this.#looks) look.answered(answer !== UNANSWERED);
    this.#looks.length = 0;
    this.#tick.closed();
  }
}

type AskedCounter = Asked<bigint>;

class AskedEntry extends Asked<Found | undefined> {
  readonly #store: GuardedStore;
  #sharers = 0;

  constructor(operation: "get", about: About, tick: Tick) {
    super(operation, about, tick);
    this.#store = tick.store;
  }

  /** None joins after it was sent, so whoever is handed the value knows how many come after. */
  override join(look: OpenLook): void {
    this.#sharers++;
    super.join(look);
  }

  /** The last one gets the very value: until then nobody holds it who could change it before the next copy is made. */
  hand(value: unknown): unknown {
    return --this.#sharers === 0 ? value : this.#store.share(value);
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
