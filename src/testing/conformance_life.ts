import { CacheError } from "../errors.ts";
import { type Draft, drafts, expect, leaseEntry, LONG_MS, rejection, type Subject, valueEntry } from "./subject.ts";

const DAY_MS = 86_400_000;
/** A store may round a ttl up; by more than this would surprise. */
const ROUNDED_MS = 3000;
const A = valueEntry("a"), B = valueEntry("b");

/** How entries end, and how a store does. */
export const lifeTests: readonly Draft[] = [
  ...drafts({
    "an entry lives as long as its ttl, never shorter, and little longer": async (s) => {
      for (const ttlMs of [0.5, 1, 999, 1000, 1001, 5250, 40 * DAY_MS]) {
        const here = s.key();
        await s.set(here, A, "anything", ttlMs);
        await s.expectEntry(here, A, `an entry with ${ttlMs} ms to live`);
        await s.advance(Math.ceil(ttlMs) - 1);
        await s.expectEntry(here, A, `an entry with ${ttlMs} ms to live, shortly before its end`);
        await s.advance(ROUNDED_MS + 1);
        await s.expectNothing(here, `a key whose entry had ${ttlMs} ms to live`);
      }
    },
    "an entry has its own ttl: another set begins anew": async (s) => {
      const here = s.key();
      const token = await s.add(here, leaseEntry("n"), 5000);
      await s.advance(4000);
      await s.set(here, leaseEntry("n"), token, 60_000);
      await s.advance(30_000);
      await s.expectEntry(here, leaseEntry("n"));
      await s.set(here, A, "anything", 1000);
      await s.advance(1000 + ROUNDED_MS);
      await s.expectNothing(here);
    },
    "where an entry has ended nothing is: add() keeps, and its token proves nothing": async (s) => {
      const here = s.key();
      const token = await s.add(here, A, 1000);
      await s.advance(1000 + ROUNDED_MS);
      await s.expectUseless(token, here, "an entry that has ended");
      await s.add(here, B);
      await s.expectEntry(here, B);
    },
    "an entry with an infinite ttl stays, and so does a counter": async (s) => {
      const here = s.key(), name = s.key("counter");
      await s.set(here, A, "anything", Infinity);
      const start = s.hasGroups && await s.store.counter(name);
      await s.advance(400 * DAY_MS);
      await s.expectEntry(here, A);
      if (s.hasGroups) expect(await s.store.counter(name) === start, "the counter is another one");
    },
  }, { needs: "advance" }),
  ...drafts({
    "the shortest ttl is kept for a moment at least": async (s) => {
      await s.set(s.key(), A, "anything", 0.001);
      const here = s.key();
      await s.add(here, A, 1000);
      await s.expectEntry(here, A);
    },
    "get() and counter() reject with the reason of a signal that was aborted before": async (
      { store, key, hasGroups },
    ) => {
      const reason = new Error("left"), signal = AbortSignal.abort(reason);
      const verbs = [async () => await store.get(key(), signal)] as (() => Promise<unknown>)[];
      if (hasGroups) verbs.push(async () => await store.counter(key(), signal));
      for (const verb of verbs) expect(await rejection(verb, "it") === reason, "it rejected with something else");
    },
    "a signal that is not aborted changes nothing": async (s) => {
      const here = s.key(), { signal } = new AbortController();
      await s.add(here, A);
      expect(await s.store.get(here, signal) !== undefined, "the entry was not found");
      if (s.hasGroups) expect(typeof await s.store.counter(s.key(), signal) === "bigint", "there is no counter");
    },
    "ready(), where a store has it, resolves, and leaves with its signal's reason": async ({ store }) => {
      await store.ready?.();
      if (store.ready === undefined) return;
      const reason = new Error("enough");
      const error = await rejection(() => store.ready!(AbortSignal.abort(reason)), "ready() with a fired signal");
      expect(error === reason, `ready() with a signal that had fired rejected with ${String(error)}`);
    },
    "close() may be called twice, and `await using` closes too": async ({ store }) => {
      await Promise.all([store.close(), store.close()]);
      await store.close();
      await store[Symbol.asyncDispose]();
    },
    "a store closed by close() rejects every verb with a CacheError": (s) => expectClosed(s, () => s.store.close()),
    "a store closed by `await using` rejects every verb with a CacheError": (s) =>
      expectClosed(s, () => s.store[Symbol.asyncDispose]()),
  }),
];

async function expectClosed({ store, key, hasGroups }: Subject, close: () => PromiseLike<void>): Promise<void> {
  const here = key();
  await store.get(here);
  await close();
  const verbs: Record<string, () => Promise<unknown>> = {
    get: async () => await store.get(here),
    add: () => store.add(here, A, LONG_MS),
    set: () => store.set(here, A, LONG_MS, "anything"),
    "set over a token": () => store.set(here, A, LONG_MS, {}),
    delete: () => store.delete(here, "anything"),
    ...store.read !== undefined && { read: () => store.read!([here], []) },
    ...hasGroups && { counter: async () => await store.counter(here), increment: () => store.increment(here) },
  };
  for (const [name, verb] of Object.entries(verbs)) {
    const error = await rejection(verb, name);
    expect(error instanceof CacheError, `${name} of a closed store rejected with ${String(error)}`);
  }
}
