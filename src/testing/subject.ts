import type { Entry, Store, ValueEntry } from "../store/store.ts";

/** What the suite needs to know of a store, and may do to it besides using it. */
export interface ConformanceOptions {
  /**
   * Lets so many milliseconds pass for the store, for example by a FakeClock given to it. Without it the tests of
   * expiry are skipped.
   */
  advance?: ((ms: number) => void | Promise<void>) | undefined;
  /** Writes something under a key that is no entry, past the store. Without it the tests of unreadable bytes are skipped. */
  writeForeign?: ((key: string, store: Store) => void | Promise<void>) | undefined;
  /** A value that is too large for the stores made. Without it the tests of too large values are skipped. */
  tooLarge?: unknown;
  /**
   * What the store leaves out, by design; there are no tests of it then. "copies": values are handed out as they are, and any value is kept.
   * "groups": it has no counters, and keeps no entries with generations.
   */
  without?: readonly ("copies" | "groups")[] | undefined;
}

/** What a test is given. */
export interface Subject {
  readonly store: Store;
  /** Another key at each call, that no other run uses. */
  key(hint?: string): string;
}

/** A test before a store is made for it. */
export interface Draft {
  readonly name: string;
  readonly skip?: string | undefined;
  /** true: a test of what the store leaves out. */
  readonly omit?: boolean;
  readonly run: (subject: Subject) => Promise<void>;
}

/** Long enough that no test sees its end. */
export const LONG_MS = 600_000;

/** A value's entry. */
export function valueEntry(value: unknown, more: Partial<ValueEntry> = {}): ValueEntry {
  return { kind: "value", value, freshUntil: 1_900_000_000_000.5, staleUntil: Infinity, generations: [], ...more };
}

/** A lease's entry. */
export function leaseEntry(nonce: string): Entry {
  return { kind: "lease", nonce, generations: [] };
}

/** Does the store leave this out? */
export function without(options: ConformanceOptions, feature: "copies" | "groups"): boolean {
  return options.without?.includes(feature) ?? false;
}
