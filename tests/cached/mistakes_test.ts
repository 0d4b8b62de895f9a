/** First mistakes of new users: each error names the mistake and the right form. */
import { test } from "node:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { cached as typed, configure, GroupBackend, handle, MemcachedStore, MemoryStore } from "@x/cache-utils";

// deno-lint-ignore no-explicit-any
type Any = any;
const cached = typed as Any;
const user = (id: number) => Promise.resolve({ id });
const backend = new GroupBackend();

const mistakes: [what: string, work: () => unknown, text: string][] = [
  ["a ttl and options", () => cached(60, { group: "x" }), "as in cached({ ttl: 60, group"],
  ["@cached()", () => cached(), "above a method write @cached,"],
  ["options first", () => cached({ ttl: 60 }, user), "the function comes first, as in cached(fn, {"],
  ["the name first", () => cached("user", user), 'Cannot use "user" as ttl'],
  ["a ttl behind the function", () => cached(user, 60), 'give an object, as in cached(fn, { ttl: "5m" })'],
  ["a duration in words", () => cached(user, { ttl: "5 minutes" }), "a number with ms, s, m, h or d"],
  ["a duration of an object", () => cached(user, { ttl: new Date() }), "Cannot use an object (Date) as ttl"],
  ["a duration that has no text", () => cached(user, { ttl: Object.create(null) }), "Cannot use an object"],
  ["a call", () => cached(user(1)), "give the function itself, and not its result"],
  ["what is missing", () => cached(({} as Any).user), "Cannot cache undefined: give a function, as in cached(fn, "],
  ["a class", () => cached(class Users {}), "decorate its methods with @cached"],
  ["two groups", () => cached(60, "a", "b"), 'several groups stand in an array, as in cached(60, ["a", "b"])'],
  ["a group behind options", () => cached(user, {}, "a"), "Cannot use a third argument"],
  ["key: the name of a property", () => cached(user, { key: "id" }), "it must be a function, as in key: (id) => id"],
  ["backend: a store", () => cached(user, { backend: new MemoryStore() }), "as in new GroupBackend({ store })"],
  ["what is no function, later", () => cached(60)(60), "after cached(ttl) or cached(options) comes the function"],
  ["calling what waits for its function", () => cached({ ttl: 60 })(1), "comes the function"],
  ["configure(store)", () => configure(new MemoryStore() as Any), "a store is the option `store`, as in { store }"],
  [
    "configure({ servers })",
    () => configure({ servers: "a" } as Any),
    "did you mean `store: new MemcachedStore(servers)`",
  ],
  ["configure(new URL())", () => configure(new URL("memory:///") as Any), "a URL as text"],
  ["a URL's tll", () => configure("memory:///?tll=5"), "did you mean ttl?"],
  ["new GroupBackend(store)", () => new GroupBackend(new MemoryStore() as Any), "as in { store }"],
  ["store: a URL", () => new GroupBackend({ store: "memory:///" as Any }), "a URL for `configure`"],
  ["new MemcachedStore(url)", () => new MemcachedStore("memcached://a:1"), "a URL goes to `configure`"],
  ["handle(fn), not cached", () => handle(user), "give a cached function, or an object and the name"],
];
for (const [what, work, text] of mistakes) {
  test(`a first mistake is named, and the right form: ${what}`, () => void assertThrows(work, TypeError, text));
}

test("no error repeats a password that was given in the wrong place", () => {
  const url = "memcached://user:secret@cache:11211";
  for (const work of [() => new GroupBackend(url as Any), () => new MemcachedStore(url)]) {
    const { message } = assertThrows(work, TypeError);
    assertEquals(message.includes("secret"), false, message);
  }
});

test("mistakes in verbs are rejections that name the right form", async () => {
  await assertRejects(() => backend.invalidateGroup(["a", "b"] as Any), TypeError, "Cannot use an array as group");
  await assertRejects(() => cached(user, { backend }).set(1, {}), TypeError, "an array of the call's arguments");
  await assertRejects(
    () => backend.fetch("k", () => 1, { when: true as Any }),
    TypeError,
    "when: it must be a function",
  );
});

test("handle(fn) gives a cached function's verbs", async () => {
  let runs = 0;
  const last = typed(<T>(items: T[]): T => (runs++, items.at(-1)!), { name: "last", backend });
  assertEquals([await last([1, 2]), await last([1, 2]), runs], [2, 2, 1]);
  await handle(last).invalidate([1, 2]);
  assertEquals([await last([1, 2]), runs], [2, 2]);
});
