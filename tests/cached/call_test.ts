/** A call is computed from its arguments as they were when it was made, and kept under no other key. */
import { test } from "node:test";
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { cached, cacheKey, GroupBackend, MemoryStore, PlainBackend } from "@x/cache-utils";
import type { Backend } from "@x/cache-utils";
import { FakeClock } from "@x/cache-utils/testing";
import { warnings } from "./_fake_backend.ts";
import { FakeBackend } from "./_fake_backend.ts";

const memory = (options: object = {}) => new GroupBackend({ ttl: "1h", stale: 0, ...options });
/** A store that answers later, as one on a network does. */
class LaterStore extends MemoryStore {
  override readonly immediate: true = undefined as never;
}
const later = (options: object = {}) => memory({ store: new LaterStore(), ...options });

const BACKENDS: Readonly<Record<string, () => Backend>> = {
  "a GroupBackend in memory": () => memory(),
  "a GroupBackend whose store answers later": () => later(),
  "a PlainBackend": () => new PlainBackend(new Map(), { ttl: "1h" }),
  "a backend of somebody else": () => new FakeBackend(),
};

/** Makes an argument, changes it, and reads from it what a function would. */
const CHANGES: Readonly<Record<string, { make(): never; change(arg: never): void; see(arg: never): string }>> = {
  "a Date": kind(() => new Date(1), (date) => date.setTime(2), (date) => `${date.getTime()}`),
  "a URL": kind(() => new URL("http://a/?p=1"), (url) => url.searchParams.set("p", "2"), (url) => url.href),
  "URLSearchParams": kind(() => new URLSearchParams("p=1"), (params) => params.set("p", "2"), String),
  "Headers": kind(() => new Headers({ p: "1" }), (headers) => headers.set("p", "2"), (headers) => headers.get("p")!),
  "an array": kind(() => [1, 2, 3], (ids) => ids.length = 0, (ids) => ids.join()),
  "a nested object": kind(() => ({ q: { page: 1 } }), (arg) => arg.q.page++, (arg) => `${arg.q.page}`),
  "an object's new property": kind(() => ({ a: 1 } as object), (a) => Object.assign(a, { b: 1 }), JSON.stringify),
  "a Map": kind(() => new Map([[1, { n: 1 }]]), (map) => map.get(1)!.n = 2, (map) => `${map.get(1)!.n}`),
  "a Set": kind(() => new Set([1]), (set) => set.clear(), (set) => `${set.size}`),
  "bytes": kind(() => Uint8Array.of(1), (bytes) => bytes[0] = 2, String),
  "a RegExp": kind(() => /a/g, (search) => search.lastIndex = 1, (search) => `${search.lastIndex}`),
  "an array with holes": kind(() => new Array(3), (holes) => holes[1] = 1, (holes) => Object.keys(holes).join()),
};
function kind<T>(make: () => T, change: (arg: T) => void, see: (arg: T) => string) {
  return { make, change, see } as unknown as (typeof CHANGES)[string];
}

for (const [where, backendOf] of Object.entries(BACKENDS)) {
  for (const [what, { make, change, see }] of Object.entries(CHANGES)) {
    test(`${what} that is changed after the call is seen as it was, on ${where}`, async () => {
      const fn = cached(async (arg: unknown) => (await null, see(arg as never)), { name: "f", backend: backendOf() });
      const arg = make(), was = see(make());
      const asked = fn(arg);
      change(arg);
      assertEquals(await asked, was);
      assertEquals(await fn(make()), was, "what is kept under the key of the call");
      assertEquals(await fn(arg), see(arg), "the changed argument is another call");
    });
  }
}

