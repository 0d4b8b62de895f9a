// deno-lint-ignore-file no-explicit-any
/** Names that were derived are a guess: entries tell by whose source they were kept. */
import { test } from "node:test";
import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { cached, GroupBackend, handle, MemoryStore, PlainBackend } from "@x/cache-utils";
import { sourceHash } from "../../src/cached/names.ts";
import { FakeBackend, warnings } from "./_fake_backend.ts";
import { decorate } from "./_methods.ts";

/** Two processes on one store. */
function processes(options: object = {}): { a: GroupBackend; b: GroupBackend } {
  const store = new MemoryStore();
  return { a: new GroupBackend({ store, ...options }), b: new GroupBackend({ store, ...options }) };
}

/** A function of that name, as two files have one each. */
const named = <F>(name: string, fn: F): F => Object.defineProperty(fn, "name", { value: name });

test("what another source has kept under a derived name is served, with one warning a name", async () => {
  const { a, b } = processes();
  const one = cached(named("list", (n: number) => `users ${n}`), { backend: a });
  const other = cached(named("list", (n: number) => `posts ${n}`), { backend: b });
  const told = await warnings(async () => {
    assertEquals(await one(1), "users 1");
    assertEquals([await other(1), await other(1), await other.peek(1)], ["users 1", "users 1", "users 1"]);
    assertEquals([await other(2), await one(2)], ["posts 2", "posts 2"]);
  });
  assertEquals(told.length, 2, "one in each process");
  for (const warning of told) {
    assertStringIncludes(warning, "a result of list was kept by a function of another source");
    assertStringIncludes(warning, "pass the option `name`");
    assertStringIncludes(warning, "a `version` each");
  }
});

test("nobody is warned of one source, of a given name, or of two versions", async () => {
  const told = await warnings(async () => {
    for (const options of [{ name: "given" }, { name: "kf" }]) {
      const { a, b } = processes();
      const one = cached((n: number) => n + 1, { backend: a, ...options });
      const other = cached((n: number) => n + 2, { backend: b, ...options });
      assertEquals([await one(1), await other(1)], [2, 2]);
    }
    const same = processes();
    for (const backend of [same.a, same.b]) {
      assertEquals(await cached(named("list", (n: number) => n), { backend })(1), 1);
    }
    const store = new MemoryStore();
    const one = cached(named("list", (n: number) => n + 1), { backend: new GroupBackend({ store, version: 1 }) });
    const other = cached(named("list", (n: number) => n + 2), { backend: new GroupBackend({ store, version: 2 }) });
    assertEquals([await one(1), await other(1)], [2, 3]);
  });
  assertEquals(told, []);
});

test("under a name of one or two letters what another source has kept is outdated", async () => {
  for (const name of ["bf", "k", "$", "_a", "t2"]) {
    const { a, b } = processes();
    const told = await warnings(async () => {
      const one = cached(named(name, (n: number) => `users ${n}`), { backend: a });
      const other = cached(named(name, (n: number) => `posts ${n}`), { backend: b });
      assertEquals([await one(1), await other.peek(1), await other(1)], ["users 1", undefined, "posts 1"]);
      await other.set([2], "posts set");
      assertEquals([await one.peek(2), await other.peek(2), await one(2)], [undefined, "posts set", "users 2"]);
      assertEquals([await one(2), a.stats.hit], ["users 2", 1]);
    });
    assertEquals(told, []);
  }
});

test("builds in which two names changed places do not exchange results", async () => {
  const { a, b } = processes();
  const users = (n: number) => `users ${n}`, posts = (n: number) => `posts ${n}`;
  const first = [cached(named("bf", users), { backend: a }), cached(named("kf", posts), { backend: a })];
  assertEquals([await first[0]!(1), await first[1]!(1)], ["users 1", "posts 1"]);
  const copies = [(n: number) => `posts ${n}`, (n: number) => `users ${n}`];
  const second = [cached(named("bf", copies[0]!), { backend: b }), cached(named("kf", copies[1]!), { backend: b })];
  assertEquals([await second[0]!(1), await second[1]!(1)], ["posts 1", "users 1"]);
});

