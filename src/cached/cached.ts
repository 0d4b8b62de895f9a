import type { Groups } from "../backend/backend.ts";
import { isPromise } from "../util/callbacks.ts";
import type { Duration } from "../util/duration.ts";
import { describeType } from "../util/checks.ts";
import { CachedFunction, wrapperOf } from "./function.ts";
import { decorate, decorateLegacy } from "./decorator.ts";
import { sourceOf } from "./names.ts";
import { type CheckedOptions, checkedOptions } from "./options.ts";
import type {
  AnyFunction,
  AsyncFunction,
  Cached,
  CachedDecorator,
  CachedOptions,
  CallOptions,
  FirstOptions,
  HasVerbs,
  MethodsMustBeAsync,
  Second,
  WriteCachedWithoutParentheses,
} from "./types.ts";

/** Decorates a method: `@cached`. */
export function cached<F extends AsyncFunction>(method: F, context: ClassMethodDecoratorContext): Cached<F>;
/** Is a compile error that says how to write it. */
export function cached(): WriteCachedWithoutParentheses;
/** Is a compile error for what is no async method. */
export function cached(member: unknown, context: DecoratorContext): MethodsMustBeAsync;
/**
 * Caches a function: calls with the same arguments share a result.
 *
 * What it returns is called like the function, always returns a promise, and has verbs (`invalidate`, `refresh`,
 * `peek`, `set`, `key`, `on`). The function's own errors reach the caller as they are and are never kept. `undefined`
 * and `null` are not kept unless `when` says so. `f(1)` and `f(1, 0)` are two calls, whatever the defaults. A wrong
 * option is a TypeError or RangeError at once; an argument without identity rejects the call with CacheKeyError.
 *
 * @example
 * ```ts
 * import { cached } from "@x/cache-utils";
 *
 * const weather = cached(async function weather(city: string) {
 *   return `rain in ${city}`;
 * }, { ttl: "5m", group: "cities" });
 * console.log(await weather("oslo"));
 * ```
 */
export function cached<F extends AnyFunction>(this: HasVerbs<F>, fn: F, options?: CachedOptions<F>): Cached<F>;
/**
 * Caches a generic function that is not async. Its type parameters stay, and leave no room for the verbs in its type:
 * `handle(fn)` gives them.
 */
// deno-lint-ignore no-explicit-any
export function cached<A extends any[], R>(
  fn: (...args: A) => R,
  options?: CallOptions<NoInfer<A>, Awaited<NoInfer<R>>>,
): (...args: A) => Promise<Awaited<R>>;
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
 * import { cached } from "@x/cache-utils";
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
 * import { cached } from "@x/cache-utils";
 *
 * class Cities {
 *   @cached({ ttl: "1d", group: (slug: string) => ["cities", slug] })
 *   async named(slug: string) { return { slug }; }
 * }
 * ```
 */
// deno-lint-ignore no-explicit-any
export function cached<A extends any[] = any[], R = unknown>(options: FirstOptions<A, R>): CachedDecorator<A, R>;
/** The same where `group` takes no argument (it may read `this`), so that only `key` has the types of the arguments. */
// deno-lint-ignore no-explicit-any
export function cached<A extends any[] = any[], R = unknown>(
  // deno-lint-ignore no-explicit-any
  options: Omit<FirstOptions<A, R>, "group"> & { group: (this: any) => Groups },
): CachedDecorator<A, R>;
/** Never fits. Of several overloads the compiler explains the last one, so this one names what is wrong. */
// deno-lint-ignore no-explicit-any
export function cached(options: FirstOptions<any[], any>): never;
/** Never fits: the same for two arguments. */
export function cached<X>(first: X, second: Second<X>): never;
export function cached(...given: unknown[]): unknown {
  const [first, second] = given;
  if (isMember(given) || isContext(second)) return applied(given, NO_OPTIONS, FORMS);
  if (given.length > 2) {
    throw new TypeError('Cannot use a third argument: several groups stand in an array, as in cached(60, ["a", "b"])');
  }
  if (typeof first === "number" || typeof first === "string") {
    if (typeof second === "object" && !Array.isArray(second)) {
      throw new TypeError(
        "Cannot use an object as the group after a ttl: more options stand in one object, as in " +
          'cached({ ttl: 60, group: "cities" })',
      );
    }
    return curried(checkedOptions({ ttl: first, group: second }));
  }
  if (typeof first !== "object" || first === null) {
    return applied(given, second === undefined ? NO_OPTIONS : checkedOptions(second), FORMS);
  }
  if (isPromise(first)) throw new TypeError("Cannot cache a promise: give the function itself, and not its result");
  if (second === undefined) return curried(checkedOptions(first));
  throw new TypeError('Cannot cache an object: the function comes first, as in cached(fn, { ttl: "5m" })');
}

const FORMS =
  'give a function, as in cached(fn, { ttl: "5m" }); above a method write @cached, @cached(60, "cities") or ' +
  '@cached({ ttl: "5m" })';

const NO_OPTIONS: CheckedOptions = checkedOptions({});

/** What `cached(60)` and `cached({ … })` return. */
const curried = (options: CheckedOptions) => (...given: unknown[]): unknown =>
  applied(given, options, "after cached(ttl) or cached(options) comes the function");

/** Decorates a method, or wraps a function. Where it is given neither, the error says `form`. */
function applied(given: unknown[], options: CheckedOptions, form: string): unknown {
  const [first, second] = given;
  // A legacy decorator of a static is given a class, hence this order.
  if (isMember(given)) return decorateLegacy(...given, options);
  if (isContext(second)) return decorate(first as AnyFunction, second, options);
  if (typeof first !== "function") throw new TypeError(`Cannot cache ${describeType(first)}: ${form}`);
  if (/^class\b/.test(sourceOf(first))) {
    throw new TypeError("Cannot cache a class: give a function, or decorate its methods with @cached");
  }
  return wrapperOf(new CachedFunction(first as AnyFunction, options));
}

/** Is it what a legacy decorator is given: a class object, a member's name, and its descriptor, which a field lacks? */
function isMember(given: unknown[]): given is [object, string | symbol, PropertyDescriptor | undefined] {
  const [classObject, property, descriptor] = given;
  return (typeof property === "string" || typeof property === "symbol") &&
    (typeof classObject === "object"
      ? classObject !== null
      : typeof classObject === "function" && typeof descriptor === "object");
}

/** Is it what a standard decorator is given besides the method? */
const isContext = (second: unknown): second is ClassMethodDecoratorContext =>
  typeof second === "object" && second !== null && "kind" in second && "addInitializer" in second;
