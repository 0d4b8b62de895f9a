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
   * How long a result is fresh. A number is seconds (60 is a minute, 60_000 is 16 hours), a text has its unit ("60s",
   * "5m"), and a function is given the result and the arguments. 0 or less: the result is not kept; a fixed one means
   * that the function is called each time. NaN is a RangeError. Default: the backend's.
   */
  ttl?: Duration | ((result: R, ...args: A) => Duration) | undefined;
  /**
   * How long past `ttl`, in seconds or as text, the old result may still be served while one caller in the whole fleet
   * refreshes it, or while refreshing fails. 0: never. Negative: RangeError. Default: the backend's.
   */
  stale?: Duration | undefined;
  /**
   * The groups a result belongs to: fixed, or derived from the arguments by a function that returns them at once. Order
   * and repetition do not matter. A TypeError on a backend without groups. Default: none besides the backend's.
   */
  group?: Groups | ((this: T, ...args: A) => Groups) | undefined;
  /**
   * What the key begins with, taken at your word. Default: the function's name, or `Class.method`, which is a guess
   * (see "Whose result it is" in the README). An anonymous function needs one.
   */
  name?: string | undefined;
  /**
   * What identifies a call, returned at once; it is written into the key as one argument. `this` is the receiver.
   * Default: all arguments.
   */
  key?: ((this: T, ...args: A) => unknown) | undefined;
  /**
   * Whether a result is kept, answered at once. Default: everything but `undefined` and `null`, so a function that
   * returns nothing is called each time.
   */
  when?: ((result: R, ...args: A) => boolean) | undefined;
  /**
   * How long a call waits, in seconds or as text, for a computation here or in another process; then it rejects with
   * CacheTimeoutError, and the computation goes on and is kept. Negative: RangeError. Default: it waits.
   */
  timeout?: Duration | undefined;
  /**
   * How long, in seconds or as text, a computation keeps the right to be the only one; what takes longer is not kept.
   * Set it above the function's slowest run. Default: the backend's.
   */
  mintDelay?: Duration | undefined;
  /** Where results are kept. Default: what `configure()` was given, looked up at each call. */
  backend?: Backend | undefined;
  /**
   * true: closures of one source, instances, and classes of one name are meant to share results. Default: false, and
   * one warning where they do; of two classes of one name the second one's results are not kept.
   */
  shared?: boolean | undefined;
}

/** The options of `cached(fn, options)`, typed by the function. */
export type CachedOptions<F extends AnyFunction = AnyFunction> = CallOptions<
  Parameters<F>,
  Awaited<ReturnType<F>>,
  ThisParameterType<F>
>;

/**
 * The options of `cached(options)(fn)` and `@cached(options)`. They come before the function, so the parameters of
 * their functions need types: those of `group` and `key` are the arguments, the first of `ttl` and `when` is the
 * result.
 */
// deno-lint-ignore no-explicit-any
export interface FirstOptions<A extends any[] = any[], R = unknown> extends Omit<CallOptions<A, R>, "ttl" | "when"> {
  /** As in `CallOptions`; the first parameter of a function has the result's type. */
  // deno-lint-ignore no-explicit-any
  ttl?: Duration | ((result: R, ...args: any[]) => Duration) | undefined;
  /** As in `CallOptions`; its first parameter has the result's type. */
  // deno-lint-ignore no-explicit-any
  when?: ((result: R, ...args: any[]) => boolean) | undefined;
}

/**
 * Does a function return a promise already? Only its result is looked at, since `<T>(item: T) => T` would pass for a
 * function that returns one. `never` and `any` may be a generic result without its type arguments, and count as no.
 */
export type IsAsync<F extends AnyFunction> = IsVague<ReturnType<F>> extends true ? false
  // deno-lint-ignore no-explicit-any
  : [ReturnType<F>] extends [Promise<any>] ? true
  : false;

/** Is a type `never` or `any`? */
export type IsVague<R> = [R] extends [never] ? true : 0 extends 1 & R ? true : false;

/** A cached function: called like the function itself (generics and overloads are kept), with verbs. */
export type Cached<F extends AnyFunction> = CachedCall<F> & CachedVerbs<F>;

