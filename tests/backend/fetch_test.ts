/** What a call of `fetch` does when all goes well, and what its options mean. A, B: processes. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { test } from "node:test";
import { CacheTimeoutError } from "../../src/errors.ts";
import { GroupBackend } from "../../src/backend/group_backend.ts";
import { type Codec, defaultCodec } from "../../src/codec/codec.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import type { ValueEntry } from "../../src/store/store.ts";
import { warnings } from "../cached/_fake_backend.ts";
import { Fleet, isOpen } from "./_fleet.ts";

const KEY = "::k", GROUP = { group: ["a", "b", "c"] };

test("a cold key is computed once by a fleet of processes", async () => {
  const fleet = new Fleet();
  const processes = Array.from({ length: 4 }, () => fleet.process({ version: 3 }));
  for (const process of processes) process.slow = true;
  const calls = processes.flatMap((process) => Array.from({ length: 50 }, () => process.read(GROUP)));
  await fleet.clock.advance(300);
  const computing = processes.flatMap((process) => process.computing);
  assertEquals(computing.length, 1);
  computing[0]!.end("answer");
  await fleet.clock.advance(200);
  assertEquals(new Set(await Promise.all(calls)), new Set(["answer"]));
  const outcomes = processes.map(({ backend }) => ({ ...backend.stats }));
  assertEquals(outcomes.reduce((sum, { miss }) => sum + miss, 0), 1);
  assertEquals(outcomes.reduce((sum, { wait }) => sum + wait, 0), 199, "here and in other processes");
});

test("a stale key is answered at once, and refreshed once by a fleet of processes", async () => {
  const fleet = new Fleet();
  const processes = Array.from({ length: 4 }, () => fleet.process());
  await processes[0]!.read(GROUP);
  await fleet.clock.advance(61_000);
  fleet.database.version = 2;
  for (const process of processes) process.slow = true;
  const stale = await Promise.all(processes.flatMap((process) => [process.read(GROUP), process.read(GROUP)]));
  assertEquals(new Set(stale), new Set([1]));
  await fleet.settle();
  const computing = processes.flatMap((process) => process.computing);
  assertEquals(computing.length, 1);
  computing[0]!.end();
  await fleet.settle();
  assertEquals(await Promise.all(processes.map((process) => process.read(GROUP))), [2, 2, 2, 2]);
});

test("a grouped hit asks for the entry and each counter once, in one tick", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ group: "all" });
  await a.read(GROUP);
  await fleet.settle(); // its value is on its way when it is answered
  a.store.log.length = 0;
  const answers = await Promise.all(Array.from({ length: 1000 }, () => a.read(GROUP)));
  assertEquals(answers.length, 1000);
  assertEquals(a.store.log, [`get ${KEY}`, ...["a", "all", "b", "c"].map((group) => `counter :%group:${group}`)]);
});

test("a thousand callers of one cold key in one tick are one set of requests", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  assertEquals(new Set(await Promise.all(Array.from({ length: 1000 }, () => a.read()))), new Set([1]));
  await fleet.settle();
  assertEquals(a.store.log, [`get ${KEY}`, `add ${KEY}`, `set ${KEY} over token`]);
  assertEquals(a.backend.stats, { hit: 0, stale: 0, miss: 1, wait: 999, error: 0 });
});

test("callers of one key in one tick who name other groups do not share a computation", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.slow = true;
  const calls = [a.read(), a.read({ group: "cities" })];
  await fleet.settle();
  a.computing[0]!.end("one");
  await fleet.clock.advance(31_000);
  a.computing[1]!.end("two");
  assertEquals(await Promise.all(calls), ["one", "two"]);
});

test("a caller who leaves takes its timers along", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  const leave = new AbortController();
  const others = [a.read({ signal: leave.signal }), b.read({ signal: leave.signal, timeout: "1h" })];
  await fleet.settle();
  leave.abort("gone");
  for (const other of others) assertEquals(await other.catch((reason) => reason), "gone");
  a.computing[0]!.end(1);
  await own;
  await fleet.settle();
  assertEquals(fleet.clock.pending, 0);
});

test("callers who share a read or a computation get a copy each", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.result = () => ({ cities: ["oslo"] });
  for (const _ of ["flight", "look"]) {
    const [one, two, three] = await Promise.all([a.read(), a.read(), a.read()]) as { cities: string[] }[];
    assertNotStrictEquals(one, two);
    assertNotStrictEquals(two, three);
    one!.cities.push("rome");
    assertEquals(two, { cities: ["oslo"] });
    await fleet.settle();
  }
});

test("changing a result changes nothing that is kept", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.result = () => ({ cities: ["oslo"] });
  for (let i = 0; i < 3; i++) {
    const result = await a.read() as { cities: string[] };
    assertEquals(result, { cities: ["oslo"] });
    result.cities.push("rome");
  }
});

test("the function's error reaches its callers as it is, is not kept, and frees the key at once", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.slow = true;
  const calls = [a.read(), a.read()].map((call) => call.catch((error) => error));
  await fleet.settle();
  const error = new TypeError("mine");
  a.computing[0]!.fail(error);
  for (const call of calls) assertStrictEquals(await call, error);
  const next = a.read();
  await fleet.settle();
  assertEquals(a.computations, 2);
  a.computing[1]!.end("fine");
  assertEquals(await next, "fine");
  assertEquals(a.backend.stats.error, 2);
});

test("while a refresh fails the stale value is served, and the fleet pauses 5 s (±20 %) before the next try", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await a.read();
  await fleet.clock.advance(61_000);
  a.result = () => {
    throw new Error("database is down");
  };
  const refreshes: unknown[] = [];
  a.backend.on("refresh", ({ error }) => refreshes.push(error));
  for (let i = 0; i < 3; i++) assertEquals(await a.read(), 1);
  await fleet.settle();
  assertEquals(a.computations, 2);
  assertInstanceOf(refreshes[0], Error);
  await fleet.clock.advance(3_900);
  assertEquals([await a.read(), await b.read()], [1, 1]);
  await fleet.settle();
  assertEquals([a.computations, b.computations], [2, 0]);
  await fleet.clock.advance(2_200);
  assertEquals(await b.read(), 1);
  await fleet.settle();
  assertEquals(b.computations, 1);
  // Past the stale window the caller gets the function's own error.
  await b.backend.delete("k");
  await assertRejects(() => a.read(), Error, "database is down");
});

test("past its stale window a value is a miss", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ stale: 10 });
  await a.read();
  fleet.database.version = 2;
  await fleet.clock.advance(70_000);
  assertEquals(await a.read(), 2);
});

test("a function slower than its lease computes once: the lease is renewed up to mintDelay", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = b.slow = true;
  const calls = [a.read(), b.read()];
  await fleet.clock.advance(29_000);
  assertEquals(a.computations + b.computations, 1);
  [...a.computing, ...b.computing][0]!.end("slow");
  await fleet.clock.advance(200);
  assertEquals(await Promise.all(calls), ["slow", "slow"]);
});

test("a holder that dies costs at most its lease", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  void a.read();
  await fleet.settle();
  a.store.down = true; // it renews no more
  const call = b.read();
  await fleet.clock.advance(5_200);
  assertEquals(await call, 1);
});

test("a function that outlasts mintDelay is not kept, and a storeError says so", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ mintDelay: 3 }), b = fleet.process({ mintDelay: 3 });
  const errors: string[] = [];
  a.backend.on("storeError", ({ error }) => errors.push((error as Error).message));
  a.slow = true;
  const slow = a.read();
  await fleet.clock.advance(10_000);
  assertEquals(await b.read(), 1);
  a.computing[0]!.end("late");
  assertEquals(await slow, "late");
  await fleet.settle();
  assertEquals(errors.length, 1);
  assert(errors[0]!.includes("longer than mintDelay (3000 ms)"), errors[0]);
  assertEquals(await a.read(), 1);
});

test("what cannot be kept leaves a mark: later calls compute without a lease, and the first that can be kept is", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  for (const result of [undefined, null]) {
    a.result = () => result;
    assertEquals(await a.read(), result);
    await fleet.settle();
    assertEquals(fleet.server.at(KEY)?.entry, {
      kind: "uncacheable",
      fullKey: undefined,
      source: undefined,
      generations: [],
    });
  }
  assertEquals(a.computations, 2);
  assertEquals(await b.read(), 1);
  await fleet.settle();
  assertEquals(await a.read(), 1);
  assertEquals([a.computations, b.computations], [2, 1]);
});

test("a value the store refuses is marked, told of, and warned of once", async () => {
  const { CacheValueError } = await import("../../src/errors.ts");
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.refusesValue = (value) => value === "big" ? new CacheValueError("too large") : undefined;
  a.result = () => "big";
  const warnings: string[] = [], errors: unknown[] = [];
  a.backend.on("storeError", ({ operation }) => errors.push(operation));
  const { warn } = console;
  console.warn = (text: string) => warnings.push(text);
  try {
    for (let i = 0; i < 3; i++) {
      assertEquals(await a.read({ name: "cities" }), "big");
      await fleet.settle();
    }
  } finally {
    console.warn = warn;
  }
  assertEquals(warnings, ["cache-utils: a result of cities cannot be kept, so it is computed each time. too large"]);
  assert(errors.length > 0);
  const entry = fleet.server.at(KEY)?.entry as { kind: string };
  assertEquals(entry.kind, "uncacheable");
});

test("when says what is kept", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read({ when: (value) => value !== 1 });
  await fleet.settle();
  await a.read({ when: (value) => value !== 1 });
  assertEquals(a.computations, 2);
  a.result = () => null;
  await a.read({ when: () => true }, "other");
  assertEquals(await a.read({ when: () => true }, "other"), null);
  assertEquals(a.computations, 3);
});

test("a fixed ttl of 0 or less asks the store nothing", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  for (const ttl of [0, -1]) assertEquals(await a.read({ ttl }), 1);
  assertEquals([a.computations, a.store.log.length], [2, 0]);
});

test("an adaptive ttl sees the value: 0 is not kept, and NaN neither, which a warning says", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const errors: Error[] = [];
  a.backend.on("storeError", ({ error }) => errors.push(error as Error));
  await a.read({ ttl: (value) => value === 1 ? 10 : 0 });
  await fleet.settle();
  const { freshUntil } = fleet.server.at(KEY)!.entry as ValueEntry;
  assertEquals(freshUntil - fleet.clock.now(), 10_000);
  await a.read({ ttl: () => 0, stale: 30 }, "zero");
  const told = await warnings(async () => await a.read({ ttl: () => NaN }, "nan"));
  await fleet.settle();
  assertEquals([errors, told.length], [[], 1]);
  assertStringIncludes(told[0]!, "RangeError: Cannot use NaN as ttl");
  for (const key of ["::zero", "::nan"]) {
    assertEquals((fleet.server.at(key)!.entry as ValueEntry).kind as string, "uncacheable");
  }
});

test("jitter shortens a ttl by up to its fraction, and never to 0", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ jitter: 1, ttl: 100 });
  const ttls: number[] = [];
  for (let i = 0; i < 50; i++) {
    await a.read({}, `k${i}`);
    await fleet.settle();
    ttls.push((fleet.server.at(`::k${i}`)!.entry as ValueEntry).freshUntil - fleet.clock.now());
  }
  assert(Math.min(...ttls) > 0 && Math.max(...ttls) <= 100_000 && Math.max(...ttls) - Math.min(...ttls) > 50_000);
});

test("timeout bounds the wait, whoever computes; the computation goes on and is kept", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read({ timeout: 1 }), joined = a.read({ timeout: 2 });
  const errors = [own, joined].map((call) => call.catch((error) => error));
  await fleet.settle();
  const other = b.read({ timeout: "1500ms" }).catch((error) => error);
  await fleet.clock.advance(1_000);
  assertInstanceOf(await errors[0], CacheTimeoutError);
  await fleet.clock.advance(1_000);
  assertInstanceOf(await errors[1], CacheTimeoutError);
  assertInstanceOf(await other, CacheTimeoutError);
  assert(!a.computing[0]!.signal.aborted, "a timeout is no abort");
  a.computing[0]!.end("kept");
  await fleet.settle();
  assertEquals(await b.read(), "kept");
});

test("an aborted caller leaves alone; the function's signal fires when all have aborted, and the key is free", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const [one, two] = [new AbortController(), new AbortController()];
  const first = a.read({ signal: one.signal }).catch((error) => error);
  const second = a.read({ signal: two.signal }).catch((error) => error);
  await fleet.settle();
  one.abort("first leaves");
  assertEquals(await first, "first leaves");
  assert(!a.computing[0]!.signal.aborted);
  two.abort("second leaves");
  assertEquals(await second, "second leaves");
  assert(a.computing[0]!.signal.aborted);
  await fleet.settle();
  assertEquals(fleet.server.at(KEY), undefined, "the lease is released");
  a.computing[0]!.fail(new Error("what an abandoned function throws interests nobody"));
  assertEquals(await b.read(), 1);
});

test("a call aborted beforehand asks nothing", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const reason = new Error("gone");
  const error = await a.read({ signal: AbortSignal.abort(reason) }).catch((error) => error);
  assertStrictEquals(error, reason);
  assertEquals([a.computations, a.store.log.length], [0, 0]);
});

test("force computes whatever is kept, waits for nobody, and its value replaces the old one", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  await a.read();
  fleet.database.version = 2;
  assertEquals(await a.read({ force: true }), 2);
  assertEquals(await b.read(), 2);
  await b.backend.delete("k");
  b.slow = true;
  const waiting = b.read();
  await fleet.settle();
  fleet.database.version = 3;
  assertEquals(await a.read({ force: true }), 3, "over B's lease");
  assertEquals(await a.read(), 3);
  b.computing[0]!.end();
  await waiting;
  await fleet.settle();
  assertEquals(await a.read(), 3, "B's older value is refused");
  a.result = () => {
    throw new Error("mine");
  };
  await assertRejects(() => a.read({ force: true }), Error, "mine");
  assertEquals(await a.read(), 3);
});

test("waitUntil is told of what goes on after the answer", async () => {
  const fleet = new Fleet();
  const told: Promise<unknown>[] = [];
  const a = fleet.process({ waitUntil: (work) => told.push(work) });
  await a.read();
  assertEquals(told.length, 1, "the value on its way to the store");
  await Promise.all(told);
  await a.read();
  assertEquals(told.length, 1, "a hit leaves nothing behind");
  await fleet.clock.advance(61_000);
  a.slow = true;
  await a.read();
  assertEquals(told.length, 2, "the refresh");
  assert(await isOpen(told[1]!, fleet));
  a.computing[0]!.end(2);
  await told[1];
  assertEquals(await a.read(), 2);
});

test("another version, project or group never sees the entry", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ project: "shop", version: 1 });
  await a.read(GROUP);
  for (const options of [{ project: "shop", version: 2 }, { project: "shop" }, { version: 1 }, {}]) {
    const other = fleet.process(options);
    await other.read(GROUP);
    assertEquals(other.computations, 1);
  }
  const same = fleet.process({ project: "shop", version: "1" });
  await same.read({ group: ["c", "b", "a", "a"] });
  assertEquals(same.computations, 0, '1 and "1" are the same, and so is the order of groups');
  await same.read({ group: ["a", "b"] });
  assertEquals(same.computations, 1, "other groups");
});

test("an invalidation by one release reaches another that runs beside it", async () => {
  const fleet = new Fleet();
  const old = fleet.process({ project: "shop", version: 1 }), next = fleet.process({ project: "shop", version: 2 });
  await old.read(GROUP);
  fleet.database.version = 2;
  await next.backend.invalidateGroup("b");
  assertEquals(await old.read(GROUP), 2);
});

test("a backend's own group is in every entry, and one increment clears them all", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ group: "everything" });
  await a.read();
  await a.read({ group: "cities" }, "other");
  fleet.database.version = 2;
  await a.backend.invalidateGroup("everything");
  assertEquals([await a.read(), await a.read({ group: "cities" }, "other")], [2, 2]);
});

test("in memory a hit is decided within the call: what fires or is invalidated afterwards does not reach it", async () => {
  const backend = new GroupBackend({ store: new MemoryStore() });
  const read = (signal?: AbortSignal) => backend.fetch("k", () => "new", { group: "g", ...signal && { signal } });
  await backend.set("k", "old", { group: "g" });
  const controller = new AbortController();
  const heard: string[] = [];
  backend.on("call", ({ outcome }) => heard.push(outcome));
  const hit = read(controller.signal);
  assertEquals(heard, ["hit"]);
  controller.abort(new Error("too late"));
  const invalidated = backend.invalidateGroup("g");
  assertEquals(await hit, "old");
  await invalidated;
  assertEquals(await read(), "new");
});

test("in memory a herd at an outdated value copies it once or twice, and not once a caller", async () => {
  let decoded = 0;
  const plain = defaultCodec();
  const codec: Codec = {
    encode: (value) => plain.encode(value),
    decode: (bytes) => (decoded++, plain.decode(bytes)),
  };
  const backend = new GroupBackend({ store: new MemoryStore({ codec }) });
  await backend.set("k", { n: 1 }, { group: "g" });
  await backend.invalidateGroup("g");
  decoded = 0;
  let computed = 0;
  const calls = Array.from({ length: 100 }, () => backend.fetch("k", () => ({ n: ++computed }), { group: "g" }));
  assert(decoded <= 1, `${decoded} copies before the first look`);
  assertEquals(await Promise.all(calls), Array.from({ length: 100 }, () => ({ n: 1 })));
  assertEquals(computed, 1);
  // Two looks at the outdated one, then a copy for each who shares the result but the first.
  assert(decoded <= 2 + 99, `${decoded} copies`);
});
