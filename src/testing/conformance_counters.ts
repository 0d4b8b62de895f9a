import { type Draft, drafts, expect, LONG_MS, rejection, type Subject, valueEntry } from "./subject.ts";

const RANGE = 2n ** 64n;

/** Counters, from which groups take their generations. */
export const counterTests: readonly Draft[] = [
  ...drafts({
    "counter() and increment() reject with a TypeError, since the store has no groups": async ({ store, key }) => {
      for (const verb of [async () => await store.counter(key()), () => store.increment(key())]) {
        expect(await rejection(verb, "it") instanceof TypeError, "it rejected with something else");
      }
    },
  }, { of: "no groups" }),
  ...drafts({
    "counter() creates a missing counter once, however many ask in one tick": async (s) => {
      const name = s.key("counter");
      const seen = await Promise.all(Array.from({ length: 50 }, () => s.store.counter(name)));
      expect(typeof seen[0] === "bigint", "a counter is no bigint");
      expect(new Set(seen).size === 1, `50 callers saw ${new Set(seen).size} values`);
      expect(await s.store.counter(name) === seen[0], "it changed without an increment");
    },
    "counters begin at random in [0, 2^63), and never again where they began": async (s) => {
      const name = s.key("counter");
      const starts: bigint[] = [];
      for (let i = 0; i < 10; i++) {
        starts.push(await s.store.counter(name));
        await s.delete(name);
      }
      expect(new Set(starts).size === 10, "a counter began twice at one value");
      expect(starts.every((start) => start >= 0n && start < RANGE / 2n), "a counter began outside of [0, 2^63)");
      expect(starts.some((start) => start > 2n ** 53n), "counters begin small: where two of them begin is no secret");
    },
    "increment() adds 1, exactly, and everybody sees it once it has resolved": async (s) => {
      // Most of these are beyond 2^53, where a number would lose the 1.
      for (let i = 0; i < 4; i++) await expectCounts(s, s.key("counter"), 1);
    },
    "increments of one tick all count": (s) => expectCounts(s, s.key("counter"), 20),
    "increment() of a missing counter resolves and creates nothing": async (s) => {
      const name = s.key("counter");
      await s.store.increment(name);
      await s.expectNothing(name, "the counter's name");
    },
    "counter() replaces what is no counter": async (s) => {
      const name = s.key("counter");
      for (const value of ["text", "12", 12, { a: 1 }]) {
        await s.set(name, valueEntry(value));
        await expectCounts(s, name, 1);
      }
    },
    "counter() replaces what is no counter by one counter, however many ask in one tick": async (s) => {
      const name = s.key("counter");
      await s.set(name, valueEntry("text"));
      const seen = await Promise.all(Array.from({ length: 20 }, () => s.store.counter(name)));
      expect(new Set([...seen, await s.store.counter(name)]).size === 1, "callers saw different counters");
    },
    "increment() deletes what is no counter": async (s) => {
      const name = s.key("counter");
      await s.set(name, valueEntry("text"));
      await s.store.increment(name);
      await s.expectNothing(name, "the counter's name");
    },
  }, { of: "groups" }),
  ...drafts({
    "counter() and increment() do the same to what is foreign": async (s) => {
      const name = s.key("counter"), other = s.key("counter");
      await s.writeForeign(name);
      await expectCounts(s, name, 1);
      await s.writeForeign(other);
      await s.store.increment(other);
      await s.expectNothing(other, "the counter's name");
    },
  }, { of: "groups", needs: "writeForeign" }),
  ...drafts({
    "a counter's key holds no entry: unreadable, occupied, and deleted like any other": async (s) => {
      const name = s.key("counter"), entry = valueEntry("a");
      const start = await s.store.counter(name);
      const seen = await s.found(name, "the counter");
      expect(seen.entry.kind === "unreadable", `a counter is read as ${seen.entry.kind}`);
      await s.expectNoAdd(name, entry, "over a counter");
      expect(await s.store.counter(name) === start, "looking at it changed the counter");
      await s.store.increment(name);
      const written = await s.store.set(name, entry, LONG_MS, seen.token);
      expect(written === undefined, "a set over an incremented counter's token was stored");
      await s.set(name, entry);
      await s.expectEntry(name, entry);
      await s.delete(name);
    },
  }, { of: "groups" }),
];

/** A counter stays what it is, and so many increments of one tick add as much. */
async function expectCounts({ store }: Subject, name: string, increments: number): Promise<void> {
  const start = await store.counter(name);
  expect(await store.counter(name) === start, "it is no counter yet");
  await Promise.all(Array.from({ length: increments }, () => store.increment(name)));
  const count = await store.counter(name);
  expect(count === (start + BigInt(increments)) % RANGE, `${increments} increments of ${start} gave ${count}`);
}
