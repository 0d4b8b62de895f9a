import { CacheValueError } from "../errors.ts";
import {
  type Draft,
  drafts,
  expect,
  expectSame,
  LONG_MS,
  rejection,
  stored,
  type Subject,
  valueEntry,
} from "./subject.ts";
import { KEPT, REFUSED } from "./samples.ts";

/** Values come back exactly, as copies, or are refused. */
export const valueTests: readonly Draft[] = [
  ...Object.entries(KEPT).map(([what, make]): Draft => ({
    name: `${what} comes back exactly`,
    run: async (s) => {
      const here = s.key();
      await s.set(here, valueEntry(make()));
      await s.expectEntry(here, valueEntry(make()), what);
      if (s.store.copy !== undefined) expectSame(s.store.copy(make()), make(), `a copy of ${what}`);
    },
  })),
  ...Object.entries(REFUSED).map(([what, { make }]): Draft => ({
    name: `${what} is refused with a CacheValueError`,
    of: "copies",
    run: async (s) => {
      const here = s.key();
      await besideWhich(s, async () => {
        const entry = valueEntry(make());
        await expectRefusal(() => s.store.add(here, entry, LONG_MS), `an add of ${what}`);
        await s.expectNothing(here);
        await expectRefusal(() => s.store.set(here, entry, LONG_MS, "anything"), `a set of ${what}`);
      });
      // deno-lint-ignore require-await -- it rejects where copy() throws.
      await expectRefusal(async () => s.store.copy!(make()), `copy() of ${what}`);
    },
  })),
  ...drafts({
    "a value changed after add() or set() was called is kept as it was": async (s) => {
      const make = () => ({ list: [1, { a: 1 }], bytes: Uint8Array.of(1, 2), map: new Map([["a", 1]]) });
      const verbs: Readonly<Record<string, (key: string, value: unknown) => Promise<unknown>>> = {
        add: (key, value) => s.add(key, valueEntry(value)),
        set: (key, value) => s.set(key, valueEntry(value)),
      };
      for (const [verb, write] of Object.entries(verbs)) {
        const value = make(), bytes = Uint8Array.of(1, 2, 3), here = s.key(), there = s.key();
        const writes = [write(here, value), write(there, bytes)];
        value.list.push(3);
        value.bytes[0] = 9;
        value.map.clear();
        bytes[0] = 9;
        await Promise.all(writes);
        await s.expectEntry(here, valueEntry(make()), `the value of ${verb}()`);
        await s.expectEntry(there, valueEntry(Uint8Array.of(1, 2, 3)), `the bytes of ${verb}()`);
      }
    },
  }, { of: "copies" }),
  ...drafts({
    "generations changed after add() was called are kept as they were": async (s) => {
      const here = s.key(), generations = [1n, 2n];
      const write = s.store.add(here, valueEntry("a", { generations }), LONG_MS);
      generations[0] = 9n;
      stored(await write, "the add");
      await s.expectEntry(here, valueEntry("a", { generations: [1n, 2n] }));
    },
  }, { of: "groups" }),
  ...drafts({
    "every get() gives a value of its own": async (s) => {
      const here = s.key();
      const make = () => ({ a: { b: [1] }, when: new Date(1), bytes: Uint8Array.of(1), set: new Set([1]) });
      await s.add(here, valueEntry(make()));
      const { entry } = await s.found(here);
      expect(entry.kind === "value", "no value was found");
      const value = entry.value as ReturnType<typeof make>;
      value.a.b.push(2);
      value.when.setTime(2);
      value.bytes[0] = 2;
      value.set.add(2);
      await s.expectEntry(here, valueEntry(make()));
    },
    "copy() gives a value of its own and leaves the given one alone": ({ store }) => {
      expect(store.copy !== undefined, "the store has no copy()");
      const value = { a: { b: [1] }, bytes: Uint8Array.of(1) };
      const copy = store.copy(value) as typeof value;
      copy.a.b.push(2);
      copy.bytes[0] = 2;
      expectSame(value, { a: { b: [1] }, bytes: Uint8Array.of(1) }, "the given value");
    },
  }, { of: "copies" }),
  ...drafts({
    "values are handed out as they are, of any kind, and there is no copy()": async (s) => {
      expect(s.store.copy === undefined, "the store has a copy()");
      for (const value of [{ fn: () => 1 }, Symbol("s"), new WeakMap()]) {
        const here = s.key();
        await s.add(here, valueEntry(value));
        const { entry } = await s.found(here);
        expect(entry.kind === "value" && entry.value === value, "another value was given out");
      }
    },
  }, { of: "no copies" }),
  ...drafts({
    "a value that is too large is refused with a CacheValueError, and what is beside it stays": async (s) => {
      const here = s.key(), large = valueEntry(s.options.tooLarge);
      await besideWhich(s, async () => {
        await expectRefusal(() => s.store.add(here, large, LONG_MS), "an add of a too large value");
        await s.expectNothing(here);
        // What was there may be gone: memcached deletes it.
        const token = await s.add(here, valueEntry("small"));
        for (const over of [token, "anything"] as const) {
          await expectRefusal(() => s.store.set(here, large, LONG_MS, over), "a set of a too large value");
        }
        await s.set(here, valueEntry("small"));
      });
    },
  }, { of: "copies", needs: "tooLarge" }),
];

/** Does something under other keys than that of an entry, which has to stay. */
async function besideWhich(s: Subject, work: () => Promise<void>): Promise<void> {
  const beside = s.key();
  await s.add(beside, valueEntry("beside"));
  await work();
  await s.expectEntry(beside, valueEntry("beside"), "an entry under another key");
}

async function expectRefusal(verb: () => Promise<unknown>, what: string): Promise<void> {
  const error = await rejection(verb, what);
  expect(error instanceof CacheValueError, `${what} failed with ${String(error)} instead of a CacheValueError`);
}