test("a hit in memory copies nothing, and a miss gives the function a copy", async () => {
  const given: object[] = [];
  const fn = cached((arg: object) => given.push(arg), { name: "f", backend: memory() });
  const arg = { list: [1] };
  await fn(arg);
  assertNotStrictEquals(given[0], arg);
  assertEquals(given, [{ list: [1] }]);
  // A proxy counts its reads: only the key reads it, once.
  let reads = 0;
  const watched = new Proxy({ list: [1] }, {
    ownKeys: (target) => (reads++, Reflect.ownKeys(target)),
  });
  await fn({ watched });
  const missed = reads;
  await fn({ watched });
  const forKey = reads - missed;
  reads = 0;
  fn.key({ watched });
  assertEquals([forKey, missed > forKey], [reads, true]);
});

test("a refresh in the background computes from the arguments of its call", async () => {
  const clock = new FakeClock();
  for (const store of [new MemoryStore({ clock }), new LaterStore({ clock })]) {
    const backend = new GroupBackend({ clock, store, ttl: 1, stale: 3600 });
    const page = cached((q: { page: number }) => `page ${q.page}`, { name: "page", backend });
    const q = { page: 1 };
    await page(q);
    await clock.advance(2000);
    const stale = page(q);
    q.page = 2;
    assertEquals(await stale, "page 1");
    await clock.advance(0);
    assertEquals([await page({ page: 1 }), backend.stats.stale], ["page 1", 1]);
  }
});

test("refresh(), adaptive ttl, when and groups see the arguments of the call", async () => {
  const seen: unknown[] = [];
  const backend = later();
  const fn = cached((q: { n: number }) => q.n, {
    name: "f",
    backend,
    ttl: (_, q) => (seen.push(["ttl", q.n]), "1h"),
    when: (_, q) => (seen.push(["when", q.n]), true),
    group: (q) => `n:${q.n}`,
  });
  const q = { n: 1 };
  const asked = fn.refresh(q);
  q.n = 2;
  assertEquals([await asked, await fn.peek({ n: 1 }), await fn.peek({ n: 2 })], [1, 1, undefined]);
  assertEquals(seen, [["when", 1], ["ttl", 1]]);
});

class Shop {
  id = 7;
  [cacheKey](): number {
    return this.id;
  }
  // deno-lint-ignore require-await
  async name(): Promise<string> {
    return `shop ${this.id}`;
  }
}

for (const [where, backendOf] of Object.entries(BACKENDS)) {
  test(`a receiver, an argument or what \`key\` reads that changes before the function runs keeps nothing, on ${where}`, async () => {
    const backend = backendOf();
    const byReceiver = cached(function (this: Shop) {
      return this.name();
    }, { name: "byReceiver", backend });
    const byArgument = cached((shop: Shop) => shop.name(), { name: "byArgument", backend });
    const inside = cached((q: { shop: Shop }) => q.shop.name(), { name: "inside", backend });
    const byKey = cached((shop: { id: number }) => `shop ${shop.id}`, {
      name: "byKey",
      key: (shop) => shop.id,
      backend,
    });
    const calls: [name: string, (shop: Shop) => Promise<string>][] = [
      ["byReceiver", (shop) => byReceiver.call(shop)],
      ["byArgument", byArgument],
      ["inside", (shop) => inside({ shop })],
      ["byKey", byKey],
    ];
    for (const [name, call] of calls) {
      const heard = await warnings(async () => {
        for (let times = 0; times < 2; times++) {
          const shop = new Shop();
          const asked = call(shop);
          shop.id = 8;
          // A backend that computes within its call has computed by then.
          assertEquals(await asked, backend instanceof FakeBackend ? "shop 7" : "shop 8", name);
        }
        assertEquals([await call(new Shop()), await call(new Shop())], ["shop 7", "shop 7"], name);
      });
      assertEquals([heard.length, heard[0]?.includes(JSON.stringify(name))], [1, true], "one warning a function");
    }
  });
}

