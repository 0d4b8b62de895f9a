/**
 * Caching of function results on memcached, or in memory: readable keys, groups invalidated at once, one computation
 * per expiry in the whole fleet, and no value older than an invalidation that has resolved.
 *
 * @example
 * ```ts
 * import { cached, invalidateGroup } from "@x/cache-utils";
 *
 * async function offers(city: string) {
 *   return await Promise.resolve([`tea in ${city}`]);
 * }
 * const cachedOffers = cached(offers, { ttl: "5m", group: "cities" });
 *
 * console.log(await cachedOffers("oslo")); // computed
 * console.log(await cachedOffers("oslo")); // kept
 * await cachedOffers.invalidate("oslo"); // forgets this result, in every process
 * await invalidateGroup("cities"); // forgets the whole group, however many results it has
 * ```
 *
 * @module
 */

export { cached } from "./src/cached/cached.ts";
export { handle } from "./src/cached/decorator.ts";
export { configure, invalidateGroup } from "./src/cached/configure.ts";
export { cacheKey } from "./src/key/identity.ts";
export type {
  AnyFunction,
  AsyncFunction,
  Cached,
  CachedCall,
  CachedDecorator,
  CachedOptions,
  CachedVerbs,
  CallOptions,
  FirstOptions,
  Fits,
  HasVerbs,
  IsAsync,
  IsOneSignature,
  IsVague,
  MethodsMustBeAsync,
  Second,
  WriteCachedWithoutParentheses,
} from "./src/cached/types.ts";

export { GroupBackend } from "./src/backend/group_backend.ts";
export { type KeyValueCache, PlainBackend, type PlainBackendOptions } from "./src/backend/plain_backend.ts";
export type {
  Backend,
  BeginOptions,
  Begun,
  DeleteOptions,
  EntryOptions,
  FetchOptions,
  Groups,
  Inputs,
  KeepOptions,
  Kept,
  ReadOptions,
  ReadyOptions,
  Ticket,
} from "./src/backend/backend.ts";
export type { BackendEvents, Outcome, Reason } from "./src/backend/events.ts";
export type { GroupBackendOptions } from "./src/backend/options.ts";

export type { StoreFailure } from "./src/backend/guarded_store.ts";
export { MemoryStore, type MemoryStoreOptions, type MemoryStoreStats } from "./src/store/memory/store.ts";
export { MemcachedStore, type MemcachedStoreOptions } from "./src/store/memcached.ts";
export { type Codec, defaultCodec, type DefaultCodecOptions } from "./src/codec/codec.ts";
export type {
  Entry,
  Found,
  LeaseEntry,
  Over,
  Owned,
  ReadAnswer,
  Store,
  Token,
  UncacheableEntry,
  UnreadableEntry,
  ValueEntry,
} from "./src/store/store.ts";

export { Memcached } from "./src/memcached/client.ts";
export type {
  CasOptions,
  CounterOptions,
  Item,
  MemcachedEvents,
  MemcachedOptions,
  MultiResult,
  OperationOutcome,
  RequestOptions,
  Stored,
  Value,
  WriteOptions,
  WriteResult,
} from "./src/memcached/mod.ts";

export type { Clock } from "./src/util/clock.ts";
export type { Duration } from "./src/util/duration.ts";
export type { Random } from "./src/util/random.ts";
export * from "./src/errors.ts";
