// deno-lint-ignore-file require-await no-explicit-any
/** Whose result it is: methods and statics that other classes inherit. */
import { test } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { cached, cacheKey, GroupBackend, handle } from "@x/cache-utils";
import { FakeBackend, warnings } from "./_fake_backend.ts";
import { decorate, findable } from "./_methods.ts";

/** A class whose `find` and static `all` are cached. */
function repo(backend: unknown = new GroupBackend(), options: object = {}) {
  class Repo {
    table = "?";
    async find(id: number): Promise<string> {
      return `${this.table} ${id}`;
    }
    static kind = "?";
    static async all(this: { kind: string }): Promise<string> {
      return this.kind;
    }
  }
  decorate(Repo.prototype, "find", { backend, ...options });
  decorate(Repo, "all", { backend, ...options });
  return Repo;
}

test("subclasses of one base class do not share the results of what they inherit", async () => {
  const Repo = repo();
  class Users extends Repo {
    override table = "users";
    static override kind = "user";
  }
  class Posts extends Repo {
    override table = "posts";
    static override kind = "post";
  }
  const told = await warnings(async () => {
    for (let i = 0; i < 2; i++) {
      assertEquals(await new Users().find(1), "users 1");
      assertEquals(await new Posts().find(1), "posts 1");
      assertEquals([await Users.all(), await Posts.all(), await Repo.all()], ["user", "post", "?"]);
    }
  });
  // The warning about two instances of one class comes as well.
  assertEquals(told.length, 1);
  assertStringIncludes(told[0]!, 'two instances or classes share the results of "Repo.find"');
});

test("the receiver's class is in the key behind the declaring one, and every verb agrees with the call", async () => {
  const backend = new FakeBackend();
  const Repo = repo(backend);
  class Users extends Repo {
    override table = "users";
    static override kind = "user";
  }
  class Admins extends Users {
    override table = "admins";
  }
  const users = new Users();
  await users.find(1);
  await new Admins().find(1);
  await new Repo().find(1);
  await Users.all();
  const keys = ["Repo.find<Users>(1)", "Repo.find<Admins>(1)", "Repo.find(1)", "Repo.all<Users>()"];
  assertEquals([...backend.kept.keys()], keys);
  for (const self of [users, Users.prototype, new Users(), Object.create(users)] as Users[]) {
    const find = handle(self, "find");
    assertEquals([find.key(1), await find.peek(1)], ["Repo.find<Users>(1)", "users 1"]);
  }
  assertEquals([handle(Users, "all").key(), await handle(Users, "all").peek()], ["Repo.all<Users>()", "user"]);
  const find = handle(Repo.prototype, "find");
  assertEquals([find.key(1), find.on(users).key(1), await find.on(users).peek(1)], [
    "Repo.find(1)",
    "Repo.find<Users>(1)",
    "users 1",
  ]);
  assertEquals(await find.on(users).refresh(1), "users 1");
  await handle(Users.prototype, "find").set([2], "kept");
  assertEquals(await users.find(2), "kept");
  await handle(Users.prototype, "find").invalidate(2);
  assertEquals(await users.find(2), "users 2");
  await handle(Users, "all").invalidate();
  assertEquals([...backend.kept.keys()].includes("Repo.all<Users>()"), false);
});

test("the result of a method that was detached, bound or called on another object is its receiver's", async () => {
  const backend = new FakeBackend();
  const Repo = repo(backend);
  class Users extends Repo {
    override table = "users";
  }
  const { find } = Repo.prototype;
  const none = Object.assign(Object.create(null), { table: "none" });
  const told = await warnings(async () => {
    assertEquals(await find.call(new Users(), 1), "users 1");
    assertEquals(await find.bind(new Users())(1), "users 1");
    assertEquals(await find.call({ table: "plain" } as any, 1), "plain 1");
    assertEquals(await find.call(none, 1), "none 1");
    assertEquals(await find.call("text" as any, 1), "undefined 1");
  });
  assertEquals(told.length, 1, told.join("\n"));
  assertEquals([...backend.kept.keys()], [
    "Repo.find<Users>(1)",
    "Repo.find<Object>(1)",
    "Repo.find<null>(1)",
    "Repo.find<String>(1)",
  ]);
});

