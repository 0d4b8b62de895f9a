/**
 * Methods: the two kinds of decorators, and the way from an instance to a method's verbs.
 */
import { printable } from "../util/checks.ts";
import type { Terms } from "./options.ts";
import type { AnyFunction, Cached, CachedVerbs } from "./types.ts";
import { isHome } from "./receiver.ts";
import { bound, CachedFunction, cachedFunctionOf, wrapperOf } from "./wrap.ts";

/** What a TC39 decorator is told, of which a wrong one may hold anything. */
type Context = ClassMethodDecoratorContext;

/** Decorates a method (TC39). */
// deno-lint-ignore no-explicit-any
export function decorate(method: AnyFunction, context: Context, terms: Terms): Cached<any> {
  const { kind, name: property, static: isStatic, private: isPrivate } = context;
  if (kind !== "method") {
    throw new TypeError(`Cannot decorate a ${kind} with @cached: decorate a method, or wrap a function`);
  }
  if (isPrivate && terms.name === undefined) {
    throw new TypeError(
      `Cannot name ${
        printable(String(property))
      }: its class cannot be found by a private name; pass the option \`name\``,
    );
  }
  const cached = new CachedFunction(method, terms, { property, isStatic });
  if (!isPrivate) {
    // Statics: at the class's definition. Methods: at each construction, of which the first one counts.
    context.addInitializer(function () {
      if (cached.home === undefined) settle(cached, cached.homeFrom(this));
      if (isStatic) cached.checkName();
    });
  }
  return wrapperOf(cached);
}

/** Decorates a method under `experimentalDecorators`. */
export function decorateLegacy(
  home: object,
  property: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  terms: Terms,
): PropertyDescriptor {
  if (typeof descriptor?.value !== "function") {
    throw new TypeError(
      `Cannot decorate ${printable(String(property))} with @cached: decorate a method, or wrap a function`,
    );
  }
  const cached = new CachedFunction(descriptor.value, terms, { property, isStatic: typeof home === "function" });
  settle(cached, home);
  cached.checkName();
  return { ...descriptor, value: wrapperOf(cached) };
}

/** The methods of a class or prototype, for when another decorator hides the wrapper. */
const settled = new WeakMap<object, Map<string | symbol, CachedFunction>>();

function settle(cached: CachedFunction, home: object | undefined): void {
  if (home === undefined) return;
  cached.stand(home);
  const methods = settled.get(home) ?? new Map<string | symbol, CachedFunction>();
  settled.set(home, methods.set(cached.place!.property, cached));
}

/**
 * Gives the verbs of a decorated method, typed and bound to `self`, since a decorator cannot change a member's type.
 *
 * Statics: `handle(Repo, "all")`; without an instance: `handle(Repo.prototype, "get")`, which is enough wherever the
 * key does not depend on the instance. TypeError if the method is not a cached one.
 *
 * @example
 * ```ts
 * import { cached, handle } from "@x/cache-utils";
 *
 * class Repo {
 *   @cached async get(id: number) { return { id }; }
 * }
 * await handle(new Repo(), "get").invalidate(7);
 * ```
 */
export function handle<T, K extends keyof T>(
  self: T,
  method: K,
): T[K] extends AnyFunction ? Cached<OmitThisParameter<T[K]>> : never;
/** Gives the verbs of a cached function, for generic ones, whose type has no room for them. */
export function handle<F extends AnyFunction>(fn: F): CachedVerbs<F>;
export function handle(...given: [self: unknown, method: PropertyKey] | [fn: AnyFunction]): unknown {
  if (given.length === 1) {
    if (cachedFunctionOf(given[0]) !== undefined) return given[0];
    throw new TypeError("Cannot handle this: give a cached function, or an object and the name of its cached method");
  }
  const [self, method] = given;
  const property = typeof method === "number" ? String(method) : method as string | symbol;
  const isObject = typeof self === "object" && self !== null || typeof self === "function";
  for (let at: object | null = isObject ? self as object : null; at !== null; at = Object.getPrototypeOf(at)) {
    const own = Object.getOwnPropertyDescriptor(at, property);
    if (own === undefined) continue;
    const value: unknown = own.get === undefined ? own.value : own.get.call(self);
    const cached = cachedFunctionOf(value) ?? settled.get(at)?.get(property);
    if (cached === undefined) break;
    if (cached.place !== undefined && isHome(at)) cached.stand(at);
    return bound(cached, self);
  }
  throw new TypeError(`Cannot handle ${printable(String(method))}: it is no cached method of what was given`);
}
