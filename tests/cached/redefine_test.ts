// deno-lint-ignore-file require-await no-explicit-any
/** `redefine`: a newer definition takes a name over from the older one, as where a host runs modules again. */
import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { cached, cacheKey, configure, GroupBackend, handle, PlainBackend, type Store } from "@x/cache-utils";
import { optionsOfUrl } from "../../src/cached/url.ts";
import { warnings } from "./_fake_backend.ts";
import { decorate, findable } from "./_methods.ts";

/** Both kinds of backends. */
const backends = () => [
  new GroupBackend({ redefine: true, ttl: "1h" }),
  new PlainBackend(new Map(), { redefine: true, ttl: "1h" }),
];

/** Counts what the functions of a test computed. */
function counted(): { runs: string[]; ran<T>(what: string, result: T): T } {
  const runs: string[] = [];
  return { runs, ran: (what, result) => (runs.push(what), result) };
}

test("the newer definition takes the name over, and the older one computes and keeps nothing", async () => {
  for (const backend of backends()) {
    const { runs, ran } = counted();
    const told = await warnings(async () => {
      const older = cached((id: number) => ran("older", `older ${id}`), { name: "user", backend });
      assertEquals([await older(1), await older(1)], ["older 1", "older 1"]);
      const newer = cached((id: number) => ran("newer", `new ${id}`), { name: "user", backend });
      // It is given nothing that the older one has kept.
      assertEquals(await newer.peek(1), undefined);
      assertEquals([await newer(1), await newer(1)], ["new 1", "new 1"]);
      assertEquals([await older(1), await older(1), await newer(1)], ["older 1", "older 1", "new 1"]);
      assertEquals([await older.peek(1), await newer.peek(1)], [undefined, "new 1"]);
      assertEquals([await older.refresh(1), await newer(1)], ["older 1", "new 1"]);
      await older.set([1], "set by the older one");
      assertEquals(await newer(1), "new 1");
      // What it invalidates is gone, whoever has kept it.
      await older.invalidate(1);
      assertEquals(await newer.peek(1), undefined);
      assertEquals([older.key(1), newer.key(1)], ["::user(1)", "::user(1)"]);
    });
    assertEquals(told, []);
    assertEquals(runs, ["older", "newer", "older", "older", "older"]);
    await backend.close();
  }
});

test("the newer definition is not given the older one's running computation, in one tick or later", async () => {
  for (const backend of backends()) {
    for (const isLater of [false, true]) {
      let release!: (value: string) => void;
      const running = new Promise<string>((resolve) => release = resolve);
      const name = `user ${isLater}`;
      const older = cached(async (_id: number) => await running, { name, backend });
      const first = older(1);
      if (isLater) await new Promise((resolve) => setTimeout(resolve, 5));
      const newer = cached((id: number) => `new ${id}`, { name, backend });
      assertEquals(await newer(1), "new 1");
      release("of the older one");
      assertEquals(await first, "of the older one");
      await new Promise((resolve) => setTimeout(resolve, 5));
      assertEquals([await newer.peek(1), await newer(1)], ["new 1", "new 1"]);
    }
    await backend.close();
  }
});

