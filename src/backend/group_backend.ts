/**
 * How a value is kept so that
 *   - a call that begins after an invalidation has resolved, in any process, never returns a value whose computation
 *     began before that invalidation, and
 *   - one expiry means one computation in the whole fleet:
 *
 * A snapshot reads the entry and its groups' counters in one round trip. A value carries the generations that were read
 * BEFORE it was computed, so an increment makes it outdated wherever it is. Whoever computes holds a lease under the key,
 * and writes only over the token of that lease: an invalidation deletes the lease, so an old value that comes after it is
 * refused. Others wait for the lease, or are served the stale value while the holder of a refresh lock refreshes it.
 */
import { CacheError } from "../errors.ts";
import { assertOptions, assertSignal } from "../util/checks.ts";
import { Keys } from "../key/key.ts";
import { MemoryStore } from "../store/memory/store.ts";
import type { Owned, Store } from "../store/store.ts";
import type {
  Backend,
  BeginOptions,
  Begun,
  DeleteOptions,
  EntryOptions,
  FetchOptions,
  ReadOptions,
  ReadyOptions,
} from "./backend.ts";
import { type Target, targetOf } from "./call.ts";
import { Computations } from "./computations.ts";
import { isContextFree, openContext } from "./context.ts";
import { Counters } from "./counters.ts";
import { checkedOptions, distinctGroups, newEntry, ttlMsOf } from "./entry_options.ts";
import { type BackendEvents, Events, type Outcome, type Why } from "./events.ts";
import { CLOSED, DISABLED, Fetcher } from "./fetch.ts";
import { Classifier } from "./freshness.ts";
import { GuardedStore } from "./guarded_store.ts";
import { Leases } from "./lease.ts";
import { assertBoolean, type GroupBackendOptions, type Settings, settingsOf } from "./options.ts";
import { Outages } from "./outages.ts";
import { SnapshotReader } from "./read_batch.ts";
import { Tickets } from "./ticket.ts";
import { UserWrites } from "./user_writes.ts";
import { ResultWarnings } from "./warnings.ts";
import { ResultWrites } from "./result_writes.ts";

/** `getMany` asks so many keys a round, so that one call does not reach a driver's bound on requests in flight. */
const KEYS_A_ROUND = 5000;

/** What the parts of one backend share. */
export interface Parts {
  readonly settings: Settings;
  readonly keys: Keys;
  readonly counters: Counters;
  readonly events: Events;
  readonly warnings: ResultWarnings;
  readonly store: GuardedStore;
  readonly reader: SnapshotReader;
  readonly classifier: Classifier;
  readonly computations: Computations;
  readonly leases: Leases;
  readonly writes: ResultWrites;
}