test("a lease of another source under such a name holds nobody up, and a stale value of one is not served", async () => {
  const { a, b } = processes({ ttl: "20ms", stale: "1h" });
  let release!: (value: string) => void;
  const running = new Promise<string>((resolve) => release = resolve);
  const one = cached(named("bf", (_n: number) => running), { backend: a });
  const first = one(1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const other = cached(named("bf", (n: number) => `posts ${n}`), { backend: b });
  assertEquals(await other(1), "posts 1");
  release("users 1");
  assertEquals(await first, "users 1");
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(await other.peek(1), "posts 1");
  const third = cached(named("bf", (n: number) => `more ${n}`), {
    backend: new GroupBackend({ store: new MemoryStore() }),
  });
  assertEquals([await one.peek(1), await third(1)], [undefined, "more 1"]);
});

test("of methods each part of the name is looked at, and the receiver's class as well", async () => {
  const make = (className: string, method: string, subclass: string) => {
    const { a: backend } = { a: new FakeBackend() };
    class Repo {
      ["find"](id: number) {
        return Promise.resolve(id);
      }
    }
    Object.defineProperty(Repo, "name", { value: className });
    Object.defineProperty(Repo.prototype, method, Object.getOwnPropertyDescriptor(Repo.prototype, "find")!);
    decorate(Repo.prototype, method, { backend });
    class Sub extends Repo {}
    Object.defineProperty(Sub, "name", { value: subclass });
    return { backend, repo: new Repo() as any, sub: new Sub() as any };
  };
  const strictOf = async (className: string, method: string, subclass = "") => {
    const { backend, repo, sub } = make(className, method, subclass);
    await (subclass === "" ? repo : sub)[method](1);
    return backend.last.options.strictSource;
  };
  assertEquals(await strictOf("Repo", "find"), false);
  assertEquals(await strictOf("t", "find"), true);
  assertEquals(await strictOf("Repo", "bf"), true);
  assertEquals(await strictOf("Repo", "find", "Users"), false);
  assertEquals(await strictOf("Repo", "find", "ut"), true);
});

test("classes of a minified build that changed places do not exchange what their methods have kept", async () => {
  const { a, b } = processes();
  const load = (backend: GroupBackend, users: string, posts: string) => {
    class Repo {
      table = "?";
      async find(id: number): Promise<string> {
        return await Promise.resolve(`${this.table} ${id}`);
      }
    }
    decorate(Repo.prototype, "find", { backend });
    class Users extends Repo {
      override table = "users";
    }
    class Posts extends Repo {
      override table = "posts";
    }
    Object.defineProperty(Users, "name", { value: users });
    Object.defineProperty(Posts, "name", { value: posts });
    return [new Users(), new Posts()] as const;
  };
  const first = load(a, "t", "n");
  assertEquals([await first[0].find(1), await first[1].find(1)], ["users 1", "posts 1"]);
  const second = load(b, "n", "t");
  assertEquals([await second[0].find(1), await second[1].find(1)], ["users 1", "posts 1"]);
  assertEquals(await handle(second[0], "find").peek(1), "users 1");
});

test("a backend is given the source only of what has a derived name, at a call, a peek and a set", async () => {
  const backend = new FakeBackend();
  const derived = cached(async function list(n: number) {
    return await Promise.resolve(n);
  }, { backend, ttl: () => 5 });
  const given = cached((n: number) => n, { name: "given", backend });
  for (const ask of [() => derived(1), () => derived.peek(1), () => derived.set([1], 1), () => derived.refresh(1)]) {
    await ask();
    assertMatch(backend.last.options.source, /^[0-9a-z]{1,11}$/);
    assertEquals(backend.last.options.strictSource, false);
  }
  await given(1);
  assertEquals(backend.last.options.source, undefined);
  for (const ask of [() => given.peek(1), () => given.set([1], 1)]) {
    await ask();
    assertEquals("source" in backend.last.options, false);
  }
});

test("a plain cache keeps the source as well", async () => {
  const cache = new Map<string, unknown>();
  const one = cached(named("bf", (n: number) => `users ${n}`), { backend: new PlainBackend(cache) });
  const other = cached(named("bf", (n: number) => `posts ${n}`), { backend: new PlainBackend(cache) });
  assertEquals([await one(1), await other.peek(1), await other(1), await other.peek(1)], [
    "users 1",
    undefined,
    "posts 1",
    "posts 1",
  ]);
});

test("the hash of a source is short, the same for the same text, and another for another", () => {
  const hashes = [(n: number) => n + 1, (n: number) => n + 2, (m: number) => m + 1].map(sourceHash);
  assertEquals(new Set(hashes).size, 3);
  const make = () => (n: number) => n + 1;
  assertEquals(sourceHash(make()), sourceHash(make()));
  for (const hash of hashes) assertMatch(hash, /^[0-9a-z]{1,11}$/);
  assertNotEquals(sourceHash(class A {}), sourceHash(class B {}));
});

test("of functions whose name found no room none is given what another source has kept", async () => {
  const backend = new GroupBackend();
  for (let i = 0; i < 5_000; i++) cached((n: number) => n, { name: `user ${i}`, backend });
  const first = cached((n: number) => `first ${n}`, { name: "name", backend });
  const second = cached((n: number) => `second ${n}`, { name: "name", backend });
  assertEquals([await first(1), await second(1), await second(1)], ["first 1", "second 1", "second 1"]);
  assertEquals(backend.stats.hit, 1);
});

test("with `redefine` those of one text share nothing either, where their name found no room", async () => {
  const backend = new GroupBackend({ redefine: true });
  for (let i = 0; i < 5_000; i++) cached((n: number) => n, { name: `user ${i}`, backend });
  const load = (text: string) => cached(() => text, { name: "text", backend });
  const older = load("older"), newer = load("newer");
  assertEquals([await older(), await newer(), await newer()], ["older", "newer", "newer"]);
  assertEquals(backend.stats.hit, 1);
});
