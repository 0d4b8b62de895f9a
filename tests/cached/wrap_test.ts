import { test } from "node:test";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { cached, cacheKey, CacheKeyError, GroupBackend } from "@x/cache-utils";
import { FakeBackend, warnings } from "./_fake_backend.ts";

/** Counts its calls. */
function weather(backend: FakeBackend, options: object = {}) {
  const calls: string[] = [];
  const fn = cached(
    // deno-lint-ignore require-await
    async function weather(city: string, day?: number): Promise<string> {
      calls.push(city);
      return `${city} ${day ?? "today"} ${calls.length}`;
    },
    { backend, ...options },
  );
  return { fn, calls };
}

class City {
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
  [cacheKey](): unknown {
    return this.id;
  }
}

test("a cached function calls its function once for the same arguments", async () => {
  const { fn, calls } = weather(new FakeBackend());
  assertEquals([await fn("oslo"), await fn("oslo"), await fn("rome"), await fn("oslo", 1)], [
    "oslo today 1",
    "oslo today 1",
    "rome today 2",
    "oslo 1 3",
  ]);
  assertEquals(calls, ["oslo", "rome", "oslo"]);
});

test("the wrapper has its function's name and length, and the function as original", () => {
  const fn = (a: number, b: number) => a + b;
  const sum = cached(fn, { backend: new FakeBackend() });
  assertEquals([sum.name, sum.length], ["fn", 2]);
  assertStrictEquals(sum.original, fn);
});

test("a sync function is cached too, and its exceptions become rejections", async () => {
  const backend = new FakeBackend();
  const error = new Error("no such city");
  const half = cached((n: number) => {
    if (n < 0) throw error;
    return n / 2;
  }, { name: "half", backend });
  assertEquals(await half(4), 2);
  assertStrictEquals(await assertRejects(() => half(-1)), error);
  assertEquals(backend.kept.size, 1);
});

test("the key is the name and the arguments; parentheses, colons and % of the name are escaped", async () => {
  const backend = new FakeBackend();
  assertEquals(weather(backend).fn.key("oslo", 2), 'weather("oslo",2)');
  assertEquals(weather(backend).fn.key("oslo", undefined), 'weather("oslo")');
  const odd = weather(backend, { name: "f(1):50% (a b)" }).fn;
  assertEquals(odd.key("x"), 'f%281%29%3A50%25 %28a b%29("x")');
  await odd("x");
  assertEquals(backend.last.key, 'f%281%29%3A50%25 %28a b%29("x")');
});

test("a name cannot imitate the arguments of another", () => {
  const backend = new FakeBackend();
  const keys = [weather(backend, { name: 'f("a")' }).fn.key(""), weather(backend, { name: "f" }).fn.key('a")("')];
  assertEquals(new Set(keys).size, 2);
});

test("what `key` returns is one argument of the key", async () => {
  const backend = new FakeBackend();
  const times = cached((a: number, b: number) => a * b, { name: "times", key: (a, b) => a * b, backend });
  assertEquals(await times(2, 3), 6);
  assertEquals(times.key(2, 3), "times(6)");
  assertEquals(times.key(3, 2), times.key(2, 3));
  const page = cached((url: string) => url, { name: "page", key: (url) => url, backend });
  assertEquals(page.key("http://a.b"), 'page("http://a.b")');
  const pair = cached((_a: number, _b: number) => 1, { name: "pair", key: (a, b) => [a, b], backend });
  assertEquals(pair.key(1, 2), "pair([1,2])");
});

test("arguments without identity reject the call and every verb, and throw from key()", async () => {
  const { fn } = weather(new FakeBackend());
  const wrong = (() => 1) as never;
  for (
    const call of [
      () => fn("oslo", wrong),
      () => fn.invalidate("oslo", wrong),
      () => fn.refresh("oslo", wrong),
      () => fn.peek("oslo", wrong),
      () => fn.set(["oslo", wrong], "x"),
    ]
  ) {
    const promise = call();
    assert(promise instanceof Promise);
    await assertRejects(() => promise, CacheKeyError, "argument 2");
  }
  assertThrows(() => fn.key("oslo", wrong), CacheKeyError, "argument 2");
});

test("what `key` returns must have an identity", async () => {
  const { fn } = weather(new FakeBackend(), { key: () => Promise.resolve(1) });
  await assertRejects(() => fn("oslo"), CacheKeyError, "its option `key` gave a promise");
});

test("invalidate() forgets one call", async () => {
  const { fn, calls } = weather(new FakeBackend());
  await fn("oslo");
  await fn("rome");
  await fn.invalidate("oslo");
  await fn("oslo");
  await fn("rome");
  assertEquals(calls, ["oslo", "rome", "oslo"]);
});

