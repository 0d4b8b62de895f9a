/** Which caches the compiler takes for a PlainBackend. `deno check` and `tsc --strict` are the test. */
import { test } from "node:test";
import type { KeyValueCache } from "@x/cache-utils";

/** The shape of lru-cache: generic, an object of options where we give a number. */
declare class LruCache<K extends object | string, V extends object | string> {
  get(key: K, options?: { allowStale?: boolean }): V | undefined;
  set(key: K, value: V | undefined, options?: { ttl?: number }): this;
  delete(key: K): boolean;
}
/** The shape of Keyv: async, generic methods, the ttl in milliseconds. */
declare class Keyv<Default = unknown> {
  get<Value = Default>(key: string, options?: { raw?: false }): Promise<Value | undefined>;
  get<Value = Default>(key: string[], options?: { raw?: false }): Promise<(Value | undefined)[]>;
  set<Value = Default>(key: string, value: Value, ttl?: number): Promise<boolean>;
  delete(key: string | string[]): Promise<boolean>;
}
/** The shape of cache-manager. */
interface CacheManager {
  get<T>(key: string): Promise<T | undefined>;
  set<T>(key: string, value: T, ttl?: number): Promise<T>;
  delete(key: string): Promise<boolean>;
}
declare class SetIsMissing {
  get(key: string): unknown;
  delete(key: string): boolean;
}
declare class KeysAreNumbers {
  get(key: number): unknown;
  set(key: number, value: unknown): void;
  delete(key: number): boolean;
}

function takes(_cache: KeyValueCache): void {}

/** Checked, never run. */
function _caches(lru: LruCache<string, string>, keyv: Keyv, typed: Keyv<string>, manager: CacheManager) {
  takes(new Map());
  takes(new Map<string, string>());
  takes(lru);
  takes(keyv);
  takes(typed);
  takes(manager);
  takes({ get: () => null, set: async () => {}, delete: () => 0 });
  // @ts-expect-error its `set` is missing
  takes(new SetIsMissing());
  // @ts-expect-error its keys are numbers
  takes(new KeysAreNumbers());
  // @ts-expect-error its keys are objects
  takes(new WeakMap());
}

test("the types are checked by deno check and tsc", () => {});
