import { type Clock, clockOf } from "../util/clock.ts";
import { type Duration, toMsFromZero } from "../util/duration.ts";
import { isPromise } from "../util/callbacks.ts";
import { assertKnown } from "../util/checks.ts";
import { type Random, randomOf } from "../util/random.ts";
import type { Store } from "../store/store.ts";
import type { Groups } from "./backend.ts";
import type { Defaults } from "./entry_options.ts";
import type { ResultWarnings } from "./warnings.ts";

/** How a GroupBackend works, and what it does where a call says nothing. */
export interface GroupBackendOptions {
  /** Where entries are kept. Default: a `new MemoryStore()` with this backend's clock. */
  store?: Store | undefined;
  /** Several projects on one store never see each other. Default: none. */
  project?: string | undefined;
  /**
   * Several releases of one project side by side never see each other's entries. An invalidation of groups reaches all
   * of them; a single call's key carries the version. 1 and "1" are the same. Default: none.
   */
  version?: string | number | undefined;
  /** How long a result is fresh. Default 300 s. 0: nothing is kept. */
  ttl?: Duration | undefined;
  /** How long past its ttl a result may still be served while one caller anywhere refreshes it. Default 30 s. 0: never. */
  stale?: Duration | undefined;
  /** Groups that every entry of this backend belongs to, besides its own: one `invalidateGroup` clears them all. Default: none. */
  group?: Groups | undefined;
  /**
   * Upper bound on how long a value takes to compute: so long its lease or refresh lock is renewed, and other callers wait
   * before one of them takes over. (For a process that died they wait at most 6 s.) Default 30 s.
   */
  mintDelay?: Duration | undefined;
  /** Shorten each ttl by up to this fraction, at random, so entries written together do not expire together. 0 to 1. Default 0. */
  jitter?: number | undefined;
  /**
   * false: calls compute and keep nothing, and the store is not read. Invalidations are still sent; `refresh`, `set` and
   * `add` send one of their key, since other processes may serve the old value. Also `backend.enabled`, at run time. Default true.
   */
  enabled?: boolean | undefined;
  /**
   * How long a call waits for the store before it computes: for what it reads, and again for its lease. It counts from when the
   * request could be sent, without the time in which this process's event loop was blocked. Default 1 s.
   */
  storeTimeout?: Duration | undefined;
  /**
   * How many keys this backend computes at once without a lease, as while its store does not answer; the others wait in
   * order, each `mintDelay` at most. Set it where the database behind the functions could not bear all that the cache
   * answers. Calls made inside a computation are not held back. Default: no bound, so that no call waits for another's key.
   */
  outageConcurrency?: number | undefined;
  /**
   * Called with work that goes on after the answer (a background refresh, a value on its way to the store), for serverless
   * hosts, in the caller's async context. The promise never rejects. Default: nothing is called.
   */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined;
  /**
   * For hosts that keep this library loaded and run an application's modules again, as development servers do: a
   * function that is wrapped later under a name takes it over; the older one from then on computes and keeps nothing.
   * Default false: it is a TypeError.
   */
  redefine?: boolean | undefined;
  /**
   * Find calls that would wait for themselves (a function that calls itself through the cache with the same arguments),
   * and compute those without the cache, with a warning; otherwise they wait `mintDelay`. It takes an
   * AsyncLocalStorage, for the whole process. Default: true, but false on Node below 24, where that makes each await
   * dearer (a hit in memory 1.3 times).
   */
  detectCycles?: boolean | undefined;
  /** Default: the runtime's. */
  clock?: Clock | undefined;
  /** Default: the runtime's. */
  random?: Random | undefined;
}

const AFTERLIFE_MS = 3_600_000;

/** What the parts of a backend read of its options: checked, with every default in its place. */
export interface Settings {
  readonly defaults: Defaults;
  readonly storeTimeoutMs: number;
  readonly outageConcurrency: number;
  /** Hands work that goes on after the answer to `waitUntil`. Never throws; the work must never reject. */
  readonly inBackground: (work: Promise<unknown>) => void;
  readonly clock: Clock;
  readonly random: Random;
}

