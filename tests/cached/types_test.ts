/**
 * What the compiler lets through. Nothing here is about values: `deno check` and `tsc --strict` are the test, and each
 * `@ts-expect-error` must be one.
 */
// deno-lint-ignore-file require-await no-explicit-any
import { test } from "node:test";
import {
  type Backend,
  type Begun,
  type Cached,
  cached,
  cacheKey,
  configure,
  type GroupBackend,
  handle,
} from "@x/cache-utils";
import { FakeBackend } from "./_fake_backend.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
function is<_T extends true>(): void {}

interface City {
  slug: string;
  size: number;
}
declare const city: City;
class Shop {
  id = 7;
  [cacheKey](): number {
    return this.id;
  }
}

/** Checked, never run. */
function _functions() {
  const sync = cached((slug: string, size?: number): City => ({ slug, size: size ?? 0 }), { name: "f" });
  is<Same<ReturnType<typeof sync>, Promise<City>>>();
  is<Same<Parameters<typeof sync>, [slug: string, size?: number | undefined]>>();
  const later = cached(async (slug: string): Promise<City> => ({ ...city, slug }), { name: "g" });
  is<Same<ReturnType<typeof later>, Promise<City>>>();

  const same: Cached<(slug: string) => Promise<City>> = later;
  void same;

  // The verbs.
  is<Same<ReturnType<typeof later.refresh>, Promise<City>>>();
  is<Same<ReturnType<typeof later.peek>, Promise<City | undefined>>>();
  is<Same<ReturnType<typeof later.key>, string>>();
  void later.set(["oslo"], city);
  // @ts-expect-error the arguments of the call
  void later.set([7], city);
  // @ts-expect-error the awaited result
  void later.set(["oslo"], "oslo");
  // @ts-expect-error an argument is missing
  void later.invalidate();
  // @ts-expect-error read-only
  later.original = async () => city;

  // Generics and overloads stay, where the function is async already.
  const first = cached(async <T>(items: readonly T[]): Promise<T | undefined> => items[0], { name: "first" });
  const one = first([1, 2]);
  is<Same<typeof one, Promise<number | undefined>>>();
  function overloaded(n: number): Promise<number>;
  function overloaded(s: string): Promise<string>;
  function overloaded(x: number | string): Promise<number | string> {
    return Promise.resolve(x);
  }
  const both = cached(overloaded);
  const number = both(1), string = both("a");
  is<Same<typeof number, Promise<number>>>();
  is<Same<typeof string, Promise<string>>>();

  // What is generic and not async keeps its type parameters, and has its verbs behind `handle`.
  const last = cached(<T>(items: readonly T[]): T => items.at(-1)!, {
    name: "last",
    ttl: (_found, items) => items.length,
    key: (items) => items.length,
  });
  const three = last([1, 2, 3]);
  is<Same<typeof three, Promise<number>>>();
  const part = cached(<T extends object, K extends keyof T>(whole: T, key: K): T[K] => whole[key], { name: "part" });
  const size = part(city, "size");
  is<Same<typeof size, Promise<number>>>();
  function declared<T>(item: T): [T] {
    return [item];
  }
  const one1 = cached(declared)("a");
  is<Same<typeof one1, Promise<[string]>>>();
  void handle(last).invalidate([1]);
  // @ts-expect-error the function takes an array
  void handle(last).invalidate(1);
  const itself = cached(<T>(item: T): T => item, { name: "itself" })("a");
  is<Same<typeof itself, Promise<string>>>();
  // All others have their verbs: guards, overloads, assertions of any and unknown.
  void cached((x: unknown): x is string => typeof x === "string", { name: "guard" }).peek(1);
  void cached((...all: any[]): any => all, { name: "any" }).peek(1, 2);
  void cached((x: unknown): unknown => x, { name: "unknown" }).peek(1);
  void cached((): never => {
    throw new Error();
  }, { name: "never" }).peek();
  function either(n: number): number;
  function either(s: string): string;
  function either(x: number | string): number | string {
    return x;
  }
  void cached(either).peek("a");
  void cached(function (this: Shop, n: number) {
    return this.id + n;
  }, { name: "of a shop" }).on(new Shop());
}

