/**
 * Methods: the two kinds of decorators, and the way from an instance to a method's verbs.
 */
import { printable } from "../util/checks.ts";
import { CachedFunction, cachedFunctionOf, cachedMethodOf, wrapperOf } from "./function.ts";
import type { CheckedOptions } from "./options.ts";
import { isClassObject } from "./receiver.ts";
import type { AnyFunction, Cached, CachedVerbs } from "./types.ts";

/** What a standard (TC39) decorator is given, of which a wrong one may hold anything. */
type Context = ClassMethodDecoratorContext;

/** Decorates a method (TC39). */
// deno-lint-ignore no-explicit-any
export function decorate(method: AnyFunction, context: Context, options: CheckedOptions): Cached<any> {
  const { kind, name: property, static: isStatic, private: isPrivate } = context;
  if (kind !== "method") {
    throw new TypeError(`Cannot decorate a ${kind} with @cached: decorate a method, or wrap a function`);
  }
  if (isPrivate && options.name === undefined) {
    const name = printable(String(property));
    throw new TypeError(`Cannot name ${name}: its class cannot be found by a private name; pass the option \`name\``);
  }
  const cached = new CachedFunction(method, options, { property, isStatic });
  if (!isPrivate) {
    // Runs for a static when its class is defined, and for a method at each construction, of which the first one
    // counts.
    context.addInitializer(function () {
      cached.bindClassOf(this);
      if (isStatic) cached.registerName();
    });
  }
  return wrapperOf(cached);
}

/** Decorates a method under `experimentalDecorators`. */
export function decorateLegacy(
  classObject: object,
  property: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  options: CheckedOptions,
): PropertyDescriptor {
  if (typeof descriptor?.value !== "function") {
    const name = printable(String(property));
    throw new TypeError(`Cannot decorate ${name} with @cached: decorate a method, or wrap a function`);
  }
  const isStatic = typeof classObject === "function";
  const cached = new CachedFunction(descriptor.value, options, { property, isStatic });
  cached.bindClass(classObject);
  cached.registerName();
  return { ...descriptor, value: wrapperOf(cached) };
}

/**
 * Returns the verbs of a decorated method, typed and bound to `self`, since a decorator cannot change a member's type.
 *
 * Those of a static are `handle(Repo, "all")`. `handle(Repo.prototype, "get")` needs no instance, wherever the key does
 * not depend on one. Throws a TypeError if the method is no cached one.
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
/** Returns the verbs of a cached function, for generic ones, whose type has no room for them. */
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
    const cached = cachedFunctionOf(value) ?? cachedMethodOf(at, property);
    if (cached === undefined) break;
    if (cached.member !== undefined && isClassObject(at)) cached.bindClass(at);
    return wrapperOf(cached, self);
  }
  throw new TypeError(`Cannot handle ${printable(String(method))}: it is no cached method of what was given`);
}
