import { isGenerator, isPromise } from "../util/callbacks.ts";
import { assertSignal } from "../util/checks.ts";
import { type Duration, toMs, toMsFromZero } from "../util/duration.ts";
import type { Random } from "../util/random.ts";
import type { Owned, ValueEntry } from "../store/store.ts";
import type { EntryOptions, FetchOptions, Groups } from "./backend.ts";

/** What a backend does where a call says nothing. */
export interface Defaults {
  readonly ttlMs: number;
  readonly staleMs: number;
  readonly mintDelayMs: number;
  /** Shortens each ttl by up to this fraction. */
  readonly jitter: number;
  /** How much longer a store is asked to keep an entry than anybody may be given it. */
  readonly afterlifeMs: number;
}

/** An entry to write, and how long the store shall keep it. */
export interface NewEntry {
  readonly entry: ValueEntry;
  readonly ttlMs: number;
}

/** Checks the options that can be checked before there is a value. Throws a TypeError or RangeError for a wrong one. */
export function checkedOptions<T>(
  { ttl, stale, mintDelay, timeout, when, signal }: FetchOptions<T>,
  defaults: Defaults,
): { readonly isCacheable: boolean; readonly timeoutMs: number; readonly mintDelayMs: number } {
  if (stale !== undefined) toMsFromZero(stale, "stale");
  if (signal !== undefined) assertSignal(signal);
  if (when !== undefined && typeof when !== "function") throw new TypeError("Cannot use when: it must be a function");
  return {
    isCacheable: typeof ttl === "function" || (ttl === undefined ? defaults.ttlMs : toMs(ttl, "ttl")) > 0,
    timeoutMs: timeout === undefined ? Infinity : toMsFromZero(timeout, "timeout"),
    mintDelayMs: mintDelay === undefined ? defaults.mintDelayMs : toMsFromZero(mintDelay, "mintDelay"),
  };
}

/** The ttl of a value in ms, 0 or less: not to be kept. An adaptive ttl that is no duration throws. */
export function ttlMsOf<T>(value: T, ttl: EntryOptions<T>["ttl"], defaults: Defaults): number {
  if (ttl === undefined) return defaults.ttlMs;
  if (typeof ttl !== "function") return toMs(ttl, "ttl");
  const given = ttl(value);
  if (isPromise(given)) throw atOnce("ttl", "a promise", "a duration");
  return toMs(given, "ttl");
}

/** Does the call's own `when` keep this value? Throws what it throws, and a TypeError where it has not decided. */
export function isKept<T>(value: T, when: (value: T) => boolean): boolean {
  const answer = when(value);
  if (isPromise(answer)) throw atOnce("when", "a promise", "true or false");
  if (isGenerator(answer)) throw atOnce("when", "a generator", "true or false");
  return Boolean(answer);
}

const atOnce = (option: string, given: string, wanted: string): TypeError =>
  new TypeError(
    `Cannot use ${given} as ${option}: \`${option}\` must return ${wanted} at once; await in the cached function itself`,
  );

/** The entry of a value. `ttlMs` > 0. */
export function newEntry(
  value: unknown,
  ttlMs: number,
  stale: Duration | undefined,
  defaults: Defaults,
  owned: Owned,
  now: number,
  random: Random,
): NewEntry {
  const staleMs = stale === undefined ? defaults.staleMs : toMsFromZero(stale, "stale");
  const freshUntil = now + jittered(ttlMs, defaults.jitter, random);
  const staleUntil = freshUntil + staleMs;
  const { fullKey, source, generations } = owned;
  const entry: ValueEntry = { kind: "value", value, freshUntil, staleUntil, fullKey, source, generations };
  return { entry, ttlMs: staleUntil - now + defaults.afterlifeMs };
}

/** Never down to 0, which would mean "not kept". */
function jittered(ttlMs: number, jitter: number, random: Random): number {
  return jitter === 0 || ttlMs === Infinity
    ? ttlMs
    : Math.max(Math.min(1, ttlMs), ttlMs * (1 - jitter * random.fraction()));
}

/** The default of `when`: everything is kept but `undefined` and `null`. */
export const isKeptByDefault = (value: unknown): boolean => value !== undefined && value !== null;

const NONE: readonly string[] = [];

/** The distinct groups, sorted, never in the caller's own array. Throws a TypeError for what is no group's name. */
export function distinctGroups(group: Groups | undefined, besides: readonly string[] = NONE): readonly string[] {
  if (group === undefined) return besides;
  if (typeof group !== "string" && !Array.isArray(group)) {
    throw new TypeError(`Cannot use ${kind(group)} as group: give a name or an array of names`);
  }
  const groups = besides.concat(group);
  for (const name of groups) assertName(name);
  for (let n = 1; n < groups.length; n++) if (!(groups[n - 1]! < groups[n]!)) return [...new Set(groups)].sort();
  return groups; // sorted already, as they mostly are
}

function assertName(group: unknown): void {
  if (typeof group === "string" && group !== "") return;
  throw new TypeError(
    `Cannot use ${group === "" ? '""' : kind(group)} as group: a group's name is a non-empty string`,
  );
}

const kind = (group: unknown): string =>
  isPromise(group) ? "a promise" : group === null ? "null" : Array.isArray(group) ? "an array" : typeof group;