/** First mistakes: each error stands at the mistake, so on the line behind the directive. */
function _mistakes() {
  const user = async (id: number): Promise<City> => ({ ...city, size: id });
  cached(
    60,
    // @ts-expect-error cached: after a ttl comes a group; more options stand in one object
    { group: "cities" },
  );
  cached(
    { ttl: 60 },
    // @ts-expect-error cached: the function comes first
    user,
  );
  cached(user, {
    name: "user",
    // @ts-expect-error tll does not exist
    tll: 5,
  });
  cached({
    ttl: 60,
    // @ts-expect-error groups does not exist
    groups: 5,
  });
  cached(
    user,
    // @ts-expect-error no options
    60,
  );
  cached(user, {
    name: "user",
    // @ts-expect-error a promise is no boolean
    when: async () => true,
  });
  cached(user, {
    name: "user",
    // @ts-expect-error a promise is no duration
    ttl: async () => 5,
  });
  cached(user, {
    name: "user",
    // @ts-expect-error a promise is no group
    group: async (id) => `${id}`,
  });
  cached(user, {
    name: "user",
    // @ts-expect-error a text is no function
    key: "id",
  });
  cached(
    // @ts-expect-error a promise is no function
    user(1),
  );
  class Users {
    // @ts-expect-error cached: write @cached without parentheses
    @cached()
    async bare(): Promise<number> {
      return 1;
    }
    // @ts-expect-error cached: decorate a method that is async
    @cached
    get got(): number {
      return 1;
    }
    // @ts-expect-error cached: decorate a method that is async
    @cached
    field: () => Promise<number> = async () => 1;
  }
  void Users;
}

function _options() {
  // Inferred from the function.
  cached(async (slug: string): Promise<City> => ({ ...city, slug }), {
    name: "f",
    ttl: (found, slug) => (is<Same<typeof found, City>>(), is<Same<typeof slug, string>>(), "5m"),
    when: (found, slug) => found.size > slug.length,
    group: (slug) => ["cities", slug],
    key: (slug) => slug.toLowerCase(),
  });
  cached(function f(this: Shop, n: number) {
    return this.id + n;
  }, {
    key(n) {
      is<Same<typeof this, Shop>>();
      return this.id + n;
    },
    group(n) {
      return [`${this.id}`, `${n}`];
    },
  });
  const absent: number | undefined = undefined;
  cached(async () => 1, { name: "f", ttl: absent, group: undefined, backend: undefined });
  // @ts-expect-error an unknown option
  cached(async () => 1, { groups: "cities" });
  // @ts-expect-error no duration
  cached(async () => 1, { ttl: "5 minutes" });
  // @ts-expect-error when tells yes or no
  cached(async () => 1, { when: () => "yes" });
  // @ts-expect-error the function takes a string
  cached(async (_slug: string) => 1, { key: (n: number) => n });
}

function _curried() {
  const named = async (slug: string): Promise<City> => ({ ...city, slug });
  const size = async (n: number): Promise<number> => n;

  const minute = cached(60, "cities")(named);
  is<Same<ReturnType<typeof minute>, Promise<City>>>();
  const sync = cached("5m")((n: number) => n * 2);
  is<Same<ReturnType<typeof sync>, Promise<number>>>();
  cached(60, (slug: string) => ["cities", slug])(named);
  cached({ ttl: "1d", group: (slug: string) => slug })(named);
  cached({ ttl: (found: City) => found.size, when: (found: City, slug: string) => found.slug === slug })(named);
  cached({ ttl: "1d" })(size);
  cached({ key: (slug: string) => slug, group: () => "cities" })(named);
  cached<[slug: string], City>({ key: (slug) => slug, when: (found) => found.size > 0 })(named);

  // @ts-expect-error cached: the options expect other arguments
  cached(60, (slug: string) => slug)(size);
  // @ts-expect-error cached: the options expect other arguments
  cached({ key: (slug: string) => slug })(size);
  // @ts-expect-error cached: the options expect other arguments
  cached({ key: (slug: string) => slug, group: () => "cities" })(size);
  // @ts-expect-error cached: the options expect another result
  cached({ when: (found: City) => found.size > 0 })(size);
  // @ts-expect-error cached: the options expect another result
  cached({ ttl: (found: City) => found.size })(size);
  // @ts-expect-error an unknown option
  cached({ groups: "cities" });
}

