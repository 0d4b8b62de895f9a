/** One outage, one word: what is told of a store that fails, and of one that is back. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { test } from "node:test";
import { CacheError, ConnectionError, QueueFullError } from "../../src/errors.ts";
import { MemcachedStore } from "../../src/store/memcached.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { freshServer } from "../_memcached.ts";
import { FakeServer, FakeStore, Fleet } from "./_fleet.ts";
import { GroupBackend } from "./_mod.ts";

const GROUPS = { group: ["cities", "offers"] };

/** Warnings that are written while `work` runs. */
async function warningsOf(work: () => Promise<void>): Promise<string[]> {
  const { warn } = console, lines: string[] = [];
  console.warn = (...words: unknown[]) => void lines.push(words.join(" "));
  try {
    await work();
    // Whether anybody listens is known once the diagnostics channels are loaded.
    await import("node:diagnostics_channel");
    await new Promise((resolve) => setTimeout(resolve, 0));
  } finally {
    console.warn = warn;
  }
  return lines;
}

/** A store whose operations fail with this while it is down, and that says which server a key is on, if it is told to. */
function failing(error: (key: string) => unknown, lane?: (key: string) => string) {
  const clock = new FakeClock(), store = new FakeStore(new FakeServer(clock));
  const down = new Set<string>();
  const place = lane ?? (() => "");
  for (const verb of ["get", "add", "set", "delete", "counter", "increment"] as const) {
    const real = store[verb].bind(store) as (key: string, ...rest: unknown[]) => Promise<unknown>;
    Object.assign(store, {
      [verb]: (key: string, ...rest: unknown[]) =>
        down.has(place(key)) ? Promise.reject(error(key)) : real(key, ...rest),
    });
  }
  if (lane !== undefined) Object.assign(store, { lane });
  return { clock, store, down, backend: new GroupBackend({ store, clock }) };
}
const dead = (key: string) => new ConnectionError(`Cannot get ${key}: s1 is dead`, "s1");

test("where nobody listens an outage is one line, and its end is one, with what happened meanwhile", async () => {
  const { backend, down, clock } = failing(dead);
  const lines = await warningsOf(async () => {
    await backend.fetch("warm", () => 1);
    down.add("");
    for (let n = 0; n < 5; n++) await backend.fetch(`k${n}`, () => n, GROUPS);
    await clock.advance(3200);
    down.clear();
    for (let n = 0; n < 5; n++) await backend.fetch(`k${n}`, () => n, GROUPS);
  });
  assertEquals(lines.length, 2, lines.join("\n"));
  assertMatch(lines[0]!, /^cache-utils: the store does not answer \(ConnectionError: .*s1 is dead\)\. Calls compute/);
  assertMatch(lines[1]!, /^cache-utils: the store answers again after 3\.2 s, in which 15 operations failed\.$/);
});

test("with listeners the first failure of an outage is told, the others are counted, and nothing is warned of", async () => {
  const { backend, down, clock } = failing(dead);
  const told: string[] = [];
  const back: unknown[] = [];
  backend.on("storeError", ({ operation, key }) => told.push(`${operation} ${key}`));
  backend.on("storeBack", (event) => back.push(event));
  const lines = await warningsOf(async () => {
    for (let outage = 0; outage < 2; outage++) {
      down.add("");
      await backend.fetch("k", () => 1, GROUPS);
      await assertRejects(() => backend.delete("k"), CacheError);
      await clock.advance(500);
      down.clear();
      await backend.get("k");
    }
  });
  assertEquals([told, lines], [["get ::k", "get ::k"], []]);
  assertEquals(back, [{ failures: 5, ms: 500 }, { failures: 5, ms: 500 }]);
});

test("an outage is a server's: another one's is told, and answers of others end none", async () => {
  const lane = (key: string) => key.includes("a") ? "s1" : key.includes("b") ? "s2" : "s3";
  const { backend, down } = failing((key) => new ConnectionError("dead", lane(key)), lane);
  const told: string[] = [], back: unknown[] = [];
  backend.on("storeError", ({ key }) => told.push(key!));
  backend.on("storeBack", ({ server, failures }) => back.push([server, failures]));
  down.add("s1").add("s2");
  for (let n = 0; n < 3; n++) for (const key of ["a", "b", "c"]) await backend.get(key);
  assertEquals([told, back], [["::a", "::b"], []]);
  down.delete("s2");
  await backend.get("b");
  assertEquals(back, [["s2", 3]]);
});

