// deno-lint-ignore-file require-await
import { test } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { cached, cacheKey, configure } from "@x/cache-utils";
import { namesOn } from "../../src/cached/names.ts";
import { FakeBackend, warnings } from "./_fake_backend.ts";
import { decorate } from "./_methods.ts";

test("two functions of one name on one backend are a TypeError, at wrap if the backend is given", () => {
  const backend = new FakeBackend();
  cached((n: number) => n + 1, { name: "f", backend });
  assertThrows(
    () => cached((n: number) => n + 2, { name: "f", backend }),
    TypeError,
    'Cannot cache "f": another function of this name is cached on the same backend, and they would share results; pass the option `name`',
  );
  cached((n: number) => n + 2, { name: "f", backend: new FakeBackend() });
  cached((n: number) => n + 2, { name: "g", backend });
});

test("two functions of one name on the default backend are a TypeError when the second is wrapped", async () => {
  configure(new FakeBackend());
  const one = cached((n: number) => n + 1, { name: "f" });
  assertThrows(() => cached((n: number) => n + 2, { name: "f" }), TypeError, 'Cannot cache "f"');
  assertEquals(await one(1), 2);
});

test("of two functions that were wrapped for different defaults the second one is refused at its first call", async () => {
  configure(new FakeBackend());
  const one = cached((n: number) => n + 1, { name: "f" });
  configure(new FakeBackend());
  const two = cached((n: number) => n + 2, { name: "f" });
  assertEquals(await two(1), 3);
  await assertRejects(() => one(1), TypeError, 'Cannot cache "f"');
  await assertRejects(() => one(1), TypeError, 'Cannot cache "f"');
  assertThrows(() => one.key(1), TypeError, 'Cannot cache "f"');
  configure(new FakeBackend());
  assertEquals(await one(1), 2);
  await assertRejects(() => two(1), TypeError, 'Cannot cache "f"');
});

test("the TypeError names the option for hosts that run modules again", () => {
  const backend = new FakeBackend();
  cached((n: number) => n + 1, { name: "f", backend });
  assertThrows(() => cached((n: number) => n + 2, { name: "f", backend }), TypeError, "the option `redefine: true`");
});

test("`group` on an ungrouped default backend is a TypeError at the first call", async () => {
  configure(new FakeBackend());
  const fn = cached((n: number) => n, { name: "f", group: "g" });
  configure(new FakeBackend({ groups: false }));
  await assertRejects(() => fn(1), TypeError, "Cannot use group: its backend has no groups");
  configure(new FakeBackend());
  assertEquals(await fn(1), 1);
});

test("closures of one source are allowed, and warned about once", async () => {
  const backend = new FakeBackend();
  const make = (factor: number) =>
    cached(function times(n: number) {
      return n * factor;
    }, { backend });
  const told = await warnings(() => [2, 3, 4].map(make));
  assertEquals(told.length, 1);
  assertStringIncludes(told[0]!, '"times"');
  assertStringIncludes(told[0]!, "pass the option `key`");
  assertStringIncludes(told[0]!, "`shared: true`");
});

test("a name does not say what tells closures apart: one warning a name", async () => {
  const backend = new FakeBackend();
  const user = (db: string) => cached((id: number) => `${db} ${id}`, { name: "user", backend });
  const post = (db: string) => cached((id: number) => `${db} ${-id}`, { name: "post", backend });
  const told = await warnings(() => {
    for (const db of ["one", "other", "third"]) [user(db), post(db)];
  });
  assertEquals(told.map((warning) => /"\w+"/.exec(warning)?.[0]), ['"user"', '"post"']);
});

test("closures that are given `key` or `shared: true` are warned about never", async () => {
  const backend = new FakeBackend();
  const told = await warnings(() => {
    for (const factor of [2, 3]) {
      const times = (n: number) => n * factor;
      cached(times, { name: "named", shared: true, backend });
      cached(times, { key: (n) => [factor, n], backend });
    }
  });
  assertEquals(told, []);
});

test("`shared: true` admits no second source", () => {
  const backend = new FakeBackend();
  cached((n: number) => n + 1, { name: "f", shared: true, backend });
  assertThrows(() => cached((n: number) => n + 2, { name: "f", shared: true, backend }), TypeError, 'Cannot cache "f"');
});

