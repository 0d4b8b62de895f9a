/**
 * What the compiler lets through. Nothing here is about values: `deno check` and `tsc --strict` are the test, and each
 * `@ts-expect-error` must be one.
 */
// deno-lint-ignore-file require-await
import { test } from "node:test";
import { type Cached, cached, cacheKey, configure, type GroupBackend, handle } from "@x/cache-utils";
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

test("the types are checked by deno check and tsc", () => {});
