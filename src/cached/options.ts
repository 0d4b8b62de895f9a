import type { Backend, Groups } from "../backend/backend.ts";
import { distinctGroups } from "../backend/entry_options.ts";
import { type Duration, toMs, toMsFromZero } from "../util/duration.ts";
import { assertKnown, isStore } from "../util/checks.ts";
import type { CallOptions } from "./types.ts";

/** The options of a function, checked, and no longer the caller's to change. Times are seconds. */
export interface CheckedOptions {
  readonly ttl: number | ((result: unknown, ...args: unknown[]) => Duration) | undefined;
  readonly stale: number | undefined;
  readonly group: Groups | ((this: unknown, ...args: unknown[]) => Groups) | undefined;
  readonly name: string | undefined;
  readonly key: ((this: unknown, ...args: unknown[]) => unknown) | undefined;
  readonly when: ((result: unknown, ...args: unknown[]) => boolean) | undefined;
  readonly timeout: number | undefined;
  readonly mintDelay: number | undefined;
  readonly backend: Backend | undefined;
  readonly shared: boolean;
}

const KNOWN: Readonly<Record<keyof CallOptions, true>> = {
  ttl: true,
  stale: true,
  group: true,
  name: true,
  key: true,
  when: true,
  timeout: true,
  mintDelay: true,
  backend: true,
  shared: true,
};

const OF_BACKEND = "the option of the backend, which `configure` and `new GroupBackend` take";
/** What others call so, and what belongs to the backend. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  tag: "group",
  tags: "group",
  maxAge: "ttl",
  expires: "ttl",
  expiresIn: "ttl",
  swr: "stale",
  staleWhileRevalidate: "stale",
  condition: "when",
  cacheKey: "key",
  keyGenerator: "key",
  resolver: "key",
  id: "name",
  store: "`backend: new GroupBackend({ store })`",
  cache: "backend",
  project: OF_BACKEND,
  version: OF_BACKEND,
  jitter: OF_BACKEND,
  storeTimeout: OF_BACKEND,
  waitUntil: OF_BACKEND,
  redefine: OF_BACKEND,
};

/** Checks the options of a cached function. Throws a TypeError or RangeError that names the option. */
export function checkedOptions(given: unknown): CheckedOptions {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const shown = given === null ? "null" : Array.isArray(given) ? "an array" : `a ${typeof given}`;
    throw new TypeError(`Cannot use ${shown} as options: give an object, as in cached(fn, { ttl: "5m" })`);
  }
  // deno-lint-ignore no-explicit-any
  const options = given as CallOptions<any[], any>;
  assertKnown(options, KNOWN, ELSEWHERE);
  const { ttl, group, name, key, when, backend, shared = false } = options;
  if (name !== undefined && (typeof name !== "string" || name === "")) {
    throw new TypeError(`Cannot use ${name === "" ? '""' : typeof name} as name: a name is a non-empty string`);
  }
  assertFunction(key, "key", "(id) => id");
  assertFunction(when, "when", "(result) => result.length > 0");
  if (typeof shared !== "boolean") throw new TypeError(`Cannot use ${typeof shared} as shared: it is true or false`);
  if (backend !== undefined && typeof backend?.fetch !== "function") {
    const form = isStore(backend)
      ? "a store stands in a backend, as in new GroupBackend({ store })"
      : "it must be a backend (a GroupBackend, a PlainBackend, or of their shape)";
    throw new TypeError(`Cannot use backend: ${form}`);
  }
  return {
    ttl: typeof ttl === "function" ? ttl : seconds(ttl, "ttl", toMs),
    stale: seconds(options.stale, "stale", toMsFromZero),
    group: typeof group === "function" ? group : fixedGroup(group),
    name,
    key,
    when,
    timeout: seconds(options.timeout, "timeout", toMsFromZero),
    mintDelay: seconds(options.mintDelay, "mintDelay", toMsFromZero),
    backend,
    shared,
  };
}

/** As a number, which a backend need not parse at each call. */
function seconds(
  duration: Duration | undefined,
  argument: string,
  check: (duration: Duration, argument: string) => number,
): number | undefined {
  if (duration === undefined) return undefined;
  const ms = check(duration, argument);
  return typeof duration === "number" ? duration : ms / 1000;
}

function fixedGroup(group: Groups | undefined): Groups | undefined {
  const groups = distinctGroups(group);
  return groups.length === 0 ? undefined : groups.length === 1 ? groups[0] : groups;
}

function assertFunction(value: unknown, option: string, example: string): void {
  if (value !== undefined && typeof value !== "function") {
    throw new TypeError(`Cannot use ${typeof value} as ${option}: it must be a function, as in ${option}: ${example}`);
  }
}
