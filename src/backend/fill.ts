import { elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import { CacheError, type CacheValueError } from "../errors.ts";
import { isPromise } from "../util/callbacks.ts";
import type { Keys } from "../key/key.ts";
import { quoted } from "../util/checks.ts";
import { Warnings, type WarningTopic } from "../util/warnings.ts";
import type { GuardedStore, Label, Written } from "./guarded_store.ts";
import type { Entry, LeaseEntry, Owned, Token, ValueEntry } from "../store/store.ts";
import { type Call, isShared, mark, MARK_MS, seated, type Target } from "./call.ts";
import type { Events } from "./events.ts";
import { type End, Flight, type Flights } from "./computation.ts";
import { Lease, LEASE_MS } from "./lease.ts";
import type { Snapshot, SnapshotReader } from "./read_batch.ts";
import type { Settings } from "./options.ts";
import { within } from "./caller_timeout.ts";
import { keep, type Keeping, keeps, keepsByDefault, ttlMsOf } from "./entry_options.ts";
import { type Verdict, verdict } from "./freshness.ts";

/** What becomes of a value that was computed under a lease. */
type Finish = (call: Call, value: unknown, owned: Owned, lease: Lease, flight: Flight) => Promise<void>;

/** How one writes by one's right: over the token of a lease, of a look, or of the mark. */
type Write = (entry: Entry, ttlMs: number) => Promise<Written>;

/** The parts that a backend's fills work with. */
export interface Parts {
  readonly settings: Settings;
  readonly keys: Keys;
  readonly store: GuardedStore;
  readonly events: Events;
  readonly looks: SnapshotReader;
  readonly flights: Flights;
}

/**
 * Computing under a right to keep the result, and keeping it by that right alone: the token of a lease, of a look, or of
 * the mark. No write of a value here replaces "anything": a plain set would bring an old value back after an
 * invalidation.
 */
export class Fills {
  readonly #parts: Parts;
  readonly #store: GuardedStore;
  /** Every attempt to take a lease has a nonce of its own: 8 random bytes of this backend, and a count. */
  readonly #prefix: string;
  #count = 0;
  /** What came of the looks of this moment. */
  readonly #attempts = new WeakMap<object, { readonly call: Target; readonly flight: Flight }>();
  /** Keys whose stale value this process is refreshing, or trying to, and since when. */
  readonly #refreshing = new Map<string, Moment>();
  /** The leases and mint locks that this process holds. */
  readonly #held = new Set<Lease>();
  /** Leases that are being asked for, and last writes: what `close` waits for. */
  readonly #unfinished = new Set<Promise<unknown>>();
  #closed = false;
  readonly #warnings = new Warnings();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#store = parts.store;
    this.#prefix = parts.settings.random.uint64().toString(16).padStart(16, "0") + ".";
  }

  /** What a look has found, to this call and now. */
  judge(target: Target, look: Snapshot): Verdict {
    const seen = verdict(look.found, target, look.generations, this.#parts.settings.clock.now());
    if (seen === "fresh" || seen === "stale") {
      const { source } = look.found!.entry as ValueEntry;
      if (source !== target.source && source !== undefined && target.source !== undefined) {
        this.#warnOtherSource(target);
      }
    }
    return seen;
  }

  /** Was this lease asked for by this process? */
  isOurs(nonce: string): boolean {
    return nonce.startsWith(this.#prefix);
  }

  // ──────────────── under a lease ────────────────

  /**
   * A miss: takes the lease, computes, keeps. The flight goes on without this caller, should it leave. Those who share
   * a look share the attempt, as all of them called before the look was sent, and so before the computation begins:
   * the first is given its end, the others its flight.
   */
  miss(call: Call, look: Snapshot): { readonly end: Promise<End> } | { readonly flight: Flight } {
    const begun = this.#attempts.get(look.slot);
    if (begun !== undefined && !begun.flight.answered && isSameTarget(begun.call, call)) {
      return { flight: begun.flight };
    }
    const { flight, end } = this.#fly(call, look, this.#keepAndAnswer);
    this.#attempts.set(look.slot, { call, flight });
    return { end };
  }

  /** The same for a refresh: it answers last, what it could not store it deletes, and it shares nothing. */
  refresh(call: Call, look: Snapshot): Promise<End> {
    return this.#fly(call, look, this.#keepThenAnswer).end;
  }

  #fly(call: Call, look: Snapshot, finish: Finish): { readonly flight: Flight; readonly end: Promise<End> } {
    const nonce = this.#nonce();
    const flight = this.#parts.flights.open(call.about.key, nonce);
    const seat = flight.board();
    this.behind(this.#under(call, look, nonce, flight, finish));
    return { flight, end: seated(call, seat, seat.end) };
  }

  async #under(call: Call, look: Snapshot, nonce: string, flight: Flight, finish: Finish): Promise<void> {
    const owned = ownedBy(call, look.generations);
    const entry: LeaseEntry = { kind: "lease", nonce, ...owned };
    const taken = await this.#ask(call.about, entry, look.found?.token);
    if (taken.kind === "stored") {
      const lease = this.#hold(call.about, entry, taken.token, call.mintDelayMs);
      const computed = await flight.run(call.compute);
      if (computed.kind === "value" && isShared(call)) {
        await finish.call(this, call, computed.value, owned, lease, flight);
      } else {
        // The release is on its way before anybody learns of the error, so who tries again finds no lease. (While a
        // renewal is under way its token is not known yet: who tries again then waits for this flight to close.)
        const released = this.#finish(lease.release());
        if (computed.kind === "value") flight.landAlone(computed.value);
        else if (computed.kind === "error" && isShared(call)) flight.fail(computed.error);
        else if (computed.kind === "error") flight.failAlone(computed.error);
        await released;
      }
    } else flight.dissolve(taken.kind === "refused" ? "refused" : "unknown");
    this.#parts.flights.close(nonce);
  }

  /** The value is on its way to the store when its callers are answered; nobody waits for it to arrive. */
  async #keepAndAnswer(call: Call, value: unknown, owned: Owned, lease: Lease, flight: Flight): Promise<void> {
    const settled = this.#keepOrMark(
      call,
      this.#keeping(call, value, owned),
      owned,
      (...entry) => this.#finish(lease.settle(...entry)),
    );
    flight.land(value);
    if ((await settled).kind !== "refused" || !lease.lapsed) return;
    const error = new CacheError(
      `Cannot keep ${call.about.key}: its function ran longer than mintDelay (${call.mintDelayMs} ms), and its lease lapsed`,
    );
    this.#store.failed("set", call.about, error);
  }

  async #keepThenAnswer(call: Call, value: unknown, owned: Owned, lease: Lease, flight: Flight): Promise<void> {
    await this.#keepOrForget(call, value, owned, (...entry) => this.#finish(lease.settle(...entry)));
    lease.end();
    flight.land(value);
  }

  // ──────────────── over a stale value, behind the answer ────────────────

  /** Refreshes a stale value, if nobody does. One that hangs holds up others no longer than its lock would. */
  refreshBehind(call: Call): void {
    const { key } = call.about;
    const { clock } = this.#parts.settings;
    const begun = this.#refreshing.get(key);
    if (begun !== undefined && elapsedMs(clock, begun) < call.mintDelayMs + LEASE_MS) return;
    const now = momentOf(clock);
    this.#refreshing.set(key, now);
    this.behind(
      this.#refreshStale(call).finally(() => {
        if (this.#refreshing.get(key) === now) this.#refreshing.delete(key);
      }),
    );
  }

  /** Lock, then look; set, then unlock. Any overlap costs a second computation when lock and entry are on two servers. */
  async #refreshStale(call: Call): Promise<void> {
    const { keys, settings, looks, events } = this.#parts;
    const { name, key } = call.about;
    const about: Label = { name, key: keys.mintLock({ key, fullKey: call.fullKey }) };
    const entry: LeaseEntry = { kind: "lease", nonce: this.#nonce(), generations: [] };
    const taken = await this.#ask(about, entry, undefined);
    if (taken.kind !== "stored") return;
    const lock = this.#hold(about, entry, taken.token, call.mintDelayMs);
    const look = await looks.read(call);
    if (look === undefined || this.judge(call, look) !== "stale") return await this.#finish(lock.release());
    const begun = events.begin("refresh");
    const flight = unshared();
    const tooLong = settings.clock.setTimeout(() => flight.expire(), call.mintDelayMs);
    settings.clock.unref?.(tooLong);
    const computed = await flight.run(call.compute);
    settings.clock.clearTimeout(tooLong);
    let failed: { readonly error: unknown } | undefined;
    if (computed.kind === "error") failed = computed;
    else if (computed.kind === "value" && isShared(call)) {
      const owned = ownedBy(call, look.generations);
      const written = await this.#keepOrMark(
        call,
        this.#keeping(call, computed.value, owned),
        owned,
        this.#over(call, look),
      );
      if (written.kind === "unknown") failed = written;
    }
    // A lock that is left to run out is the whole fleet's pause before the next try.
    if (failed === undefined) await this.#finish(lock.release());
    else await this.#finish(lock.lapse(LEASE_MS * (0.8 + 0.4 * settings.random.fraction())));
    events.refreshed(call.about, begun, computed.kind === "error" ? { error: computed.error } : undefined);
  }

  // ──────────────── over what a look saw, without a lease ────────────────

  /** A refresh while a value is there: readers keep it until the new one is stored. Joined by nobody. */
  refreshOver(call: Call, look: Snapshot): Promise<End> {
    const owned = ownedBy(call, look.generations);
    return this.#alone(call, (value) => this.#keepOrForget(call, value, owned, this.#over(call, look)));
  }

  /** Never kept by its own terms: computes, and that is all. Joined by nobody. */
  unkept(call: Call): Promise<End> {
    return this.#alone(call);
  }

  #alone(call: Call, first?: (value: unknown) => Promise<void>): Promise<End> {
    const flight = unshared();
    const seat = flight.board();
    this.behind(this.#land(call, flight, first));
    return seated(call, seat, seat.end);
  }

  async #land(call: Call, flight: Flight, first?: (value: unknown) => Promise<void>): Promise<void> {
    const computed = await flight.run(call.compute);
    if (computed.kind === "error") return flight.fail(computed.error);
    if (computed.kind === "abandoned") return;
    await first?.(computed.value);
    flight.land(computed.value);
  }

  /** A call that saw the mark keeps what can be kept now; what cannot again leaves the mark as it is. */
  keepOverMark(call: Call, value: unknown, look: Snapshot): void {
    const owned = ownedBy(call, look.generations);
    const keeping = this.#keeping(call, value, owned);
    if (keeping !== undefined) this.behind(this.#keepOrMark(call, keeping, owned, this.#over(call, look)));
  }

  // ──────────────── keeping a result ────────────────

  /** A write over what a look saw. */
  #over(call: Call, look: Snapshot): Write {
    return (entry, ttlMs) => this.#store.set(call.about, entry, ttlMs, look.found!.token);
  }

  /**
   * The value by one's right to write, or the mark where it cannot be kept; and the mark where nothing is, if that is
   * refused, since a server that finds a value too large deletes what was there. The first write is on its way when
   * this returns.
   */
  async #keepOrMark(call: Call, keeping: Keeping | undefined, owned: Owned, write: Write): Promise<Written> {
    if (keeping !== undefined) {
      const written = await write(keeping.entry, keeping.ttlMs);
      if (written.kind !== "never") return written;
      this.#warnNeverKept(call.about, written.error);
    }
    const marked = await write(mark(owned), MARK_MS);
    return marked.kind === "refused" ? await this.#store.add(call.about, mark(owned), MARK_MS) : marked;
  }

  /** The value by one's right to write; what was not stored is deleted, so that no older value stays. */
  async #keepOrForget(call: Call, value: unknown, owned: Owned, write: Write): Promise<void> {
    const keeping = this.#keeping(call, value, owned);
    const written = keeping && await write(keeping.entry, keeping.ttlMs);
    if (written?.kind === "never") this.#warnNeverKept(call.about, written.error);
    if (written?.kind !== "stored") await this.forget(call.about);
  }

  // ──────────────── the user's own writes ────────────────

  /**
   * Keeps a given value, the lease first, so that a write which timed out can never land after a later invalidation.
   * "lease refused": something newer was there. "refused": something newer came. Throws when it is unknown whether it
   * was kept, or it never can be.
   */
  put(
    target: Target,
    generations: readonly bigint[],
    keeping: (owned: Owned) => Keeping,
    take: (lease: LeaseEntry) => Promise<Written>,
  ): Promise<"stored" | "refused" | "lease refused"> {
    return this.#finish(this.#put(target, generations, keeping, take));
  }

  async #put(
    target: Target,
    generations: readonly bigint[],
    keeping: (owned: Owned) => Keeping,
    take: (lease: LeaseEntry) => Promise<Written>,
  ): Promise<"stored" | "refused" | "lease refused"> {
    const { flights, settings } = this.#parts;
    const nonce = this.#nonce();
    const flight = flights.open(target.about.key, nonce);
    try {
      const owned = ownedBy(target, generations);
      const entry: LeaseEntry = { kind: "lease", nonce, ...owned };
      const taken = await take(entry);
      if (taken.kind === "refused") return "lease refused";
      if (taken.kind !== "stored") throw notConfirmed("keep", target.about.key, taken.error);
      // Not among those that `close` releases: it waits for the user's own write.
      const lease = this.#hold(target.about, entry, taken.token, settings.defaults.mintDelayMs, new Set());
      const kept = keeping(owned);
      const written = await lease.settle(kept.entry, kept.ttlMs);
      if (written.kind === "unknown") throw notConfirmed("keep", target.about.key, written.error);
      if (written.kind === "never") {
        await lease.release();
        throw written.error;
      }
      flight.land(kept.entry.value);
      return written.kind;
    } finally {
      flights.close(nonce);
    }
  }

  /** Deletes whatever is there; asked once more when it was not confirmed, since a second delete changes nothing. */
  async forget(about: Label): Promise<"done" | { readonly error: unknown }> {
    const first = await this.#store.delete(about, "anything");
    const answer = first === "done" ? first : await this.#store.delete(about, "anything");
    return answer === "refused" ? "done" : answer;
  }

  /** Tells the host of work that goes on after the answer. The work never rejects. */
  behind(work: Promise<unknown>): void {
    const failed = (error: unknown) =>
      this.#warnings.once("callbacks", "waitUntil", "the option `waitUntil` threw (told once)", { error });
    try {
      isPromise(this.#parts.settings.waitUntil(work), failed);
    } catch (error) {
      failed(error);
    }
  }

  /**
   * The backend closes: leases are released, those that are on their way as well, and last writes arrive, as far as the
   * store answers in time. Computations go on without a lease: what they return is not kept.
   */
  async close(): Promise<void> {
    const { clock, storeTimeoutMs } = this.#parts.settings;
    this.#closed = true;
    const finished = this.#finishAll();
    if (this.#unfinished.size > 0) await within(clock, storeTimeoutMs, finished);
  }

  async #finishAll(): Promise<void> {
    do {
      for (const lease of [...this.#held]) void this.#finish(lease.release());
      await Promise.allSettled(this.#unfinished);
      // A lease that was on its way is held by now.
    } while (this.#held.size > 0);
  }

  /** `close` waits for it. The same promise: nobody learns of its end a microtask later. */
  #finish<T>(work: Promise<T>): Promise<T> {
    const done = () => void this.#unfinished.delete(work);
    this.#unfinished.add(work);
    work.then(done, done);
    return work;
  }

  /** Asks for a lease or a mint lock. A backend that closes takes none any more. */
  #ask(about: Label, entry: LeaseEntry, over: Token | undefined): Promise<Written> {
    if (this.#closed) return Promise.resolve({ kind: "unknown", error: new CacheError("backend is closed") });
    return this.#finish(this.#store.lease(about, entry, LEASE_MS, over));
  }

  #hold(about: Label, entry: LeaseEntry, token: Token, mintDelayMs: number, held: Set<Lease> = this.#held): Lease {
    return new Lease(this.#store, this.#parts.settings.clock, about, entry, token, mintDelayMs, held);
  }

  #nonce(): string {
    return this.#prefix + (this.#count++).toString(36);
  }

  /** How a result is kept; `undefined`: it cannot be. What the call's own `when` or `ttl` throws costs only the keeping. */
  #keeping(call: Call, value: unknown, owned: Owned): Keeping | undefined {
    const { defaults, clock, random } = this.#parts.settings;
    const { when = keepsByDefault, ttl, stale } = call.options;
    if (!isShared(call)) return undefined;
    let asked = "when", ttlMs: number;
    try {
      if (!keeps(value, when)) return undefined;
      asked = "ttl";
      ttlMs = ttlMsOf(value, ttl, defaults);
    } catch (error) {
      const whose = call.about.name ?? call.about.key;
      const what = `the option \`${asked}\` of ${quoted(whose)} failed, so what the function returned is not kept`;
      this.#warnings.once("callbacks", `${asked} ${whose}`, `${what} (told once a function)`, { error });
      return undefined;
    }
    return ttlMs > 0 ? keep(value, ttlMs, stale, defaults, owned, clock.now(), random) : undefined;
  }

  #warnNeverKept(about: Label, error: CacheValueError): void {
    this.#warn("results that cannot be kept", `cannot be kept, so it is computed each time. ${error.message}`, about);
  }

  /** It would wait for itself. */
  warnCircle({ about }: Target): void {
    this.#warn(
      "calls that would wait for themselves",
      "was asked for while it was computed, by its own function or by one that this calls, with the same arguments. It " +
        "would wait for itself, so it was computed without the cache: call the function itself there, not the cached one.",
      about,
    );
  }

  /** Two releases of one function, or two functions of which each is given what the other one has kept. */
  #warnOtherSource({ about }: Target): void {
    this.#warn(
      "results of another source",
      "was kept by a function of another source. If they are two functions of one name, pass the option `name` to one " +
        "of them; if they are two releases of one, give their backends a `version` each.",
      about,
    );
  }

  /** Once a function, or a key where nobody knows the function. */
  #warn(kind: WarningTopic, what: string, { name, key }: Label): void {
    this.#warnings.once(kind, name ?? key, `a result of ${name ?? key} ${what}`);
  }
}

/** The store did not say that it was done. */
export const notConfirmed = (action: string, key: string, cause?: unknown): CacheError =>
  new CacheError(`Cannot ${action} ${key}: the store did not confirm it, so what is there is unknown`, { cause });

const ownedBy = ({ fullKey, source }: Target, generations: readonly bigint[]): Owned => ({
  fullKey,
  source,
  generations,
});

/** Two calls of one key may name different groups, or stand for different full keys or sources. */
const isSameTarget = (one: Target, other: Target): boolean =>
  one.fullKey === other.fullKey && one.source === other.source && one.counters.length === other.counters.length &&
  one.counters.every((counter, i) => counter.key === other.counters[i]!.key);

/** A flight that one caller at most boards. */
const unshared = (): Flight => new Flight((value) => value);