test("without a store, too, the newer definition waits for no computation of the older one", async () => {
  const away = () => Promise.reject(new Error("away"));
  const store: Store = {
    get: away,
    add: away,
    set: away,
    delete: away,
    counter: away,
    increment: away,
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await using backend = new GroupBackend({ redefine: true, store });
  let release!: () => void;
  const running = new Promise<void>((resolve) => release = resolve);
  const older = cached(async (id: number) => (await running, `older ${id}`), { name: "user", backend });
  const first = older(1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  // One runs, and the next one has not begun: whoever calls the same function joins that.
  const second = older(1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const newer = cached((id: number) => `new ${id}`, { name: "user", backend });
  assertEquals(await newer(1), "new 1");
  release();
  assertEquals([await first, await second], ["older 1", "older 1"]);
});

test("a definition of the same text that is wrapped again is a newer one, too: what it calls may have changed", async () => {
  const backend = new GroupBackend({ redefine: true });
  const load = (text: string) => cached(() => text, { name: "text", backend });
  const told = await warnings(async () => {
    const older = load("older");
    assertEquals(await older(), "older");
    const newer = load("newer");
    assertEquals([await newer(), await older(), await newer()], ["newer", "older", "newer"]);
    const newest = load("newest");
    assertEquals([await newest(), await newer(), await older(), await newest()], [
      "newest",
      "newer",
      "older",
      "newest",
    ]);
  });
  assertEquals(told, []);
});

test("`key` and `shared: true` still say that those of one text share", async () => {
  const backend = new GroupBackend({ redefine: true });
  for (const options of [{ shared: true }, { key: () => 1 }]) {
    const load = (text: string) => cached(() => text, { name: Object.keys(options)[0]!, backend, ...options });
    const one = load("one"), other = load("other");
    assertEquals([await one(), await other(), await one()], ["one", "one", "one"]);
  }
});

test("who is newer is decided by wrapping, not by the first call", async () => {
  configure({});
  const older = cached(() => "older", { name: "a name of two" });
  configure({});
  const newer = cached(() => "new", { name: "a name of two" });
  configure({ redefine: true });
  assertEquals([await older(), await newer(), await older(), await newer()], ["older", "new", "older", "new"]);
  configure({ redefine: true });
  assertEquals([await newer(), await older(), await newer.peek(), await older.peek()], [
    "new",
    "older",
    "new",
    undefined,
  ]);
});

test("one function wrapped twice is one definition", async () => {
  const backend = new GroupBackend({ redefine: true });
  let runs = 0;
  const count = () => ++runs;
  const one = cached(count, { name: "count", backend }), other = cached(count, { name: "count", ttl: 5, backend });
  assertEquals([await one(), await other(), await one()], [1, 1, 1]);
});

test("a class that is declared again takes over its methods and statics, those it inherits as well", async () => {
  const backend = new GroupBackend({ redefine: true });
  class Base {
    table = "?";
    async find(id: number): Promise<string> {
      return `${this.table} ${id}`;
    }
  }
  decorate(Base.prototype, "find", { backend });
  /** A module that is run again: the text of what is cached stays, what surrounds it changes. */
  const load = (table: string) => {
    class Users extends Base {
      override table = table;
      async own(): Promise<string> {
        return this.table;
      }
      static async all(): Promise<string> {
        return table;
      }
    }
    decorate(Users.prototype, "own", { backend });
    decorate(Users, "all", { backend });
    return Users;
  };
  const told = await warnings(async () => {
    const Older = load("older");
    const ask = async (Users: typeof Older) => {
      const users = new Users();
      return [await users.find(1), await users.own(), await Users.all()];
    };
    for (let i = 0; i < 2; i++) assertEquals(await ask(Older), ["older 1", "older", "older"]);
    const Newer = load("newer");
    for (let i = 0; i < 2; i++) assertEquals(await ask(Newer), ["newer 1", "newer", "newer"]);
    assertEquals(await ask(Older), ["older 1", "older", "older"]);
    assertEquals(await ask(Newer), ["newer 1", "newer", "newer"]);
    assertEquals(await handle(new Newer(), "find").peek(1), "newer 1");
  });
  assertEquals(told.filter((warning) => !warning.includes("two instances or classes")), []);
});

test("receivers with an identity are given nothing of an older definition's, kept or of the same text", async () => {
  const backend = new GroupBackend({ redefine: true });
  class City {
    [cacheKey]() {
      return 7;
    }
  }
  const load = (text: string) => cached(() => text, { name: "offers", backend });
  const city = new City() as never;
  const older = load("older");
  assertEquals(await older.on(city)(), "older");
  const newer = load("newer");
  assertEquals([await older.on(city)(), await older.on(city).peek()], ["older", undefined]);
  assertEquals([await newer.on(city)(), await older.on(city)(), await newer.on(city).peek()], [
    "newer",
    "older",
    "newer",
  ]);
});

test("classes made of one mixin are all cached", async () => {
  const backend = new GroupBackend({ redefine: true });
  class Users extends findable("users", backend) {}
  class Posts extends findable("posts", backend) {}
  const users = new Users(), posts = new Posts();
  for (let i = 0; i < 2; i++) assertEquals([await users.find(1), await posts.find(1)], ["users 1", "posts 1"]);
  assertEquals(backend.stats.hit, 2);
});

test("`redefine` is true or false, and a parameter of URLs", () => {
  for (const redefine of [1, "true", null]) {
    assertThrows(() => new GroupBackend({ redefine } as any), TypeError, "as redefine: it must be true or false");
    assertThrows(() => new PlainBackend(new Map(), { redefine } as any), TypeError, "as redefine");
  }
  assertEquals(optionsOfUrl("memory:///?redefine=true").backend, { redefine: true });
  assertEquals(optionsOfUrl("memcached://a/?redefine=false").backend, { redefine: false });
  assertThrows(
    () => optionsOfUrl("memory:///?redefine=yes"),
    TypeError,
    "its parameter redefine must be true or false",
  );
  assertEquals([new GroupBackend({ redefine: true }).redefine, new GroupBackend().redefine], [true, false]);
});
