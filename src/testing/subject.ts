import type { Entry, Found, Over, Store, Token, UnreadableEntry, ValueEntry } from "../store/store.ts";
import { difference } from "./difference.ts";

/** What the suite needs to know of a store, and may do to it besides using it. */
export interface ConformanceOptions {
  /**
   * Lets this many milliseconds pass for the store, for example by a FakeClock given to it. Without it the tests of
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

/** A test before a store is made for it. */
export interface Draft {
  readonly name: string;
  /** What the store has to have, or to leave out. Otherwise there is no such test. */
  readonly of?: "copies" | "groups" | "no copies" | "no groups";
  /** The option without which it is skipped. */
  readonly needs?: "advance" | "writeForeign" | "tooLarge";
  readonly run: (subject: Subject) => void | Promise<void>;
}

/** Tests by their names, which all need the same. */
export const drafts = (
  tests: Readonly<Record<string, Draft["run"]>>,
  needs: Omit<Draft, "name" | "run"> = {},
): Draft[] => Object.entries(tests).map(([name, run]) => ({ name, run, ...needs }));

/** Long enough that no test sees its end. */
export const LONG_MS = 600_000;

/** A value's entry. */
export function valueEntry(value: unknown, more: Partial<ValueEntry> = {}): ValueEntry {
  return { kind: "value", value, freshUntil: 1_900_000_000_000.5, staleUntil: Infinity, generations: [], ...more };
}

/** A lease's entry. */
export const leaseEntry = (nonce: string): Entry => ({ kind: "lease", nonce, generations: [] });

/** A store and what tests expect of it. Each expectation fails with a sentence. */
export class Subject {
  readonly store: Store;
  readonly options: ConformanceOptions;
  readonly hasGroups: boolean;
  /** Another key at each call, that no other run uses. */
  readonly key: (hint?: string) => string;

  constructor(store: Store, options: ConformanceOptions, key: (hint?: string) => string) {
    this.store = store;
    this.options = options;
    this.hasGroups = !options.without?.includes("groups");
    this.key = key;
  }

  /** Lets time pass for the store. */
  async advance(ms: number): Promise<void> {
    await this.options.advance!(ms);
  }

  /** Writes what is no entry, past the store. */
  async writeForeign(key: string): Promise<void> {
    await this.options.writeForeign!(key, this.store);
  }

  /** An add that has to be done. */
  async add(key: string, entry: Entry, ttlMs: number = LONG_MS): Promise<Token> {
    return stored(await this.store.add(key, entry, ttlMs), `an add of ${key}`);
  }

  /** A set that has to be done. */
  async set(key: string, entry: Entry, over: Over = "anything", ttlMs: number = LONG_MS): Promise<Token> {
    return stored(await this.store.set(key, entry, ttlMs, over), `a set of ${key}`);
  }

  /** A delete that has to be done. */
  async delete(key: string, over: Over = "anything"): Promise<void> {
    expect(await this.store.delete(key, over) === true, `a delete of ${key} was not done`);
  }

  /** An add that may not be done. */
  async expectNoAdd(key: string, entry: Entry, why: string): Promise<void> {
    expect(await this.store.add(key, entry, LONG_MS) === undefined, `an add was stored ${why}`);
  }

  /** A set, and a delete, over a token that proves nothing any more. */
  async expectUseless(token: Token, key: string, why: string): Promise<void> {
    const written = await this.store.set(key, valueEntry("never"), LONG_MS, token);
    expect(written === undefined, `a set was stored over ${why}`);
    expect(await this.store.delete(key, token) === false, `a delete was done over ${why}`);
  }

  /** What is found under a key, where something has to be. */
  async found(key: string, what = "the entry"): Promise<Found> {
    const found = await this.store.get(key);
    expect(found !== undefined, `${what} is not there`);
    expect(typeof found.token === "object" && found.token !== null, `${what} has no token`);
    return found;
  }

  /** Just this entry is under a key. */
  async expectEntry(key: string, entry: Entry, what = "the entry"): Promise<void> {
    expectSameEntry((await this.found(key, what)).entry, entry, what);
  }

  /** Nothing is under a key. */
  async expectNothing(key: string, what = "the key"): Promise<void> {
    expect(await this.store.get(key) === undefined, `something is still under ${what}`);
  }
}

/** Fails with a sentence unless something holds. */
export function expect(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Error(sentence);
}

/** Fails unless two values are the same in everything a program could notice. */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  const differs = difference(actual, expected, what);
  expect(differs === undefined, differs ?? "");
}

/** Fails unless an entry says the same as another; a field that is `undefined` may as well be absent. */
export function expectSameEntry(actual: Entry | UnreadableEntry, expected: Entry, what: string): void {
  const fields = (entry: Entry | UnreadableEntry) =>
    Object.fromEntries(
      // A value may be a getter of the entry's class.
      Object.entries(entry.kind === "value" ? { ...entry, value: entry.value } : entry)
        .sort(([a], [b]) => a < b ? -1 : 1).filter(([, value]) => value !== undefined),
    );
  expectSame(fields(actual), fields(expected), what);
}

/** What a rejection was. Fails if there was none, and if the verb threw instead of returning a promise. */
export async function rejection(verb: () => Promise<unknown>, what: string): Promise<unknown> {
  let promise: Promise<unknown>;
  try {
    promise = verb();
  } catch (error) {
    throw new Error(`${what} threw instead of rejecting`, { cause: error });
  }
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`${what} did not reject`);
}

/** A token where a write had to succeed. */
export function stored(token: Token | undefined, what: string): Token {
  expect(typeof token === "object" && token !== null, `${what} was not stored`);
  return token;
}
