import { type ConformanceOptions, type Draft, LONG_MS, valueEntry, without } from "./subject.ts";
import { expect, expectEntry, expectNothing, found, refused, rejection } from "./expect.ts";

const RANGE = 2n ** 64n;

/** Counters, from which groups take their generations. */
export function counterTests(options: ConformanceOptions): Draft[] {
  if (without(options, "groups")) return [withoutGroups];
  return drafts.map((draft) => ({
    ...draft,
    skip: draft.needsForeign && options.writeForeign === undefined ? "no `writeForeign` was given" : undefined,
    run: (subject) => draft.run(subject, options),
  }));
}

const withoutGroups: Draft = {
  name: "counter() and increment() reject with a TypeError, since the store has no groups",
  run: async ({ store, key }) => {
    for (const verb of [async () => await store.counter(key()), () => store.increment(key())]) {
      expect(await rejection(verb, "it") instanceof TypeError, "it rejected with something else");
    }
  },
};

interface CounterDraft extends Omit<Draft, "run"> {
  readonly needsForeign?: boolean;
  readonly run: (subject: Parameters<Draft["run"]>[0], options: ConformanceOptions) => Promise<void>;
}

const drafts: readonly CounterDraft[] = [
  {
    name: "counter() creates a missing counter once, however many ask in one tick",
    run: async ({ store, key }) => {
      const name = key("counter");
      const seen = await Promise.all(Array.from({ length: 50 }, () => store.counter(name)));
      expect(typeof seen[0] === "bigint", "a counter is no bigint");
      expect(new Set(seen).size === 1, `50 callers saw ${new Set(seen).size} values`);
      expect(await store.counter(name) === seen[0], "it changed without an increment");
    },
  },
  {
    name: "counters begin at random in [0, 2^63), and never again where they began",
    run: async ({ store, key }) => {
      const name = key("counter");
      const starts: bigint[] = [];
      for (let i = 0; i < 10; i++) {
        starts.push(await store.counter(name));
        await store.delete(name, "anything");
      }
      expect(new Set(starts).size === 10, "a counter began twice at one value");
      expect(starts.every((start) => start >= 0n && start < RANGE / 2n), "a counter began outside of [0, 2^63)");
      expect(starts.some((start) => start > 2n ** 53n), "counters begin small: where two of them begin is no secret");
    },
  },
  {
    name: "increment() adds 1, exactly, and everybody sees it once it has resolved",
    run: async ({ store, key }) => {
      // Most of these are beyond 2^53, where a number would lose the 1.
      for (let i = 0; i < 4; i++) {
        const name = key("counter");
        const start = await store.counter(name);
        await store.increment(name);
        expect(await store.counter(name) === (start + 1n) % RANGE, "an increment did not add 1");
      }
    },
  },
  {
    name: "increments of one tick all count",
    run: async ({ store, key }) => {
      const name = key("counter");
      const start = await store.counter(name);
      await Promise.all(Array.from({ length: 20 }, () => store.increment(name)));
      expect(await store.counter(name) === (start + 20n) % RANGE, "20 increments did not add 20");
    },
  },
  {
    name: "increment() of a missing counter resolves and creates nothing",
    run: async ({ store, key }) => {
      const name = key("counter");
      await store.increment(name);
      await expectNothing(store, name, "the counter's name");
    },
  },
  {
    name: "counter() replaces what is no counter",
    run: async ({ store, key }) => {
      const name = key("counter");
      for (const value of ["text", "12", 12, { a: 1 }]) {
        await store.set(name, valueEntry(value), LONG_MS, "anything");
        const start = await store.counter(name);
        expect(await store.counter(name) === start, "it is no counter yet");
        await store.increment(name);
        expect(await store.counter(name) === (start + 1n) % RANGE, "an increment did not add 1");
      }
    },
  },
  {
    name: "counter() replaces what is no counter by one counter, however many ask in one tick",
    run: async ({ store, key }) => {
      const name = key("counter");
      await store.set(name, valueEntry("text"), LONG_MS, "anything");
      const seen = await Promise.all(Array.from({ length: 20 }, () => store.counter(name)));
      expect(new Set([...seen, await store.counter(name)]).size === 1, "callers saw different counters");
    },
  },
  {
    name: "increment() deletes what is no counter",
    run: async ({ store, key }) => {
      const name = key("counter");
      await store.set(name, valueEntry("text"), LONG_MS, "anything");
      await store.increment(name);
      await expectNothing(store, name, "the counter's name");
    },
  },
  {
    name: "counter() and increment() do the same to what is foreign",
    needsForeign: true,
    run: async ({ store, key }, options) => {
      const name = key("counter"), other = key("counter");
      await options.writeForeign!(name, store);
      const start = await store.counter(name);
      expect(await store.counter(name) === start, "it is no counter yet");
      await options.writeForeign!(other, store);
      await store.increment(other);
      await expectNothing(store, other, "the counter's name");
    },
  },
  {
    name: "a counter's key holds no entry: unreadable, occupied, and deleted like any other",
    run: async ({ store, key }) => {
      const name = key("counter");
      const start = await store.counter(name);
      const seen = await found(store, name, "the counter");
      expect(seen.entry.kind === "unreadable", `a counter is read as ${seen.entry.kind}`);
      refused(await store.add(name, valueEntry("a"), LONG_MS), "an add over a counter");
      expect(await store.counter(name) === start, "looking at it changed the counter");
      await store.increment(name);
      refused(await store.set(name, valueEntry("a"), LONG_MS, seen.token), "a set over an incremented counter's token");
      await store.set(name, valueEntry("a"), LONG_MS, "anything");
      await expectEntry(store, name, valueEntry("a"));
      expect(await store.delete(name, "anything"), "the delete was not done");
    },
  },
];
