import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { MemoryStore } from "../../src/store/memory/store.ts";
import type { Entry, Found, Over, ReadAnswer, Store, Token } from "../../src/store/store.ts";
import { type ConformanceOptions, FakeClock, storeConformance } from "../../src/testing/mod.ts";

/** The names of the tests that such a store fails. */
async function failures(makeStore: () => Store, options: ConformanceOptions = {}): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, skip, run } of storeConformance(makeStore, options)) {
    if (skip !== undefined) continue;
    await run().catch(() => failed.push(name));
  }
  return failed;
}

/** A MemoryStore with one fault. */
function faulty(fault: (store: MemoryStore) => Partial<Store>, clock = new FakeClock()): () => Store {
  return () => {
    const store = new MemoryStore({ clock });
    return Object.assign(Object.create(store), bound(store), fault(store));
  };
}

/** Private fields are the store's own: a verb has to be called on it. */
function bound(store: MemoryStore): Partial<Store> {
  const verbs = ["get", "add", "set", "delete", "counter", "increment", "close"] as const;
  return Object.fromEntries([
    ...verbs.map((verb) => [verb, (store[verb] as (...args: unknown[]) => unknown).bind(store)]),
    [Symbol.asyncDispose, () => store.close()],
  ]);
}

const FAULTS: Record<string, { fault: (store: MemoryStore) => Partial<Store>; failed: string }> = {
  "close() does nothing": {
    fault: () => ({ close: () => Promise.resolve() }),
    failed: "a store closed by close() rejects every verb with a CacheError",
  },
  "add() replaces": {
    fault: (store) => ({ add: (key, entry, ttlMs) => store.set(key, entry, ttlMs, "anything") }),
    failed: "add() keeps an entry only where nothing is",
  },
  "set() ignores its token": {
    fault: (store) => ({ set: (key, entry, ttlMs) => store.set(key, entry, ttlMs, "anything") }),
    failed: "set() over a token replaces only the entry that gave it",
  },
  "set() over a token creates what is missing": {
    fault: (store) => ({
      set: async (key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined> =>
        await store.set(key, entry, ttlMs, over) ?? await store.add(key, entry, ttlMs),
    }),
    failed: "a token ends with every change, be it to an equal entry",
  },
  "an equal entry has an equal token": {
    fault: (store) => ({
      set: async (key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined> => {
        const found = await store.get(key);
        const same = JSON.stringify(found?.entry) === JSON.stringify({ ...entry, fullKey: undefined });
        return same ? found!.token : await store.set(key, entry, ttlMs, over);
      },
    }),
    failed: "a token ends with every change, be it to an equal entry",
  },
  "delete() ignores its token": {
    fault: (store) => ({ delete: (key) => store.delete(key, "anything") }),
    failed: "delete() over a token forgets only the entry that gave it",
  },
  "delete() of nothing is false": {
    fault: (store) => ({
      delete: async (key: string, over: Over) => await store.get(key) !== undefined && await store.delete(key, over),
    }),
    failed: "delete() over anything is done, also where nothing is",
  },
  "add() reads and then writes": {
    fault: (store) => ({
      add: async (key: string, entry: Entry, ttlMs: number) =>
        await store.get(key) === undefined ? await store.set(key, entry, ttlMs, "anything") : undefined,
    }),
    failed: "of what is asked in one tick, each write over one token or over nothing succeeds once",
  },
  "the value is taken late": {
    fault: (store) => ({
      add: async (key: string, entry: Entry, ttlMs: number) => {
        await Promise.resolve();
        return await store.add(key, entry, ttlMs);
      },
    }),
    failed: "a value changed after add() or set() was called is kept as it was",
  },
  "values go through JSON": {
    fault: (store) => ({
      set: (key, entry, ttlMs, over) => store.set(key, jsonOf(entry), ttlMs, over),
    }),
    failed: "a Date comes back exactly",
  },
  "counters are numbers": {
    fault: (store) => ({ counter: async (name: string) => BigInt(Number(await store.counter(name))) }),
    failed: "increment() adds 1, exactly, and everybody sees it once it has resolved",
  },
  "counters begin where they began before": {
    fault: (store) => {
      const starts = new Map<string, bigint>();
      return {
        counter: async (name: string) => {
          const isNew = await store.get(name) === undefined;
          const count = await store.counter(name);
          if (isNew) starts.set(name, count);
          return count - starts.get(name)! + 2n ** 60n;
        },
      };
    },
    failed: "counters begin at random in [0, 2^63), and never again where they began",
  },
  "increment() creates": {
    fault: (store) => ({
      increment: async (name: string) => {
        await store.counter(name);
        await store.increment(name);
      },
    }),
    failed: "increment() of a missing counter resolves and creates nothing",
  },
  "increment() leaves what is no counter": {
    fault: (store) => ({
      increment: async (name: string) => {
        const kind = (await store.get(name))?.entry.kind;
        if (kind === "unreadable") await store.increment(name);
      },
    }),
    failed: "increment() deletes what is no counter",
  },
  "a ttl is rounded down": {
    fault: (store) => ({
      set: (key, entry, ttlMs, over) => store.set(key, entry, Math.floor(ttlMs / 1000) * 1000 || 1, over),
    }),
    failed: "an entry lives as long as its ttl, never shorter, and little longer",
  },
  "nothing ever ends": {
    fault: (store) => ({ set: (key, entry, _ttlMs, over) => store.set(key, entry, Infinity, over) }),
    failed: "an entry lives as long as its ttl, never shorter, and little longer",
  },
  "a closed store still answers": {
    fault: (store) => ({
      get: (key: string) => Promise.resolve(key).then((key) => store.get(key)).catch(() => undefined),
    }),
    failed: "a store closed by `await using` rejects every verb with a CacheError",
  },
  "read() answers in another order": {
    fault: (store) => ({
      read: (keys: readonly string[], counters: readonly string[]) =>
        Promise.resolve({
          entries: keys.map((key) => store.get(key) as Found | undefined).sort(),
          counters: counters.map((name) => store.counter(name) as bigint),
        }),
    }),
    failed: "read(), where a store has it, answers in the order of the keys and of the counters",
  },
  "a refusal is thrown": {
    fault: (store) => ({
      add: (key: string, entry: Entry, ttlMs: number) => {
        if (entry.kind === "value") store.copy!(entry.value);
        return store.add(key, entry, ttlMs);
      },
    }),
    failed: "a function is refused with a CacheValueError",
  },
  "signals are ignored": {
    fault: (store) => ({ get: (key: string) => store.get(key) }),
    failed: "get() and counter() reject with the reason of a signal that was aborted before",
  },
};

function jsonOf(entry: Entry): Entry {
  return entry.kind === "value" ? { ...entry, value: JSON.parse(JSON.stringify(entry.value) ?? "null") } : entry;
}

/** Answers all that is read in one tick together. */
class ReadingStore extends MemoryStore implements Store {
  // deno-lint-ignore require-await -- it rejects where get() or counter() throws.
  async read(keys: readonly string[], counters: readonly string[]): Promise<ReadAnswer> {
    return {
      entries: keys.map((key) => this.get(key) as Found | undefined),
      counters: counters.map((name) => this.counter(name) as bigint),
    };
  }
}

for (const Sound of [MemoryStore, ReadingStore]) {
  test(`storeConformance() passes a sound store, ${Sound.name}`, async () => {
    const clock = new FakeClock();
    assertEquals(
      await failures(() => new Sound({ clock, maxBytes: 1_000_000 }), {
        advance: (ms) => clock.advance(ms),
        tooLarge: new Uint8Array(2_000_000),
      }),
      [],
    );
  });
}

for (const [name, { fault, failed }] of Object.entries(FAULTS)) {
  test(`storeConformance() fails a store where ${name}`, async () => {
    const clock = new FakeClock();
    const found = await failures(faulty(fault, clock), { advance: (ms) => clock.advance(ms) });
    assert(found.includes(failed), `it failed only: ${found.join("; ") || "nothing"}`);
  });
}

test("storeConformance() names each test once, and says why it skips", () => {
  const tests = storeConformance(() => new MemoryStore());
  const names = tests.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  const reasons = new Set(tests.map(({ skip }) => skip).filter((skip) => skip !== undefined));
  assertEquals([...reasons].sort(), [
    "no `advance` was given",
    "no `tooLarge` was given",
    "no `writeForeign` was given",
  ]);
});
