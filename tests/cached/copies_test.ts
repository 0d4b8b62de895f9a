/** Two copies of the library in one program: two versions in one tree of dependencies. */
import { test } from "node:test";
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { cached, CacheKeyError, configure, GroupBackend, invalidateGroup, MemoryStore } from "@x/cache-utils";
import { defaultBackend } from "../../src/cached/configure.ts";
import { copy } from "./_copy.ts";
import { FakeBackend, warnings } from "./_fake_backend.ts";

test("two copies share the default backend: an invalidation through one reaches the other", async () => {
  const other = await copy();
  assertNotStrictEquals<unknown>(other.cached, cached);
  await using backend = configure({ store: new MemoryStore() });
  assertStrictEquals<unknown>(other.defaultBackend(), backend);
  let runs = 0;
  const count = other.cached(() => ++runs, { name: "count", group: "counts" });
  assertEquals([await count(), await count()], [1, 1]);
  await invalidateGroup("counts");
  assertEquals(await count(), 2);
  await using second = other.configure({});
  assertStrictEquals<unknown>(defaultBackend(), second);
});

test("two copies share the table of names", async () => {
  const other = await copy();
  const backend = configure(new FakeBackend());
  cached((n: number) => n + 1, { name: "f" });
  assertThrows(() => other.cached((n: number) => n + 2, { name: "f" }), TypeError, 'Cannot cache "f"');
  assertThrows(() => other.cached((n: number) => n + 2, { name: "f", backend }), TypeError, 'Cannot cache "f"');
  const double = (n: number) => n * 2;
  const told = await warnings(() => [cached(double, { name: "double" }), other.cached(double, { name: "double" })]);
  assertEquals(told, []);
});

test("a copy of another format keeps to itself", async () => {
  const backend = configure(new FakeBackend());
  const other = await copy({ format: 0, parts: "of another shape" });
  assertEquals(other.knownDefault(), undefined);
  assertNotStrictEquals<unknown>(other.defaultBackend(), backend);
});

test("without configuration there is one GroupBackend, made on first use, not by wrapping", async () => {
  const fresh = await copy(null);
  const count = fresh.cached(() => 1, { name: "count" });
  assertEquals(fresh.knownDefault(), undefined);
  const backend = fresh.defaultBackend();
  assertEquals([backend instanceof fresh.GroupBackend, backend instanceof GroupBackend], [true, false]);
  assertStrictEquals(fresh.defaultBackend(), backend);
  assertEquals([backend.key("count()"), count.key()], ["::count()", "::count()"]);
});

test("names that were registered before the program configured are registered on what it configures", async () => {
  const fresh = await copy(null);
  const early = fresh.cached((n: number) => n + 1, { name: "f" });
  assertThrows(() => fresh.cached((n: number) => n + 2, { name: "f" }), TypeError, 'Cannot cache "f"');
  fresh.configure(new FakeBackend());
  assertThrows(() => fresh.cached((n: number) => n + 2, { name: "f" }), TypeError, 'Cannot cache "f"');
  assertEquals(await early(1), 2);
  // What is configured later is another one, where the first call takes the name.
  fresh.configure(new FakeBackend());
  const late = fresh.cached((n: number) => n + 2, { name: "f" });
  assertEquals(await late(1), 3);
});

test("names registered before the program configured join those on the backend that it configures", async () => {
  const fresh = await copy(null);
  const backend = new FakeBackend();
  fresh.cached((n: number) => n, { name: "own", backend });
  fresh.cached((n: number) => n + 1, { name: "early" });
  fresh.configure(backend);
  for (const name of ["own", "early"]) {
    assertThrows(() => fresh.cached((n: number) => n + 2, { name }), TypeError, `Cannot cache "${name}"`);
  }
});

test("an argument that is keyed and then cannot be copied is an error, and never reaches the function itself", async () => {
  for (let failsAt = 1; failsAt <= 8; failsAt++) {
    let reads = 0;
    const day = new Proxy({ day: 1 }, {
      ownKeys(target) {
        if (++reads === failsAt) throw new Error("not now");
        return Reflect.ownKeys(target);
      },
    });
    const given: unknown[] = [];
    const report = cached((of: { day: number }) => (given.push(of), of.day), {
      name: `read ${failsAt} fails`,
      backend: new GroupBackend(),
    });
    const refused = await report(day).then(() => false, (error: unknown) => error instanceof CacheKeyError);
    assert(refused || given.length > 0);
    assert(given.every((of) => of !== day), `read ${failsAt}`);
  }
});
