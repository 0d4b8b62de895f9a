import { type Clock, elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import { CacheValueError } from "../errors.ts";
import type { Entry, LeaseEntry, Owned, Token } from "../store/store.ts";
import { withTimeout } from "./caller_timeout.ts";
import { type GuardedStore, type Label, UNANSWERED, type Written } from "./guarded_store.ts";
import type { Settings } from "./options.ts";

/** How long a lease or refresh lock lives unless it is renewed: so long others wait for a holder that died (on memcached 6 s). */
export const LEASE_MS = 5000;
const RENEWAL_MS = LEASE_MS / 3;

/** The leases and refresh locks of one backend. */
export class Leases {
  readonly store: GuardedStore;
  readonly clock: Clock;
  readonly #storeTimeoutMs: number;
  /** Every attempt to take a lease has a nonce of its own: 8 random bytes of this backend, and a count. */
  readonly #prefix: string;
  #count = 0;
  readonly #held = new Set<Lease>();
  /** Leases that are being asked for, and last writes: what `close` waits for. */
  readonly #unfinished = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(store: GuardedStore, { clock, random, storeTimeoutMs }: Settings) {
    this.store = store;
    this.clock = clock;
    this.#storeTimeoutMs = storeTimeoutMs;
    this.#prefix = random.uint64().toString(16).padStart(16, "0") + ".";
  }

  /** A new lease, not in the store yet, with a nonce of its own. */
  newEntry(owned: Owned): LeaseEntry {
    const { fullKey, source, generations } = owned;
    // rule 9: a nonce of its own for each attempt
    const nonce = this.#prefix + (this.#count++).toString(36);
    return { kind: "lease", nonce, fullKey, source, generations };
  }

  /** Is it the nonce of a lease that this backend has asked for? */
  isOwn(nonce: string): boolean {
    return nonce.startsWith(this.#prefix);
  }

  /**
   * Takes a lease or a refresh lock: over what a snapshot saw, or where it saw nothing. refused: another entry is there.
   * unknown: no answer came in time, or the backend closes.
   */
  async take(
    label: Label,
    entry: LeaseEntry,
    over: Token | undefined,
    mintDelayMs: number,
  ): Promise<Lease | "refused" | "unknown"> {
    if (this.#isClosed) return "unknown";
    const written = await this.finish(this.store.lease(label, entry, LEASE_MS, over));
    if (written.kind !== "stored") return written.kind === "refused" ? "refused" : "unknown";
    const lease = new Lease(this, label, entry, written.token, mintDelayMs);
    this.#held.add(lease);
    return lease;
  }

  /** `close` need not release this lease any more: it has ended. */
  forget(lease: Lease): void {
    this.#held.delete(lease);
  }

  /** Makes `close` wait for this work. Returns the promise itself: a derived one would settle microtasks later. */
  finish<T>(work: Promise<T>): Promise<T> {
    const done = () => void this.#unfinished.delete(work);
    this.#unfinished.add(work);
    work.then(done, done);
    return work;
  }

  /**
   * Releases every lease, those that are on their way as well, and waits for last writes, as far as the store answers
   * in time. Computations go on without a lease: what they return is not kept.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    const released = this.#releaseAll();
    if (this.#unfinished.size > 0) await withTimeout(this.clock, this.#storeTimeoutMs, released);
  }

  async #releaseAll(): Promise<void> {
    do {
      for (const lease of [...this.#held]) void lease.release();
      await Promise.allSettled(this.#unfinished);
      // A lease that was on its way is held by now.
    } while (this.#held.size > 0);
  }
}

/** A lease that this process holds: renewed while its value is computed, then replaced or released by its token. */
export class Lease {
  readonly #leases: Leases;
  readonly #label: Label;
  #entry: LeaseEntry;
  readonly #mintDelayMs: number;
  readonly #takenAt: Moment;
  /** When it was written last: it is in the store for `LEASE_MS` from then on, unless somebody deletes it. */
  #writtenAt: Moment;
  #token: Token;
  #timer: unknown;
  /** Seen to be gone: deleted, evicted, or taken over. */
  #isLost = false;
  /** The renewal that is under way, if one is. */
  #renewal: Promise<void> | undefined;

  /** `label.key`: the lease's own key in the store. `token`: of the add or set that stored it just now. */
  constructor(leases: Leases, label: Label, entry: LeaseEntry, token: Token, mintDelayMs: number) {
    this.#leases = leases;
    this.#label = label;
    this.#entry = entry;
    this.#token = token;
    this.#mintDelayMs = mintDelayMs;
    this.#takenAt = this.#writtenAt = momentOf(leases.clock);
    this.#schedule();
  }

  /** Was it not renewed for so long that another computation may have begun? */
  get hasLapsed(): boolean {
    return elapsedMs(this.#leases.clock, this.#writtenAt) >= LEASE_MS;
  }

  /**
   * Writes an entry over the lease and ends it. The entry's bytes are taken when this returns: by the store itself, or,
   * where the write may leave later, by a copy.
   *
   *   1. the value's write is not answered "stored", as our socket died    2. the caller has its value, and changes it
   *   3. the write is repeated over the token just seen: without the copy what the caller made of its value is kept
   */
  replace(entry: Entry, ttlMs: number): Promise<Written> {
    const { store } = this.#leases;
    let taken = entry;
    // A store in memory answers at once: the write is never repeated later, so no copy is needed.
    if (entry.kind === "value" && !(this.#renewal === undefined && store.immediate)) {
      try {
        taken = { ...entry, value: store.copy(entry.value) };
      } catch (error) {
        this.end();
        store.failed("set", this.#label, error);
        const never = error instanceof CacheValueError
          ? error
          : new CacheValueError("Cannot keep a value: its store cannot copy it", { cause: error });
        return Promise.resolve({ kind: "never", error: never });
      }
    }
    // rule 1: a value over its own lease
    return this.#last((token) => store.set(this.#label, taken, ttlMs, token));
  }

  /** Deletes the lease and ends it. */
  release(): Promise<Written> {
    return this.#last(async (token) => {
      // rule 1: released by its token
      const deleted = await this.#leases.store.delete(this.#label, token);
      if (deleted === "done") return { kind: "stored", token };
      return deleted === "refused" ? { kind: "refused" } : { kind: "unknown", error: deleted.error };
    });
  }

  /** Ends it, but leaves it in the store for so many ms: until then nobody in the fleet takes it. */
  lapse(ms: number): Promise<Written> {
    // rule 1: left to run out by its token
    return this.#last((token) => this.#leases.store.set(this.#label, this.#entry, ms, token));
  }

  /** Ends it by a write, which is on its way when this returns, unless a renewal is: then it follows that. */
  #last(write: (token: Token) => Promise<Written>): Promise<Written> {
    this.end();
    const written = this.#renewal === undefined
      ? this.#overLease(write)
      : this.#renewal.then(() => this.#overLease(write));
    return this.#leases.finish(written);
  }

  /** Ends it and leaves the entry as it is. */
  end(): void {
    this.#leases.forget(this);
    this.#leases.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (elapsedMs(this.#leases.clock, this.#takenAt) + RENEWAL_MS >= this.#mintDelayMs) return;
    this.#timer = this.#leases.clock.setTimeout(() => this.#renewal = this.#renew(), RENEWAL_MS);
    this.#leases.clock.unref?.(this.#timer);
  }

  async #renew(): Promise<void> {
    const timer = this.#timer;
    const askedAt = momentOf(this.#leases.clock);
    // Others see by the beat that its holder lives. Its ttl does not say that: somebody may have planted the lease, or a
    // store may keep it past its ttl.
    // rule 14: each renewal raises the beat
    this.#entry = { ...this.#entry, beat: ((this.#entry.beat ?? 0) + 1) >>> 0 };
    // rule 1: a renewal over its own lease
    const written = await this.#overLease((token) => this.#leases.store.set(this.#label, this.#entry, LEASE_MS, token));
    if (written.kind === "stored") {
      this.#token = written.token;
      this.#writtenAt = askedAt;
    }
    this.#renewal = undefined;
    if (this.#timer === timer && !this.#isLost) this.#schedule();
  }

  /**
   * A write over the lease's token that is not answered "stored" is followed by ONE get: if a lease with our nonce is
   * still there, whatever its generations, the write is repeated once over the token just seen; else nothing is kept.
   *
   *   1. we hold the lease          2. our socket dies, and its token with it
   *   3. without the get every waiter, here and elsewhere, would wait until the lease of a healthy holder runs out
   *
   * It is safe since the lease was confirmed before the computation began and a nonce is written only by its holder.
   */
  async #overLease(write: (token: Token) => Promise<Written>): Promise<Written> {
    const written = await write(this.#token);
    // rule 7: whatever is not stored is looked for, once
    if (written.kind === "stored" || written.kind === "never") return written;
    const found = await this.#leases.store.get(this.#label);
    if (found === UNANSWERED) return written;
    // rule 7: only our own lease is written over
    if (found?.entry.kind !== "lease" || found.entry.nonce !== this.#entry.nonce) {
      this.#isLost = true;
      return written;
    }
    this.#token = found.token;
    return await write(found.token);
  }
}
