import { CacheError, CacheValueError } from "../errors.ts";
import { deadline, responsiveTime } from "../util/deadline.ts";
import type { Clock } from "../util/clock.ts";
import { CodecError } from "../codec/codec.ts";
import { Backpressure } from "./backpressure.ts";
import type { Outages } from "./outages.ts";
import { type CallbackReads, callbackReadsOf } from "../store/memcached.ts";
import type { Entry, Found, LeaseEntry, Over, Store, Token } from "../store/store.ts";

/** Whose store operation it is: a function's name, if it has one, and the key as kept in the store. */
export interface Label {
  readonly name?: string | undefined;
  readonly key: string;
}

/** The event that a store operation failed or timed out, or that a value could not be kept. */
export interface StoreFailure {
  /** The store's verb. */
  operation: "get" | "add" | "set" | "delete" | "counter" | "increment";
  /** The function's name, if there is one. */
  name?: string;
  /** As kept in the store: the key of the entry, of its refresh lock, or of the counter. */
  key?: string;
  /** What the store rejected with. */
  error: unknown;
}

/** The store did not answer within `storeTimeout`. */
export class StoreTimeoutError extends CacheError {}

/** A store that does not bound its verbs itself is given `storeTimeout` for each, and at least this long. */
const MIN_TIMEOUT_MS = 1000;

/** No answer came, or an error: what happened in the store is not known. */
export const UNANSWERED: unique symbol = Symbol("unanswered");

/**
 * What became of a write. stored: with its token. refused: for certain not done. unknown: it may still land.
 * never: the value can never be kept here, and what was under the key may be gone.
 */
export type Written =
  | { readonly kind: "stored"; readonly token: Token }
  | { readonly kind: "refused" }
  | { readonly kind: "unknown"; readonly error: unknown }
  | { readonly kind: "never"; readonly error: CacheValueError };

const REFUSED: Written = { kind: "refused" };

/** A key or a counter that a batch reads. */
export interface ReadSlot {
  readonly operation: "get" | "counter";
  readonly key: string;
  /** When it was sent, as `responsiveTime` reads time; Infinity while it waits in a queue. */
  sentAt: number;
  /** Takes the store's answer, which may mean nothing. */
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** A store that answers by values instead of exceptions, in bounded time, and reports each failure once. */
export class GuardedStore {
  readonly store: Store;
  readonly clock: Clock;
  /** How long a call waits for what it reads, and again for its lease. */
  readonly timeoutMs: number;
  readonly #report: (failure: StoreFailure) => void;
  readonly #outages: Pick<Outages, "any" | "worked"> | undefined;
  /** Looked up for each batch: whoever traces calls may replace the store's `get` at any time. */
  #callbackReads: CallbackReads | undefined;
  readonly #backpressure: Backpressure;

  constructor(
    store: Store,
    clock: Clock,
    timeoutMs: number,
    report: (failure: StoreFailure) => void,
    outages?: Pick<Outages, "any" | "worked">,
  ) {
    this.store = store;
    this.clock = clock;
    this.timeoutMs = timeoutMs;
    this.#report = report;
    this.#outages = outages;
    this.#backpressure = new Backpressure(store, clock, timeoutMs);
  }

  /** true: the store answers within the tick, so that no timer needs to bound it. */
  get immediate(): boolean {
    return this.store.immediate === true;
  }

  // ──────────────── what calls wait for: reads and leases, which may be queued ────────────────

