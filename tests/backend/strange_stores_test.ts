/** Stores of others that never settle, throw, or answer nonsense: a call costs its storeTimeout, and never more than an error. */
import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { PlainBackend } from "../../src/backend/plain_backend.ts";
import { CacheError } from "../../src/errors.ts";
import type { Store } from "../../src/store/store.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { FakeServer, FakeStore } from "./_fleet.ts";
import { GroupBackend } from "./_mod.ts";

const GROUP = { group: "cities" };
const VERBS = ["get", "add", "set", "delete", "counter", "increment", "close"] as const;
type Verb = (typeof VERBS)[number];

/** What every verb of a backend comes to, and after how many ms at most. */
async function outcomes(backend: GroupBackend | PlainBackend, clock: FakeClock, options: object) {
  const calls: Record<string, () => Promise<unknown>> = {
    fetch: () => backend.fetch("k", () => "computed", options),
    again: () => backend.fetch("k", () => "computed", options),
    refresh: () => backend.fetch("k", () => "computed", { ...options, force: true }),
    get: () => backend.get("k", options),
    getMany: () => backend.getMany(["k", "l"], options).then((map) => map.size <= 2),
    set: () => backend.set("k", "set", options),
    add: () => backend.add("k", "added", options),
    delete: () => backend.delete("k"),
    close: () => backend.close(),
  };
  const seen: Record<string, unknown> = {};
  for (const [name, call] of Object.entries(calls)) {
    let settled = false;
    const settles = call().then(
      (value) => seen[name] = value,
      (error) => seen[name] = error,
    ).finally(() => settled = true);
    for (let ms = 0; ms <= 10_000 && !settled; ms += 100) await clock.advance(100);
    assert(settled, `${name} is never settled`);
    await settles;
  }
  await clock.advance(60_000);
  assertEquals(clock.pending, 0);
  return seen;
}

/** Calls are answered, and everything else is done or says that it is not known whether it is. */
function assertHarmless(seen: Record<string, unknown>, what: string): void {
  for (const [name, value] of Object.entries(seen)) {
    if (name === "fetch" || name === "refresh") assertEquals(value, "computed", `${what}: ${name}`);
    else if (name === "again" || name === "get") {
      assert(["computed", undefined].includes(value as string), `${what}: ${name} ${value}`);
    } else if (name === "close") continue; // what it throws is its owner's
    else if (value instanceof Error) assert(value instanceof CacheError, `${what}: ${name} ${value.stack}`);
  }
}

function strange(verbs: readonly Verb[], answer: () => unknown, properties: object = {}) {
  const clock = new FakeClock(), store = new FakeStore(new FakeServer(clock));
  Object.assign(store, { bounded: false }, Object.fromEntries(verbs.map((verb) => [verb, answer])), properties);
  const backend = new GroupBackend({ store: store as Store, clock });
  backend.on("storeError", () => {});
  return { clock, backend };
}

const never = () => new Promise(() => {});

for (const verb of VERBS) {
  test(`a store whose ${verb} never settles holds up nobody for long`, async () => {
    const { clock, backend } = strange([verb], never);
    assertHarmless(await outcomes(backend, clock, GROUP), verb);
  });
}

test("a store that says that it answers within the tick, and never does, costs a call its storeTimeout", async () => {
  for (const verb of ["get", "counter", "add"] as const) {
    const { clock, backend } = strange([verb], never, { immediate: true });
    const call = backend.fetch("k", () => "computed", GROUP);
    await clock.advance(1000);
    assertEquals(await call, "computed");
  }
});

test("a store of which nothing ever settles costs a call its storeTimeout", async () => {
  const { clock, backend } = strange(VERBS, never);
  const call = backend.fetch("k", () => "computed", GROUP);
  await clock.advance(1000);
  assertEquals(await call, "computed");
  assertHarmless(await outcomes(backend, clock, GROUP), "all");
});