test("a static that is called on an instance is neither that class's nor the method's", async () => {
  const backend = new FakeBackend();
  const Repo = repo(backend);
  class Users extends Repo {
    kind = "an instance";
    static override kind = "user";
  }
  assertEquals([await Users.all(), await Repo.all.call(new Users())], ["user", "an instance"]);
  assertEquals([...backend.kept.keys()], ["Repo.all<Users>()", "Repo.all<Users%28%29>()"]);
});

test("a cached override and the method of its base that it calls are two, for each class", async () => {
  const backend = new GroupBackend();
  const Repo = repo(backend);
  class Users extends Repo {
    override table = "users";
    override async find(id: number): Promise<string> {
      return `users(${await super.find(id)})`;
    }
    async base(id: number): Promise<string> {
      return await super.find(id);
    }
  }
  decorate(Users.prototype, "find", { backend });
  class Admins extends Users {
    override table = "admins";
  }
  const users = new Users(), admins = new Admins();
  for (let i = 0; i < 2; i++) {
    assertEquals([await users.find(1), await users.base(1)], ["users(users 1)", "users 1"]);
    assertEquals([await admins.find(1), await admins.base(1)], ["users(admins 1)", "admins 1"]);
  }
  assertEquals(handle(admins, "find").key(1), "::Users.find<Admins>(1)");
});

test("classes made of one mixin do not share", async () => {
  const backend = new GroupBackend();
  class Users extends findable("users", backend) {}
  class Posts extends findable("posts", backend) {}
  const told = await warnings(async () => {
    const users = new Users(), posts = new Posts();
    for (let i = 0; i < 2; i++) assertEquals([await users.find(1), await posts.find(1)], ["users 1", "posts 1"]);
  });
  assertEquals(told, []);
  assertEquals(backend.stats.hit, 2);
});

