import type { Backend, Groups } from "../backend/backend.ts";
import type { Duration } from "../util/duration.ts";

/** Any function at all. */
// deno-lint-ignore no-explicit-any
export type AnyFunction = (this: any, ...args: any[]) => any;

/** A function that returns a promise. */
// deno-lint-ignore no-explicit-any
export type AsyncFunction = (this: any, ...args: any[]) => Promise<any>;

/** How one function is cached. `A`: its arguments, `R`: its awaited result, `T`: its receiver (`this`). */
// deno-lint-ignore no-explicit-any
export interface CallOptions<A extends any[] = any[], R = unknown, T = any> {
  /**
   * How long a result is fresh: a number is seconds (60 is a minute, 60_000 is 16 hours), a text has its unit ("60s",
   * "5m"). A function sees the result (adaptive ttl). 0 or less: not kept; fixed, the function is
   * called each time. NaN: RangeError. Default: the backend's.
   */
  ttl?: Duration | ((result: R, ...args: A) => Duration) | undefined;
  /**
   * How long past `ttl`, in seconds or as text, the old result may still be served while ONE caller anywhere refreshes it, or while refreshing
   * fails. Default: the backend's. 0: never. Negative: RangeError.
   */
  stale?: Duration | undefined;
  /**
   * Groups this result belongs to: fixed, or derived from the arguments (never from the result). Order and repetition
   * do not matter. A TypeError on a backend without groups. Default: none besides the backend's.
   */
  group?: Groups | ((this: T, ...args: A) => Groups) | undefined;
  /**
   * Readable head of the key, taken at your word. Default: the function's name, or `Class.method`, which is a guess: see
   * "Whose result it is" in the README. Needed for anonymous functions.
   */
  name?: string | undefined;
  /** What identifies a call; it stands in the key as one argument. Default: all arguments. `this` is the receiver. */
  key?: ((this: T, ...args: A) => unknown) | undefined;
  /** Keep this result? Default: everything but `undefined` and `null` (a function that returns nothing bypasses the cache). */
  when?: ((result: R, ...args: A) => boolean) | undefined;
  /**
   * Bounds the wait of a call, whoever computes, here or elsewhere, from its beginning: then CacheTimeoutError. The
   * computation goes on and is kept. Default: wait. Negative: RangeError.
   */
  timeout?: Duration | undefined;
  /** How long a computation keeps the right to be the only one. Default: the backend's. Set it above the function's slowest run. */
  mintDelay?: Duration | undefined;
  /** Where results are kept. Default: the one given to `configure()`, looked up at each call. */
  backend?: Backend | undefined;
  /**
   * true: wrapping functions of one source again under this name is meant, and so are instances that share results.
   * Default: false, and one warning that they share; of two classes of one name the second one's results are not kept.
   */
  shared?: boolean | undefined;
}

/** The options of `cached(fn, options)`: those of a call, typed by the function. */
export type CachedOptions<F extends AnyFunction = AnyFunction> = CallOptions<
  Parameters<F>,
  Awaited<ReturnType<F>>,
  ThisParameterType<F>
>;

/**
 * Options given before the function, so their parameters need types: `group` and `key` tell the arguments, `ttl` and
 * `when` the result.
 */
// deno-lint-ignore no-explicit-any
export interface FirstOptions<A extends any[] = any[], R = unknown> extends Omit<CallOptions<A, R>, "ttl" | "when"> {
  /** As in `CallOptions`; a function tells the result's type. */
  // deno-lint-ignore no-explicit-any
  ttl?: Duration | ((result: R, ...args: any[]) => Duration) | undefined;
  /** As in `CallOptions`; it tells the result's type. */
  // deno-lint-ignore no-explicit-any
  when?: ((result: R, ...args: any[]) => boolean) | undefined;
}

/**
 * Does it return a promise already? By its result alone: `<T>(item: T) => T` would be taken for a function that returns
 * one. `never` and `any` may be a generic result without its type arguments.
 */
export type IsAsync<F extends AnyFunction> = IsVague<ReturnType<F>> extends true ? false
  // deno-lint-ignore no-explicit-any
  : [ReturnType<F>] extends [Promise<any>] ? true
  : false;

/** Is it `never` or `any`? */
export type IsVague<R> = [R] extends [never] ? true : 0 extends 1 & R ? true : false;

/** A cached function: called like the function itself (generics and overloads kept), with verbs. */
export type Cached<F extends AnyFunction> = CachedCall<F> & CachedVerbs<F>;

