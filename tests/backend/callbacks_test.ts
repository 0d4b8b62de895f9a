/** What users' callbacks throw, reject or answer wrongly: nothing of it ends a process, and one warning says whose it was. */
import { test } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { GroupBackend, type GroupBackendOptions } from "./_mod.ts";
import { cached } from "../../src/cached/cached.ts";
import type { Clock } from "../../src/util/clock.ts";
import { CacheKeyError } from "../../src/errors.ts";
import { cacheKey } from "../../src/key/identity.ts";
import { type Codec, defaultCodec } from "../../src/codec/codec.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { warnings } from "../cached/_fake_backend.ts";
import { nothingUnhandled } from "../integration/_unhandled.ts";

const boom = (): never => {
  throw new Error("boom");
};
const rejects = () => Promise.reject(new Error("boom"));
/** A thenable that is no Promise, and fails. */
const thenable = () => ({ then: (_: unknown, failed: (error: unknown) => void) => failed(new Error("boom")) });
const getter = () => ({
  get then(): never {
    throw new Error("boom");
  },
});
const wrong = { throws: boom, rejects, "async no": () => Promise.resolve(false), thenable, "then throws": getter };

// deno-lint-ignore no-explicit-any
type Any = any;
const backendOf = (options: GroupBackendOptions = {}) => {
  const backend = new GroupBackend({ ttl: "1h", ...options });
  const failures: unknown[] = [];
  backend.on("storeError", (failure) => failures.push(failure));
  return { backend, failures };
};
const turn = () => new Promise((resolve) => setTimeout(resolve));

for (const option of ["when", "ttl"] as const) {
  const nonsense = {
    when: { "async generator": async function* () {}, generator: function* () {} },
    ttl: {
      NaN: () => NaN,
      text: () => "5 minutes",
      object: () => ({}),
      nothing: () => undefined,
      bare: () => Object.create(null),
    },
  }[option];
  for (const [how, callback] of Object.entries({ ...wrong, ...nonsense })) {
    test(`a \`${option}\` that fails (${how}): answered, not kept, one warning, no storeError`, async () => {
      const { backend, failures } = backendOf();
      let runs = 0;
      const name = `${option} ${how}`;
      const f = cached(() => ++runs, { name, backend, [option]: callback as Any });
      const told = await warnings(() =>
        nothingUnhandled(async () => {
          assertEquals([await f(), await f(), await f.refresh()], [1, 2, 3]);
          assertEquals(await f.peek(), undefined);
          await turn();
        })
      );
      assertEquals([failures, told.length], [[], 1]);
      assertStringIncludes(told[0]!, `the option \`${option}\` of "${name}" failed`);
    });
  }
}

test("a `when` that answers by what is truthy keeps, as ever", async () => {
  for (const [answer, wanted] of [[1, 1], ["yes", 1], [[], 1], [0, 2], ["", 2], [undefined, 2], [NaN, 2]] as const) {
    let runs = 0;
    const { backend } = backendOf();
    const f = () => backend.fetch("k", () => ++runs, { when: (() => answer) as Any });
    const told = await warnings(async () => {
      await f();
      await f();
    });
    assertEquals([runs, told], [wanted, []], String(answer));
  }
});

test("a `ttl` that fails rejects a `set` with what it threw, and leaves nothing unhandled", async () => {
  const { backend } = backendOf();
  await nothingUnhandled(async () => {
    await assertRejects(() => backend.set("k", 1, { ttl: boom }), Error, "boom");
    await assertRejects(() => backend.set("k", 1, { ttl: rejects as Any }), TypeError, "Cannot use a promise as ttl");
  });
});

