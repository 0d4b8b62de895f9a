import { CacheError, CacheValueError } from "../errors.ts";
import { deadline } from "../util/deadline.ts";
import type { Clock } from "../util/clock.ts";
import type { Told } from "../util/told.ts";
import { CodecError } from "../codec/codec.ts";
import { Room } from "./room.ts";
import type { Entry, Found, LeaseEntry, Over, Store, Token } from "../store/store.ts";

/** Whose store operation it is: a function's name, if it has one, and the key as kept in the store. */
export interface Label {
  readonly name?: string | undefined;
  readonly key: string;
}

/** A store operation failed, timed out, or a value could not be kept. */
export interface StoreFailure {
  /** The store's verb. */
  operation: "get" | "add" | "set" | "delete" | "counter" | "increment";
  /** The function's, if there is one. */
  name?: string;
  /** As kept in the store: the entry's, the mint lock's or the counter's. */
  key?: string;
  /** What the store rejected with. */
  error: unknown;
}

/** The store did not answer within `storeTimeout`. */
export class StoreTimeoutError extends CacheError {}

/** Who is told that the store answers, while there is an outage. */
export interface Health {
  readonly any: boolean;
  worked(key: string): void;
}

/** A store that does not bound its verbs itself is given `storeTimeout` for each, and at least so long. */
const LEAST_MS = 1000;

/** No answer came, or an error did: what happened in the store is not known. */
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

/** Who is told the answer to a look's question, which may have to wait before it is asked. */
export interface Asking<T> extends Told<T> {
  /** It has to wait for room. */
  waits(): void;
  /** It was asked after all. */
  sent(): void;
}

/** The store's verbs as the conductor wants them: answered by values instead of exceptions, each failure told once. */
export class GuardedStore {
  readonly #store: Store;
  readonly #clock: Clock;
  /** How long a call waits for a look, and again for its lease. */
  readonly timeoutMs: number;
  readonly #report: (failure: StoreFailure) => void;
  readonly #room: Room;

  readonly #health: Health;

  /** `timeoutMs`: how long a call waits for a look, and again for its lease. */
  constructor(
    store: Store,
    clock: Clock,
    timeoutMs: number,
    report: (failure: StoreFailure) => void,
    health: Health = { any: false, worked: () => {} },
  ) {
    this.#store = store;
    this.#clock = clock;
    this.timeoutMs = timeoutMs;
    this.#report = report;
    this.#health = health;
    this.#room = new Room(store, clock, timeoutMs);
  }

  /** Does the store answer within the tick, so that no timer needs to bound it? */
  get immediate(): boolean {
    return this.#store.immediate === true;
  }

  /** Does it also tell its answers before it returns? */
  get tellsAtOnce(): boolean {
    const store = this.#store;
    return store.immediate === true && store.tellEntry !== undefined && store.tellCounter !== undefined;
  }

  /** Questions of another tick begin. */
  begin(): void {
    this.#room.begin();
  }