/** The call of a cached function: like the function's, but it always returns a promise. */
export type CachedCall<F extends AnyFunction> = IsAsync<F> extends true ? F
  : (this: ThisParameterType<F>, ...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>;

/**
 * The verbs of a cached function. All but `key` and `on` return a promise, and reject instead of throwing.
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
   * Forgets the result of this call, in every process of this version: calls that begin after it has resolved are given
   * nothing older. Rejects if the store did not confirm it.
   */
  invalidate(...args: Parameters<F>): Promise<void>;
  /** Calls the function now and keeps the result, whatever was kept. Rejects with the function's own error. */
  refresh(...args: Parameters<F>): Promise<Awaited<ReturnType<F>>>;
  /**
   * Returns what a call would be given without running the function: fresh, or stale within its window; else
   * `undefined`.
   */
  peek(...args: Parameters<F>): Promise<Awaited<ReturnType<F>> | undefined>;
  /**
   * Keeps a value as the result of this call (warming, write-through), null included; `when` is not asked. Rejects if
   * the store did not confirm it, and with CacheValueError for a value that can never be kept.
   */
  set(args: Parameters<F>, value: Awaited<ReturnType<F>>): Promise<void>;
  /**
   * Returns the key of this call as kept in the store, with project and version, cut if it is over 250 bytes. Throws
   * CacheKeyError for an argument without identity.
   */
  key(...args: Parameters<F>): string;
  /** Returns the same cached function bound to a receiver, for functions whose key or groups depend on `this`. */
  on(self: ThisParameterType<F>): Cached<OmitThisParameter<F>>;
  /** The function that was wrapped; where `on` has bound a receiver, bound to it as well. */
  readonly original: F;
}

/**
 * Does the type of a cached function have room for its verbs? A generic function that is not async has none: only a
 * type that is one signature and nothing else keeps type parameters while its result changes.
 */
export type HasVerbs<F extends AnyFunction> = IsAsync<F> extends true ? unknown
  : IsVague<ReturnType<F>> extends true ? IsOneSignature<F>
  // A type guard, which no function without its `is` can replace.
  : ReturnType<F> extends boolean ? unknown
  : IsOneSignature<F>;

/**
 * Is a function's type one signature without type parameters? A generic function cannot be replaced by itself without
 * them, nor an overloaded one by one signature: of those the second pattern finds two that differ. (What it finds
 * nothing for is `unknown`.)
 */
// deno-lint-ignore no-explicit-any
export type IsOneSignature<F extends AnyFunction> = ((this: any, ...args: Parameters<F>) => ReturnType<F>) extends F
  ? unknown
  : F extends { (...args: infer A): infer R; (...args: infer B): infer S }
    ? [unknown[], unknown] extends [A, R] ? never : [A, R] extends [B, S] ? never : unknown
  : never;

/** The second argument of `cached` where no overload fits, in words for the compiler's error. */
export type Second<X> = X extends AnyFunction ? CachedOptions<X>
  : X extends Duration
    ? "cached: after a ttl comes a group; more options stand in one object, as in cached({ ttl: 60 })"
  : X extends object ? "cached: the function comes first, as in cached(fn, { ttl: 60 })"
  : "cached: give a function and its options, or a ttl and a group";

/** The compile error of `@cached()`, in words: write `@cached`, `@cached(60, "group")` or `@cached({ … })`. */
export interface WriteCachedWithoutParentheses {
  /** Nobody reads it. */
  readonly "cached: write @cached without parentheses": never;
}

/** The compile error of `@cached` on a method that is not async, in words: its callers get a promise. */
export interface MethodsMustBeAsync {
  /** Nobody reads it. */
  readonly "cached: decorate a method that is async": never;
}

/**
 * What `cached(ttl, group)` and `cached(options)` return: it decorates a method or wraps a function. A method must be
 * async already, since its callers get a promise: another one is a compile error.
 */
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

/** Do options that came before the function fit it? Where they do not, the compile error says which part. */
// deno-lint-ignore no-explicit-any
export type Fits<F extends AnyFunction, A extends any[], R> = ((...args: A) => void) extends
  ((...args: Parameters<F>) => void)
  ? [Awaited<ReturnType<F>>] extends [R] ? unknown : "cached: the options expect another result"
  : "cached: the options expect other arguments";
