import { type Clock, elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import { CacheValueError } from "../errors.ts";
import { type GuardedStore, type Label, UNANSWERED, type Written } from "./guarded_store.ts";
import type { Entry, LeaseEntry, Token } from "../store/store.ts";

/** How long a lease or a mint lock holds without renewal: what a dead holder costs (a server rounds up to 6 s). */
export const LEASE_MS = 5000;
const RENEWAL_MS = LEASE_MS / 3;

/** A lease that this process holds: renewed while its value is computed, then settled or released by its token. */
export class Lease {
  readonly #store: GuardedStore;
  readonly #clock: Clock;
  readonly #about: Label;
  #entry: LeaseEntry;
  readonly #mintDelayMs: number;
  readonly #takenAt: Moment;
  readonly #held: Set<Lease>;
  /** It stands for certain for `LEASE_MS` from then on. */
  #stoodAt: Moment;
  #token: Token;
  #timer: unknown;
  /** Seen to be gone: deleted, evicted, or taken over. */
  #lost = false;
  /** The renewal that is under way, if one is. */
  #renewal: Promise<void> | undefined;

  /**
   * `about.key`: the key the lease stands under. `token`: of the add or set that stored it just now. `held`: the leases
   * of this process; it is among them until it ends.
   */
  constructor(
    store: GuardedStore,
    clock: Clock,
    about: Label,
    entry: LeaseEntry,
    token: Token,
    mintDelayMs: number,
    held: Set<Lease>,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#about = about;
    this.#entry = entry;
    this.#token = token;
    this.#mintDelayMs = mintDelayMs;
    this.#takenAt = this.#stoodAt = momentOf(clock);
    this.#held = held.add(this);
    this.#schedule();
  }

  /** Was it not renewed for so long that another computation may have begun? */
  get lapsed(): boolean {
    return elapsedMs(this.#clock, this.#stoodAt) >= LEASE_MS;
  }

  /**
   * Writes an entry over the lease and ends it. The entry's bytes are taken when this returns: by the store itself, or,
   * where the write may leave later, by a copy.
   *
   *   1. the value's write is not answered "stored", as our socket died    2. the caller has its value, and changes it
   *   3. the write is repeated over the token just seen: without the copy what the caller made of its value is kept
   */
  settle(entry: Entry, ttlMs: number): Promise<Written> {
    this.end();
    const write = (taken: Entry) => this.#overLease((token) => this.#store.set(this.#about, taken, ttlMs, token));
    // Where a store answers at once nothing is written twice.
    if (this.#renewal === undefined && this.#store.immediate) return write(entry);
    let taken: Entry;
    try {
      taken = entry.kind === "value" ? { ...entry, value: this.#store.copy(entry.value) } : entry;
    } catch (error) {
      this.#store.failed("set", this.#about, error);
      const never = error instanceof CacheValueError
        ? error
        : new CacheValueError("Cannot keep a value: its store cannot copy it", { cause: error });
      return Promise.resolve({ kind: "never", error: never });
    }
    return this.#renewal === undefined ? write(taken) : this.#renewal.then(() => write(taken));
  }

  /** Deletes the lease and ends it: on the way when this returns, unless a renewal is. */
  async release(): Promise<void> {
    this.end();
    if (this.#renewal !== undefined) await this.#renewal;
    await this.#overLease(async (token) => {
      const deleted = await this.#store.delete(this.#about, token);
      if (deleted === "done") return { kind: "stored", token };
      return deleted === "refused" ? { kind: "refused" } : { kind: "unknown", error: deleted.error };
    });
  }

  /** Ends it, to run out by itself in so many ms. */
  async lapse(ms: number): Promise<void> {
    this.end();
    if (this.#renewal !== undefined) await this.#renewal;
    await this.#overLease((token) => this.#store.set(this.#about, this.#entry, ms, token));
  }

  /** Ends it and leaves the entry as it is. */
  end(): void {
    this.#held.delete(this);
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (elapsedMs(this.#clock, this.#takenAt) + RENEWAL_MS >= this.#mintDelayMs) return;
    this.#timer = this.#clock.setTimeout(() => this.#renewal = this.#renew(), RENEWAL_MS);
    this.#clock.unref?.(this.#timer);
  }

  async #renew(): Promise<void> {
    const timer = this.#timer;
    const askedAt = momentOf(this.#clock);
    // Its beat tells others that its holder lives, whatever its ttl says: a lease may be planted, or outlive its end.
    this.#entry = { ...this.#entry, beat: ((this.#entry.beat ?? 0) + 1) >>> 0 };
    const written = await this.#overLease((token) => this.#store.set(this.#about, this.#entry, LEASE_MS, token));
    if (written.kind === "stored") {
      this.#token = written.token;
      this.#stoodAt = askedAt;
    }
    this.#renewal = undefined;
    if (this.#timer === timer && !this.#lost) this.#schedule();
  }

  /**
   * A write over the lease's token that is not answered "stored" is followed by ONE get: if a lease with our nonce is
   * still there, whatever its generations, the write is repeated once over the token just seen; else nothing is kept.
   *
   *   1. we hold the lease          2. our socket dies, and its token with it
   *   3. without the look every waiter, here and elsewhere, would sit out a lease whose holder is well
   *
   * It is safe since the lease was confirmed before the computation began and a nonce is written only by its holder.
   */
  async #overLease(write: (token: Token) => Promise<Written>): Promise<Written> {
    const written = await write(this.#token);
    if (written.kind === "stored" || written.kind === "never") return written;
    const found = await this.#store.get(this.#about);
    if (found === UNANSWERED) return written;
    if (found?.entry.kind !== "lease" || found.entry.nonce !== this.#entry.nonce) {
      this.#lost = true;
      return written;
    }
    this.#token = found.token;
    return await write(found.token);
  }
}
