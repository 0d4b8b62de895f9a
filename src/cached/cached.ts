import type { Groups } from "../backend/backend.ts";
import type { Duration } from "../duration.ts";
import { decorate, decorateLegacy } from "./decorator.ts";
import { type Terms, termsOf } from "./options.ts";
import { sourceOf } from "./source.ts";
import type {
  AnyFunction,
  AsyncFunction,
  Cached,
  CachedDecorator,
  CachedOptions,
  CallOptions,
  FirstOptions,
} from "./types.ts";
import { CachedFunction, wrapperOf } from "./wrap.ts";

/**
 * Caches a function: calls with the same arguments share a result.
 *
 * It is called like the function, always returns a promise, and has verbs (`invalidate`, `refresh`, `peek`, `set`,
 * `key`, `on`). The function's own errors reach the caller as they are and are never kept. `undefined` and `null` are
 * not kept unless `when` says so. `f(1)` and `f(1, 0)` are two calls, whatever the defaults. A wrong option is a
 * TypeError or RangeError at once; an argument without identity rejects the call with CacheKeyError.
 *
 * @example
 * ```ts
 * import { cached } from "jsr:@x/cache-utils";
 *
 * const weather = cached(async function weather(city: string) {
 *   return `rain in ${city}`;
 * }, { ttl: "5m", group: "cities" });
 * console.log(await weather("oslo"));
 * ```
 */
export function cached<F extends AnyFunction>(fn: F, options?: CachedOptions<F>): Cached<F>;
/** Decorates a method: `@cached`. */
export function cached<F extends AsyncFunction>(method: F, context: ClassMethodDecoratorContext): Cached<F>;
/** Decorates a method under `experimentalDecorators`. */
export function cached<F extends AsyncFunction>(
  prototype: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<F>,
): TypedPropertyDescriptor<F>;
/**
 * Caches a method or a function by ttl and group: `@cached(60, "cities")`, or `cached(60, "cities")(fn)`.
 *
 * @example
 * ```ts
 * import { cached } from "jsr:@x/cache-utils";
 *
 * class Cities {
 *   @cached(60 * 60 * 24, "cities") async named(slug: string) { return { slug }; }
 * }
 * console.log(await new Cities().named("oslo"));
 * ```
 */
// deno-lint-ignore no-explicit-any
export function cached<A extends any[] = any[]>(ttl: Duration, group?: CallOptions<A>["group"]): CachedDecorator<A>;
/**
 * Caches a method or a function by options: `@cached({ … })`, or `cached({ … })(fn)`.
 *
 * @example
 * ```ts
 * import { cached } from "jsr:@x/cache-utils";
 *
 * class Cities {
 *   @cached({ ttl: "1d", group: (slug: string) => ["cities", slug] })
 *   async named(slug: string) { return { slug }; }
 * }
 * ```
 */
// deno-lint-ignore no-explicit-any
export function cached<A extends any[] = any[], R = unknown>(options: FirstOptions<A, R>): CachedDecorator<A, R>;
/** The same where `group` takes no argument (it may read `this`), so that `key` alone tells the arguments. */
// deno-lint-ignore no-explicit-any
export function cached<A extends any[] = any[], R = unknown>(
  // deno-lint-ignore no-explicit-any
  options: Omit<FirstOptions<A, R>, "group"> & { group: (this: any) => Groups },
): CachedDecorator<A, R>;
export function cached(...given: unknown[]): unknown {
  const [first, second] = given;
  // A legacy decorator of a static is given a class, hence this order.
  if (isMember(given)) return decorateLegacy(...given, NO_TERMS);
  if (typeof first === "function") {
    if (isContext(second)) return decorate(first as AnyFunction, second, NO_TERMS);
    return wrap(first, second === undefined ? NO_TERMS : termsOf(second));
  }
  if (typeof first === "number" || typeof first === "string") return curried(termsOf({ ttl: first, group: second }));
  if (typeof first === "object" && first !== null && second === undefined) return curried(termsOf(first));
  throw new TypeError(
    "Cannot cache: give a function and its options; or a ttl and a group, or options, and then the function",
  );
}

const NO_TERMS: Terms = termsOf({});

/** What `cached(60)` and `cached({ … })` return. */
const curried = (terms: Terms) => (...given: unknown[]): unknown => {
  const [first, second] = given;
  if (isMember(given)) return decorateLegacy(...given, terms);
  if (isContext(second)) return decorate(first as AnyFunction, second, terms);
  return wrap(first, terms);
};

function wrap(fn: unknown, terms: Terms): unknown {
  if (typeof fn !== "function" || /^class\b/.test(sourceOf(fn))) {
    throw new TypeError(
      `Cannot cache ${typeof fn === "function" ? "a class" : `a value of type ${typeof fn}`}: give a function`,
    );
  }
  return wrapperOf(new CachedFunction(fn as AnyFunction, terms));
}

/** What a legacy decorator is given: a prototype or a class, a member's name, and its descriptor, which a field lacks. */
function isMember(given: unknown[]): given is [object, string | symbol, PropertyDescriptor | undefined] {
  const [home, property, descriptor] = given;
  return (typeof property === "string" || typeof property === "symbol") &&
    (typeof home === "object" ? home !== null : typeof home === "function" && typeof descriptor === "object");
}

const isContext = (second: unknown): second is ClassMethodDecoratorContext =>
  typeof second === "object" && second !== null && "kind" in second && "addInitializer" in second;
