import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { GroupBackend } from "../../src/backend/group_backend.ts";
import { cached } from "../../src/cached/cached.ts";
import { configure, defaultBackend, invalidateGroup } from "../../src/cached/configure.ts";
import { FakeClock } from "@x/cache-utils/testing";
import { FakeBackend, warnings } from "./_fake_backend.ts";

test("a function without a backend of its own works on a GroupBackend, groups included", async () => {
  configure({});
  let calls = 0;
  const count = cached(() => ++calls, { name: "count", group: "counts" });
  assertEquals([await count(), await count()], [1, 1]);
  await invalidateGroup("counts");
  assertEquals(await count(), 2);
  await count.invalidate();
  assertEquals([await count(), await count.refresh(), await count.peek()], [3, 4, 4]);
  await count.set([], 7);
  assertEquals(await count(), 7);
});

test("configure() changes the default of functions wrapped earlier, and closes nothing", async () => {
  let calls = 0;
  const count = cached(() => ++calls, { name: "count" });
  const first = configure(new FakeBackend());
  assertEquals([await count(), await count()], [1, 1]);
  const second = configure({ project: "shop", version: 42 });
  assert(second instanceof GroupBackend);
  assertEquals([await count(), count.key()], [2, "shop:42:count()"]);
  configure(first);
  assertEquals(await count(), 1);
  await second.close();
});

test("configure() takes a URL", () => {
  const backend = configure("memory:///?project=shop&version=42&maxBytes=64000000");
  assert(backend instanceof GroupBackend);
  assertStrictEquals(defaultBackend(), backend);
  assertEquals(backend.key("k"), "shop:42:k");
});

test("configure() takes a URL that names servers, and opens no connection", async () => {
  const backend = configure("memcached://127.0.0.1:1,[::1]:1/?project=shop");
  assertEquals(backend.key("k"), "shop::k");
  await backend.close();
});

test("what the driver refuses is an error without the password", () => {
  for (const url of ["memcached://user:hunter2@a:b:c/", "memcached://user:hunter2@a:99999/"]) {
    const { message } = assertThrows(() => configure(url), TypeError) as TypeError;
    assert(!message.includes("hunter2"), message);
  }
});

test("configure() returns a backend of one's own as it is", () => {
  const backend = new FakeBackend();
  assertStrictEquals(configure(backend), backend);
  assertStrictEquals(defaultBackend(), backend);
});

test("a backend of the function's own is used whatever the default is", async () => {
  const own = new FakeBackend(), other = configure(new FakeBackend());
  const f = cached((n: number) => n, { name: "f", backend: own });
  await f(1);
  assertEquals([own.asked.length, other.asked.length], [1, 0]);
});

test("a wrong configuration is a TypeError or RangeError, and changes nothing", () => {
  const backend = configure(new FakeBackend());
  const wrong = configure as (given: unknown) => unknown;
  for (const given of [undefined, null, 5, true, []]) {
    assertThrows(
      () => wrong(given),
      TypeError,
      "Cannot configure: give a URL, the options of a GroupBackend, or a backend",
    );
  }
  assertThrows(() => wrong({ projekt: "a" }), TypeError, '"projekt"');
  assertThrows(() => wrong({ project: "" }), TypeError, "project");
  assertThrows(() => configure({ stale: -1 }), RangeError, "stale");
  assertThrows(() => configure("memory:///?ttl=soon"), TypeError, "ttl");
  assertThrows(() => configure("memory:///?nope=1"), TypeError, "nope");
  assertStrictEquals(defaultBackend(), backend);
});

test("invalidateGroup() asks the default backend, and rejects where that throws", async () => {
  const backend = configure(new FakeBackend());
  await invalidateGroup("a", "b");
  assertEquals(backend.last, { verb: "invalidateGroup", key: "a,b" });
  const error = new Error("closed");
  backend.invalidateGroup = () => {
    throw error;
  };
  assertStrictEquals(await assertRejects(() => invalidateGroup("a")), error);
});

test("what is no plain object of options is refused, a URL object too", () => {
  // deno-lint-ignore no-explicit-any
  for (const given of [new URL("memcached://127.0.0.1:1/"), new Map()] as any[]) {
    assertThrows(() => configure(given), TypeError, "give a plain object (and a URL as text)");
  }
});

test("configure({}) before each test isolates it: results, groups, names and the switch of the one before are gone", async () => {
  let runs = 0;
  const rate = cached((_: string) => ++runs, { name: "isolated", group: "rates" });
  const told = await warnings(async () => {
    for (const expected of [1, 2, 3]) { // three tests
      const backend = configure({});
      assertEquals([await rate("eur"), await rate("eur")], [expected, expected]);
      assertEquals(backend.stats, { hit: 1, stale: 0, miss: 1, wait: 0, error: 0 });
      cached((n: number) => n, { name: "made within the test" }); // the same name in each
      await invalidateGroup("rates");
      backend.enabled = false;
    }
  });
  assertEquals(told, []);
  // Other functions under the names that the test before has used.
  configure({});
  await cached(() => 1, { name: "mine" })();
  configure({});
  assertEquals(await cached(() => 2, { name: "mine" })(), 2);
});

test("a test moves time with the clock of ./testing", async () => {
  const clock = new FakeClock();
  configure({ clock, ttl: "1m", stale: 0 });
  let runs = 0;
  const rate = cached(() => ++runs, { name: "timed" });
  assertEquals(await rate(), 1);
  await clock.advance(59_999);
  assertEquals(await rate(), 1);
  await clock.advance(1);
  assertEquals(await rate(), 2);
  configure({});
});

test("the off switch is an option of configure(), as an object and in a URL", async () => {
  let runs = 0;
  const count = cached(() => ++runs, { name: "switched" });
  for (const configured of [() => configure({ enabled: false }), () => configure("memory:///?enabled=false")]) {
    const backend = configured(), before = runs;
    assertEquals([await count(), await count()], [before + 1, before + 2]);
    assertEquals(await count.peek(), undefined);
    backend.enabled = true;
    assertEquals([await count(), await count()], [before + 3, before + 3]);
  }
  configure({});
});