test("a stale value's `when` that fails leaves the stale value, with one warning", async () => {
  const { backend, failures } = backendOf({ ttl: "1ms", stale: "1h" });
  let runs = 0;
  const f = cached(() => ++runs, { name: "behind", backend, when: ((n: number) => n === 1 || rejects()) as Any });
  const told = await warnings(() =>
    nothingUnhandled(async () => {
      await f();
      await new Promise((resolve) => setTimeout(resolve, 5));
      assertEquals(await f(), 1);
      await turn();
    })
  );
  assertEquals([runs, told.length, failures], [2, 1, []]);
});

for (const option of ["key", "group"] as const) {
  for (const [how, callback] of Object.entries({ rejects, "async text": () => Promise.resolve("x"), thenable })) {
    test(`a \`${option}\` that gives a promise (${how}): every verb rejects and says so`, async () => {
      const { backend } = backendOf();
      const f = cached((n: number) => n, { name: `${option} ${how}`, backend, [option]: callback as Any });
      const Wrong = option === "key" ? CacheKeyError : TypeError;
      await nothingUnhandled(async () => {
        for (const verb of [f, f.refresh, f.peek, (n: number) => f.set([n], 1)]) {
          await assertRejects(async () => await verb(1), Wrong, `its option \`${option}\` gave a promise`);
        }
      });
    });
  }
  test(`a \`${option}\` that throws: the call rejects with that`, async () => {
    const f = cached((n: number) => n, { name: `${option} throws`, backend: backendOf().backend, [option]: boom });
    await assertRejects(() => f(1), Error, "boom");
  });
}

test("promises inside of what `key`, `group` and [cacheKey] give leave nothing unhandled", async () => {
  const { backend } = backendOf();
  class City {
    [cacheKey] = () => [1, rejects()];
  }
  const groups = cached((n: number) => n, { name: "groups", backend, group: (() => ["a", rejects()]) as Any });
  const keys = cached((n: number) => n, { name: "keys", backend, key: () => ({ id: rejects() }) });
  const cities = cached((_: City) => 1, { name: "cities", backend });
  await nothingUnhandled(async () => {
    await assertRejects(() => groups(1), TypeError, "Cannot use a promise as group");
    await assertRejects(() => keys(1), CacheKeyError, "what `key` returns.id: it is an instance of Promise");
    await assertRejects(() => cities(new City()), CacheKeyError, "it is an instance of Promise");
    await assertRejects(
      () => backend.fetch("k", () => 1, { group: rejects() as Any }),
      TypeError,
      "a promise as group",
    );
  });
});

test("a [cacheKey] that gives a promise: the call rejects and says so", async () => {
  const { backend } = backendOf();
  class City {
    [cacheKey](): unknown {
      return rejects();
    }
  }
  const f = cached((_: City) => 1, { name: "of a city", backend });
  const g = cached(function g(this: City) {
    return 1;
  }, { backend });
  await nothingUnhandled(async () => {
    await assertRejects(() => f(new City()), CacheKeyError, "argument 1: its [cacheKey] returned a promise");
    await assertRejects(() => g.call(new City()), CacheKeyError, "its [cacheKey] returned a promise");
  });
});

test("a `waitUntil` that throws or rejects is warned of once, and harms nobody", async () => {
  for (const [how, waitUntil] of Object.entries({ boom, rejects, thenable, getter })) {
    const { backend, failures } = backendOf({ waitUntil: waitUntil as Any });
    const told = await warnings(() =>
      nothingUnhandled(async () => {
        assertEquals(await backend.fetch("a", () => 1), 1);
        assertEquals(await backend.fetch("b", () => 2), 2);
        await turn();
      })
    );
    assertEquals([failures, told.length], [[], 1], how);
    assertStringIncludes(told[0]!, "`waitUntil`");
  }
});

test("what `waitUntil` is given never rejects, whatever the function and its options do", async () => {
  const works: Promise<unknown>[] = [];
  const { backend } = backendOf({ waitUntil: (work) => void works.push(work) });
  await warnings(async () => {
    await assertRejects(() => backend.fetch("a", boom), Error, "boom");
    await backend.fetch("b", () => 1, { when: boom });
    await backend.fetch("c", () => 1, { ttl: boom, force: true });
    await backend.fetch("d", () => () => 1);
    await Promise.all(works);
  });
  assertEquals(works.length, 4);
});

