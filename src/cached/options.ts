import type { Backend, Groups } from "../backend/backend.ts";
import { distinctGroups } from "../backend/entry_options.ts";
import { type Duration, toMs, toMsFromZero } from "../util/duration.ts";
import { assertKnown, isStore } from "../util/checks.ts";

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

/** What others call an option, and what is an option of something else, by what to write instead. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  group: ["tag", "tags"],
  ttl: ["maxAge", "expires", "expiresIn"],
  stale: ["swr", "staleWhileRevalidate"],
  when: ["condition"],
  key: ["cacheKey", "keyGenerator", "resolver"],
  name: ["id"],
  backend: ["cache"],
  "`backend: new GroupBackend({ store })`": ["store"],
  "the option of the backend, which `configure` and `new GroupBackend` take": [
    "project",
    "version",
    "jitter",
    "storeTimeout",
    "waitUntil",
    "redefine",
  ],
};
const INSTEAD = Object.fromEntries(
  Object.entries(OTHER_NAMES).flatMap(([instead, names]) => names.map((name) => [name, instead])),
);

/** Checks the options of a cached function. Throws a TypeError or RangeError that names the option. */
export function checkedOptions(given: unknown): CheckedOptions {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const shown = given === null ? "null" : Array.isArray(given) ? "an array" : `a ${typeof given}`;
    throw new TypeError(`Cannot use ${shown} as options: give an object, as in cached(fn, { ttl: "5m" })`);
  }
  assertKnown(given, KNOWN, INSTEAD);
  const options = given as Record<string, unknown>;
  const checked = Object.entries(CHECKS).map(([name, check]) => [name, check(options[name], name)]);
  return Object.fromEntries(checked) as CheckedOptions;
}

// deno-lint-ignore no-explicit-any
type Check<T> = (given: any, option: string) => T;

/** What becomes of each option: what is checked here is not checked at each call. */
const CHECKS: { readonly [K in keyof CheckedOptions]: Check<CheckedOptions[K]> } = {
  ttl: (ttl) => typeof ttl === "function" ? ttl : seconds(toMs)(ttl, "ttl"),
  stale: seconds(toMsFromZero),
  group: (group) => typeof group === "function" ? group : fixedGroup(group),
  name(name) {
    if (name === undefined || typeof name === "string" && name !== "") return name;
    throw new TypeError(`Cannot use ${name === "" ? '""' : typeof name} as name: a name is a non-empty string`);
  },
  key: optionalFunction("(id) => id"),
  when: optionalFunction("(result) => result.length > 0"),
  timeout: seconds(toMsFromZero),
  mintDelay: seconds(toMsFromZero),
  backend(backend) {
    if (backend === undefined || typeof backend?.fetch === "function") return backend;
    const form = isStore(backend)
      ? "a store stands in a backend, as in new GroupBackend({ store })"
      : "it must be a backend (a GroupBackend, a PlainBackend, or of their shape)";
    throw new TypeError(`Cannot use backend: ${form}`);
  },
  shared(shared = false) {
    if (typeof shared === "boolean") return shared;
    throw new TypeError(`Cannot use ${typeof shared} as shared: it is true or false`);
  },
};

const KNOWN = Object.fromEntries(Object.keys(CHECKS).map((name) => [name, true as const]));

/** As a number, which a backend need not parse at each call. */
function seconds(check: (duration: Duration, option: string) => number): Check<number | undefined> {
  return (duration, option) => {
    if (duration === undefined) return undefined;
    const ms = check(duration, option);
    return typeof duration === "number" ? duration : ms / 1000;
  };
}

function fixedGroup(group: Groups | undefined): Groups | undefined {
  const groups = distinctGroups(group);
  return groups.length === 0 ? undefined : groups.length === 1 ? groups[0] : groups;
}

// deno-lint-ignore no-explicit-any
function optionalFunction(example: string): Check<any> {
  return (fn, option) => {
    if (fn === undefined || typeof fn === "function") return fn;
    throw new TypeError(`Cannot use ${typeof fn} as ${option}: it must be a function, as in ${option}: ${example}`);
  };
}
