/**
 * The conductor. How a value is kept so that
 *   - a call that begins after an invalidation has resolved, in any process, never returns a value whose computation
 *     began before that invalidation, and
 *   - one expiry means one computation in the whole fleet:
 *
 * A look reads the entry and its groups' counters in one round trip. A value carries the generations that were read
 * BEFORE it was computed, so an increment makes it OUTDATED wherever it is. Whoever computes holds a lease under the
 * key, and writes only over the token of that lease: an invalidation deletes the lease, so an old value that comes
 * after it is refused. Others wait for the lease, or are served the stale value while the holder of a mint lock
 * refreshes it.
 */
import { elapsedMs, momentOf } from "../util/clock.ts";
import { CacheError } from "../errors.ts";
import { assertOptions } from "../util/checks.ts";
import { Keys } from "../key/key.ts";
import { GuardedStore } from "./guarded_store.ts";
import { MemoryStore } from "../store/memory/store.ts";
import type { LeaseEntry, Owned, Store } from "../store/store.ts";
import { Alone, type Place } from "./uncoordinated.ts";
import type { Backend, DeleteOptions, EntryOptions, FetchOptions, ReadOptions, ReadyOptions } from "./backend.ts";
import { type Call, callOf, isUnrenewed, landed, seated, type Target, targetOf, valueIn, wait } from "./call.ts";
import { closesCircle, currentComputation, openContext } from "./context.ts";
import { Counters } from "./counters.ts";
import { type BackendEvents, Events, type Outcome, type Reason, type Why } from "./events.ts";
import { Fills, notConfirmed } from "./fill.ts";
import { notInvalidated } from "./unconfirmed.ts";
import { type End, type Flight, Flights } from "./computation.ts";
import { distinct } from "./groups.ts";
import { LEASE_MS } from "./lease.ts";
import { type Snapshot, SnapshotReader } from "./read_batch.ts";
import { assertSwitch, type GroupBackendOptions, type Settings, settingsOf } from "./options.ts";
import { Outages } from "./outages.ts";
import { LATE, within } from "./caller_timeout.ts";
import { Pollers } from "./poller.ts";
import { checkTerms, keep, type Keeping, ttlMsOf } from "./entry_options.ts";
import { type Verdict, whyNot } from "./freshness.ts";

/** How often a call starts over for a refused lease, before it computes alone; and for how many leases it waits. */
const MAX_REFUSALS = 8, MAX_WAITS = 3;
/** `getMany` asks so many keys a round, so that one call does not reach a driver's bound on requests in flight. */
const KEYS_A_ROUND = 5000;
const because = (reason: Reason): Why => ({ reason });
const ABSENT = because("absent"), EXPIRED = because("expired"), FORCED = because("forced");
const UNCACHEABLE = because("uncacheable"), BUSY = because("busy"), STORE = because("store");
const DISABLED = because("disabled"), CLOSED = because("closed");
const NONE: unique symbol = Symbol("no value"); // `undefined` may be one

/**
 * The group backend: generations, mint locks, leases, projects and versions over any Store.
 *
 * @example
 * ```ts
 * import { GroupBackend } from "@x/cache-utils";
 *
 * const backend = new GroupBackend({ project: "shop", version: 42 });
 * const offers = await backend.fetch("offers", () => ["tea", "rice"], { ttl: "5m", group: "offers" });
 * await backend.invalidateGroup("offers");
 * console.log(offers, backend.stats);
 * ```
 */
export class GroupBackend implements Backend {
  /** The option `redefine`. */
  readonly redefine: boolean;
  /** Where entries are kept: what was given, or made. */
  readonly store: Store;
  readonly #settings: Settings;
  readonly #keys: Keys;
  readonly #counters: Counters;
  readonly #store: GuardedStore;
  readonly #events: Events;
  readonly #looks: SnapshotReader;
  readonly #pollers: Pollers;
  readonly #flights: Flights;
  readonly #alone: Alone;
  readonly #fills: Fills;
  #enabled: boolean;
  #closed: Promise<void> | undefined;

