// deno-lint-ignore-file require-await
import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { cached, cacheKey, configure, handle } from "@x/cache-utils";
import { FakeBackend } from "./_fake_backend.ts";

test("a static knows its class as soon as that is defined", async () => {
  configure(new FakeBackend());
  class Repo {
    static base = 10;
    @cached
    static async all(n: number) {
      return this.base + n;
    }
  }
  // As untyped code reaches them: a decorator cannot change a member's type.
  const all = Repo.all as unknown as { key(n: number): string; refresh(n: number): Promise<number> };
  assertEquals([all.key(1), await all.refresh(1)], ["Repo.all(1)", 11]);
});

test("handle() gives every verb, bound to the instance", async () => {
  configure(new FakeBackend());
  class Repo {
    calls = 0;
    @cached
    async get(n: number) {
      return n + ++this.calls;
    }
  }
  const repo = new Repo();
  const get = handle(repo, "get");
  assertEquals([await get(10), await get(10), await repo.get(10)], [11, 11, 11]);
  assertEquals([await get.peek(10), await get.refresh(10), get.key(10)], [11, 12, "Repo.get(10)"]);
  await get.set([20], 5);
  assertEquals(await repo.get(20), 5);
  await get.invalidate(20);
  assertEquals(await get.peek(20), undefined);
  assertEquals(await get.original(0), 3);
});

test("a process that never called a method can invalidate it, without an instance", async () => {
  const backend = configure(new FakeBackend());
  class Repo {
    @cached
    async get(n: number) {
      return n;
    }
  }
  backend.kept.set("Repo.get(7)", { value: "kept by another process", groups: [] });
  assertEquals(await handle(Repo.prototype, "get").peek(7), "kept by another process" as never);
  await handle(Repo.prototype, "get").invalidate(7);
  assertEquals(backend.kept.size, 0);
});

test("a verb used before the class is known says which form to use", async () => {
  configure(new FakeBackend());
  class Repo {
    @cached
    async get(n: number) {
      return n;
    }
  }
  const get = Repo.prototype.get as unknown as { key(n: number): string; invalidate(n: number): Promise<void> };
  const error = await assertRejects(() => get.invalidate(7), TypeError);
  assertStringIncludes(
    error.message,
    'use handle(Class.prototype, "get"), put @cached outermost, or pass the option `name`',
  );
  assertThrows(() => get.key(7), TypeError, "Cannot name get");
  new Repo();
  assertEquals(get.key(7), "Repo.get(7)");
});

test("without an instance, the verbs of a method whose key carries it are a TypeError", async () => {
  configure(new FakeBackend());
  class City {
    id = 7;
    [cacheKey]() {
      return this.id;
    }
    @cached
    async offers(kind: string) {
      return kind;
    }
  }
  const { offers } = City.prototype;
  new City();
  const onPrototype = await assertRejects(() => handle(City.prototype, "offers").invalidate("hot"), TypeError);
  assertStringIncludes(onPrototype.message, 'Cannot make a key of "City.offers" without a receiver');
  assertStringIncludes(onPrototype.message, 'use handle(instance, "offers")');
  assertThrows(() => (offers as unknown as { key(kind: string): string }).key("hot"), TypeError, "handle(instance");
  await assertRejects(() => offers.call(undefined as never, "hot"), TypeError, "handle(instance");
  await assertRejects(() => City.prototype.offers("hot"), TypeError, "handle(instance");
});

test("a `key` or `group` that reads `this` is a TypeError on a prototype, and works on an instance", async () => {
  const backend = configure(new FakeBackend());
  class Shelf {
    name = "books";
    @cached({
      key(this: Shelf, n: number) {
        return [this.name, n];
      },
      group(this: Shelf) {
        return this.name;
      },
    })
    async item(n: number) {
      return n;
    }
  }
  const shelf = new Shelf();
  assertEquals(await shelf.item(1), 1);
  assertEquals([backend.last.key, backend.last.options.group], ['Shelf.item(["books",1])', "books"]);
  assertEquals(await handle(shelf, "item").peek(1), 1);
  await assertRejects(() => handle(Shelf.prototype, "item").peek(1), TypeError, 'use handle(instance, "item")');
});

test("handle() walks prototypes, reads getters and fields, and refuses what is not cached", async () => {
  configure(new FakeBackend());
  const find = cached(async function find(n: number) {
    return n;
  });
  class Repo {
    field = find;
    get got() {
      return find;
    }
    async plain(n: number) {
      return n;
    }
    @cached
    async get(n: number) {
      return n;
    }
  }
  class Sub extends Repo {
    override async get(n: number) {
      return -n;
    }
  }
  const repo = new Repo();
  assertEquals([handle(repo, "field").key(1), handle(repo, "got").key(1)], ["find(1)", "find(1)"]);
  assertEquals(await handle({ find }, "find")(1), 1);
  assertThrows(() => handle(repo, "plain"), TypeError, "Cannot handle plain: it is no cached method");
  assertThrows(() => handle(new Sub(), "get"), TypeError, "Cannot handle get");
  assertThrows(() => handle(repo, "missing" as never), TypeError, "Cannot handle missing");
  assertThrows(() => handle(null as never, "get"), TypeError, "Cannot handle get");
  assert(handle(repo, "get") !== (repo.get as unknown));
});
