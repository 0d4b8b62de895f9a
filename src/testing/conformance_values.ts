import { CacheValueError } from "../errors.ts";
import { type ConformanceOptions, type Draft, LONG_MS, valueEntry, without } from "./subject.ts";
import { expect, expectEntry, expectNothing, expectSame, found, rejection, stored } from "./expect.ts";
import { KEPT, REFUSED } from "./samples.ts";

/** Values come back exactly, as copies, or are refused. */
export function valueTests(options: ConformanceOptions): Draft[] {
  const uncopied = without(options, "copies");
  const noTooLarge = !("tooLarge" in options) ? "no `tooLarge` was given" : undefined;
  return [
    ...Object.entries(KEPT).map(([what, make]): Draft => ({
      name: `${what} comes back exactly`,
      run: async ({ store, key }) => {
        const here = key();
        stored(await store.set(here, valueEntry(make()), LONG_MS, "anything"), what);
        await expectEntry(store, here, valueEntry(make()), what);
        if (store.copy !== undefined) expectSame(store.copy(make()), make(), `a copy of ${what}`);
      },
    })),
    ...Object.entries(REFUSED).map(([what, { make }]): Draft => ({
      name: `${what} is refused with a CacheValueError`,
      omit: uncopied,
      run: async ({ store, key }) => {
        const here = key(), beside = key();
        await store.add(beside, valueEntry("beside"), LONG_MS);
        const entry = valueEntry(make());
        await expectRefusal(() => store.add(here, entry, LONG_MS), `an add of ${what}`);
        await expectNothing(store, here);
        await expectRefusal(() => store.set(here, entry, LONG_MS, "anything"), `a set of ${what}`);
        await expectEntry(store, beside, valueEntry("beside"));
        expectCopyRefusal(() => store.copy!(make()), what);
      },
    })),
    {
      name: "a value changed after add() or set() was called is kept as it was",
      omit: uncopied,
      run: async ({ store, key }) => {
        const make = () => ({ list: [1, { a: 1 }], bytes: Uint8Array.of(1, 2), map: new Map([["a", 1]]) });
        for (const verb of ["add", "set"] as const) {
          const value = make(), bytes = Uint8Array.of(1, 2, 3), here = key(), there = key();
          const write = (key: string, value: unknown) =>
            verb === "add"
              ? store.add(key, valueEntry(value), LONG_MS)
              : store.set(key, valueEntry(value), LONG_MS, "anything");
          const writes = [write(here, value), write(there, bytes)];
          value.list.push(3);
          value.bytes[0] = 9;
          value.map.clear();
          bytes[0] = 9;
          for (const written of writes) stored(await written, `the ${verb}`);
          await expectEntry(store, here, valueEntry(make()), `the value of ${verb}()`);
          await expectEntry(store, there, valueEntry(Uint8Array.of(1, 2, 3)), `the bytes of ${verb}()`);
        }
      },
    },
    {
      name: "generations changed after add() was called are kept as they were",
      omit: without(options, "groups"),
      run: async ({ store, key }) => {
        const here = key();
        const generations = [1n, 2n];
        const write = store.add(here, valueEntry("a", { generations }), LONG_MS);
        generations[0] = 9n;
        stored(await write, "the add");
        await expectEntry(store, here, valueEntry("a", { generations: [1n, 2n] }));
      },
    },
    {
      name: "every get() gives a value of its own",
      omit: uncopied,
      run: async ({ store, key }) => {
        const here = key();
        const make = () => ({ a: { b: [1] }, when: new Date(1), bytes: Uint8Array.of(1), set: new Set([1]) });
        await store.add(here, valueEntry(make()), LONG_MS);
        const { entry } = await found(store, here);
        expect(entry.kind === "value", "no value was found");
        const value = entry.value as ReturnType<typeof make>;
        value.a.b.push(2);
        value.when.setTime(2);
        value.bytes[0] = 2;
        value.set.add(2);
        await expectEntry(store, here, valueEntry(make()));
      },
    },
    {
      name: "copy() gives a value of its own and leaves the given one alone",
      omit: uncopied,
      run: ({ store }) => {
        expect(store.copy !== undefined, "the store has no copy()");
        const value = { a: { b: [1] }, bytes: Uint8Array.of(1) };
        const copy = store.copy(value) as typeof value;
        copy.a.b.push(2);
        copy.bytes[0] = 2;
        expectSame(value, { a: { b: [1] }, bytes: Uint8Array.of(1) }, "the given value");
        return Promise.resolve();
      },
    },
    {
      name: "values are handed out as they are, of any kind, and there is no copy()",
      omit: !uncopied,
      run: async ({ store, key }) => {
        expect(store.copy === undefined, "the store has a copy()");
        for (const value of [{ fn: () => 1 }, Symbol("s"), new WeakMap()]) {
          const here = key();
          stored(await store.add(here, valueEntry(value), LONG_MS), "the add");
          const { entry } = await found(store, here);
          expect(entry.kind === "value" && entry.value === value, "another value was given out");
        }
      },
    },
    {
      name: "a value that is too large is refused with a CacheValueError, and what is beside it stays",
      skip: noTooLarge,
      omit: uncopied,
      run: async ({ store, key }) => {
        const here = key(), beside = key();
        await store.add(beside, valueEntry("beside"), LONG_MS);
        const large = valueEntry(options.tooLarge);
        await expectRefusal(() => store.add(here, large, LONG_MS), "an add of a too large value");
        await expectNothing(store, here);
        // What was there may be gone: memcached deletes it.
        const token = stored(await store.add(here, valueEntry("small"), LONG_MS), "a small value");
        await expectRefusal(() => store.set(here, large, LONG_MS, token), "a set of a too large value");
        await expectRefusal(() => store.set(here, large, LONG_MS, "anything"), "a set of a too large value");
        stored(await store.set(here, valueEntry("small"), LONG_MS, "anything"), "a small value afterwards");
        await expectEntry(store, beside, valueEntry("beside"));
      },
    },
  ];
}

async function expectRefusal(verb: () => Promise<unknown>, what: string): Promise<void> {
  const error = await rejection(verb, what);
  expect(error instanceof CacheValueError, `${what} rejected with ${String(error)} instead of a CacheValueError`);
}

function expectCopyRefusal(copy: () => unknown, what: string): void {
  try {
    copy();
  } catch (error) {
    return expect(error instanceof CacheValueError, `copy() of ${what} threw ${String(error)}`);
  }
  throw new Error(`copy() of ${what} did not throw`);
}
