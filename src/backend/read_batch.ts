/** Snapshots: an entry and its groups' counters, read together, each key once for all calls of one tick. */

import { isPromise } from "../util/callbacks.ts";
import { deadline, responsiveTime } from "../util/deadline.ts";
import {
  type GuardedStore,
  isCount,
  isFound,
  type Label,
  nonsense,
  type ReadSlot,
  UNANSWERED,
} from "./guarded_store.ts";
import type { Found } from "../store/store.ts";
import type { Target } from "./call.ts";
import type { SharedSlot } from "./computations.ts";
import type { Counter } from "./counters.ts";

/** Which entry to read, and the counters of its groups. */
export type ReadTarget = Pick<Target, "label" | "counters">;

/** What one call saw: the entry and its groups' counters, from one round trip. */
export interface Snapshot {
  /** Did every answer come in time? If not, it shows nothing: generations that cannot be compared prove nothing. */
  readonly isWhole: boolean;
  /** The entry; `undefined`: nothing is there. */
  readonly found: Found | undefined;
  /** The counters' values, in the order in which the target names them. */
  readonly generations: readonly bigint[];
  /** The same object for all calls that share this read of the entry, and began before it was sent. Absent: no other call does. */
  readonly slot: SharedSlot | undefined;
  /** The found value for one caller: a copy for each of those who share the read. */
  takeCopy(value: unknown): unknown;
}

const NO_GENERATIONS: readonly bigint[] = [];
const NO_SLOTS: readonly Slot[] = [];

/**
 * Takes snapshots. All calls of one tick share a batch, in which each key and each counter is read once. A batch takes no
 * more calls BEFORE it is sent, and nothing that was read is remembered between calls:
 *
 *   1. A reads k: its batch is sent, and reads v1        2. B invalidates k, and that resolves
 *   3. C reads k: could it join A's batch, it would be given v1
 */
export class SnapshotReader {
  readonly #store: GuardedStore;
  /** The batch of this tick; `undefined` once it is sent. */
  #batch: ReadBatch | undefined;
  /** The store says that it is `immediate`, and yet has returned a promise: it is not read at once any more. */
  #answersLater = false;

  constructor(store: GuardedStore) {
    this.#store = store;
  }

  /** Reads an entry and counters. Never rejects. */
  read({ label, counters }: ReadTarget): Promise<Snapshot> {
    const batch = this.#open();
    return new Promise((resolve) => {
      new PendingSnapshot(batch.entry(label), batch.counters(label.name, counters), resolve);
    });
  }

  /**
   * The same from a store that returns its answers instead of promises. `undefined` for any other store, and where a read
   * threw: use `read` then, which reports the failure. No other call shares this snapshot, so do not compute by it: each
   * call of the tick would compute for itself.
   */
  readAtOnce({ label, counters }: ReadTarget): Snapshot | undefined {
    const { store } = this.#store;
    // If this key is already in the current batch, an earlier caller of this tick read it and could not use it. Join that
    // batch instead of copying the value again.
    if (store.immediate !== true || this.#answersLater || this.#batch?.has(label.key)) return undefined;
    try {
      const found = store.get(label.key) ?? undefined;
      if (!isFound(found)) return this.#notAtOnce(found);
      if (counters.length === 0) return new OwnSnapshot(found, NO_GENERATIONS);
      const generations: bigint[] = [];
      for (const counter of counters) {
        const count = store.counter(counter.key);
        if (!isCount(count)) return this.#notAtOnce(count);
        generations.push(count);
      }
      return new OwnSnapshot(found, generations);
    } catch {
      return undefined;
    }
  }

  #notAtOnce(answer: unknown): undefined {
    if (isPromise(answer)) this.#answersLater = true;
  }

  #open(): ReadBatch {
    if (this.#batch === undefined) {
      const batch = this.#batch = new ReadBatch(this.#store);
      queueMicrotask(() => {
        // rule 4: shared until it is sent
        this.#batch = undefined;
        batch.send();
      });
    }
    return this.#batch;
  }
}

/** A snapshot that nobody shares. */
export class OwnSnapshot implements Snapshot {
  readonly isWhole = true;
  readonly slot = undefined;
  readonly found: Found | undefined;
  readonly generations: readonly bigint[];

  constructor(found: Found | undefined, generations: readonly bigint[]) {
    this.found = found;
    this.generations = generations;
  }

  takeCopy(value: unknown): unknown {
    return value;
  }
}

/** What is read for the calls of one tick. */
class ReadBatch {
  readonly store: GuardedStore;
  readonly #entries = new Map<string, Slot>();
  readonly #counters = new Map<string, Slot>();
  #unanswered = 0;
  #cancelDeadline: (() => void) | undefined;