const KNOWN: Readonly<Record<keyof GroupBackendOptions, true>> = {
  store: true,
  project: true,
  version: true,
  ttl: true,
  stale: true,
  group: true,
  mintDelay: true,
  jitter: true,
  storeTimeout: true,
  outageConcurrency: true,
  waitUntil: true,
  redefine: true,
  detectCycles: true,
  enabled: true,
  clock: true,
  random: true,
};

/** Options of other parts, or of other libraries, and what to use instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  servers: "`store: new MemcachedStore(servers)`",
  url: '`configure("memcached://host:port")`',
  prefix: "project",
  namespace: "project",
  tags: "group",
  maxAge: "ttl",
  name: "the option of `cached`",
  key: "the option of `cached`",
  when: "the option of `cached`",
  timeout: "the option of `cached`, or storeTimeout",
};

/** Checks the options of a GroupBackend. Throws a TypeError or RangeError that names the option. */
export function settingsOf(options: GroupBackendOptions, warnings: ResultWarnings): Settings {
  assertKnown(options, KNOWN, ELSEWHERE);
  const { jitter = 0, waitUntil = () => {}, store, redefine, enabled, detectCycles } = options;
  if (typeof jitter !== "number") {
    throw new TypeError(`Cannot use ${typeof jitter} as jitter: it must be a number from 0 to 1`);
  }
  if (!(jitter >= 0 && jitter <= 1)) throw new RangeError(`Cannot use ${jitter} as jitter: it must be from 0 to 1`);
  if (typeof waitUntil !== "function") throw new TypeError("Cannot use waitUntil: it must be a function");
  for (const [option, value] of Object.entries({ redefine, enabled, detectCycles })) {
    if (value !== undefined) assertBoolean(value, option);
  }
  if (store !== undefined && typeof store?.increment !== "function") {
    const form = typeof store === "string"
      ? "a text is a URL for `configure`, or servers for `new MemcachedStore`"
      : "it must be a store (a MemoryStore, a MemcachedStore, or of their shape)";
    throw new TypeError(`Cannot use store: ${form}`);
  }
  return {
    defaults: {
      ttlMs: toMsFromZero(options.ttl ?? 300, "ttl"),
      staleMs: toMsFromZero(options.stale ?? 30, "stale"),
      mintDelayMs: toMsFromZero(options.mintDelay ?? 30, "mintDelay"),
      jitter,
      // A store in memory keeps what has expired until it is read or evicted anyway; kept longer, the reason of a miss is
      // "expired" instead of "absent".
      afterlifeMs: store === undefined || store.immediate === true ? AFTERLIFE_MS : 0,
    },
    storeTimeoutMs: toMsFromZero(options.storeTimeout ?? 1, "storeTimeout"),
    outageConcurrency: checkedConcurrency(options.outageConcurrency),
    inBackground: (work) => {
      const failed = (error: unknown) => warnings.waitUntilFailed(error);
      try {
        isPromise(waitUntil(work), failed);
      } catch (error) {
        failed(error);
      }
    },
    clock: clockOf(options.clock),
    random: randomOf(options.random),
  };
}

/** Throws a TypeError: a text would count as true. */
export function assertBoolean(value: unknown, option: string): asserts value is boolean {
  if (typeof value === "boolean") return;
  throw new TypeError(`Cannot use ${typeof value} as ${option}: it must be true or false`);
}

function checkedConcurrency(given: number | undefined): number {
  if (given === undefined) return Infinity;
  if (typeof given !== "number") {
    throw new TypeError(`Cannot use ${typeof given} as outageConcurrency: it must be a whole number > 0, or Infinity`);
  }
  if (given === Infinity || (Number.isSafeInteger(given) && given > 0)) return given;
  throw new RangeError(`Cannot use ${given} as outageConcurrency: it must be a whole number > 0, or Infinity`);
}
