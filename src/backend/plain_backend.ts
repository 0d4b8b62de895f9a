import type { Clock } from "../util/clock.ts";
import type { Duration } from "../util/duration.ts";
import { assertKnown, assertOptions, printable } from "../util/checks.ts";
import type { Codec } from "../codec/codec.ts";
import { type KeyValueCache, KeyValueStore } from "../store/key_value/store.ts";

export type { KeyValueCache };
import type { BeginOptions, Begun, EntryOptions, FetchOptions, Groups, ReadOptions } from "./backend.ts";
import { GroupBackend } from "./group_backend.ts";

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
export class PlainBackend extends GroupBackend {
  /** Groups are refused. */
  readonly groups = false;

  /** Throws a TypeError for a cache that lacks get, set or delete. */
  constructor(cache: KeyValueCache, options: PlainBackendOptions = {}) {
    assertKnown(options, KNOWN);
    const { codec, clock, ...rest } = options;
    super({ ...rest, clock, stale: 0, store: new KeyValueStore(cache, { codec, clock }) });
  }

  /** As of a GroupBackend, and nothing is served stale. Rejects with a TypeError for a `group`. */
  override async fetch<T>(
    key: string,
    compute: (signal: AbortSignal) => T | Promise<T>,
    options: FetchOptions<T> = {},
  ): Promise<T> {
    return await super.fetch(key, compute, neverStale(options));
  }

  /** As of a GroupBackend; `stale` is 0 whatever `keep` says. */
  override async begin<T = unknown>(key: string, options: BeginOptions = {}): Promise<Begun<T>> {
    const begun = await super.begin<T>(key, neverStale(options));
    return begun.hit
      ? begun
      : { ...begun, keep: async (value, options = {}) => await begun.keep(value, neverStale(options)) };
  }

  /** The value kept under `key`, while it is fresh; else `undefined`. Rejects with a TypeError for a `group`. */
  override async get<T>(key: string, options: ReadOptions = {}): Promise<T | undefined> {
    return await super.get(key, neverStale(options));
  }

  /** Many at once; those that are not fresh are not in the map. Rejects with a TypeError for a `group`. */
  override async getMany<T>(keys: readonly string[], options: ReadOptions = {}): Promise<Map<string, T>> {
    return await super.getMany(keys, neverStale(options));
  }

  /** Keeps a value, `null` included. Rejects as of a GroupBackend, and with a TypeError for a `group`. */
  override async set<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<void> {
    await super.set(key, value, neverStale(options));
  }

  /** Keeps a value only where `get` would find nothing, and tells whether it did. Rejects as `set` does. */
  override async add<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<boolean> {
    return await super.add(key, value, neverStale(options));
  }

  /** Rejects with a TypeError. */
  override invalidateGroup(...groups: string[]): Promise<void> {
    return Promise.reject(noGroups(groups));
  }
}

function neverStale<O extends object>(options: O & { group?: Groups | undefined }): O & { stale: 0 } {
  assertOptions(options);
  if (options.group !== undefined && options.group.length > 0) throw noGroups(options.group);
  return { ...options, stale: 0 };
}

const noGroups = (groups: Groups): TypeError =>
  new TypeError(
    `Cannot use group ${printable(JSON.stringify(groups))}: a PlainBackend has no groups, a GroupBackend does`,
  );