test("rule 15: what changes while the function runs keeps nothing either", async () => {
  let go!: () => void;
  const gate = new Promise<void>((resolve) => go = resolve);
  let computations = 0;
  const fn = cached(async (shop: Shop) => {
    computations++;
    await gate;
    return shop.name();
  }, { name: "f", backend: memory() });
  await warnings(async () => {
    const shop = new Shop();
    const asked = fn(shop);
    while (computations === 0) await null;
    shop.id = 9;
    go();
    assertEquals(await asked, "shop 9");
    assertEquals([await fn(new Shop()), computations], ["shop 7", 2]);
  });
});

test("rule 15: callers who joined a call whose receiver has changed are given values of their own", async () => {
  for (const backend of [memory(), later()]) {
    const fn = cached((shop: Shop) => shop.name(), { name: "f", backend });
    await warnings(async () => {
      const changing = new Shop(), others = [new Shop(), new Shop(), new Shop()];
      const asked = [changing, ...others].map((shop) => fn(shop));
      changing.id = 8;
      assertEquals(await Promise.all(asked), ["shop 8", "shop 7", "shop 7", "shop 7"]);
    });
  }
});

test("a signal is no part of the key, in whichever argument it is", async () => {
  const { signal } = new AbortController();
  const fn = cached((..._args: unknown[]) => 1, { name: "f", backend: memory() });
  assertEquals(fn.key(7, { signal }), fn.key(7));
  assertEquals(fn.key(7, signal), fn.key(7));
  assertEquals(fn.key(7, { signal }, undefined), fn.key(7));
  assertEquals(fn.key(7, { signal, limit: 2 }), fn.key(7, { limit: 2 }));
  assertEquals(fn.key(signal, 7), fn.key(undefined, 7));
  assertEquals(fn.key(7, { signal: undefined }), fn.key(7));
  assertEquals(fn.key(7, { signal: undefined, limit: 2 }), fn.key(7, { limit: 2 }));
  assert(fn.key(7, { limit: 2 }) !== fn.key(7));
  await fn(7, { signal });
  await fn(7);
  await fn.invalidate(7);
  assertEquals(await fn.peek(7, { signal }), undefined);
});

test("a function is given the computation's signal in the place of its caller's", async () => {
  const { signal } = new AbortController();
  const given: unknown[] = [];
  const options = { backend: memory(), name: "f" };
  const fn = cached((...args: unknown[]) => given.push(...args), options);
  await fn(1, signal, { limit: 2, signal });
  assertEquals([given[0], given[1] instanceof AbortSignal, given[1] === signal], [1, true, false]);
  assertEquals(given[2], { limit: 2, signal: given[1] });
  const byKey = cached((...args: unknown[]) => args[1] === signal, { ...options, name: "byKey", key: () => 1 });
  assertEquals(await byKey(1, signal), false);
});

test("a template's strings are an argument, and the function is given the very ones", async () => {
  const sql = cached((strings: TemplateStringsArray, ...values: number[]) => [strings.raw.join("?"), ...values], {
    name: "sql",
    backend: memory(),
  });
  const ask = (id: number) => sql`select ${id}`;
  assertEquals([await ask(1), await ask(2)], [["select ?", 1], ["select ?", 2]]);
  assertEquals(await sql`\u{41}`, ["\\u{41}"]);
  assertEquals(await sql`A`, ["A"]);
  const same = cached((strings: TemplateStringsArray) => given.push(strings), { name: "same", backend: memory() });
  const given: object[] = [];
  const tag = (strings: TemplateStringsArray) => strings;
  const strings = tag`x`;
  await same(strings);
  assertStrictEquals(given[0], strings);
});

test("what `key` reads is keyed again even where all arguments are primitive", async () => {
  for (const backend of [memory(), later()]) {
    let tenant = "a";
    const fn = cached((id: number) => `secret of ${tenant} ${id}`, { name: "f", key: (id) => [tenant, id], backend });
    await warnings(async () => {
      const asked = fn(1);
      tenant = "b";
      assertEquals(await asked, "secret of b 1");
      tenant = "a";
      assertEquals(await fn(1), "secret of a 1");
    });
  }
});