/**
 * The group backend: generations, refresh locks, leases, projects and versions over any Store.
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
  readonly #parts: Parts;
  readonly #fetcher: Fetcher;
  readonly #tickets: Tickets;
  readonly #writes: UserWrites;
  #enabled: boolean;
  #closed: Promise<void> | undefined;

  /** Throws a TypeError or RangeError that names a wrong option. */
  constructor(options: GroupBackendOptions = {}) {
    const warnings = new ResultWarnings();
    const settings = settingsOf(options, warnings);
    const { clock } = settings;
    const { redefine = false, enabled = true, detectCycles = isContextFree() } = options;
    this.redefine = redefine;
    this.#enabled = enabled;
    // To know calls that are made inside a computation: they may wait for themselves, and `outageConcurrency` lets them pass.
    if (detectCycles || settings.outageConcurrency !== Infinity) openContext();
    const keys = new Keys(options.project, options.version);
    const events = new Events(clock);
    const given = this.store = options.store ?? new MemoryStore({ clock });
    const outages = new Outages(given, clock, events);
    const store = new GuardedStore(given, clock, settings.storeTimeoutMs, (failure) => {
      if (this.#closed === undefined) outages.failed(failure);
    }, outages);
    const parts = this.#parts = {
      settings,
      keys,
      counters: new Counters(keys, distinctGroups(options.group)),
      events,
      warnings,
      store,
      reader: new SnapshotReader(store),
      classifier: new Classifier(store, clock, warnings),
      computations: new Computations((value) => store.copy(value), settings.inBackground),
      leases: new Leases(store, settings),
      writes: new ResultWrites(store, settings, warnings),
    };
    this.#fetcher = new Fetcher(parts);
    this.#tickets = new Tickets(this.#fetcher, parts);
    this.#writes = new UserWrites(parts);
  }

  /** How many calls of `fetch` (and so of cached functions) had which outcome. */
  get stats(): Readonly<Record<Outcome, number>> {
    return this.#parts.events.stats;
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
    assertBoolean(enabled, "enabled");
    this.#enabled = enabled;
  }

  /**
   * Resolves once the store is connected (one in memory is), for start-up and health checks. Rejects with what the store
   * says: of several servers an AggregateError with an error for each that is not; with the signal's reason.
   */
  async ready(options: ReadyOptions = {}): Promise<void> {
    assertOptions(options);
    this.#assertOpen();
    if (options.signal !== undefined) assertSignal(options.signal);
    await this.store.ready?.(options.signal);
  }

  /** Adds a listener. Returns the way to stop listening. */
  on<K extends keyof BackendEvents>(event: K, listener: (event: BackendEvents[K]) => void): () => void {
    return this.#parts.events.on(event, listener);
  }

  /**
   * The value kept under `key`, or else what `compute` returns, kept. Rejects with the function's own error, with
   * CacheTimeoutError after `timeout`, with the signal's reason; never because the store failed.
   */
  fetch<T>(
    key: string,
    compute: (signal: AbortSignal) => T | Promise<T>,
    options: FetchOptions<T> = {},
  ): Promise<T> {
    return this.#fetcher.fetch(key, compute, options, this.#bypass);
  }

  /**
   * `fetch` with the computation outside, for callers who look in one place and store in another: query caches, page
   * caches. Resolves with the value kept under `key`, or with a ticket: the right to keep what the caller computes now.
   * Meanwhile it waits as `fetch` does, and rejects as `fetch` does. Whoever wants the same value waits for the ticket, so
   * end each one, by `keep` or `drop`; `await using` drops what was not kept. One that nobody ends drops itself at
   * `mintDelay`. Hold one at a time: two callers, of whom each waits for the other's, wait `mintDelay` (or ask with
   * `wait: 0`).
   *
   * @example
   * ```ts
   * import { GroupBackend } from "@x/cache-utils";
   *
   * const backend = new GroupBackend({ project: "shop" });
   * const query = () => Promise.resolve([{ city: "oslo" }]);
   *
   * async function rows() {
   *   await using begun = await backend.begin<{ city: string }[]>("rows", { group: "cities", ttl: "5m" });
   *   if (begun.hit) return begun.value;
   *   const rows = await query();
   *   await begun.keep(rows); // true: kept. false: invalidated meanwhile, or no store to keep it in
   *   return rows;
   * }
   * console.log(await rows(), await rows());
   * ```
   */
  begin<T = unknown>(key: string, options: BeginOptions = {}): Promise<Begun<T>> {
    return this.#tickets.begin(key, options, this.#bypass);
  }

  /** The value kept under `key`, fresh or stale; else, or when the store does not answer, `undefined`. */
  async get<T>(key: string, options: ReadOptions = {}): Promise<T | undefined> {
    const target = this.#target(key, options);
    return this.#bypass === undefined ? await this.#read(target) as T | undefined : undefined;
  }

  /** Many at once. Absent keys, and those whose store does not answer, are not in the map. */
  async getMany<T>(keys: readonly string[], options: ReadOptions = {}): Promise<Map<string, T>> {
    if (!Array.isArray(keys)) throw new TypeError("Cannot get many: `keys` must be an array of keys");
    const targets = keys.map((key) => this.#target(key, options));
    const found = new Map<string, T>();
    if (this.#bypass !== undefined) return found;
    for (let from = 0; from < keys.length; from += KEYS_A_ROUND) {
      const values = await Promise.all(targets.slice(from, from + KEYS_A_ROUND).map((target) => this.#read(target)));
      values.forEach((value, i) => value !== undefined && found.set(keys[from + i]!, value as T));
    }
    return found;
  }

  /**
   * Keeps a value, `null` included; `ttl` of 0 or less deletes the key. Resolves when it was kept, or certainly not,
   * since something newer came. Rejects with CacheValueError for what cannot be kept, with CacheError when that is unknown.
   */
  async set<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<void> {
    const { target, ttlMs, entry } = this.#given(key, value, options);
    if (ttlMs > 0 && this.#enabled) await this.#writes.set(target, entry);
    else await this.#writes.invalidate(target.label);
  }

  /** Keeps a value only where `get` would find nothing, and tells whether it did. Rejects as `set` does. */
  async add<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<boolean> {
    const { target, ttlMs, entry } = this.#given(key, value, options);
    if (!(ttlMs > 0)) throw new RangeError("Cannot add with a ttl of 0 or less: it would not be kept");
    if (this.#enabled) return await this.#writes.add(target, entry);
    await this.#writes.invalidate(target.label);
    return false;
  }

  /** Forgets what is kept under `key`, in every process. Rejects with CacheError if the store did not confirm. */
  async delete(key: string, options: DeleteOptions = {}): Promise<void> {
    this.#assertOpen();
    await this.#writes.invalidate(this.#target(key, { name: options.name }).label);
  }

  /**
   * Everything kept under these groups is gone, in every process and release, when this resolves. Rejects with
   * CacheError if the store did not confirm it for every one of them.
   */
  async invalidateGroup(...groups: string[]): Promise<void> {
    this.#assertOpen();
    if (groups.length === 0) throw new TypeError("Cannot invalidate no group: name at least one");
    await this.#writes.invalidateGroups(distinctGroups(groups));
  }

  /** The key as kept in the store: project, version and truncation included. */
  key(key: string): string {
    return this.#parts.keys.entry(key).key;
  }

  /**
   * Gives back the leases it holds, so that nobody waits for them, and closes its store. Idempotent. Calls that come
   * afterwards compute and keep nothing, as without a store; invalidations, `set` and `add` reject with a CacheError.
   */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#fetcher.close();
    this.#tickets.close();
    await this.#parts.leases.close();
    await this.#parts.store.close();
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #target(key: string, options: ReadOptions): Target {
    return targetOf(key, options, this.#parts);
  }

  /**
   * The value of a `set` or `add`, copied before anything is sent, so that one the codec refuses rejects now. `entry` is
   * called once the lease is taken, and the ttl counts from then.
   */
  #given<T>(key: string, value: T, options: EntryOptions<T>) {
    this.#assertOpen();
    const target = this.#target(key, options);
    const { store, settings: { defaults, clock, random } } = this.#parts;
    checkedOptions(options as FetchOptions<T>, defaults);
    const ttlMs = ttlMsOf(value, options.ttl, defaults);
    const taken = ttlMs > 0 ? store.copy(value) : undefined;
    const entry = (owned: Owned) => newEntry(taken, ttlMs, options.stale, defaults, owned, clock.now(), random);
    return { target, ttlMs, entry };
  }

  async #read(target: Target): Promise<unknown> {
    const { reader, classifier } = this.#parts;
    return classifier.classifyAndCopy(target, reader.readAtOnce(target) ?? await reader.read(target)).value;
  }

  /** Why a call that begins now must not use the store; `undefined`: it may. */
  get #bypass(): Why | undefined {
    return this.#closed !== undefined ? CLOSED : this.#enabled ? undefined : DISABLED;
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new CacheError("backend is closed");
  }
}