test("a name that is wrapped anew 50,000 times under names of its own costs a bounded number of them", () => {
  const backend = new FakeBackend();
  const first = cached((n: number) => n + 1, { name: "first", backend });
  for (let i = 0; i < 50_000; i++) cached((n: number) => n, { name: `user ${i}`, backend });
  assertEquals(namesOn(backend).size, 5_000);
  assertEquals(first.key(1), "first(1)");
});

test("a name stays taken however many come after it, and nothing is suspected of what its function keeps", async () => {
  const backend = new FakeBackend();
  const first = cached((n: number) => n + 1, { name: "first", backend });
  assertEquals(await first(1), 2);
  for (let i = 0; i < 6_000; i++) cached((n: number) => n, { name: `user ${i}`, backend });
  assertEquals(await first(1), 2);
  assertEquals(backend.last.options.strictSource, false);
  assertThrows(() => cached((n: number) => n + 2, { name: "first", backend }), TypeError, 'Cannot cache "first"');
});

test("a class whose name finds no room keeps nothing, since nothing would tell a second one of its name from it", async () => {
  const backend = new FakeBackend();
  class Repo {
    async find(n: number): Promise<number> {
      return n;
    }
  }
  decorate(Repo.prototype, "find", { backend });
  const call = async (name: string) => {
    class Model extends Repo {}
    Object.defineProperty(Model, "name", { value: name });
    await new Model().find(1);
    return backend.last.options.ttl;
  };
  assertEquals(await call("Early"), undefined);
  const told = await warnings(async () => {
    for (let i = 0; i < 10_000; i++) await call(`Model${i}`);
    assertEquals(await call("Late"), 0);
  });
  assertEquals(namesOn(backend).size, 10_000);
  assertStringIncludes(told[0]!, 'results of "Repo.find of Model9998" are not kept, since 10000 names');
});

test("one function wrapped twice shares its results without a warning", async () => {
  const backend = new FakeBackend();
  const double = (n: number) => n * 2;
  const told = await warnings(async () => {
    const one = cached(double, { backend }), two = cached(double, { backend, ttl: 5 });
    await one(1);
    assertEquals(await two.peek(1), 2);
  });
  assertEquals(told, []);
});

test("each backend has its own names and its own warnings", async () => {
  const make = (backend: FakeBackend) =>
    cached(function f() {
      return 1;
    }, { backend });
  const told = await warnings(() => {
    const backends = [new FakeBackend(), new FakeBackend()];
    for (const backend of [...backends, ...backends, ...backends]) make(backend);
  });
  assertEquals(told.length, 2);
});

test("a name that a receiver's class completes is registered as well", async () => {
  class City {
    [cacheKey]() {
      return 7;
    }
  }
  const backend = new FakeBackend();
  const whole = cached((n: number) => n, { name: "City.offers", backend });
  const half = cached((n: number) => -n, { name: "offers", backend });
  const city = new City() as never;
  // Both would be City(7).offers(1).
  assertEquals(await whole.on(city)(1), 1);
  assertEquals(whole.on(city).key(1), "City(7).offers(1)");
  await assertRejects(() => half.on(city)(1), TypeError, 'Cannot cache "City.offers"');
  assertEquals(half.key(1), "offers(1)");
});

test("two classes of one name whose methods differ are a TypeError", async () => {
  const backend = new FakeBackend();
  const one = () => {
    class Repo {
      @cached({ backend })
      async get(n: number) {
        return n;
      }
      @cached({ backend })
      static async all() {
        return 1;
      }
    }
    return Repo;
  };
  const other = () => {
    class Repo {
      @cached({ backend })
      async get(n: number) {
        return -n;
      }
    }
    return Repo;
  };
  const otherStatic = () => {
    class Repo {
      @cached({ backend })
      static async all() {
        return 2;
      }
    }
    return Repo;
  };
  const Repo = one(), Other = other();
  assertEquals(await new Repo().get(1), 1);
  await assertRejects(() => new Other().get(1), TypeError, 'Cannot cache "Repo.get"');
  // A static's class is known when it is defined.
  assertThrows(otherStatic, TypeError, 'Cannot cache "Repo.all"');
});
