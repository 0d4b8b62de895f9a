import type { Entry, Token } from "../store/store.ts";
import { type ConformanceOptions, type Draft, leaseEntry, LONG_MS, valueEntry, without } from "./subject.ts";
import { expect, expectEntry, expectNothing, expectSame, expectSameEntry, found, refused, stored } from "./expect.ts";

const A = valueEntry("a"), B = valueEntry("b"), C = valueEntry("c");

/** Add, set, delete and their tokens. */
export function entryTests(options: ConformanceOptions): Draft[] {
  const noForeign = options.writeForeign === undefined ? "no `writeForeign` was given" : undefined;
  return [
    {
      name: "get() finds nothing where nothing is",
      run: async ({ store, key }) => expectSame(await store.get(key()), undefined, "what was found"),
    },
    {
      name: "read(), where a store has it, answers in the order of the keys and of the counters",
      run: async ({ store, key }) => {
        if (store.read === undefined) return;
        const here = key(), there = key(), nothing = key();
        stored(await store.add(here, A, LONG_MS), "an add");
        const token = stored(await store.add(there, B, LONG_MS), "an add");
        const names = without(options, "groups") ? [] : [key("counter"), key("counter"), key("counter")];
        for (const name of names.slice(1)) await store.counter(name);
        const { entries, counters } = await store.read([there, nothing, here], names);
        expectSame([entries.length, counters.length], [3, names.length], "how many answers there were");
        expectSame(entries[1], undefined, "what was found where nothing is");
        expectSameEntry(entries[0]!.entry, B, "the first entry");
        expectSameEntry(entries[2]!.entry, A, "the third entry");
        for (const [n, name] of names.entries()) expectSame(await store.counter(name), counters[n], `counter ${n}`);
        stored(await store.set(there, C, LONG_MS, entries[0]!.token), "a set over the first entry's token");
        refused(await store.set(there, C, LONG_MS, token), "a set over an older token");
        expectSame(await store.read([], []), { entries: [], counters: [] }, "what an empty read found");
      },
    },
    {
      name: "entries of every kind come back as they were",
      run: async ({ store, key }) => {
        const entries: Entry[] = [
          valueEntry("text", { fullKey: 'a full key: ø("\ufeff🏔")' }),
          valueEntry([1], { freshUntil: 0, staleUntil: -Infinity }),
          valueEntry(1n, { freshUntil: 1e300, staleUntil: 0.1 }),
          leaseEntry("nonce ø"),
          { kind: "lease", nonce: "0", generations: [], fullKey: "" },
          { kind: "uncacheable", generations: [] },
          { kind: "uncacheable", generations: [], fullKey: "full" },
        ];
        for (const entry of entries) {
          const here = key();
          stored(await store.add(here, entry, LONG_MS), "an add");
          await expectEntry(store, here, entry, entry.kind);
        }
      },
    },
    {
      name: "entries keep their generations, in their order, on every kind",
      omit: without(options, "groups"),
      run: async ({ store, key }) => {
        const generations = [0n, 2n ** 64n - 1n, 2n ** 53n + 1n, 7n, 7n];
        const entries: Entry[] = [
          valueEntry({ a: 1 }, { generations, fullKey: "full" }),
          { kind: "lease", nonce: "n", generations },
          { kind: "uncacheable", generations },
          valueEntry("many", { generations: Array.from({ length: 300 }, (_, i) => BigInt(i)) }),
        ];
        for (const entry of entries) {
          const here = key();
          stored(await store.set(here, entry, LONG_MS, "anything"), "a set");
          await expectEntry(store, here, entry, entry.kind);
        }
      },
    },
    {
      name: "keys that differ are different, up to 250 bytes",
      run: async ({ store, key }) => {
        const base = key();
        const keys = [
          base,
          `${base}0`,
          base.toUpperCase(),
          `${base}ø`,
          `${base}o\u0308`,
          `${base}🏔`,
          base.padEnd(250, "x"),
        ];
        const entries = keys.map((_, i) => valueEntry(i));
        await Promise.all(keys.map((key, i) => store.set(key, entries[i]!, LONG_MS, "anything")));
        for (const [i, key] of keys.entries()) await expectEntry(store, key, entries[i]!, `entry ${i}`);
      },
    },
    {
      name: "add() keeps an entry only where nothing is",
      run: async ({ store, key }) => {
        const here = key();
        stored(await store.add(here, A, LONG_MS), "the first add");
        refused(await store.add(here, B, LONG_MS), "the second add");
        await expectEntry(store, here, A);
        expect(await store.delete(here, "anything"), "the delete was not done");
        stored(await store.add(here, C, LONG_MS), "an add after a delete");
        await expectEntry(store, here, C);
      },
    },
    {
      name: "set() over anything replaces what is there, and keeps where nothing is",
      run: async ({ store, key }) => {
        const here = key();
        for (const entry of [A, leaseEntry("n"), B]) {
          stored(await store.set(here, entry, LONG_MS, "anything"), "a set");
          await expectEntry(store, here, entry);
        }
      },
    },
    {
      name: "set() over a token replaces only the entry that gave it",
      run: async ({ store, key }) => {
        const here = key();
        const first = stored(await store.add(here, A, LONG_MS), "the add");
        const second = stored(await store.set(here, B, LONG_MS, first), "a set over the add's token");
        refused(await store.set(here, C, LONG_MS, first), "a set over a token that was used");
        await expectEntry(store, here, B);
        stored(await store.set(here, C, LONG_MS, second), "a set over the set's token");
        await expectEntry(store, here, C);
      },
    },
    {
      name: "the tokens of every get and of the write itself are all proofs of one entry",
      run: async ({ store, key }) => {
        for (const which of [0, 1, 2]) {
          const here = key();
          const written = stored(await store.add(here, A, LONG_MS), "the add");
          const tokens: Token[] = [written, (await found(store, here)).token, (await found(store, here)).token];
          stored(await store.set(here, B, LONG_MS, tokens[which]!), `a set over token ${which}`);
          for (const token of tokens) refused(await store.set(here, C, LONG_MS, token), "a set over an older token");
          await expectEntry(store, here, B);
        }
      },
    },
    {
      name: "a token ends with every change, be it to an equal entry",
      run: async ({ store, key }) => {
        const changes: Record<string, (key: string, token: Token) => Promise<unknown>> = {
          "a set over anything": (key) => store.set(key, A, LONG_MS, "anything"),
          "a set over the token": (key, token) => store.set(key, A, LONG_MS, token),
          "a delete": (key) => store.delete(key, "anything"),
          "a delete over the token": (key, token) => store.delete(key, token),
          "a delete and another add": async (key) => {
            await store.delete(key, "anything");
            await store.add(key, A, LONG_MS);
          },
        };
        for (const [name, change] of Object.entries(changes)) {
          const here = key();
          const token = stored(await store.add(here, A, LONG_MS), "the add");
          await change(here, token);
          const after = (await store.get(here))?.entry;
          refused(await store.set(here, B, LONG_MS, token), `after ${name}: a set over the old token`);
          expect(await store.delete(here, token) === false, `after ${name}: a delete over the old token was done`);
          if (after === undefined) await expectNothing(store, here);
          else expectSameEntry((await found(store, here)).entry, A, "what the change left");
        }
      },
    },
    {
      name: "a token of one key proves nothing of another",
      run: async ({ store, key }) => {
        const here = key(), there = key();
        const token = stored(await store.add(here, A, LONG_MS), "the add");
        stored(await store.add(there, A, LONG_MS), "the other add");
        refused(await store.set(there, B, LONG_MS, token), "a set over another key's token");
        expect(await store.delete(there, token) === false, "a delete over another key's token was done");
        await expectEntry(store, there, A);
      },
    },
    {
      name: "delete() over a token forgets only the entry that gave it",
      run: async ({ store, key }) => {
        const here = key();
        const old = stored(await store.add(here, A, LONG_MS), "the add");
        const now = stored(await store.set(here, B, LONG_MS, "anything"), "the set");
        expect(await store.delete(here, old) === false, "a delete over an older token was done");
        await expectEntry(store, here, B);
        expect(await store.delete(here, now) === true, "a delete over the token was not done");
        await expectNothing(store, here);
        expect(await store.delete(here, now) === false, "a delete of what is not there was done over a token");
      },
    },
    {
      name: "delete() over anything is done, also where nothing is",
      run: async ({ store, key }) => {
        const here = key();
        expect(await store.delete(here, "anything") === true, "a delete of nothing was not done");
        await store.add(here, A, LONG_MS);
        expect(await store.delete(here, "anything") === true, "a delete was not done");
        await expectNothing(store, here);
      },
    },
    {
      name: "of what is asked in one tick, each write over one token or over nothing succeeds once",
      run: async ({ store, key }) => {
        const here = key();
        const adds = await Promise.all(Array.from({ length: 20 }, (_, i) => store.add(here, valueEntry(i), LONG_MS)));
        expect(adds.filter((token) => token !== undefined).length === 1, "not just one of 20 adds was stored");
        const { token } = await found(store, here);
        const sets = await Promise.all(
          Array.from({ length: 20 }, (_, i) => store.set(here, valueEntry([i]), LONG_MS, token)),
        );
        expect(sets.filter((token) => token !== undefined).length === 1, "not just one of 20 sets was stored");
        await expectEntry(store, here, valueEntry([sets.findIndex((token) => token !== undefined)]));
        const last = (await found(store, here)).token;
        const deletes = await Promise.all(Array.from({ length: 20 }, () => store.delete(here, last)));
        expect(deletes.filter((done) => done).length === 1, "not just one of 20 deletes over a token was done");
      },
    },
    {
      name: "what is no entry is unreadable, occupies its key, and can be replaced by its token or deleted",
      skip: noForeign,
      run: async ({ store, key }) => {
        const here = key();
        await options.writeForeign!(here, store);
        const seen = await found(store, here, "the foreign thing");
        expect(seen.entry.kind === "unreadable", `the foreign thing is read as ${seen.entry.kind}`);
        refused(await store.add(here, A, LONG_MS), "an add where something foreign is");
        stored(await store.set(here, A, LONG_MS, seen.token), "a set over the foreign thing's token");
        await expectEntry(store, here, A);
        await options.writeForeign!(here, store);
        expect(await store.delete(here, "anything"), "the foreign thing was not deleted");
        await expectNothing(store, here);
      },
    },
  ];
}