function _methods() {
  class Cities {
    @cached
    async bare(slug: string): Promise<City> {
      return { ...city, slug };
    }
    @cached(60 * 60 * 24, "cities")
    async timed(slug: string): Promise<City> {
      return { ...city, slug };
    }
    @cached({ group: (slug: string) => ["cities", slug], when: (found: City) => found.size > 0 })
    async optioned(slug: string): Promise<City> {
      return { ...city, slug };
    }
    @cached
    static async all(): Promise<City[]> {
      return [];
    }
    @cached(60)
    async generic<T>(item: T): Promise<T> {
      return item;
    }
    // @ts-expect-error a sync method's callers would get a promise
    @cached
    bareSync(slug: string): string {
      return slug;
    }
    // @ts-expect-error the same
    @cached(60)
    timedSync(slug: string): string {
      return slug;
    }
    // @ts-expect-error the options expect other arguments
    @cached({ group: (slug: string) => slug })
    async other(n: number): Promise<number> {
      return n;
    }
    // @ts-expect-error the options expect another result
    @cached({ when: (found: City) => found.size > 0 })
    async another(slug: string): Promise<string> {
      return slug;
    }
  }
  const cities = new Cities();
  const bare = cities.bare("oslo");
  is<Same<typeof bare, Promise<City>>>();

  const timed = handle(cities, "timed");
  is<Same<ReturnType<typeof timed.peek>, Promise<City | undefined>>>();
  void timed.invalidate("oslo");
  // @ts-expect-error the arguments of the method
  void timed.invalidate(7);
  // @ts-expect-error no such method
  handle(cities, "missing");
  void handle(Cities, "all").invalidate();
  void handle(Cities.prototype, "optioned").invalidate("oslo");
}

function _receivers() {
  const offers = cached(async function offers(this: Shop, kind: string): Promise<string[]> {
    return [kind, `${this.id}`];
  });
  const bound = offers.on(new Shop());
  const found = bound("hot");
  is<Same<typeof found, Promise<string[]>>>();
  void bound.invalidate("hot");
  void offers.call(new Shop(), "hot");
  // @ts-expect-error another receiver
  offers.on({ id: 7 });
  // @ts-expect-error no receiver
  void offers("hot");
}

function _configure() {
  const byUrl = configure("memory:///");
  is<Same<typeof byUrl, GroupBackend>>();
  const byOptions = configure({ project: "shop", version: 42, ttl: "5m" });
  is<Same<typeof byOptions, GroupBackend>>();
  const own = configure(new FakeBackend());
  is<Same<typeof own, FakeBackend>>();
  const built = configure(byUrl);
  is<Same<typeof built, GroupBackend>>();
  // @ts-expect-error an unknown option
  configure({ projekt: "shop" });
}

async function _tickets(backend: GroupBackend, port: Backend) {
  const begun = await backend.begin<City>("k", { group: ["cities"], ttl: "5m", wait: 0, timeout: "1s" });
  is<Same<typeof begun, Begun<City>>>();
  if (begun.hit) {
    is<Same<typeof begun.value, City>>();
    is<Same<typeof begun.outcome, "hit" | "stale" | "wait">>();
    // @ts-expect-error a value was found: there is nothing to keep
    void begun.keep(city);
  } else {
    const kept: boolean = await begun.keep(city, { ttl: "1m", stale: 0 });
    const old: City | undefined = begun.stale?.value;
    await begun.drop(kept ? undefined : new Error(`${old?.slug}`));
    fetch("data:,", { signal: begun.signal });
    // @ts-expect-error another value than begin was told
    void begun.keep("oslo");
    // @ts-expect-error no ticket knows other groups than those of its read
    void begun.keep(city, { group: "late" });
  }
  const held: AsyncDisposable = begun;
  void held;
  // @ts-expect-error the caller has no value yet: name its ttl to keep
  void backend.begin<City>("k", { ttl: (found: City) => found.size });
  // @ts-expect-error whoever holds a value knows whether to keep it
  void backend.begin("k", { when: () => true });
  // @ts-expect-error backends of others may have no tickets
  void port.begin("k");
  void port.begin<City>?.("k");
  const other: Backend = new FakeBackend();
  void other;
}

test("the types are checked by deno check and tsc", () => {});