test("looks that are late are one outage, however many keys they ask for", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const told: string[] = [];
  a.backend.on("storeError", ({ error }) => told.push(String(error)));
  a.store.gate("get", "hold", undefined, 50);
  const calls = Array.from({ length: 50 }, (_, n) => a.read({}, `k${n}`));
  await fleet.clock.advance(1000);
  await Promise.all(calls);
  assertEquals(told.length, 1);
});

test("what is no outage is told each time: a full client, an error of a store of others", async () => {
  for (const error of [() => new QueueFullError("full", "s1"), () => new Error("no"), () => undefined, () => "text"]) {
    const { backend, down } = failing(error);
    let told = 0;
    backend.on("storeError", () => told++);
    down.add("");
    for (let n = 0; n < 3; n++) await backend.get("k");
    assertEquals(told, 3);
  }
});

test("a full client is no outage, and a store that fails now and then is not warned of each time", async () => {
  const full = failing(() => new QueueFullError("full", "s1"));
  const lines = await warningsOf(async () => {
    full.down.add("");
    await full.backend.get("k");
  });
  assertEquals(lines, []);
  const { backend, down, clock } = failing(() => new Error("no\n\u001b[31mcache-utils: forged"));
  const some = await warningsOf(async () => {
    for (let n = 0; n < 10; n++) {
      down.add("");
      await backend.get("k");
      down.clear();
      await backend.get("k");
      await clock.advance(100);
    }
  });
  assertEquals(some.length, 2, some.join("\n"));
  assertMatch(some[0]!, /^cache-utils: the store fails \(Error: no\\u000a\\u001b\[31mcache-utils: forged\)\./);
  assertEquals(some[0]!.includes("\n"), false);
});

test("an error that has no text, or a console that throws, harms nobody", async () => {
  const { backend, down } = failing(() => Object.create(null));
  const { warn } = console;
  console.warn = () => {
    throw new Error("no console");
  };
  try {
    down.add("");
    assertEquals(await backend.fetch("k", () => 1), 1);
    await new Promise((resolve) => setTimeout(resolve, 0));
  } finally {
    console.warn = warn;
  }
});

test("a mistyped port is one line", { timeout: 60_000 }, async () => {
  let address!: string;
  {
    await using gone = await freshServer();
    address = gone.address;
  }
  const store = new MemcachedStore(address, { timeout: "20s", connectTimeout: "20s" });
  const backend = new GroupBackend({ store, storeTimeout: "20s" });
  const lines = await warningsOf(async () => {
    for (let n = 0; n < 5; n++) await backend.fetch(`k${n}`, () => n, GROUPS);
  });
  await backend.close();
  assertEquals(lines.length, 1, lines.join("\n"));
  assert(lines[0]!.includes(address), lines[0]!);
});

test("set, add, invalidate and invalidateGroup reject with what the store said as their cause", async () => {
  const cause = dead("k");
  for (const group of [undefined, "cities"]) {
    const { backend, down } = failing(() => cause);
    down.add("");
    const options = group === undefined ? {} : { group };
    const verbs: (() => Promise<unknown>)[] = [
      () => backend.set("k", 1, options),
      () => backend.add("k", 1, options),
      () => backend.delete("k"),
      () => backend.invalidateGroup("cities"),
    ];
    for (const verb of verbs) {
      const error = await assertRejects(verb, CacheError, "the store did not confirm it");
      assertEquals(error.cause, cause);
    }
  }
});

test("of several groups the error names which are confirmed and which are not", async () => {
  const lane = (key: string) => key.endsWith("b") ? "s1" : key.endsWith("c") ? "s2" : "s3";
  const { backend, down } = failing((key) => new ConnectionError(`dead ${lane(key)}`, lane(key)), lane);
  down.add("s1");
  const one = await assertRejects(() => backend.invalidateGroup("a", "b", "c"), CacheError);
  assertEquals(
    one.message,
    'Cannot invalidate the group "b": the store did not confirm it, so what is there is unknown; confirmed: "a", "c"',
  );
  assertEquals((one.cause as Error).message, "dead s1");
  down.add("s2");
  const two = await assertRejects(() => backend.invalidateGroup("c", "b", "a"), CacheError);
  assertMatch(two.message, /^Cannot invalidate the groups "b", "c": .*; confirmed: "a"$/);
  assertEquals((two.cause as AggregateError).errors.map((error) => (error as Error).message), ["dead s1", "dead s2"]);
  down.add("s3");
  const all = await assertRejects(() => backend.invalidateGroup("a", "b"), CacheError);
  assertEquals(all.message.includes("confirmed:"), false);
});