test("of two classes of one name the second one's results are not kept, with one warning", async () => {
  const backend = new GroupBackend();
  const Repo = repo(backend);
  const make = (table: string) => {
    class Model extends Repo {
      override table = table;
      static override kind = table;
    }
    return Model;
  };
  const Users = make("users"), Posts = make("posts");
  const users = new Users(), posts = new Posts();
  const told = await warnings(async () => {
    for (let i = 0; i < 3; i++) {
      assertEquals([await users.find(1), await posts.find(1)], ["users 1", "posts 1"]);
      assertEquals([await Users.all(), await Posts.all()], ["users", "posts"]);
    }
    // No verb of the second one reads or writes what the first one has kept.
    const find = handle(posts, "find");
    assertEquals([find.key(1), await find.peek(1), await find.refresh(1)], [
      "::Repo.find<Model>(1)",
      undefined,
      "posts 1",
    ]);
    await find.set([1], "mine");
    assertEquals([await users.find(1), await posts.find(1)], ["users 1", "posts 1"]);
  });
  assertEquals(told.map((warning) => /"[^"]+"/.exec(warning)![0]), ['"Repo.find of Model"', '"Repo.all of Model"']);
  assertStringIncludes(told[0]!, "results of the second one are not kept");
  assertEquals(backend.stats.hit, 5);
});

test("classes that a factory declares with a cached method of their own do not share", async () => {
  const backend = new GroupBackend();
  const make = (table: string) => {
    class Model {
      async find(id: number): Promise<string> {
        return `${table} ${id}`;
      }
    }
    decorate(Model.prototype, "find", { backend });
    return new Model();
  };
  const users = make("users"), posts = make("posts");
  const told = await warnings(async () => {
    for (let i = 0; i < 2; i++) assertEquals([await users.find(1), await posts.find(1)], ["users 1", "posts 1"]);
  });
  assertEquals(told.length, 1);
});

test("`shared: true` and `key` let classes of one name share", async () => {
  for (const options of [{ shared: true }, { key: (id: number) => id }]) {
    const Repo = repo(new GroupBackend(), options);
    const make = () => {
      class Model extends Repo {
        override table = "one table";
      }
      return new Model();
    };
    const one = make(), other = make();
    const told = await warnings(async () => {
      assertEquals([await one.find(1), await other.find(1)], ["one table 1", "one table 1"]);
      assertEquals(await handle(other, "find").peek(1), "one table 1");
    });
    assertEquals(told, []);
  }
});

test("a receiver whose class has no name is refused: it could be any", async () => {
  const Repo = repo();
  const make = (table: string) =>
    class extends Repo {
      override table = table;
      static override kind = table;
    };
  const [Users] = [make("users")];
  const error = await assertRejects(() => new Users().find(1), TypeError);
  assertStringIncludes(error.message, 'Cannot make a key of "Repo.find": the class of its receiver has no name');
  assertStringIncludes(error.message, "give the class a name, or pass the option `key`");
  await assertRejects(() => Users.all(), TypeError, "has no name");
  assertThrows(() => handle(new Users(), "find").key(1), TypeError, "has no name");
  await assertRejects(() => handle(Users.prototype, "find").invalidate(1), TypeError, "has no name");
});

test("an option `key` tells receivers of anonymous classes apart", async () => {
  const backend = new FakeBackend();
  const Repo = repo(backend, {
    key(this: { table?: string; kind?: string }, id?: number) {
      return [this.table ?? this.kind, id];
    },
  });
  const make = (table: string) =>
    new (class extends Repo {
      override table = table;
    })();
  const users = make("users"), posts = make("posts");
  assertEquals([await users.find(1), await posts.find(1)], ["users 1", "posts 1"]);
  assertEquals([...backend.kept.keys()], ['Repo.find<>(["users",1])', 'Repo.find<>(["posts",1])']);
});

test("a class's name is its own, whatever an instance, a base or a symbol of data says", async () => {
  const backend = new FakeBackend();
  const Repo = repo(backend);
  class Users extends Repo {
    constructor(data: object = {}) {
      super();
      Object.assign(this, data);
    }
  }
  class Admin extends Repo {}
  const forged = new Users(JSON.parse('{"table":"users","constructor":{"name":"Admin"}}'));
  assertEquals(handle(forged, "find").key(1), "Repo.find<Users>(1)");
  assertEquals(handle(Object.assign(new Users(), { constructor: Admin }), "find").key(1), "Repo.find<Users>(1)");
  assertEquals(handle(new Admin(), "find").key(1), "Repo.find<Admin>(1)");
  // It inherits the property `name` of its base.
  const Anonymous = (() => class extends Users {})();
  Reflect.deleteProperty(Anonymous, "name");
  assertThrows(() => handle(new Anonymous(), "find").key(1), TypeError, "has no name");
});

test("names cannot imitate a receiver's class", () => {
  const backend = new FakeBackend();
  const Repo = repo(backend);
  class Users extends Repo {}
  const imitation = cached((id: number) => id, { name: "Repo.find<Users>", backend });
  assertEquals(imitation.key(1), "Repo.find%3CUsers%3E(1)");
  assertEquals(handle(new Users(), "find").key(1), "Repo.find<Users>(1)");
  class Odd extends Repo {}
  Object.defineProperty(Odd, "name", { value: "Users>(1)" });
  assertEquals(handle(new Odd(), "find").key(1), "Repo.find<Users%3E%281%29>(1)");
});

test("a class that is called like the declaring one is another", async () => {
  const backend = new GroupBackend();
  const Base = repo(backend);
  class Repo extends Base {
    override table = "other";
  }
  assertEquals([await new Base().find(1), await new Repo().find(1)], ["? 1", "other 1"]);
  assertEquals(handle(new Repo(), "find").key(1), "::Repo.find<Repo>(1)");
});

test("an explicit name has the receiver's class behind it as well", async () => {
  const backend = new FakeBackend();
  class Repo {
    async find(id: number): Promise<number> {
      return id;
    }
  }
  decorate(Repo.prototype, "find", { backend, name: "find" });
  class Users extends Repo {}
  assertEquals([handle(new Users(), "find").key(1), handle(new Repo(), "find").key(1)], ["find<Users>(1)", "find(1)"]);
});

test("under another decorator the receiver's class is in the key as well", async () => {
  const backend = new FakeBackend();
  class Repo {
    table = "?";
    async find(id: number): Promise<string> {
      return `${this.table} ${id}`;
    }
  }
  decorate(Repo.prototype, "find", { backend });
  const inner = Repo.prototype.find;
  Repo.prototype.find = function (id) {
    return inner.call(this, id);
  };
  class Users extends Repo {
    override table = "users";
  }
  assertEquals([await new Users().find(1), await new Repo().find(1)], ["users 1", "? 1"]);
  assertEquals(await handle(new Users(), "find").peek(1), "users 1");
});

test("an instance with [cacheKey] has its class before the method, and no second time", async () => {
  const backend = new FakeBackend();
  const Repo = repo(backend);
  class Users extends Repo {
    override table = "users";
    [cacheKey]() {
      return 7;
    }
  }
  assertEquals(await new Users().find(1), "users 1");
  assertEquals([...backend.kept.keys()], ["Users(7).Repo.find(1)"]);
  await assertRejects(() => handle(Users.prototype, "find").invalidate(1), TypeError, 'use handle(instance, "find")');
});

test("two classes of one name with [cacheKey] do not share what they inherit", async () => {
  const Repo = repo();
  const make = (table: string) => {
    class Model extends Repo {
      override table = table;
      [cacheKey]() {
        return 7;
      }
    }
    return new Model();
  };
  const users = make("users"), posts = make("posts");
  const told = await warnings(async () => {
    for (let i = 0; i < 2; i++) assertEquals([await users.find(1), await posts.find(1)], ["users 1", "posts 1"]);
  });
  assertEquals(told.filter((warning) => warning.includes("results of the second one are not kept")).length, 1);
});

test("a warning about a second instance does not depend on garbage collection", { timeout: 60_000 }, async () => {
  const Repo = repo();
  const { gc = () => {}, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  for (let round = 0; round < 3; round++) {
    const told = await warnings(async () => {
      const Fresh = round === 0 ? Repo : repo();
      await (() => new Fresh().find(1))();
      for (let i = 0; i < 20; i++) {
        // What is a megabyte each is collected soon, and the first instance with it.
        Array.from({ length: 20 }, () => new Array(1 << 17).fill(i));
        gc();
        Bun?.gc(true);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      await new Fresh().find(1);
    });
    assertEquals(told.length, 1);
  }
});

test("of two classes of one name with a [cacheKey] one warning tells, as receivers and as arguments", async () => {
  const backend = new GroupBackend();
  const make = (country: string) => {
    class Town {
      id = 7;
      [cacheKey](): number {
        return this.id;
      }
      async weather(): Promise<string> {
        return country;
      }
    }
    decorate(Town.prototype, "weather", { backend });
    return new Town();
  };
  const [no, it] = [make("norway"), make("italy")];
  const told = await warnings(async () => {
    for (let i = 0; i < 2; i++) assertEquals([await no.weather(), await it.weather()], ["norway", "italy"]);
  });
  assertEquals(told.length, 1);
  assertStringIncludes(told[0]!, '"Town.weather", so results of the second one are not kept');
  const named = cached((town: object) => town.constructor.name, { name: "named", backend });
  const also = await warnings(async () => [await named(no), await named(it), await named(it)]);
  assertEquals(also.length, 1);
  assertStringIncludes(also[0]!, 'two classes with [cacheKey] are called "Town"');
});