  /** Reads the slots of a batch, each once there is room for it. The batch bounds the wait, and reports failures. */
  read(entries: Iterable<ReadSlot>, counters: Iterable<ReadSlot>): void {
    this.#backpressure.beginTick();
    if (this.store.read !== undefined) {
      const fits = (slot: ReadSlot) => this.#canSend(slot);
      return void this.#readTogether([...entries].filter(fits), [...counters].filter(fits));
    }
    this.#callbackReads = callbackReadsOf(this.store);
    for (const slot of entries) if (this.#canSend(slot)) this.#readOne(slot);
    for (const slot of counters) if (this.#canSend(slot)) this.#readOne(slot);
  }

  /** false: its server is nearly full, so it waits in a queue and is read later. */
  #canSend(slot: ReadSlot): boolean {
    if (this.#backpressure.canSend(slot.key)) return true;
    slot.sentAt = Infinity;
    const send = () => {
      slot.sentAt = responsiveTime(this.clock);
      this.#readOne(slot);
    };
    this.#backpressure.wait(slot.key, send, () => slot.reject(this.#overloaded(`read ${slot.key}`)));
    return false;
  }

  #readOne(slot: ReadSlot): void {
    const { operation, key } = slot;
    try {
      if (this.#callbackReads !== undefined) return this.#callbackReads[operation](key, slot);
      const answer = this.store[operation](key);
      if (!isThenable(answer)) return slot.resolve(answer ?? undefined);
      Promise.resolve(answer).then((awaited) => slot.resolve(awaited ?? undefined), (error) => slot.reject(error));
    } catch (error) {
      slot.reject(error);
    }
  }

  /** Reads all of them by one command of the store; if that fails, all of them fail. */
  async #readTogether(entries: readonly ReadSlot[], counters: readonly ReadSlot[]): Promise<void> {
    if (entries.length + counters.length === 0) return;
    const keyOf = ({ key }: ReadSlot) => key;
    try {
      const answer = await this.store.read!(entries.map(keyOf), counters.map(keyOf));
      if (answer?.entries?.length !== entries.length || answer.counters?.length !== counters.length) {
        throw new CacheError(
          "Cannot read: the store's answer has not one entry for each key and one value for each counter",
        );
      }
      entries.forEach((slot, n) => slot.resolve(answer.entries[n] ?? undefined));
      counters.forEach((slot, n) => slot.resolve(answer.counters[n]));
    } catch (error) {
      for (const slot of [...entries, ...counters]) slot.reject(error);
    }
  }

  /**
   * Asks for a lease: over what the call saw, or where it saw nothing. Without an answer in time it is unknown, and a late
   * "stored" is given back at once, since nobody computes under it.
   */
  lease(label: Label, lease: LeaseEntry, ttlMs: number, over: Token | undefined): Promise<Written> {
    const backpressure = this.#backpressure;
    backpressure.beginTick();
    if (backpressure.canSend(label.key)) return this.#lease(label, lease, ttlMs, over);
    return new Promise((resolve) => {
      backpressure.wait(label.key, () => resolve(this.#lease(label, lease, ttlMs, over)), () => {
        const error = this.#overloaded(`take the lease of ${label.key}`);
        this.failed(over === undefined ? "add" : "set", label, error);
        resolve({ kind: "unknown", error });
      });
    });
  }

  #lease(label: Label, lease: LeaseEntry, ttlMs: number, over: Token | undefined): Promise<Written> {
    const operation = over === undefined ? "add" : "set";
    let isGivenUp = false;
    // rule 1: a lease over what was seen, or where nothing was
    const take = () =>
      over === undefined ? this.store.add(label.key, lease, ttlMs) : this.store.set(label.key, lease, ttlMs, over);
    const written = this.#written(operation, label, take, () => isGivenUp);
    return new Promise((resolve) => {
      const bound = (ms: number): () => void =>
        deadline(this.clock, ms, () => {
          const leftMs = this.timeoutMs - this.sendableMs(label.key);
          if (leftMs > 0) return void (cancel = bound(leftMs));
          isGivenUp = true;
          const error = this.tooLate(`take the lease of ${label.key}`);
          this.failed(operation, label, error);
          resolve({ kind: "unknown", error });
        });
      let cancel = bound(this.timeoutMs);
      written.then((written) => {
        cancel();
        if (!isGivenUp) resolve(written);
        else if (written.kind === "stored") void this.delete(label, written.token); // rule 9: a late one is given back
      });
    });
  }

  // ──────────────── the store's verbs ────────────────

  get(label: Label): Promise<Found | undefined | typeof UNANSWERED> {
    return this.getOrThrow(label).catch((): typeof UNANSWERED => UNANSWERED);
  }

