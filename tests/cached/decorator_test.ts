// deno-lint-ignore-file require-await
import { test } from "node:test";
import { assertEquals, assertRejects, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { cached, cacheKey, configure, GroupBackend, handle } from "@x/cache-utils";
import { FakeBackend, warnings } from "./_fake_backend.ts";

/** A decorator of somebody else, which knows nothing of ours. */
function logged<T, A extends unknown[], R>(method: (this: T, ...args: A) => R, _context: ClassMethodDecoratorContext) {
  return function (this: T, ...args: A): R {
    return method.apply(this, args);
  };
}

test("a decorated method is cached under Class.method, in every form of the decorator", async () => {
  const backend = configure(new FakeBackend());
  class Repo {
    calls = 0;
    @cached
    async bare(n: number) {
      return [n, ++this.calls];
    }
    @cached(60, "cities")
    async timed(n: number) {
      return [n, ++this.calls];
    }
    @cached({ ttl: "5m", group: (n: number) => `group ${n}` })
    async optioned(n: number) {
      return [n, ++this.calls];
    }
  }
  const repo = new Repo();
  assertEquals([await repo.bare(7), await repo.bare(7)], [[7, 1], [7, 1]]);
  assertEquals([backend.last.key, backend.last.options.name], ["Repo.bare(7)", "Repo.bare"]);
  assertEquals([await repo.timed(7), await repo.timed(7)], [[7, 2], [7, 2]]);
  assertEquals([backend.last.key, backend.last.options.ttl, backend.last.options.group], [
    "Repo.timed(7)",
    60,
    "cities",
  ]);
  assertEquals([await repo.optioned(7), await repo.optioned(7)], [[7, 3], [7, 3]]);
  assertEquals([backend.last.options.ttl, backend.last.options.group], [300, "group 7"]);
  assertEquals([repo.bare.name, repo.bare.length], ["bare", 1]);
});

test("a static method is cached under Class.method, too", async () => {
  const backend = configure(new FakeBackend());
  class Repo {
    static base = 10;
    @cached
    static async all(n: number) {
      return this.base + n;
    }
  }
  assertEquals(handle(Repo, "all").key(1), "Repo.all(1)");
  assertEquals(await Repo.all(1), 11);
  await handle(Repo, "all").invalidate(1);
  assertEquals([backend.last.verb, backend.kept.size], ["delete", 0]);
  assertEquals(await handle(Repo, "all").refresh(2), 12);
});

test("a method is called on what never ran the constructor", async () => {
  configure(new FakeBackend());
  class Repo {
    @cached
    async get(n: number) {
      return n;
    }
  }
  assertEquals(await Object.create(Repo.prototype).get(7), 7);
  assertEquals(handle(Repo.prototype, "get").key(7), "Repo.get(7)");
});

test("the key of an inherited method names the class that declares it and the receiver's, whichever is constructed first", async () => {
  const backend = configure(new FakeBackend());
  class Base {
    @cached
    async get(n: number) {
      return n;
    }
    @cached
    static async all() {
      return 1;
    }
  }
  class Sub extends Base {
    other = 1;
  }
  await new Sub().get(1);
  assertEquals(backend.last.key, "Base.get<Sub>(1)");
  assertEquals(handle(new Sub(), "get").key(1), "Base.get<Sub>(1)");
  assertEquals(handle(Sub.prototype, "get").key(1), "Base.get<Sub>(1)");
  await Sub.all();
  assertEquals([backend.last.key, handle(Sub, "all").key()], ["Base.all<Sub>()", "Base.all<Sub>()"]);
  await new Base().get(1);
  assertEquals([backend.last.key, handle(Base.prototype, "get").key(1)], ["Base.get(1)", "Base.get(1)"]);
  await Base.all();
  assertEquals([backend.last.key, handle(Base, "all").key()], ["Base.all()", "Base.all()"]);
});

test("an overriding method and the one it calls are two", async () => {
  const backend = configure(new FakeBackend());
  class City {
    id = 7;
    [cacheKey]() {
      return this.id;
    }
    @cached
    async offers(kind: string): Promise<string> {
      return kind;
    }
  }
  class Capital extends City {
    @cached
    override async offers(kind: string): Promise<string> {
      return `${await super.offers(kind)}!`;
    }
  }
  assertEquals(await new Capital().offers("hot"), "hot!");
  assertEquals([...backend.kept.keys()].sort(), ['Capital(7).City.offers("hot")', 'Capital(7).offers("hot")']);
});

test("an instance with [cacheKey] is in the key, before the method", async () => {
  const backend = configure(new FakeBackend());
  class City {
    id: number;
    constructor(id: number) {
      this.id = id;
    }
    [cacheKey]() {
      return this.id;
    }
    @cached
    async offers(kind: string) {
      return `${kind} of ${this.id}`;
    }
  }
  const oslo = new City(7), rome = new City(8);
  const told = await warnings(async () => {
    assertEquals([await oslo.offers("hot"), await rome.offers("hot"), await new City(7).offers("hot")], [
      "hot of 7",
      "hot of 8",
      "hot of 7",
    ]);
  });
  assertEquals(told, []);
  assertEquals([...backend.kept.keys()], ['City(7).offers("hot")', 'City(8).offers("hot")']);
  await handle(oslo, "offers").invalidate("hot");
  assertEquals([...backend.kept.keys()], ['City(8).offers("hot")']);
});

test("classes that inherit a static do not share its results", async () => {
  configure(new FakeBackend());
  class Model {
    static table = "?";
    @cached
    static async all() {
      return this.table;
    }
  }
  class City extends Model {
    static override table = "cities";
  }
  class User extends Model {
    static override table = "users";
  }
  const told = await warnings(async () => {
    const tables = [];
    for (const model of [City, User, Model, City, User]) tables.push(await model.all());
    assertEquals(tables, ["cities", "users", "?", "cities", "users"]);
  });
  assertEquals(told, []);
});

test("a call through a prototype is a TypeError: its result would be kept for every instance", async () => {
  configure(new FakeBackend());
  class Places {
    table = "places";
    @cached
    async get(id: number) {
      return `${this.table}/${id}`;
    }
  }
  const get = handle(Places.prototype, "get");
  await assertRejects(() => get(1), TypeError, 'use handle(instance, "get")');
  await assertRejects(() => get.refresh(1), TypeError, 'use handle(instance, "get")');
  assertEquals(await new Places().get(1), "places/1");
  await get.invalidate(1);
});

test("two instances without [cacheKey] that share a key are warned about once", async () => {
  configure(new FakeBackend());
  class Repo {
    @cached
    async get(n: number) {
      return n;
    }
    @cached({ key: (n: number) => n })
    async keyed(n: number) {
      return n;
    }
    @cached
    static async all(n: number) {
      return n;
    }
  }
  class Sub extends Repo {}
  const told = await warnings(async () => {
    const one = new Repo(), two = new Repo();
    await one.get(1);
    await one.get(1);
    await two.get(2);
    await one.keyed(1);
    await two.keyed(1);
    await Repo.all(1);
    await handle(two, "get").invalidate(1);
  });
  assertEquals(told, []);
  const [warning, ...more] = await warnings(async () => {
    for (let n = 0; n < 3; n++) for (const repo of [new Repo(), new Repo(), new Sub()]) await repo.get(n);
  });
  assertEquals(more, []);
  assertStringIncludes(warning!, 'two instances or classes share the results of "Repo.get"');
  assertStringIncludes(warning!, "[cacheKey]");
});

test("a decorator above ours keeps class, call and handle()", async () => {
  configure(new FakeBackend());
  class Repo {
    calls = 0;
    @logged
    @cached({ ttl: 5 })
    async get(n: number) {
      return n + ++this.calls;
    }
    @logged
    @cached
    static async all() {
      return 1;
    }
  }
  assertThrows(() => handle(Repo.prototype, "get"), TypeError, "Cannot handle get");
  const repo = new Repo();
  assertEquals([await repo.get(10), await repo.get(10)], [11, 11]);
  assertEquals([handle(repo, "get").key(10), handle(Repo, "all").key()], ["Repo.get(10)", "Repo.all()"]);
  await handle(repo, "get").invalidate(10);
  assertEquals(await repo.get(10), 12);
});

test("under another decorator an overridden method has one key, whichever class is constructed first, or none", async () => {
  const backend = configure(new FakeBackend());
  const make = () => {
    class Base {
      @logged
      @cached
      async get(id: number) {
        return id;
      }
    }
    class Sub extends Base {
      override async get(id: number) {
        return await super.get(id);
      }
    }
    return { Base, Sub };
  };
  const one = make();
  await new one.Base().get(1);
  await new one.Sub().get(1);
  assertEquals(backend.last.key, "Base.get<Sub>(1)");
  configure(new FakeBackend());
  const other = make();
  // From a Sub alone nobody can tell which of the two it is: no key is better than another process's other key.
  await assertRejects(() => new other.Sub().get(1), TypeError, "put @cached outermost, or pass the option `name`");
});

test("a decorator below ours is what is cached", async () => {
  configure(new FakeBackend());
  class Repo {
    calls = 0;
    @cached
    @logged
    async get(n: number) {
      return n + ++this.calls;
    }
  }
  const repo = new Repo();
  assertEquals([await repo.get(10), await repo.get(10), handle(repo, "get").key(1)], [11, 11, "Repo.get(1)"]);
});

test("methods under symbols and numbers have names", async () => {
  const backend = configure(new FakeBackend());
  const find = Symbol("find");
  class Repo {
    @cached
    async [find](n: number) {
      return n;
    }
    @cached
    async 7(n: number) {
      return n;
    }
  }
  await new Repo()[find](1);
  assertEquals(backend.last.key, "Repo.[find](1)");
  assertEquals(handle(new Repo(), find).key(1), "Repo.[find](1)");
  assertEquals(handle(new Repo(), 7).key(1), "Repo.7(1)");
});

test("a method that is called like one of Object.prototype is known by its class", () => {
  configure(new FakeBackend());
  class Repo {
    @cached
    async valueOf(): Promise<never> {
      throw new Error("unused");
    }
  }
  const valueOf = Repo.prototype.valueOf as unknown as { key(): string };
  assertThrows(() => valueOf.key(), TypeError, "its class is not known");
  new Repo();
  assertEquals(valueOf.key(), "Repo.valueOf()");
});

test("a method of an anonymous class needs a name", async () => {
  configure(new FakeBackend());
  const mixin = () =>
    class {
      @cached
      async get(n: number) {
        return n;
      }
      @cached({ name: "mixed" })
      async named(n: number) {
        return n;
      }
    };
  const made = new (mixin())();
  await assertRejects(() => made.get(1), TypeError, "its class has no name; pass the option `name`");
  assertEquals(await made.named(1), 1);
  assertEquals(handle(made, "named").key(1), "mixed(1)");
});

test("a private method needs a name", async () => {
  // As the runtime calls it; Deno does not parse a decorated private method.
  const context = (name: string) =>
    ({
      kind: "method",
      name,
      static: false,
      private: true,
      addInitializer: () => {
        throw new Error("not asked");
      },
    }) as unknown as ClassMethodDecoratorContext;
  const method = async (n: number) => n;
  assertThrows(() => cached(method, context("#get")), TypeError, "Cannot name #get");
  const backend = configure(new FakeBackend());
  assertEquals(await cached({ name: "secret" })(method, context("#get")).call({}, 1), 1);
  // Which class declares it cannot be known, so the receiver's is always in the key.
  assertEquals(backend.last.key, "secret<Object>(1)");
});

test("only methods are decorated", () => {
  for (const kind of ["class", "field", "getter", "accessor"]) {
    const context = { kind, name: "x", addInitializer() {} } as never;
    assertThrows(() => cached(async () => 1, context), TypeError, `Cannot decorate a ${kind} with @cached`);
    assertThrows(() => cached(60)(undefined as never, context), TypeError, `Cannot decorate a ${kind}`);
  }
});

test("a class expression gives its name, whenever the compiler sets it", async () => {
  const backend = new FakeBackend();
  const Repo = class {
    @cached({ backend })
    async get(n: number) {
      return n;
    }
    @cached({ backend })
    static async all() {
      return 1;
    }
  };
  await Repo.all();
  await new Repo().get(1);
  assertEquals([...backend.kept.keys()], ["Repo.all()", "Repo.get(1)"]);
});

test("a method lent to another object is known by its class", async () => {
  const backend = configure(new FakeBackend());
  class Repo {
    @cached
    async get(n: number) {
      return n;
    }
  }
  const lent = { get: Repo.prototype.get };
  await assertRejects(() => lent.get(1), TypeError, "its class is not known");
  assertThrows(() => handle(lent, "get").key(1), TypeError, "its class is not known");
  new Repo();
  assertEquals(await lent.get(1), 1);
  assertEquals([backend.last.key, handle(lent, "get").key(1)], ["Repo.get<Object>(1)", "Repo.get<Object>(1)"]);
});

test("an ungrouped backend refuses a decorated method's `group` at the class's definition", () => {
  const backend = new FakeBackend({ groups: false });
  assertThrows(
    () => {
      class Repo {
        @cached({ group: "g", backend })
        async get(n: number) {
          return n;
        }
      }
      return Repo;
    },
    TypeError,
    "Cannot use group",
  );
});

test("errors of a method reach the caller as they are", async () => {
  configure(new FakeBackend());
  const error = new Error("gone");
  class Repo {
    @cached
    async get(_n: number): Promise<number> {
      throw error;
    }
  }
  const repo = new Repo();
  assertStrictEquals(await assertRejects(() => repo.get(1)), error);
});

test("the event of a method's invalidation carries the name of its class and its own", async () => {
  await using backend = new GroupBackend();
  const told: unknown[] = [];
  backend.on("invalidate", (event) => told.push(event));
  class Shops {
    @cached({ backend })
    async all(): Promise<number> {
      return await Promise.resolve(1);
    }
  }
  const shops = new Shops();
  await shops.all();
  await handle(shops, "all").invalidate();
  assertEquals(told, [{ name: "Shops.all", key: "::Shops.all()" }]);
});