test("refresh() computes whatever is kept, and keeps the result", async () => {
  const backend = new FakeBackend();
  const { fn } = weather(backend);
  await fn("oslo");
  assertEquals(await fn.refresh("oslo"), "oslo today 2");
  assertEquals(backend.last.options.force, true);
  assertEquals(await fn("oslo"), "oslo today 2");
});

test("peek() and set() never call the function", async () => {
  const { fn, calls } = weather(new FakeBackend(), { group: (city: string) => ["cities", city] });
  assertEquals(await fn.peek("oslo"), undefined);
  await fn.set(["oslo"], "sun");
  assertEquals([await fn.peek("oslo"), await fn("oslo"), await fn.peek("rome")], ["sun", "sun", undefined]);
  assertEquals(calls, []);
});

test("set() says so when the arguments are no array", async () => {
  const { fn } = weather(new FakeBackend());
  await assertRejects(() => fn.set("oslo" as never, "sun"), TypeError, "`args` must be an array");
});

test("the verbs may be detached from the function", async () => {
  const { fn, calls } = weather(new FakeBackend());
  const { invalidate, peek } = fn;
  await fn("oslo");
  await invalidate("oslo");
  assertEquals([await peek("oslo"), calls.length], [undefined, 1]);
});

test("fixed options reach the backend as they are, in seconds, the same object at each call", async () => {
  const backend = new FakeBackend();
  const { fn } = weather(backend, {
    name: "weather",
    ttl: "5m",
    stale: "250ms",
    group: ["b", "a", "b"],
    timeout: 2,
    mintDelay: "1m",
  });
  await fn("oslo");
  const first = backend.last.options;
  assertEquals(first, {
    ttl: 300,
    stale: 0.25,
    group: ["a", "b"],
    when: undefined,
    timeout: 2,
    mintDelay: 60,
    force: undefined,
    name: "weather",
    source: undefined,
    strictSource: false,
  });
  await fn("rome");
  assertStrictEquals(backend.last.options, first);
  await fn.set(["oslo"], "sun");
  assertEquals(backend.last.options, { ttl: 300, stale: 0.25, group: ["a", "b"], name: "weather" });
  await fn.peek("oslo");
  assertEquals(backend.last.options, { group: ["a", "b"] });
});

test("an adaptive ttl and `when` are given the result and the arguments, group the arguments", async () => {
  const backend = new FakeBackend();
  const seen: unknown[] = [];
  const { fn } = weather(backend, {
    ttl: (result: string, ...args: unknown[]) => (seen.push(["ttl", result, ...args]), 60),
    when: (result: string, ...args: unknown[]) => (seen.push(["when", result, ...args]), true),
    group: (...args: unknown[]) => (seen.push(["group", ...args]), "g"),
    stale: 7,
  });
  await fn("oslo", 1);
  assertEquals(seen, [["group", "oslo", 1], ["when", "oslo 1 1", "oslo", 1], ["ttl", "oslo 1 1", "oslo", 1]]);
  assertEquals([backend.last.options.stale, backend.last.options.group, backend.last.options.name], [
    7,
    "g",
    "weather",
  ]);
  seen.length = 0;
  await fn.set(["rome", 2], "sun");
  assertEquals(seen, [["group", "rome", 2], ["ttl", "sun", "rome", 2]]);
});

test("options changed after wrapping change nothing", async () => {
  const backend = new FakeBackend();
  const group = ["a"];
  const options: { ttl: number; group: string[]; backend: FakeBackend } = { ttl: 5, group, backend };
  const f = cached((n: number) => n, { name: "f", ...options });
  options.ttl = 6;
  group.push("b");
  await f(1);
  assertEquals([backend.last.options.ttl, backend.last.options.group], [5, "a"]);
});

test("an exception of an option's function, or of the backend, rejects", async () => {
  const error = new Error("group");
  const { fn } = weather(new FakeBackend(), {
    group: () => {
      throw error;
    },
  });
  for (const call of [() => fn("oslo"), () => fn.peek("oslo"), () => fn.set(["oslo"], "x")]) {
    assertStrictEquals(await assertRejects(call), error);
  }
  const backend = new FakeBackend();
  const broken = weather(backend).fn;
  const thrown = new Error("closed");
  Object.assign(backend, {
    fetch() {
      throw thrown;
    },
    delete() {
      throw thrown;
    },
  });
  assertStrictEquals(await assertRejects(() => broken("oslo")), thrown);
  assertStrictEquals(await assertRejects(() => broken.invalidate("oslo")), thrown);
});

test("the function is called with the receiver of the call", async () => {
  const backend = new FakeBackend();
  const api = {
    base: "http://a.b",
    page: cached(function page(this: { base: string }, path: string) {
      return this.base + path;
    }, { backend }),
  };
  assertEquals(await api.page("/c"), "http://a.b/c");
  assertEquals(backend.last.key, 'page("/c")');
});