  /** The same; it rejects with what was reported. */
  getOrThrow(label: Label): Promise<Found | undefined> {
    return this.#call("get", label, async () => {
      const found = await this.store.get(label.key) ?? undefined;
      if (!isFound(found)) throw nonsense("get", label.key);
      return found;
    });
  }

  /** Rejects with what was reported. `label.key`: the counter's. */
  counterOrThrow(label: Label): Promise<bigint> {
    return this.#call("counter", label, async () => {
      const count = await this.store.counter(label.key);
      if (!isCount(count)) throw nonsense("counter", label.key);
      return count;
    });
  }

  add(label: Label, entry: Entry, ttlMs: number): Promise<Written> {
    return this.#written("add", label, () => this.#inTime("add", label.key, this.store.add(label.key, entry, ttlMs)));
  }

  set(label: Label, entry: Entry, ttlMs: number, over: Over): Promise<Written> {
    const { key } = label;
    return this.#written("set", label, () => this.#inTime("set", key, this.store.set(key, entry, ttlMs, over)));
  }

  /** Over "anything", absence is done as well. */
  delete(label: Label, over: Over): Promise<"done" | "refused" | { readonly error: unknown }> {
    const done = this.#call("delete", label, () => this.store.delete(label.key, over));
    return done.then((done) => done || over === "anything" ? "done" : "refused", (error) => ({ error }));
  }

  /** `label.key`: the counter's. */
  increment(label: Label): Promise<"done" | { readonly error: unknown }> {
    return this.#call("increment", label, () => this.store.increment(label.key)).then(
      () => "done",
      (error) => ({ error }),
    );
  }

  /** Closes the store, and does not wait any longer for one that takes too long. */
  async close(): Promise<void> {
    try {
      await this.#inTime("close", "the store", this.store.close());
    } catch (error) {
      if (!(error instanceof StoreTimeoutError)) throw error;
    }
  }

  /** Calls a verb, at once. Rejects with what was reported. */
  async #call<T>(operation: StoreFailure["operation"], label: Label, verb: () => T | Promise<T>): Promise<T> {
    try {
      const answer = await this.#inTime(actionOf(operation), label.key, verb());
      this.worked(label.key);
      return answer;
    } catch (error) {
      this.failed(operation, label, error);
      throw error;
    }
  }

  /**
   * Calls `write` at once, so the store has taken the entry's bytes when this returns. `isReported`: a timeout of this write
   * was reported already, so its later failure is not.
   */
  async #written(
    operation: "add" | "set",
    label: Label,
    write: () => Token | undefined | Promise<Token | undefined>,
    isReported: () => boolean = () => false,
  ): Promise<Written> {
    try {
      const token = await write();
      this.worked(label.key);
      // Another store may say no by null, or false.
      return token ? { kind: "stored", token } : REFUSED;
    } catch (error) {
      if (!isReported()) this.failed(operation, label, error);
      return error instanceof CacheValueError ? { kind: "never", error } : { kind: "unknown", error };
    }
  }

  /** Bounds the wait for a store that neither answers within the tick nor bounds its verbs itself. Late: outcome unknown. */
  #inTime<T>(action: string, key: string, answer: T | Promise<T>): T | Promise<T> {
    const { immediate, bounded } = this.store;
    if (immediate === true || bounded === true) return answer;
    const ms = Math.max(this.timeoutMs, MIN_TIMEOUT_MS);
    return new Promise((resolve, reject) => {
      const late = () =>
        reject(new StoreTimeoutError(`Cannot ${action} ${key}: the store did not answer within ${ms} ms`));
      const cancel = deadline(this.clock, ms, late);
      Promise.resolve(answer).then(resolve, reject).finally(cancel);
    });
  }

  // ──────────────── copies, failures, outages ────────────────

  /** A copy as a later get would give it. Throws CacheValueError for what can never be kept. */
  copy(value: unknown): unknown {
    return this.store.copy === undefined ? value : this.store.copy(value);
  }

  /** Reports a failure. An error of the user's own codec is no failure of the store, and codec.ts warns of it. */
  failed(operation: StoreFailure["operation"], label: Label, error: unknown): typeof UNANSWERED {
    if (error instanceof CodecError) return UNANSWERED;
    const { name, key } = label;
    this.#report(name === undefined ? { operation, key, error } : { operation, name, key, error });
    return UNANSWERED;
  }

  /** For how many ms a request for this key could have been sent; Infinity where the store does not say otherwise. */
  sendableMs(key: string): number {
    try {
      const ms = this.store.sendableMs?.(key);
      return typeof ms === "number" && ms >= 0 ? ms : Infinity;
    } catch {
      return Infinity;
    }
  }

  /** The store has answered what was asked under this key: an outage, if there was one, is over. */
  worked(key: string): void {
    if (this.#outages?.any) this.#outages.worked(key);
  }

  #overloaded(action: string): CacheError {
    return new CacheError(
      `Cannot ${action}: so much was asked that there was no room for it within storeTimeout (${this.timeoutMs} ms)`,
    );
  }

  tooLate(action: string): CacheError {
    return new StoreTimeoutError(
      `Cannot ${action}: the store did not answer within storeTimeout (${this.timeoutMs} ms)`,
    );
  }
}

/** Is it what `get` may answer: nothing, or an entry with its token? */
export function isFound(answer: unknown): answer is Found | undefined {
  if (answer === undefined) return true;
  const { entry, token } = (answer ?? {}) as Partial<Found>;
  if (typeof entry !== "object" || entry === null || token === undefined || token === null) return false;
  if (entry.kind === "unreadable") return true;
  if (!Array.isArray(entry.generations)) return false;
  return entry.kind === "value" || entry.kind === "uncacheable" ||
    entry.kind === "lease" && typeof entry.nonce === "string";
}

/** Is it what `counter` may answer? */
export const isCount = (answer: unknown): answer is bigint => typeof answer === "bigint";

/** The error of a store that answers something else. */
export const nonsense = (operation: StoreFailure["operation"], key: string): CacheError =>
  new CacheError(
    `Cannot ${actionOf(operation)} ${key}: what the store answers is no entry with its token, and no counter`,
  );

/** Other promises than the runtime's own count as well. */
const isThenable = (answer: unknown): boolean =>
  typeof (answer as Partial<PromiseLike<unknown>> | null | undefined)?.then === "function";

const actionOf = (operation: StoreFailure["operation"]): string =>
  operation === "counter" ? "read the counter" : operation;