  /** Throws a TypeError or RangeError that names a wrong option. */
  constructor(options: GroupBackendOptions = {}) {
    const settings = this.#settings = settingsOf(options);
    this.redefine = settings.redefine;
    this.#enabled = settings.enabled;
    const { clock } = settings;
    // Calls inside a computation are told by it, for circles, and for the bound of an outage, which they pass.
    if (settings.detectCycles || settings.outageConcurrency !== Infinity) openContext();
    const keys = this.#keys = new Keys(settings.project, settings.version);
    this.#counters = new Counters(keys, settings.groups);
    const events = this.#events = new Events(clock);
    const kept = this.store = settings.store ?? new MemoryStore({ clock });
    const outages = new Outages(kept, clock, events);
    const store = this.#store = new GuardedStore(kept, clock, settings.storeTimeoutMs, (failure) => {
      if (this.#closed === undefined) outages.failed(failure);
    }, outages);
    const copy = (value: unknown) => store.copy(value);
    const looks = this.#looks = new SnapshotReader(store);
    const flights = this.#flights = new Flights(copy);
    this.#pollers = new Pollers(store, clock, settings.random);
    this.#alone = new Alone(clock, copy, settings.outageConcurrency, () => currentComputation() !== undefined);
    this.#fills = new Fills({ settings, keys, store, events, looks, flights });
  }

  /** How many calls of `fetch` (and so of cached functions) had which outcome. */
  get stats(): Readonly<Record<Outcome, number>> {
    return this.#events.stats;
  }

  /**
   * The option `enabled`, as it is now. It is read once a call: calls begun before end as they began.
   *
   * @example
   * ```ts
   * import { configure } from "@x/cache-utils";
   *
   * const backend = configure({ ttl: "5m" });
   * backend.enabled = false; // is it the cache? From now on everything is computed, and nothing is kept
   * ```
   */
  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    assertSwitch(enabled);
    this.#enabled = enabled;
  }

  /**
   * Resolves once the store is connected (one in memory is), for start-up and health checks. Rejects with what the store
   * says: of several servers an AggregateError with an error for each that is not; with the signal's reason.
   */
  async ready(options: ReadyOptions = {}): Promise<void> {
    assertOptions(options);
    this.#assertOpen();
    await this.store.ready?.(options.signal);
  }

  /** Adds a listener. Returns the way to stop listening. */
  on<K extends keyof BackendEvents>(event: K, listener: (event: BackendEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  // ──────────────── a call ────────────────

  /**
   * The value kept under `key`, or else what `compute` returns, kept. Rejects with the function's own error, with
   * CacheTimeoutError after `timeout`, with the signal's reason; never because the store failed.
   */
  async fetch<T>(
    key: string,
    compute: (signal: AbortSignal) => T | Promise<T>,
    options: FetchOptions<T> = {},
  ): Promise<T> {
    const begun = this.#events.begin("call");
    const call = this.#call(key, compute, options);
    try {
      options.signal?.throwIfAborted();
      let value: unknown = NONE, look: Snapshot | undefined;
      // Most calls are hits: here, so that they wait for one promise and no more.
      if (call.kept && call.away === undefined && options.force !== true) {
        look = this.#looks.readAtOnce(call);
        if (look !== undefined) value = this.#served(call, look, this.#fills.judge(call, look), 0);
        if (call.outcome === "hit") options.inputs?.unread();
        // No miss begins with a look that nobody shares.
        if (value === NONE) look = await wait(call, this.#looks.read(call));
        if (value === NONE && look !== undefined) value = this.#served(call, look, this.#fills.judge(call, look), 0);
      }
      if (value === NONE) value = await this.#answer(call, look);
      this.#events.called(call.outcome, call, begun);
      return value as T;
    } catch (error) {
      this.#events.called("error", call, begun);
      throw error;
    } finally {
      call.patience?.end();
    }
  }

  /** 1 and 2: the value that a look has found, fresh or stale; NONE: none that may be given. */
  #served(call: Call, look: Snapshot, seen: Verdict, waits: number): unknown {
    if (seen === "fresh") {
      call.outcome = waits === 0 ? "hit" : "wait";
      call.why = undefined;
    } else if (seen === "stale") {
      call.outcome = "stale";
      call.why = EXPIRED;
      this.#fills.refreshBehind(call);
    } else return NONE;
    return this.#handed(call, look);
  }

  /** A value for one caller. NONE where its store cannot copy what it has given. */
  #handed({ about }: Target, look: Snapshot): unknown {
    try {
      return look.takeCopy(valueIn(look.found!));
    } catch (error) {
      this.#store.failed("get", about, error);
      return NONE;
    }
  }

  /** What a call does that its first look has not served. */
  async #answer(call: Call, first: Snapshot | undefined): Promise<unknown> {
    call.why = UNCACHEABLE;
    if (!call.kept) return await this.#computeApart(call);
    const { away } = call, forced = call.options.force === true;
    call.why = away ?? FORCED;
    if (forced && away !== CLOSED) return await this.#refresh(call);
    if (away !== undefined) return await this.#computeAlone(call, away);
    if (first === undefined) call.why = STORE;
    let refusals = 0, waits = 0;
    for (let look = first; look !== undefined; look = await this.#lookAgain(call, refusals, waits)) {
      const seen = this.#fills.judge(call, look);
      const value = this.#served(call, look, seen, waits); // 1, 2
      if (value !== NONE) return value;
      if (this.#events.hasListeners("call")) {
        call.why = whyNot(look.found, call, look.generations, this.#settings.clock.now());
      }
      switch (seen) {
        case "lease": { // 3
          const lease = look.found!.entry as LeaseEntry, { nonce } = lease;
          const flight = this.#flights.get(call.about.key, nonce);
          if (flight === undefined && this.#fills.isOurs(nonce)) break; // an orphan: OUTDATED, taken over
          if (flight === undefined && isUnrenewed(call, lease)) break; // its holder is gone: likewise
          if (this.#waitsForItself(call, flight)) return await this.#computeApart(call);
          if (waits++ === MAX_WAITS) continue;
          const end = flight === undefined ? await this.#poll(call, lease) : await this.#join(call, flight);
          if (end === LATE) return await this.#computeAlone(call, BUSY);
          if (end.kind !== "dissolved") return landed(call, end, "wait");
          continue;
        }
        case "uncacheable": // 4
          return await this.#computeAlone(call, UNCACHEABLE, (value) => this.#fills.keepOverMark(call, value, look));
        case "nothing": // 5
        case "outdated":
      }
      call.why ??= ABSENT; // an orphan stands where nothing was
      const attempt = this.#fills.miss(call, look), leads = "end" in attempt;
      if (!leads && this.#waitsForItself(call, attempt.flight)) return await this.#computeApart(call);
      const end = leads ? await attempt.end : await this.#join(call, attempt.flight);
      if (end === LATE) return await this.#computeAlone(call, BUSY);
      if (end.kind !== "dissolved") return landed(call, end, leads ? "miss" : "wait");
      if (end.why === "unknown") return await this.#computeAlone(call, STORE);
      refusals++;
    }
    return await this.#computeAlone(call, refusals > MAX_REFUSALS || waits > MAX_WAITS ? BUSY : STORE);
  }

  /** `undefined`: not every answer came, or it was refused, or has waited, often enough. Then it is alone. */
  async #lookAgain(call: Call, refusals: number, waits: number): Promise<Snapshot | undefined> {
    if (refusals > MAX_REFUSALS || waits > MAX_WAITS) return undefined;
    return await wait(call, this.#looks.read(call));
  }

  /** Waits for a flight of this process; LATE when the call has waited long enough. */
  async #join(call: Call, flight: Flight): Promise<End | typeof LATE> {
    // An answered flight only waits for its last write, and no call waits longer for the store than it must.
    const patienceMs = this.#patienceMs(call);
    const ms = flight.answered ? Math.min(this.#settings.storeTimeoutMs, patienceMs) : patienceMs;
    const seat = flight.board();
    const end = await seated(call, seat, within(this.#settings.clock, ms, seat.end));
    if (end === LATE) seat.leave("late");
    return end;
  }

  /** Waits for another process's lease, then from the top; LATE when the call has waited long enough. */
  async #poll(call: Call, lease: LeaseEntry): Promise<End | typeof LATE> {
    const poll = this.#pollers.wait(call.about, lease);
    try {
      const woken = await wait(call, within(this.#settings.clock, this.#patienceMs(call), poll.woken));
      if (woken === LATE) return LATE;
      call.unrenewed = woken.unrenewed;
      return { kind: "dissolved", why: "over" };
    } finally {
      poll.leave();
    }
  }

  /** A call waits for others `mintDelay` in all. */
  #patienceMs(call: Call): number {
    const { clock } = this.#settings;
    call.waitsSince ??= momentOf(clock);
    return call.mintDelayMs - elapsedMs(clock, call.waitsSince);
  }

  async #computeAlone(call: Call, why: Why, keep?: (value: unknown) => void): Promise<unknown> {
    call.why = why;
    if (this.#waitsForItself(call, ...this.#alone.awaited(call))) return await this.#computeApart(call);
    const { seat, leads } = this.#boardAlone(call, keep);
    return await this.#answerAlone(call, await seated(call, seat, seat.end), leads);
  }

  /** A computation without a lease has ended; what came of it may be another caller's alone. */
  async #answerAlone(call: Call, end: End, leads: boolean): Promise<unknown> {
    if (end.kind === "dissolved") return await this.#computeApart(call);
    return landed(call, end, leads ? "miss" : "wait");
  }

  /** Computes for this caller, who waits for nobody and shares with nobody. */
  async #computeApart(call: Call): Promise<unknown> {
    return landed(call, await this.#fills.unkept(call), "miss");
  }

  /** Does it come from a computation that one of these waits for? It would wait for itself, until `mintDelay`. */
  #waitsForItself(call: Call, ...flights: (Flight | undefined)[]): boolean {
    const from = currentComputation();
    if (from === undefined || !flights.some((flight) => closesCircle(from, flight))) return false;
    this.#fills.warnCircle(call);
    return true;
  }

  #boardAlone(call: Call, keep?: (value: unknown) => void): Place {
    const place = this.#alone.board(call, keep);
    if (place.leads) this.#fills.behind(place.done);
    return place;
  }

  /** Computes whatever is kept. Waits for nobody; what it could not store it deletes, so that no older value stays. */
  async #refresh(call: Call): Promise<unknown> {
    for (let refusals = 0; call.away === undefined && refusals <= MAX_REFUSALS; refusals++) {
      const look = await wait(call, this.#looks.read(call));
      if (look === undefined) break;
      const seen = this.#fills.judge(call, look);
      const hasValue = seen === "fresh" || seen === "stale";
      const end = hasValue ? await this.#fills.refreshOver(call, look) : await this.#fills.refresh(call, look);
      if (end.kind !== "dissolved") return landed(call, end, "miss");
      if (end.why === "unknown") break;
    }
    if (this.#waitsForItself(call, ...this.#alone.awaited(call))) {
      const value = await this.#computeApart(call);
      await this.#fills.forget(call.about);
      return value;
    }
    const { seat, leads } = this.#boardAlone(call);
    const forgotten = seat.end.then(async (end) => {
      // Also when this caller has left: nothing that is computed without a lease is kept, so the older value must go.
      if (end.kind !== "error") await this.#fills.forget(call.about);
      return end;
    });
    this.#fills.behind(forgotten);
    return await this.#answerAlone(call, await seated(call, seat, forgotten), leads);
  }

  // ──────────────── the user's own verbs ────────────────

  /** The value kept under `key`, fresh or stale; else, or when the store does not answer, `undefined`. */
  async get<T>(key: string, options: ReadOptions = {}): Promise<T | undefined> {
    const target = this.#target(key, options);
    return this.#away === undefined ? await this.#peek(target) as T | undefined : undefined;
  }

  /** Many at once. Absent keys, and those whose store does not answer, are not in the map. */
  async getMany<T>(keys: readonly string[], options: ReadOptions = {}): Promise<Map<string, T>> {
    if (!Array.isArray(keys)) throw new TypeError("Cannot get many: `keys` must be an array of keys");
    const targets = keys.map((key) => this.#target(key, options));
    const found = new Map<string, T>();
    if (this.#away !== undefined) return found;
    for (let from = 0; from < keys.length; from += KEYS_A_ROUND) {
      const values = await Promise.all(targets.slice(from, from + KEYS_A_ROUND).map((target) => this.#peek(target)));
      values.forEach((value, i) => value !== undefined && found.set(keys[from + i]!, value as T));
    }
    return found;
  }

  /**
   * Keeps a value, `null` included; `ttl` of 0 or less deletes the key. Resolves when it was kept, or certainly not,
   * since something newer came. Rejects with CacheValueError for what cannot be kept, with CacheError when that is unknown.
   */
  async set<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<void> {
    const { target, taken, ttlMs } = this.#given(key, value, options);
    if (!(ttlMs > 0) || !this.#enabled) return await this.#invalidate(target);
    const generations = await this.#generations(target);
    const take = (lease: LeaseEntry) => this.#store.set(target.about, lease, LEASE_MS, "anything");
    await this.#fills.put(target, generations, this.#keeping(taken, ttlMs, options), take);
  }

  /** Keeps a value only where `get` would find nothing, and tells whether it did. Rejects as `set` does. */
  async add<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<boolean> {
    const { target, taken, ttlMs } = this.#given(key, value, options);
    if (!(ttlMs > 0)) throw new RangeError("Cannot add with a ttl of 0 or less: it would not be kept");
    if (!this.#enabled) {
      await this.#invalidate(target);
      return false;
    }
    for (let refusals = 0; refusals <= MAX_REFUSALS; refusals++) {
      const look = await this.#ownLook(target);
      const seen = this.#fills.judge(target, look);
      if (seen === "fresh" || seen === "stale") return false;
      const token = look.found?.token;
      const put = await this.#fills.put(target, look.generations, this.#keeping(taken, ttlMs, options), (lease) => {
        return token === undefined
          ? this.#store.add(target.about, lease, LEASE_MS)
          : this.#store.set(target.about, lease, LEASE_MS, token);
      });
      if (put !== "lease refused") return put === "stored";
    }
    return false;
  }

  /** Forgets what is kept under `key`, in every process. Rejects with CacheError if the store did not confirm. */
  async delete(key: string, options: DeleteOptions = {}): Promise<void> {
    this.#assertOpen();
    await this.#invalidate(this.#target(key, { name: options.name }));
  }

  /**
   * Everything kept under these groups is gone, in every process and release, when this resolves. Rejects with
   * CacheError if the store did not confirm it for every one of them.
   */
  async invalidateGroup(...groups: string[]): Promise<void> {
    this.#assertOpen();
    if (groups.length === 0) throw new TypeError("Cannot invalidate no group: name at least one");
    const names = distinct(groups);
    const failures = await Promise.all(names.map(async (group) => {
      const about = { key: this.#keys.counter(group) };
      const first = await this.#store.increment(about);
      // Once more: an increment too many costs misses, one too few would break the promise.
      const done = first === "done" ? first : await this.#store.increment(about);
      return done === "done" ? undefined : done;
    }));
    const confirmed = names.filter((_, i) => failures[i] === undefined);
    if (confirmed.length > 0) this.#events.invalidated({ groups: confirmed });
    const error = notInvalidated(names, failures);
    if (error === undefined) return;
    this.#events.invalidated({ groups: names.filter((_, i) => failures[i] !== undefined) }, { error });
    throw error;
  }

  /** The key as kept in the store: project, version and truncation included. */
  key(key: string): string {
    return this.#keys.entry(key).key;
  }

  /**
   * Gives back the leases it holds, so that nobody waits for them, and closes its store. Idempotent. Calls that come
   * afterwards compute and keep nothing, as without a store; invalidations, `set` and `add` reject with a CacheError.
   */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#pollers.close();
    await this.#fills.close();
    await this.#store.close();
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ──────────────── arguments ────────────────

  #target(key: string, options: ReadOptions): Target {
    return targetOf(key, options, this.#keys, this.#counters);
  }

  #call<T>(key: string, compute: (signal: AbortSignal) => T | Promise<T>, options: FetchOptions<T>): Call {
    if (typeof compute !== "function") throw new TypeError("Cannot fetch: `compute` must be a function");
    return callOf(this.#target(key, options), compute, options, this.#settings, this.#away);
  }

  /** A value of the user's own, copied before anything is sent: what the codec refuses rejects now. */
  #given<T>(key: string, value: T, options: EntryOptions<T>): { target: Target; taken: unknown; ttlMs: number } {
    this.#assertOpen();
    const target = this.#target(key, options);
    checkTerms(options as FetchOptions<T>, this.#settings.defaults);
    const ttlMs = ttlMsOf(value, options.ttl, this.#settings.defaults);
    return { target, taken: ttlMs > 0 ? this.#store.copy(value) : undefined, ttlMs };
  }

  async #invalidate({ about }: Target): Promise<void> {
    const done = await this.#fills.forget(about);
    const failed = done === "done" ? undefined : { error: notConfirmed("invalidate", about.key, done.error) };
    this.#events.invalidated(about, failed);
    if (failed !== undefined) throw failed.error;
  }

  /** A look for a write of the user's own, which the driver's timeout bounds, not `storeTimeout`. */
  async #ownLook(target: Target): Promise<Snapshot> {
    const unknown = (error: unknown) => {
      throw notConfirmed("keep", target.about.key, error);
    };
    const [found, generations] = await Promise.all([
      this.#store.getOrThrow(target.about).catch(unknown),
      this.#generations(target),
    ]);
    return { found, generations, slot: target, takeCopy: (value) => value };
  }

  #generations({ about, counters }: Target): Promise<bigint[]> {
    return Promise.all(counters.map(async ({ key }) => {
      try {
        return await this.#store.counterOrThrow({ key });
      } catch (error) {
        throw notConfirmed("keep", about.key, error);
      }
    }));
  }

  #keeping<T>(taken: unknown, ttlMs: number, { stale }: EntryOptions<T>): (owned: Owned) => Keeping {
    const { defaults, random } = this.#settings;
    return (owned) => keep(taken, ttlMs, stale, defaults, owned, this.#settings.clock.now(), random);
  }

  async #peek(target: Target): Promise<unknown> {
    const look = this.#looks.readAtOnce(target) ?? await this.#looks.read(target);
    const seen = look && this.#fills.judge(target, look);
    if (seen !== "fresh" && seen !== "stale") return undefined;
    const value = this.#handed(target, look!);
    return value === NONE ? undefined : value;
  }

  /** Why the store is not to be asked by a call that begins now, if it is not. */
  get #away(): Why | undefined {
    return this.#closed !== undefined ? CLOSED : this.#enabled ? undefined : DISABLED;
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new CacheError("backend is closed");
  }
}