  constructor(store: GuardedStore) {
    this.store = store;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  entry({ name, key }: Label): Slot {
    return this.#slot(this.#entries, "get", name, key);
  }

  counters(name: string | undefined, counters: readonly Counter[]): readonly Slot[] {
    if (counters.length === 0) return NO_SLOTS;
    return counters.map(({ key }) => this.#slot(this.#counters, "counter", name, key));
  }

  #slot(slots: Map<string, Slot>, operation: Slot["operation"], name: string | undefined, key: string): Slot {
    let slot = slots.get(key);
    if (slot === undefined) slots.set(key, slot = new Slot(this, operation, name, key));
    return slot;
  }

  /** Reads everything, and bounds the wait. */
  send(): void {
    this.#unanswered = this.#entries.size + this.#counters.size;
    this.store.read(this.#entries.values(), this.#counters.values());
    // Also for an `immediate` store, which may not answer within the tick although it says so.
    if (this.#unanswered > 0) this.#bound(this.store.timeoutMs);
  }

  /** One of the slots has its answer. */
  answered(): void {
    if (--this.#unanswered > 0) return;
    this.#cancelDeadline?.();
    // A call holds its snapshot, which holds this batch: it must not keep the answers of other calls alive.
    this.#entries.clear();
    this.#counters.clear();
  }

  #bound(ms: number): void {
    this.#cancelDeadline = deadline(this.store.clock, ms, () => {
      const leftMs = this.#giveUp(responsiveTime(this.store.clock));
      if (leftMs < Infinity) this.#bound(leftMs);
    });
  }

  /**
   * Gives up the slots that could have been sent for a whole timeout. Returns for how many ms the first of the others may
   * still wait. Slots that still wait in the queue of backpressure.ts are bounded there.
   */
  #giveUp(now: number): number {
    const { store } = this;
    let leastLeft = Infinity;
    for (const slot of [...this.#entries.values(), ...this.#counters.values()]) {
      if (slot.isAnswered) continue;
      const waitedMs = Math.max(0, Math.min(store.sendableMs(slot.key), now - slot.sentAt));
      const left = store.timeoutMs - waitedMs;
      if (left > 0) leastLeft = Math.min(leastLeft, left);
      else slot.reject(store.tooLate(`read ${slot.key}`));
    }
    return leastLeft;
  }
}

/** A key or a counter that a batch reads, and its answer for all snapshots that need it. */
class Slot implements ReadSlot, SharedSlot {
  readonly batch: ReadBatch;
  readonly operation: "get" | "counter";
  readonly name: string | undefined;
  readonly key: string;
  answer: unknown = undefined;
  isAnswered = false;
  leased: SharedSlot["leased"] = undefined;
  uncoordinated: SharedSlot["uncoordinated"] = undefined;
  /** When it was sent, as `responsiveTime` reads time: -Infinity with its batch, Infinity while it waits in a queue. */
  sentAt = -Infinity;
  #sharers = 0;
  /** The snapshots that need the answer: mostly one, so that no array has to be made. */
  #first: PendingSnapshot | undefined = undefined;
  #others: PendingSnapshot[] | undefined = undefined;

  constructor(batch: ReadBatch, operation: "get" | "counter", name: string | undefined, key: string) {
    this.batch = batch;
    this.operation = operation;
    this.name = name;
    this.key = key;
  }

  /** Adds a snapshot that needs the answer. */
  join(snapshot: PendingSnapshot): void {
    this.#sharers++;
    if (this.#first === undefined) this.#first = snapshot;
    else (this.#others ??= []).push(snapshot);
  }

  /** Takes the store's answer: the first counts. */
  resolve(answer: unknown): void {
    const { store } = this.batch;
    const isAnswer = this.operation === "get" ? isFound(answer) : isCount(answer);
    if (!isAnswer) return this.reject(nonsense(this.operation, this.key));
    store.worked(this.key);
    this.#settle(answer);
  }

  /** Takes a failure of the store, or that it took too long, and reports that. */
  reject(error: unknown): void {
    if (!this.isAnswered) this.#settle(this.batch.store.failed(this.operation, this, error));
  }

  #settle(answer: unknown): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.answer = answer;
    this.#first?.slotAnswered(answer);
    if (this.#others !== undefined) { for (const snapshot of this.#others) snapshot.slotAnswered(answer); }
    this.#first = this.#others = undefined;
    this.batch.answered();
  }

  /**
   * The last one gets the value itself: until then nobody holds it who could change it before the next copy is made. No
   * snapshot joins after the batch was sent, so it is known how many will come.
   */
  takeCopy(value: unknown): unknown {
    return --this.#sharers === 0 ? value : this.batch.store.copy(value);
  }
}

/** A snapshot while its answers come. The first one that fails resolves it as it is, not whole. */
class PendingSnapshot implements Snapshot {
  isWhole = false;
  generations: readonly bigint[] = NO_GENERATIONS;
  readonly slot: Slot;
  readonly #counters: readonly Slot[];
  readonly #resolve: (snapshot: Snapshot) => void;
  #unanswered: number;

  constructor(slot: Slot, counters: readonly Slot[], resolve: (snapshot: Snapshot) => void) {
    this.slot = slot;
    this.#counters = counters;
    this.#resolve = resolve;
    this.#unanswered = 1 + counters.length;
    slot.join(this);
    for (const counter of counters) counter.join(this);
  }

  get found(): Found | undefined {
    return this.slot.answer as Found | undefined;
  }

  takeCopy(value: unknown): unknown {
    return this.slot.takeCopy(value);
  }

  slotAnswered(answer: unknown): void {
    // rule 3: whole, or no snapshot
    if (answer === UNANSWERED) return this.#resolve(this);
    if (--this.#unanswered > 0) return;
    this.isWhole = true;
    // rule 3: every counter was answered
    if (this.#counters.length > 0) this.generations = this.#counters.map((counter) => counter.answer as bigint);
    this.#resolve(this);
  }
}
