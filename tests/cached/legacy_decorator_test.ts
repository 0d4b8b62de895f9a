// deno-lint-ignore-file require-await
/**
 * `experimentalDecorators`: what a compiler makes of `@cached` there, written out. tests/bun/ has a class that Bun
 * compiles so.
 */
import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cached, cacheKey, configure, handle } from "@x/cache-utils";
import { FakeBackend } from "./_fake_backend.ts";

type Legacy = (
  home: object,
  name: string | symbol,
  descriptor?: PropertyDescriptor,
) => PropertyDescriptor;

/** As `__decorate` does: from the last to the first. */
function decorate(decorators: unknown[], home: object, name: string | symbol): void {
  let descriptor = Object.getOwnPropertyDescriptor(home, name)!;
  for (const decorator of (decorators as Legacy[]).toReversed()) descriptor = decorator(home, name, descriptor);
  Object.defineProperty(home, name, descriptor);
}

test("a legacy decorator caches methods and statics in every form", async () => {
  const backend = configure(new FakeBackend());
  class Repo {
    calls = 0;
    static base = 10;
    async bare(n: number) {
      return [n, ++this.calls];
    }
    async timed(n: number) {
      return [n, ++this.calls];
    }
    async optioned(n: number) {
      return [n, ++this.calls];
    }
    static async all(n: number) {
      return this.base + n;
    }
  }
  decorate([cached], Repo.prototype, "bare");
  decorate([cached("1m", "cities")], Repo.prototype, "timed");
  decorate([cached({ ttl: 5 })], Repo.prototype, "optioned");
  decorate([cached], Repo, "all");
  // Known without an instance.
  assertEquals(handle(Repo.prototype, "bare").key(7), "Repo.bare(7)");
  assertEquals((Repo.prototype.timed as unknown as { key(n: number): string }).key(7), "Repo.timed(7)");
  const repo = new Repo();
  assertEquals([await repo.bare(7), await repo.bare(7)], [[7, 1], [7, 1]]);
  assertEquals(await repo.timed(7), [7, 2]);
  assertEquals([backend.last.key, backend.last.options.ttl, backend.last.options.group], [
    "Repo.timed(7)",
    60,
    "cities",
  ]);
  assertEquals(await handle(repo, "optioned")(7), [7, 3]);
  assertEquals([await Repo.all(1), handle(Repo, "all").key(1)], [11, "Repo.all(1)"]);
});

test("a legacy decorator keeps the descriptor, and works under another one", async () => {
  configure(new FakeBackend());
  class City {
    [cacheKey]() {
      return 7;
    }
    async offers(kind: string) {
      return kind;
    }
  }
  const logged: Legacy = (_home, _name, descriptor) => {
    const method = descriptor!.value;
    return {
      ...descriptor,
      value(this: unknown, ...args: unknown[]) {
        return method.apply(this, args);
      },
    };
  };
  decorate([logged, cached(60)], City.prototype, "offers");
  assertEquals(Object.getOwnPropertyDescriptor(City.prototype, "offers")!.enumerable, false);
  assertEquals(await new City().offers("hot"), "hot");
  assertEquals(handle(new City(), "offers").key("hot"), 'City(7).offers("hot")');
});

test("a legacy decorator checks a given backend at the class's definition", async () => {
  const backend = new FakeBackend();
  const repo = (result: number) => {
    class Repo {
      async get() {
        return result;
      }
    }
    return Repo;
  };
  class Repo {
    async get() {
      return "another source";
    }
  }
  const first = repo(1);
  decorate([cached({ backend })], first.prototype, "get");
  assertEquals(await new first().get(), 1);
  assertThrows(() => decorate([cached({ backend })], Repo.prototype, "get"), TypeError, 'Cannot cache "Repo.get"');
});

test("a legacy decorator refuses what is no method", async () => {
  class Repo {
    field = 1;
    get got() {
      return 1;
    }
  }
  const legacy = cached as unknown as Legacy;
  assertThrows(() => legacy(Repo.prototype, "field"), TypeError, "Cannot decorate field with @cached");
  assertThrows(() => decorate([cached], Repo.prototype, "got"), TypeError, "Cannot decorate got with @cached");
  assertThrows(
    () => (cached(60) as unknown as Legacy)(Repo.prototype, "field"),
    TypeError,
    "decorate a method, or wrap a function",
  );
  await assertRejects(
    async () => (cached as unknown as (home: unknown) => void)(Repo),
    TypeError,
    "Cannot cache a class",
  );
});
