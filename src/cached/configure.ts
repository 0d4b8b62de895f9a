import type { Backend } from "../backend/backend.ts";
import { GroupBackend } from "../backend/group_backend.ts";
import type { GroupBackendOptions } from "../backend/options.ts";
import { internalsOf } from "../memcached/client.ts";
import { MemcachedStore } from "../store/memcached.ts";
import { MemoryStore } from "../store/memory/store.ts";
import { acrossCopies, inheritNames } from "./names.ts";
import { optionsOfUrl } from "./url.ts";

/** What all copies of the library in this program share. */
const current = acrossCopies("default", () => ({
  backend: undefined as Backend | undefined,
  isConfigured: false,
  /** For backends whose connections `configure` made: says whether they keep those that nobody uses. */
  keepIdle: new WeakMap<Backend, (keeps: boolean) => void>(),
}));

/** The backend of cached functions without one of their own: unless one was configured, a GroupBackend in memory. */
export function defaultBackend(): Backend {
  return current.backend ?? become(new GroupBackend());
}

/** The same, `undefined` as long as there is none: wrapping a function makes none. */
export const knownDefault = (): Backend | undefined => current.backend;

function become(backend: Backend): Backend {
  // Modules wrap functions before `main` configures: their names are registered on what is configured first.
  if (!current.isConfigured) inheritNames(current.backend, backend);
  const former = current.backend;
  current.backend = backend;
  if (former !== undefined && former !== backend) current.keepIdle.get(former)?.(false);
  current.keepIdle.get(backend)?.(true);
  return backend;
}

/**
 * Sets the backend of cached functions without a `backend` of their own, those wrapped earlier included, and returns
 * it.
 *
 * It takes options, a backend of your own, or a URL: `memory:///`, `memcached://host:port,host:port/`,
 * `memcacheds://host/` for TLS, `memcached:///run/memcached.sock`. A user and a password are written before the host,
 * percent-encoded. Both kinds have the parameters project, version, ttl, stale, group, mintDelay, jitter, storeTimeout,
 * outageConcurrency, redefine, enabled and detectCycles; memory has maxBytes and maxEntries; memcached has protocol,
 * timeout, connectTimeout, keepAlive, connections, maxInFlight, maxValueBytes, deadServers, discovery,
 * allowInsecureAuth and serverName. A bare number is seconds.
 *
 * Anything unknown is a TypeError, and then nothing changes. The former default is not closed, since somebody may still
 * use it; one that a URL has made closes its connections once they are idle, and opens them again when it is called.
 *
 * @example
 * ```ts
 * import { configure } from "@x/cache-utils";
 *
 * const backend = configure("memory:///?maxBytes=64000000&ttl=5m");
 * configure({ project: "shop", version: 42 });
 * await backend.close();
 * ```
 */
export function configure(options: string | GroupBackendOptions): GroupBackend;
/** Sets a backend of your own, and returns it. */
export function configure<B extends Backend>(backend: B): B;
export function configure(given: string | GroupBackendOptions | Backend): Backend {
  if (typeof given !== "string" && (typeof given !== "object" || given === null || Array.isArray(given))) {
    throw new TypeError("Cannot configure: give a URL, the options of a GroupBackend, or a backend");
  }
  const backend = typeof given === "string" ? backendAt(given) : isBackend(given) ? given : new GroupBackend(given);
  become(backend);
  current.isConfigured = true;
  return backend;
}

/** Makes a backend and its store, which opens no connection yet. */
function backendAt(url: string): GroupBackend {
  const { backend: options, servers, store: storeOptions } = optionsOfUrl(url);
  if (servers === undefined) return new GroupBackend({ ...options, store: new MemoryStore(storeOptions) });
  const store = new MemcachedStore(servers, storeOptions);
  const backend = new GroupBackend({ ...options, store });
  current.keepIdle.set(backend, (keeps) => internalsOf.get(store.client)?.keepIdle(keeps));
  return backend;
}

const isBackend = (given: GroupBackendOptions | Backend): given is Backend =>
  typeof (given as Partial<Backend>).fetch === "function";

/**
 * Invalidates groups of the default backend: when it resolves, everything kept under them is gone, in every process.
 *
 * It is one request a group, however many entries there are. Rejects if the store did not confirm it: then old results
 * may be served up to their ttl.
 *
 * @example
 * ```ts
 * import { cached, invalidateGroup } from "@x/cache-utils";
 *
 * const weather = cached(async (city: string) => `rain in ${city}`, { name: "weather", group: "cities" });
 * await weather("oslo");
 * await invalidateGroup("cities");
 * console.log(await weather.peek("oslo")); // undefined
 * ```
 */
export function invalidateGroup(...groups: string[]): Promise<void> {
  try {
    return defaultBackend().invalidateGroup(...groups);
  } catch (error) {
    return Promise.reject(error);
  }
}