test("a receiver with [cacheKey] is written before the name", async () => {
  const backend = new FakeBackend();
  const offers = cached(function offers(this: City, kind: string) {
    return `${kind} of ${this.id}`;
  }, { backend });
  const oslo = offers.on(new City(7));
  assertEquals(await oslo("hot"), "hot of 7");
  assertEquals(await offers.call(new City(8), "hot"), "hot of 8");
  assertEquals([...backend.kept.keys()], ['City(7).offers("hot")', 'City(8).offers("hot")']);
  assertEquals(oslo.key("hot"), 'City(7).offers("hot")');
  await oslo.invalidate("hot");
  assertEquals([...backend.kept.keys()], ['City(8).offers("hot")']);
  await oslo.set(["hot"], "none");
  assertEquals([await oslo.peek("hot"), await offers.on(new City(8)).peek("hot")], ["none", "hot of 8"]);
  assertEquals(await oslo.refresh("hot"), "hot of 7");
});

test("with `key`, a receiver with [cacheKey] is still written", () => {
  const offers = cached((kind: string) => kind, {
    name: "offers",
    key: (kind) => kind.toLowerCase(),
    backend: new FakeBackend(),
  });
  assertEquals(offers.on(new City(7) as never).key("HOT"), 'City(7).offers("hot")');
});

test("on() binds the call, every verb and original to a receiver", async () => {
  const backend = new FakeBackend();
  const fn = cached(function greet(this: { name: string }, greeting: string) {
    return `${greeting}, ${this.name}`;
  }, {
    backend,
    key(greeting) {
      return [this.name, greeting];
    },
    group(greeting) {
      return [this.name, greeting];
    },
  });
  const ada = fn.on({ name: "ada" });
  assertEquals([ada.name, ada.length], ["greet", 1]);
  assertEquals(await ada("hi"), "hi, ada");
  assertEquals([backend.last.key, backend.last.options.group], ['greet(["ada","hi"])', ["ada", "hi"]]);
  assertEquals([await ada.peek("hi"), ada.key("hi"), ada.original("yo")], [
    "hi, ada",
    'greet(["ada","hi"])',
    "yo, ada",
  ]);
  assertEquals(await ada.on({ name: "bob" })("hi"), "hi, bob");
});

test("a verb without the receiver that `key` or `group` reads says which form to use", async () => {
  const fn = cached(function greet(this: { name: string }, greeting: string) {
    return `${greeting}, ${this.name}`;
  }, {
    backend: new FakeBackend(),
    key(greeting) {
      return [this.name, greeting];
    },
  });
  const error = await assertRejects(() => fn.invalidate("hi"), TypeError);
  assertStringIncludes(error.message, 'Cannot make a key of "greet" without a receiver');
  assertStringIncludes(error.message, ".on(receiver)");
  assertThrows(() => fn.key("hi"), TypeError, ".on(receiver)");
});

test("a TypeError of a `key` that reads no receiver stays as it is", () => {
  const fn = cached((city: { id: number }) => city.id, {
    name: "id",
    key: (city) => city.id,
    backend: new FakeBackend(),
  });
  const error = assertThrows(() => fn.key(undefined as never), TypeError);
  assert(!error.message.includes("receiver"), error.message);
});

test("an anonymous function needs a name", () => {
  assertThrows(() => cached(() => 1), TypeError, "Cannot name this function: it is anonymous; pass the option `name`");
  assertThrows(() => cached(() => 1, { name: "" }), TypeError, 'Cannot use "" as name');
});

test("an ungrouped backend refuses `group` at wrap, if it is given there", () => {
  const backend = new FakeBackend({ groups: false });
  assertThrows(() => cached((n: number) => n, { name: "f", group: "g", backend }), TypeError, "Cannot use group");
  assertThrows(() => cached((n: number) => n, { name: "f", group: () => "g", backend }), TypeError, "Cannot use group");
  cached((n: number) => n, { name: "f", group: [], backend });
});

test("a function that is called for many receivers without identity warns of nothing", async () => {
  const backend = new FakeBackend();
  const told = await warnings(async () => {
    const fn = cached(function f(this: object, n: number) {
      return n;
    }, { backend });
    await fn.call({ a: 1 }, 1);
    await fn.call({ a: 2 }, 1);
  });
  assertEquals(told, []);
});

test("the event of an invalidation carries the function's name", async () => {
  await using backend = new GroupBackend();
  const told: unknown[] = [];
  backend.on("invalidate", (event) => told.push(event));
  const rate = cached((n: number) => n, { name: "rate", backend });
  await rate.invalidate(1);
  await rate.set([2], 5);
  backend.enabled = false;
  await rate.set([2], 6);
  assertEquals(told, [{ name: "rate", key: "::rate(1)" }, { name: "rate", key: "::rate(2)" }]);
});