  /** A look's question of an entry, once there is room for it. */
  askEntry(key: string, asking: Asking<Found | undefined>): void {
    if (this.#room.has(key)) this.entry(key, asking);
    else this.#wait(key, asking, () => this.entry(key, asking));
  }

  /** A look's question of a counter, likewise. */
  askGeneration(key: string, asking: Asking<bigint>): void {
    if (this.#room.has(key)) this.generation(key, asking);
    else this.#wait(key, asking, () => this.generation(key, asking));
  }

  #wait<T>(key: string, asking: Asking<T>, ask: () => void): void {
    asking.waits();
    const send = () => {
      asking.sent();
      ask();
    };
    this.#room.wait(key, send, () => asking.failed(this.#noRoom(`look at ${key}`)));
  }

  /** As the store settles, or, if it does not in time, a rejection: what it does is unknown then. It may throw. */
  #settled<T>(action: string, key: string, answer: T | Promise<T>): T | Promise<T> {
    const { immediate, bounded } = this.#store;
    if (immediate === true || bounded === true) return answer;
    const ms = Math.max(this.timeoutMs, LEAST_MS);
    return new Promise((resolve, reject) => {
      const late = () =>
        reject(new StoreTimeoutError(`Cannot ${action} ${key}: the store did not answer within ${ms} ms`));
      const cancel = deadline(this.#clock, ms, late);
      Promise.resolve(answer).then((answer) => {
        cancel();
        resolve(answer);
      }, (error) => {
        cancel();
        reject(error);
      });
    });
  }

  /** The store's own get, for looks: they bound the wait, and tell of what failed while somebody waited. */
  entry(key: string, to: Told<Found | undefined>): void {
    const store = this.#store;
    try {
      if (store.tellEntry !== undefined) return store.tellEntry(key, to);
      Promise.resolve(store.get(key)).then((found) => to.answered(found ?? undefined), (error) => to.failed(error));
    } catch (error) {
      to.failed(error);
    }
  }

  /** The store's own counter, likewise. */
  generation(key: string, to: Told<bigint>): void {
    const store = this.#store;
    try {
      if (store.tellCounter !== undefined) return store.tellCounter(key, to);
      Promise.resolve(store.counter(key)).then((count) => to.answered(count), (error) => to.failed(error));
    } catch (error) {
      to.failed(error);
    }
  }

  async get(about: Label): Promise<Found | undefined | typeof UNANSWERED> {
    try {
      return await this.getOrThrow(about);
    } catch {
      return UNANSWERED;
    }
  }

  /** The same; it rejects with what was told. */
  async getOrThrow(about: Label): Promise<Found | undefined> {
    try {
      const found = await this.#settled("get", about.key, this.#store.get(about.key)) ?? undefined;
      if (!isFound(found)) throw nonsense("get", about.key);
      this.worked(about.key);
      return found;
    } catch (error) {
      this.failed("get", about, error);
      throw error;
    }
  }

  /** `about.key`: the counter's. */
  async counterOrThrow(about: Label): Promise<bigint> {
    try {
      const count = await this.#settled("read the counter", about.key, this.#store.counter(about.key));
      if (!isCount(count)) throw nonsense("read the counter", about.key);
      this.worked(about.key);
      return count;
    } catch (error) {
      this.failed("counter", about, error);
      throw error;
    }
  }

  add(about: Label, entry: Entry, ttlMs: number): Promise<Written> {
    return this.#written("add", about, () => this.#settled("add", about.key, this.#store.add(about.key, entry, ttlMs)));
  }

  set(about: Label, entry: Entry, ttlMs: number, over: Over): Promise<Written> {
    const { key } = about;
    return this.#written("set", about, () => this.#settled("set", key, this.#store.set(key, entry, ttlMs, over)));
  }

  /**
   * Asks for a lease: over what the look saw, or where it saw nothing. Without an answer in time it is unknown, and
   * a late "stored" is given back at once, since nobody computes under it.
   */
  lease(about: Label, lease: LeaseEntry, ttlMs: number, over: Token | undefined): Promise<Written> {
    const room = this.#room;
    room.begin();
    if (room.has(about.key)) return this.#lease(about, lease, ttlMs, over);
    return new Promise((resolve) => {
      room.wait(about.key, () => resolve(this.#lease(about, lease, ttlMs, over)), () => {
        const error = this.#noRoom(`take the lease of ${about.key}`);
        this.failed(over === undefined ? "add" : "set", about, error);
        resolve({ kind: "unknown", error });
      });
    });
  }

  #lease(about: Label, lease: LeaseEntry, ttlMs: number, over: Token | undefined): Promise<Written> {
    let late = false;
    const awaited = () => !late;
    const asked = over === undefined
      ? this.#written("add", about, () => this.#store.add(about.key, lease, ttlMs), awaited)
      : this.#written("set", about, () => this.#store.set(about.key, lease, ttlMs, over), awaited);
    return new Promise((resolve) => {
      const bound = (ms: number): () => void =>
        deadline(this.#clock, ms, () => {
          const left = this.timeoutMs - this.sendableMs(about.key);
          if (left > 0) return void (answered = bound(left));
          late = true;
          const error = this.tooLate(`take the lease of ${about.key}`);
          this.failed(over === undefined ? "add" : "set", about, error);
          resolve({ kind: "unknown", error });
        });
      let answered = bound(this.timeoutMs);
      asked.then((written) => {
        answered();
        if (!late) resolve(written);
        else if (written.kind === "stored") void this.delete(about, written.token);
      });
    });
  }

  /** Over "anything", absence is done as well. */
  async delete(about: Label, over: Over): Promise<"done" | "refused" | { readonly error: unknown }> {
    try {
      const done = await this.#settled("delete", about.key, this.#store.delete(about.key, over)) ||
        over === "anything";
      this.worked(about.key);
      return done ? "done" : "refused";
    } catch (error) {
      this.failed("delete", about, error);
      return { error };
    }
  }

  /** `about.key`: the counter's. */
  async increment(about: Label): Promise<"done" | { readonly error: unknown }> {
    try {
      await this.#settled("increment", about.key, this.#store.increment(about.key));
      this.worked(about.key);
      return "done";
    } catch (error) {
      this.failed("increment", about, error);
      return { error };
    }
  }

  /** A copy as a later get would give it. Throws CacheValueError for what can never be kept. */
  copy(value: unknown): unknown {
    return this.#store.copy === undefined ? value : this.#store.copy(value);
  }

  /** A store that does not come to an end is left alone. */
  async close(): Promise<void> {
    try {
      await this.#settled("close", "the store", this.#store.close());
    } catch (error) {
      if (!(error instanceof StoreTimeoutError)) throw error;
    }
  }

  /** Tells of a failure. What a codec of the user's own has thrown is none of the store's, and is warned of. */
  failed(operation: StoreFailure["operation"], about: Label, error: unknown): typeof UNANSWERED {
    if (error instanceof CodecError) return UNANSWERED;
    const { name, key } = about;
    this.#report(name === undefined ? { operation, key, error } : { operation, name, key, error });
    return UNANSWERED;
  }

  /** For how long what is asked under a key could be sent, as the store tells; one that does not tell sends at once. */
  sendableMs(key: string): number {
    try {
      const ms = this.#store.sendableMs?.(key);
      return typeof ms === "number" && ms >= 0 ? ms : Infinity;
    } catch {
      return Infinity;
    }
  }

  /** Is there an outage? */
  get isDown(): boolean {
    return this.#health.any;
  }

  /** It has answered. */
  worked(key: string): void {
    if (this.isDown) this.#health.worked(key);
  }

  #noRoom(action: string): CacheError {
    return new CacheError(
      `Cannot ${action}: so much was asked that there was no room for it within storeTimeout (${this.timeoutMs} ms)`,
    );
  }

  tooLate(action: string): CacheError {
    return new StoreTimeoutError(
      `Cannot ${action}: the store did not answer within storeTimeout (${this.timeoutMs} ms)`,
    );
  }

  /** The store has taken the entry's bytes when this returns: `write` is called at once. */
  async #written(
    operation: "add" | "set",
    about: Label,
    write: () => Token | undefined | Promise<Token | undefined>,
    awaited: () => boolean = () => true,
  ): Promise<Written> {
    try {
      const token = await write();
      this.worked(about.key);
      // A store of others may say no in its own way.
      return token ? { kind: "stored", token } : REFUSED;
    } catch (error) {
      // One who was told that no answer came in time is not told again what came of it.
      if (awaited()) this.failed(operation, about, error);
      return error instanceof CacheValueError ? { kind: "never", error } : { kind: "unknown", error };
    }
  }
}

/** An answer that means something: nothing is there, or an entry with a token. */
export function isFound(answer: unknown): answer is Found | undefined {
  if (answer === undefined) return true;
  const { entry, token } = (answer ?? {}) as Partial<Found>;
  if (typeof entry !== "object" || entry === null || token === undefined || token === null) return false;
  if (entry.kind === "unreadable") return true;
  if (!Array.isArray(entry.generations)) return false;
  return entry.kind === "value" || entry.kind === "uncacheable" ||
    entry.kind === "lease" && typeof entry.nonce === "string";
}

/** Is it a counter's value? */
export const isCount = (answer: unknown): answer is bigint => typeof answer === "bigint";

/** A store of others answers with what is no answer. */
export const nonsense = (action: string, key: string): CacheError =>
  new CacheError(`Cannot ${action} ${key}: what the store answers is no entry with its token, and no counter`);
