import type { Clock } from "../util/clock.ts";
import type { Duration } from "../util/duration.ts";
import { assertKnown, assertOptions, printable } from "../util/checks.ts";
import type { Codec } from "../codec/codec.ts";
import { type KeyValueCache, KeyValueStore } from "../store/key_value/store.ts";

export type { KeyValueCache };
import type {
  Backend,
  DeleteOptions,
  EntryOptions,
  FetchOptions,
  Groups,
  ReadOptions,
  ReadyOptions,
} from "./backend.ts";
import type { BackendEvents, Outcome } from "./events.ts";
import { GroupBackend } from "./group.ts";

/** How a PlainBackend works. */
export interface PlainBackendOptions {
  /** Default: none. */
  project?: string | undefined;
  /** Default: none. */
  version?: string | number | undefined;
  /** How long a result is kept. Default 300 s. */
  ttl?: Duration | undefined;
  /** How values become the strings that the cache is given. Default: `defaultCodec()`. */
  codec?: Codec | undefined;
  /** As of a GroupBackend. Default: false. */
  redefine?: boolean | undefined;
  /** As of a GroupBackend. Default: true. */
  enabled?: boolean | undefined;
  /** Default: the runtime's. */
  clock?: Clock | undefined;
}

const KNOWN: Readonly<Record<keyof PlainBackendOptions, true>> = {
  project: true,
  version: true,
  ttl: true,
  codec: true,
  redefine: true,
  enabled: true,
  clock: true,
};

/**
 * Any third-party cache with get/set/delete (a Map, lru-cache, Keyv, …) as a Backend: single-key invalidation, one
 * computation per process, nothing stale (`stale` is 0 whatever a call says), no groups (asking for one is a TypeError).
 *
 * @example
 * ```ts
 * import { cached, PlainBackend } from "@x/cache-utils";
 *
 * const backend = new PlainBackend(new Map(), { ttl: "1m" });
 * const square = cached((n: number) => n * n, { name: "square", backend });
 * console.log(await square(12));
 * ```
 */
export class PlainBackend implements Backend {
  /** Groups are refused. */
  readonly groups = false;
  /** The option `redefine`. */
  readonly redefine: boolean;
  readonly #backend: GroupBackend;

  /** Throws a TypeError for a cache that lacks get, set or delete. */
  constructor(cache: KeyValueCache, options: PlainBackendOptions = {}) {
    assertKnown(options, KNOWN);
    const { codec, clock, ...rest } = options;
    this.#backend = new GroupBackend({ ...rest, clock, stale: 0, store: new KeyValueStore(cache, { codec, clock }) });
    this.redefine = this.#backend.redefine;
  }

  /** How many calls of `fetch` had which outcome. */
  get stats(): Readonly<Record<Outcome, number>> {
    return this.#backend.stats;
  }

  /** As of a GroupBackend. */
  get enabled(): boolean {
    return this.#backend.enabled;
  }

  set enabled(enabled: boolean) {
    this.#backend.enabled = enabled;
  }

  /** Resolves: nobody knows how to ask the cache. */
  ready(options: ReadyOptions = {}): Promise<void> {
    return this.#backend.ready(options);
  }

  /** Adds a listener. Returns the way to stop listening. */
  on<K extends keyof BackendEvents>(event: K, listener: (event: BackendEvents[K]) => void): () => void {
    return this.#backend.on(event, listener);
  }

  async fetch<T>(
    key: string,
    compute: (signal: AbortSignal) => T | Promise<T>,
    options: FetchOptions<T> = {},
  ): Promise<T> {
    return await this.#backend.fetch(key, compute, neverStale(options));
  }

  async get<T>(key: string, options: ReadOptions = {}): Promise<T | undefined> {
    return await this.#backend.get(key, neverStale(options));
  }

  async getMany<T>(keys: readonly string[], options: ReadOptions = {}): Promise<Map<string, T>> {
    return await this.#backend.getMany(keys, neverStale(options));
  }

  async set<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<void> {
    await this.#backend.set(key, value, neverStale(options));
  }

  async add<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<boolean> {
    return await this.#backend.add(key, value, neverStale(options));
  }

  delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#backend.delete(key, options);
  }

  /** Rejects with a TypeError. */
  invalidateGroup(...groups: string[]): Promise<void> {
    return Promise.reject(noGroups(groups));
  }

  key(key: string): string {
    return this.#backend.key(key);
  }

  close(): Promise<void> {
    return this.#backend.close();
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function neverStale<O extends { group?: Groups | undefined }>(options: O): O & { stale: 0 } {
  assertOptions(options);
  if (options.group !== undefined && options.group.length > 0) throw noGroups(options.group);
  return { ...options, stale: 0 };
}

const noGroups = (groups: Groups): TypeError =>
  new TypeError(
    `Cannot use group ${printable(JSON.stringify(groups))}: a PlainBackend has no groups, a GroupBackend does`,
  );