const NONSENSE: readonly (() => unknown)[] = [
  () => null,
  () => true,
  () => false,
  () => 0,
  () => 5,
  () => NaN,
  () => "text",
  () => 7n,
  () => -1n,
  () => Symbol("s"),
  () => ({}),
  () => [],
  () => ({ entry: null, token: {} }),
  () => ({ entry: {}, token: {} }),
  () => ({ entry: { kind: "value" }, token: {} }),
  () => ({ entry: { kind: "value", value: 1, freshUntil: "x", staleUntil: {}, generations: [] }, token: {} }),
  () => ({ entry: { kind: "value", value: 1, freshUntil: 9e15, staleUntil: 9e15, generations: "ab" }, token: {} }),
  () => ({ entry: { kind: "lease", generations: [] }, token: {} }),
  () => ({ entry: { kind: "lease", nonce: 5, generations: [] }, token: {} }),
  () => ({ entry: { kind: "else", generations: [] }, token: {} }),
  () => ({ entry: { kind: "uncacheable", generations: [] } }),
  () => ({ then: 5 }),
  () => ({ then: () => {} }),
  () => ({
    then: (_: unknown, reject: (reason: unknown) => void) => reject(undefined),
  }),
  () => {
    throw new Error("sync");
  },
  () => {
    throw undefined;
  },
  () => Promise.reject(new TypeError("async")),
  () => Promise.reject(null),
];

for (const verb of VERBS) {
  test(`a store whose ${verb} answers nonsense costs nobody more than an error`, async () => {
    for (const [n, answer] of NONSENSE.entries()) {
      for (const wrapped of [answer, () => new Promise((resolve) => resolve(answer()))]) {
        const { clock, backend } = strange([verb], wrapped);
        assertHarmless(await outcomes(backend, clock, n % 2 === 0 ? GROUP : {}), `${verb} ${answer}`);
      }
    }
  });
}

test("a store that reads nonsense, or never, costs nobody more than an error", async () => {
  // deno-lint-ignore no-explicit-any
  const reads: ((...asked: any[]) => any)[] = [
    never,
    () => {
      throw new Error("no");
    },
    () => ({ entry: {}, token: {} }),
    () => null,
    () => Promise.reject(undefined),
    () => ({
      then: (resolve: (answer?: unknown) => void, reject: (reason: unknown) => void) => {
        resolve();
        resolve();
        reject(new Error("late"));
      },
    }),
  ];
  for (const answer of reads) {
    for (const immediate of [true, false]) {
      for (const replaced of [{ get: answer, counter: answer }, { read: answer }]) {
        const { clock, backend } = strange([], never, { immediate, ...replaced });
        const call = backend.fetch("k", () => "computed", GROUP);
        await clock.advance(5000);
        assertEquals(await call, "computed");
      }
    }
  }
});

test("an error says what is wrong with a `read` that answers with no lists, or with lists of another length", async () => {
  for (const answer of [undefined, null, 7, {}, { entries: [undefined] }, { entries: [], counters: [] }]) {
    const { clock, backend } = strange([], never, { read: () => Promise.resolve(answer) });
    const errors: string[] = [];
    backend.on("storeError", ({ error }) => errors.push(String(error)));
    const call = backend.fetch("k", () => "computed", GROUP);
    await clock.advance(5000);
    assertEquals(await call, "computed");
    assert(errors.length > 0);
    for (const error of errors) assert(error.includes("has not one entry for each key"), error);
  }
});

test("a store that cannot copy what it has given answers nobody with an error", async () => {
  const { clock, backend } = strange([], never, {
    copy: () => {
      throw new Error("no copies");
    },
  });
  await backend.fetch("k", () => "kept");
  await clock.settle();
  const calls = Promise.all([1, 2, 3].map(() => backend.fetch("k", () => "computed")));
  await clock.advance(10_000);
  for (const value of await calls) assert(["kept", "computed"].includes(value), value);
});

test("an answer that comes after its time was up harms nobody: nothing is unhandled", async () => {
  const late: ((error: Error) => void)[] = [];
  const { clock, backend } = strange(VERBS, () => new Promise((_, reject) => late.push(reject)));
  await outcomes(backend, clock, GROUP);
  assert(late.length > 5);
  for (const reject of late) reject(new Error("late"));
  await clock.settle();
});

for (const verb of ["get", "set", "delete"] as const) {
  test(`a PlainBackend over a cache whose ${verb} never settles: calls, delete and close are bounded`, async () => {
    const clock = new FakeClock();
    const cache = Object.assign(new Map<string, unknown>(), { [verb]: never });
    const backend = new PlainBackend(cache, { clock });
    backend.on("storeError", () => {});
    assertHarmless(await outcomes(backend, clock, {}), `plain ${verb}`);
  });
}
