import { CacheError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import { type ConformanceOptions, type Draft, leaseEntry, LONG_MS, valueEntry, without } from "./subject.ts";
import { expect, expectEntry, expectNothing, refused, rejection, stored } from "./expect.ts";

const DAY_MS = 86_400_000;
/** A store may round a ttl up; by more than this would surprise. */
const ROUNDED_MS = 3000;
const A = valueEntry("a"), B = valueEntry("b");

/** How entries end, and how a store does. */
export function lifeTests(options: ConformanceOptions): Draft[] {
  const skip = options.advance === undefined ? "no `advance` was given" : undefined;
  const advance = (ms: number) => options.advance!(ms);
  const hasGroups = !without(options, "groups");
  return [
    {
      name: "an entry lives as long as its ttl, never shorter, and little longer",
      skip,
      run: async ({ store, key }) => {
        for (const ttlMs of [0.5, 1, 999, 1000, 1001, 5250, 40 * DAY_MS]) {
          const here = key();
          await store.set(here, A, ttlMs, "anything");
          await expectEntry(store, here, A, `an entry with ${ttlMs} ms to live`);
          await advance(Math.ceil(ttlMs) - 1);
          await expectEntry(store, here, A, `an entry with ${ttlMs} ms to live, shortly before its end`);
          await advance(ROUNDED_MS + 1);
          await expectNothing(store, here, `a key whose entry had ${ttlMs} ms to live`);
        }
      },
    },
    {
      name: "an entry has its own ttl: another set begins anew",
      skip,
      run: async ({ store, key }) => {
        const here = key();
        const token = stored(await store.add(here, leaseEntry("n"), 5000), "the lease");
        await advance(4000);
        stored(await store.set(here, leaseEntry("n"), 60_000, token), "its renewal");
        await advance(30_000);
        await expectEntry(store, here, leaseEntry("n"));
        await store.set(here, A, 1000, "anything");
        await advance(1000 + ROUNDED_MS);
        await expectNothing(store, here);
      },
    },
    {
      name: "where an entry has ended nothing is: add() keeps, and its token proves nothing",
      skip,
      run: async ({ store, key }) => {
        const here = key();
        const token = stored(await store.add(here, A, 1000), "the add");
        await advance(1000 + ROUNDED_MS);
        refused(await store.set(here, B, LONG_MS, token), "a set over an entry that has ended");
        expect(await store.delete(here, token) === false, "a delete of an entry that has ended was done");
        stored(await store.add(here, B, LONG_MS), "an add after the end");
        await expectEntry(store, here, B);
      },
    },
    {
      name: "an entry with an infinite ttl stays, and so does a counter",
      skip,
      run: async ({ store, key }) => {
        const here = key(), name = key("counter");
        await store.set(here, A, Infinity, "anything");
        const start = hasGroups ? await store.counter(name) : undefined;
        await advance(400 * DAY_MS);
        await expectEntry(store, here, A);
        if (hasGroups) expect(await store.counter(name) === start, "the counter is another one");
      },
    },
    {
      name: "the shortest ttl is kept for a moment at least",
      run: async ({ store, key }) => {
        stored(await store.set(key(), A, 0.001, "anything"), "a set");
        const here = key();
        stored(await store.add(here, A, 1000), "an add");
        await expectEntry(store, here, A);
      },
    },
    {
      name: "get() and counter() reject with the reason of a signal that was aborted before",
      run: async ({ store, key }) => {
        const reason = new Error("left");
        const signal = AbortSignal.abort(reason);
        const verbs = [
          async () => await store.get(key(), signal),
          ...hasGroups ? [async () => await store.counter(key(), signal)] : [],
        ];
        for (const verb of verbs) expect(await rejection(verb, "it") === reason, "it rejected with something else");
      },
    },
    {
      name: "a signal that is not aborted changes nothing",
      run: async ({ store, key }) => {
        const { signal } = new AbortController();
        const here = key();
        await store.add(here, A, LONG_MS);
        expect(await store.get(here, signal) !== undefined, "the entry was not found");
        if (hasGroups) expect(typeof await store.counter(key(), signal) === "bigint", "there is no counter");
      },
    },
    {
      name: "ready(), where a store has it, resolves, and leaves with its signal's reason",
      run: async ({ store }) => {
        await store.ready?.();
        if (store.ready === undefined) return;
        const reason = new Error("enough");
        const ask = () => store.ready!(AbortSignal.abort(reason));
        const error = await rejection(ask, "ready() with a signal that had fired");
        expect(error === reason, `ready() with a signal that had fired rejected with ${String(error)}`);
      },
    },
    {
      name: "close() may be called twice, and `await using` closes too",
      run: async ({ store }) => {
        await Promise.all([store.close(), store.close()]);
        await store.close();
        await store[Symbol.asyncDispose]();
      },
    },
    ...closings.map(([how, close]) => ({
      name: `a store closed by ${how} rejects every verb with a CacheError`,
      run: async ({ store, key }: Parameters<Draft["run"]>[0]) => {
        await store.get(key());
        await close(store);
        for (const [name, verb] of Object.entries(verbs(store, key(), hasGroups))) {
          const error = await rejection(verb, name);
          expect(error instanceof CacheError, `${name} of a closed store rejected with ${String(error)}`);
        }
      },
    })),
  ];
}

const closings: readonly (readonly [how: string, close: (store: Store) => PromiseLike<void>])[] = [
  ["close()", (store) => store.close()],
  ["`await using`", (store) => store[Symbol.asyncDispose]()],
];

function verbs(store: Store, key: string, hasGroups: boolean): Record<string, () => Promise<unknown>> {
  return {
    get: async () => await store.get(key),
    add: () => store.add(key, A, LONG_MS),
    set: () => store.set(key, A, LONG_MS, "anything"),
    "set over a token": () => store.set(key, A, LONG_MS, {}),
    delete: () => store.delete(key, "anything"),
    ...store.read !== undefined && { read: () => store.read!([key], []) },
    ...hasGroups && { counter: async () => await store.counter(key), increment: () => store.increment(key) },
  };
}