test("with the option `key` data is copied as well, and what is no data stays what it is", async () => {
  const given: unknown[] = [];
  const fn = cached(async (q: { page: number }, db: { connection: () => string }) => {
    given.push(db);
    return await Promise.resolve(`page ${q.page}`);
  }, { name: "f", key: (q) => q.page, backend: memory() });
  const q = { page: 1 }, db = { connection: () => "open" };
  const asked = fn(q, db);
  q.page = 2;
  assertEquals([await asked, given[0] === db, await fn.peek({ page: 1 }, db)], ["page 1", true, "page 1"]);
});

test("a function may change its own arguments: the result is kept, and `when` is given what they were", async () => {
  for (const key of [undefined, (ids: number[]) => ids.join()]) {
    let runs = 0;
    const told: string[] = [];
    const fn = cached((ids: number[], shop: Shop) => (runs++, ids.sort(), ids.push(shop.id), ids.join()), {
      name: "f",
      backend: memory(),
      when: (_, ids) => (told.push(ids.join()), true),
      ...(key === undefined ? {} : { key }),
    });
    const heard = await warnings(async () => {
      assertEquals([await fn([2, 1], new Shop()), await fn([2, 1], new Shop())], ["1,2,7", "1,2,7"]);
    });
    assertEquals([runs, told, heard], [1, ["2,1"], []]);
  }
});

test("an error of a call that has changed is that call's alone", async () => {
  for (const backend of [memory(), later(), new PlainBackend(new Map())]) {
    const find = cached(async (shop: Shop) => {
      await null;
      if (shop.id === 8) throw new Error("no shop 8");
      return shop.id;
    }, { name: "find", backend });
    await warnings(async () => {
      const changing = new Shop(), same = new Shop();
      const asked = [find(changing), find(same)].map((one) => one.catch((error: Error) => error.message));
      changing.id = 8;
      assertEquals(await Promise.all(asked), ["no shop 8", 7]);
    });
  }
});

test("a proxy that says something else each time keeps nothing under a key that is not its own", async () => {
  let reads = 0;
  const lying = () =>
    new Proxy([0], {
      get: (target, name, self) => name === "0" ? (reads++ === 0 ? "alice" : "bob") : Reflect.get(target, name, self),
    });
  const fn = cached((names: unknown[]) => `mail of ${names[0]}`, { name: "f", backend: memory() });
  await warnings(async () => {
    await fn(lying());
    assertEquals(await fn(["alice"]), "mail of alice");
  });
});

test("what cannot be copied is refused when the key is cut, and no promise is left over", async () => {
  const { Temporal } = globalThis as unknown as {
    Temporal?: { PlainMonthDay: new (month: number, day: number, calendar: string, year: number) => object };
  };
  const broken = Temporal === undefined ? undefined : new Temporal.PlainMonthDay(2, 29, "iso8601", 2004);
  if (broken === undefined) return;
  let runs = 0;
  const fn = cached((_: object) => ++runs, { name: "f", backend: memory() });
  const key = (() => {
    try {
      return fn.key(broken);
    } catch (error) {
      return (error as Error).name;
    }
  })();
  const answer = await fn(broken).catch((error: Error) => error.name);
  assertEquals(key === "CacheKeyError" ? [answer, runs] : [answer, runs], key === "CacheKeyError" ? [key, 0] : [1, 1]);
});

test("a method of an object that has no class can be decorated", async () => {
  const shop = {
    async name(id: number) {
      return await Promise.resolve(`shop ${id}`);
    },
  };
  const descriptor = Object.getOwnPropertyDescriptor(shop, "name")!;
  Object.defineProperty(shop, "name", cached({ name: "shop.name", backend: memory() })(shop, "name", descriptor));
  assertEquals(await shop.name(7), "shop 7");
});