const plain = defaultCodec();
const codecs: Record<string, Codec> = {
  "encode throws": { ...plain, encode: boom },
  "encode rejects": { ...plain, encode: rejects as Any },
  "encode gives text": { ...plain, encode: (() => "text") as Any },
  "decode throws": { ...plain, decode: boom },
  "decode rejects": { ...plain, decode: rejects },
  "decode is async": { ...plain, decode: (bytes) => Promise.resolve(plain.decode(bytes)) },
};
for (const [how, codec] of Object.entries(codecs)) {
  test(`a codec whose ${how}: calls are answered, one warning, no storeError`, async () => {
    const { backend, failures } = backendOf({ store: new MemoryStore({ codec }) });
    let runs = 0;
    const f = cached(() => ++runs, { name: how, backend });
    const told = await warnings(() =>
      nothingUnhandled(async () => {
        assertEquals([await f(), await f(), await f.peek()], [1, 2, undefined]);
        await turn();
      })
    );
    assertEquals([failures, told.length], [[], 1]);
    assertStringIncludes(told[0]!, how.startsWith("encode") ? "encode() of its codec" : "decode() of a codec");
  });
}

const clocks: Record<string, Partial<Record<keyof Clock, unknown>>> = {
  "now throws": { now: boom },
  "now gives NaN": { now: () => NaN },
  "now gives a date": { now: () => new Date() },
  "now is async": { now: rejects },
  "timers throw": { setTimeout: boom, clearTimeout: boom, unref: boom },
  "timers are async": { setTimeout: rejects, clearTimeout: rejects },
};
for (const [how, part] of Object.entries(clocks)) {
  test(`a clock whose ${how}: calls are answered and kept by the runtime's, with one warning`, async () => {
    const clock: Clock = {
      now: () => Date.now(),
      setTimeout: (wake, ms) => setTimeout(wake, ms),
      clearTimeout: (timer) => clearTimeout(timer as number),
      ...part as Any,
    };
    let runs = 0, failures: unknown[] = [];
    const told = await warnings(() =>
      nothingUnhandled(async () => {
        const made = backendOf({ clock, store: new MemoryStore() }), { backend } = made;
        failures = made.failures;
        const f = (key: string, timeout: number) => backend.fetch(key, () => ++runs, { timeout });
        assertEquals([await f("a", 60), await f("a", 60)], [1, 1]);
        const slow = backend.fetch("slow", () => new Promise(() => {}), { timeout: "5ms" });
        await assertRejects(() => slow, Error, "no result within the call's timeout");
        await backend.close();
        await turn();
      })
    );
    assertEquals([runs, failures, told.length], [1, [], 1]);
    assertStringIncludes(told[0]!, "of the clock failed; the runtime's is used instead");
  });
}

test("chance that fails is replaced by the runtime's, with one warning", async () => {
  for (const random of [{ fraction: boom, uint64: boom }, { fraction: () => NaN, uint64: () => 7 as Any }]) {
    const told = await warnings(async () => {
      const { backend, failures } = backendOf({ random, jitter: 0.5, store: new MemoryStore({ random }) });
      let runs = 0;
      for (let i = 0; i < 2; i++) await backend.fetch("k", () => ++runs, { group: "g" });
      assertEquals([runs, failures], [1, []]);
    });
    assertEquals(told.length, 2, "one of the backend, one of its store");
  }
});

test("what cannot be kept is warned of for a bounded number of keys", async () => {
  class Thing {}
  const { backend } = backendOf();
  const told = await warnings(async () => {
    for (let i = 0; i < 500; i++) await backend.fetch(`thing:${i}`, () => new Thing());
  });
  assertEquals(told.length, 21);
  assertStringIncludes(told[20]!, "more warnings about results that cannot be kept are not shown");
});
