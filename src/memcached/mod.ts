/**
 * A memcached driver: binary or meta protocol, pipelined, over several servers, on Deno, Bun and Node, without
 * dependencies.
 *
 * @module
 */

export type { Clock } from "../util/clock.ts";
export type { Duration } from "../util/duration.ts";
export {
  AuthError,
  CacheError,
  CacheKeyError,
  CacheTimeoutError,
  CacheValueError,
  ConnectionError,
  MemcachedError,
  ProtocolError,
  QueueFullError,
  ServerError,
  TimeoutError,
  ValueTooLargeError,
} from "../errors.ts";
export type { WriteResult } from "./connection/reply.ts";
export { Memcached } from "./client.ts";
export type { MemcachedEvents } from "./events.ts";
export type { Item, MultiResult, Stored } from "./connection/item.ts";
export type { Value } from "./protocol/limits.ts";
export type { CasOptions, CounterOptions, MemcachedOptions, RequestOptions, WriteOptions } from "./options.ts";
export type { OperationOutcome } from "./connection/operation.ts";
