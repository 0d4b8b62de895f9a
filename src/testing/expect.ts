import type { Entry, Found, Store, Token, UnreadableEntry } from "../store/store.ts";
import { difference } from "./difference.ts";

/** Fails with a sentence unless something holds. */
export function expect(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Error(sentence);
}

/** Fails unless two values are the same in everything a program could notice. */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  const differs = difference(actual, expected, what);
  expect(differs === undefined, differs ?? "");
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

/** Fails unless a write was refused. */
export function refused(token: Token | undefined, what: string): void {
  expect(token === undefined, `${what} was stored`);
}

/** What is found under a key, where something has to be. */
export async function found(store: Store, key: string, what = "the entry"): Promise<Found> {
  const seen = await store.get(key);
  expect(seen !== undefined, `${what} is not there`);
  expect(typeof seen.token === "object" && seen.token !== null, `${what} has no token`);
  return seen;
}

/** Fails unless just this entry is under a key. */
export async function expectEntry(store: Store, key: string, entry: Entry, what = "the entry"): Promise<void> {
  expectSameEntry((await found(store, key, what)).entry, entry, what);
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

/** Fails unless nothing is under a key. */
export async function expectNothing(store: Store, key: string, what = "the key"): Promise<void> {
  expect(await store.get(key) === undefined, `something is still under ${what}`);
}
