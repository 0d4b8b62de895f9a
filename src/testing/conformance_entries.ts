import type { Entry, Token } from "../store/store.ts";
import {
  type Draft,
  drafts,
  expect,
  expectSame,
  expectSameEntry,
  leaseEntry,
  LONG_MS,
  type Subject,
  valueEntry,
} from "./subject.ts";

const A = valueEntry("a"), B = valueEntry("b"), C = valueEntry("c");

/** What changes an entry, by its token where one is given. */
const CHANGES: Readonly<Record<string, (subject: Subject, key: string, token: Token) => Promise<unknown>>> = {
  "a set over anything": (s, key) => s.set(key, A),
  "a set over the token": (s, key, token) => s.set(key, A, token),
  "a delete": (s, key) => s.delete(key),
  "a delete over the token": (s, key, token) => s.delete(key, token),
  "a delete and another add": async (s, key) => {
    await s.delete(key);
    await s.add(key, A);
  },
};

/** Get, add, set, delete and their tokens. */
export const entryTests: readonly Draft[] = [
  ...drafts({
    "get() finds nothing where nothing is": async (s) =>
      expectSame(await s.store.get(s.key()), undefined, "what was found"),
    "read(), where a store has it, answers in the order of the keys and of the counters": async (s) => {
      if (s.store.read === undefined) return;
      const here = s.key(), there = s.key(), nothing = s.key();
      await s.add(here, A);
      const token = await s.add(there, B);
      const names = s.hasGroups ? [s.key("counter"), s.key("counter"), s.key("counter")] : [];
      for (const name of names.slice(1)) await s.store.counter(name);
      const { entries, counters } = await s.store.read([there, nothing, here], names);
      expectSame([entries.length, counters.length], [3, names.length], "how many answers there were");
      expectSame(entries[1], undefined, "what was found where nothing is");
      expectSameEntry(entries[0]!.entry, B, "the first entry");
      expectSameEntry(entries[2]!.entry, A, "the third entry");
      for (const [n, name] of names.entries()) expectSame(await s.store.counter(name), counters[n], `counter ${n}`);
      await s.set(there, C, entries[0]!.token);
      await s.expectUseless(token, there, "an older token");
      expectSame(await s.store.read([], []), { entries: [], counters: [] }, "what an empty read found");
    },
    "entries of every kind come back as they were": (s) =>
      comeBack(s, [
        valueEntry("text", { fullKey: 'a full key: ø("\ufeff🏔")' }),
        valueEntry([1], { freshUntil: 0, staleUntil: -Infinity }),
        valueEntry(1n, { freshUntil: 1e300, staleUntil: 0.1 }),
        leaseEntry("nonce ø"),
        { kind: "lease", nonce: "0", generations: [], fullKey: "" },
        { kind: "uncacheable", generations: [] },
        { kind: "uncacheable", generations: [], fullKey: "full" },
      ]),
  }),
  ...drafts({
    "entries keep their generations, in their order, on every kind": (s) => {
      const generations = [0n, 2n ** 64n - 1n, 2n ** 53n + 1n, 7n, 7n];
      return comeBack(s, [
        valueEntry({ a: 1 }, { generations, fullKey: "full" }),
        { kind: "lease", nonce: "n", generations },
        { kind: "uncacheable", generations },
        valueEntry("many", { generations: Array.from({ length: 300 }, (_, i) => BigInt(i)) }),
      ]);
    },
  }, { of: "groups" }),
  ...drafts({
    "keys that differ are different, up to 250 bytes": async (s) => {
      const base = s.key();
      const unlike = ["0", "ø", "o\u0308", "🏔"].map((end) => base + end);
      const keys = [base, base.toUpperCase(), base.padEnd(250, "x"), ...unlike];
      await Promise.all(keys.map((key, i) => s.set(key, valueEntry(i))));
      for (const [i, key] of keys.entries()) await s.expectEntry(key, valueEntry(i), `entry ${i}`);
    },
    "add() keeps an entry only where nothing is": async (s) => {
      const here = s.key();
      await s.add(here, A);
      await s.expectNoAdd(here, B, "where an entry is");
      await s.expectEntry(here, A);
      await s.delete(here);
      await s.add(here, C);
      await s.expectEntry(here, C);
    },
    "set() over anything replaces what is there, and keeps where nothing is": async (s) => {
      const here = s.key();
      for (const entry of [A, leaseEntry("n"), B]) {
        await s.set(here, entry);
        await s.expectEntry(here, entry);
      }
    },
    "set() over a token replaces only the entry that gave it": async (s) => {
      const here = s.key();
      const first = await s.add(here, A), second = await s.set(here, B, first);
      await s.expectUseless(first, here, "a token that was used");
      await s.expectEntry(here, B);
      await s.set(here, C, second);
      await s.expectEntry(here, C);
    },
    "the tokens of every get and of the write itself are all proofs of one entry": async (s) => {
      for (const which of [0, 1, 2]) {
        const here = s.key();
        const written = await s.add(here, A);
        const tokens = [written, (await s.found(here)).token, (await s.found(here)).token];
        await s.set(here, B, tokens[which]!);
        for (const token of tokens) await s.expectUseless(token, here, "an older token");
        await s.expectEntry(here, B);
      }
    },
    "a token ends with every change, be it to an equal entry": async (s) => {
      for (const [name, change] of Object.entries(CHANGES)) {
        const here = s.key();
        const token = await s.add(here, A);
        await change(s, here, token);
        const after = (await s.store.get(here))?.entry;
        await s.expectUseless(token, here, `the token from before ${name}`);
        if (after === undefined) await s.expectNothing(here);
        else await s.expectEntry(here, A, `what ${name} left`);
      }
    },
    "a token of one key proves nothing of another": async (s) => {
      const there = s.key();
      const token = await s.add(s.key(), A);
      await s.add(there, A);
      await s.expectUseless(token, there, "another key's token");
      await s.expectEntry(there, A);
    },
    "delete() over a token forgets only the entry that gave it": async (s) => {
      const here = s.key();
      const old = await s.add(here, A), now = await s.set(here, B);
      expect(await s.store.delete(here, old) === false, "a delete over an older token was done");
      await s.expectEntry(here, B);
      await s.delete(here, now);
      await s.expectNothing(here);
      expect(await s.store.delete(here, now) === false, "a delete of what is not there was done over a token");
    },
    "delete() over anything is done, also where nothing is": async (s) => {
      const here = s.key();
      await s.delete(here);
      await s.add(here, A);
      await s.delete(here);
      await s.expectNothing(here);
    },
    "of what is asked in one tick, each write over one token or over nothing succeeds once": async (s) => {
      const here = s.key(), { store } = s;
      const once = async <T>(what: string, write: (n: number) => Promise<T>): Promise<number> => {
        const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => write(n)));
        const done = answers.filter((answer) => answer !== undefined && answer !== false).length;
        expect(done === 1, `${done} of 20 ${what} of one tick were done`);
        return answers.findIndex((answer) => answer !== undefined);
      };
      await once("adds", (n) => store.add(here, valueEntry(n), LONG_MS));
      const { token } = await s.found(here);
      const set = await once("sets over a token", (n) => store.set(here, valueEntry([n]), LONG_MS, token));
      await s.expectEntry(here, valueEntry([set]));
      const last = (await s.found(here)).token;
      await once("deletes over a token", () => store.delete(here, last));
    },
  }),
  ...drafts({
    "what is no entry is unreadable, occupies its key, and can be replaced by its token or deleted": async (s) => {
      const here = s.key();
      await s.writeForeign(here);
      const { entry, token } = await s.found(here, "the foreign thing");
      expect(entry.kind === "unreadable", `the foreign thing is read as ${entry.kind}`);
      await s.expectNoAdd(here, A, "where something foreign is");
      await s.set(here, A, token);
      await s.expectEntry(here, A);
      await s.writeForeign(here);
      await s.delete(here);
      await s.expectNothing(here);
    },
  }, { needs: "writeForeign" }),
];

async function comeBack(s: Subject, entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) {
    const added = s.key(), set = s.key();
    await s.add(added, entry);
    await s.set(set, entry);
    for (const key of [added, set]) await s.expectEntry(key, entry, entry.kind);
  }
}