/** How a cached function is called: like the function, but it always returns a promise. */
export type CachedCall<F extends AnyFunction> = IsAsync<F> extends true ? F
  : (this: ThisParameterType<F>, ...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>;

/**
 * What a cached function can do besides being called. All but `key` and `on` return a promise, and reject where they
 * would throw.
 *
 * @example
 * ```ts
 * import { cached } from "@x/cache-utils";
 *
 * const square = cached(async function square(n: number) { return n * n; });
 * await square(3);
 * console.log(await square.peek(3)); // 9
 * await square.invalidate(3);
 * console.log(await square.peek(3)); // undefined
 * ```
 */
export interface CachedVerbs<F extends AnyFunction> {
  /**
   * Forgets the result of this call, in every process of this version, from the moment it resolves. Rejects if the store
   * did not confirm.
   */
  invalidate(...args: Parameters<F>): Promise<void>;
  /** Calls the function now and keeps the result, whatever is kept already. Rejects with the function's own error. */
  refresh(...args: Parameters<F>): Promise<Awaited<ReturnType<F>>>;
  /** Gives what a call would be answered without running the function: fresh, or stale within its window; else `undefined`. */
  peek(...args: Parameters<F>): Promise<Awaited<ReturnType<F>> | undefined>;
  /**
   * Keeps a known result for this call (warming, write-through), null included; `when` is not asked. Rejects when it is
   * unknown whether it was kept, and with CacheValueError if it never can be.
   */
  set(args: Parameters<F>, value: Awaited<ReturnType<F>>): Promise<void>;
  /** Tells the key of this call as kept in the store (project, version and truncation included). Throws CacheKeyError for arguments without identity. */
  key(...args: Parameters<F>): string;
  /** Binds the same cached function to a receiver, for functions whose key or groups depend on `this`. */
  on(self: ThisParameterType<F>): Cached<OmitThisParameter<F>>;
  /** The function that was wrapped; of a bound one, bound to the same receiver. */
  readonly original: F;
}

/**
 * Does the type of a cached function have room for its verbs? Not where it is generic and not async: only a type that is
 * one signature and nothing else keeps type parameters while its result changes.
 */
export type HasVerbs<F extends AnyFunction> = IsAsync<F> extends true ? unknown
  : IsVague<ReturnType<F>> extends true ? IsOneSignature<F>
  // A guard, which no function without its `is` can replace.
  : ReturnType<F> extends boolean ? unknown
  : IsOneSignature<F>;

/**
 * A generic function cannot be replaced by itself without its type parameters, nor an overloaded one by one signature:
 * of those the second pattern finds two that differ. (What it finds nothing for is `unknown`.)
 */
// deno-lint-ignore no-explicit-any
export type IsOneSignature<F extends AnyFunction> = ((this: any, ...args: Parameters<F>) => ReturnType<F>) extends F
  ? unknown
  : F extends { (...args: infer A): infer R; (...args: infer B): infer S }
    ? [unknown[], unknown] extends [A, R] ? never : [A, R] extends [B, S] ? never : unknown
  : never;

/** What stands behind the first argument of `cached`, where no overload fits, in words for the compiler's error. */
export type Second<X> = X extends AnyFunction ? CachedOptions<X>
  : X extends Duration
    ? "cached: after a ttl comes a group; more options stand in one object, as in cached({ ttl: 60 })"
  : X extends object ? "cached: the function comes first, as in cached(fn, { ttl: 60 })"
  : "cached: give a function and its options, or a ttl and a group";

/** A compile error of `@cached()` in words: it is `@cached`, `@cached(60, "group")` or `@cached({ … })`. */
export interface WriteCachedWithoutParentheses {
  /** Nobody reads it. */
  readonly "cached: write @cached without parentheses": never;
}

/** A compile error of `@cached` in words: callers of a method get a promise, so it has to return one already. */
export interface MethodsMustBeAsync {
  /** Nobody reads it. */
  readonly "cached: decorate a method that is async": never;
}

/** A method must be async already, since its callers get a promise: a sync method is a compile error. */
// deno-lint-ignore no-explicit-any
export interface CachedDecorator<A extends any[] = any[], R = unknown> {
  /** Decorates a method. */
  <F extends AsyncFunction>(method: F & Fits<F, A, R>, context: ClassMethodDecoratorContext): Cached<F>;
  /** Decorates a method under `experimentalDecorators`. */
  <F extends AsyncFunction>(
    prototype: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<F & Fits<F, A, R>>,
  ): TypedPropertyDescriptor<F & Fits<F, A, R>>;
  /** Wraps a function. */
  <F extends AnyFunction>(fn: F & Fits<F, A, R>): Cached<F>;
}

/** Options given before the function must fit it: a mismatch is a compile error that says which. */
// deno-lint-ignore no-explicit-any
export type Fits<F extends AnyFunction, A extends any[], R> = ((...args: A) => void) extends
  ((...args: Parameters<F>) => void)
  ? [Awaited<ReturnType<F>>] extends [R] ? unknown : "cached: the options expect another result"
  : "cached: the options expect other arguments";
