import type { FetchOptions, Inputs } from "../backend/backend.ts";
import { isKeptByDefault } from "../backend/entry_options.ts";
import { copiedArguments } from "../key/arguments.ts";
import { withSignal } from "../key/signals.ts";
import type { CachedFunction } from "./function.ts";

/** The arguments of one call. */
export type Arguments = readonly unknown[];

/**
 * What the key of a call was made from: data, which is copied; or something that cannot be copied as well (a receiver,
 * what has a `[cacheKey]`, what the option `key` reads).
 */
export type KeySource = "data" | "what may change";

/**
 * One call whose arguments are objects, or whose key depends on objects. They may change before the function runs:
 *
 *   1. `report(day)` makes its key and reads the cache
 *   2. the caller changes `day`
 *   3. nothing is kept, so the function runs and reads `day`
 *
 * Data is copied before the first wait, and the key is made again from the copy, lest it be a proxy that says something
 * else each time. Of what cannot be copied the key is made again just before the function runs and when it has ended:
 * if it is another one then, the result is for this caller alone.
 */
export class ObjectCall implements Inputs {
  readonly #cached: CachedFunction;
  readonly #self: unknown;
  readonly #signals: readonly AbortSignal[];
  readonly #key: string;
  readonly #source: KeySource;
  #args: Arguments;
  #isCopied = false;
  #hasChanged = false;

  constructor(
    cached: CachedFunction,
    self: unknown,
    args: Arguments,
    signals: readonly AbortSignal[],
    key: string,
    source: KeySource,
  ) {
    this.#cached = cached;
    this.#self = self;
    this.#args = args;
    this.#signals = signals;
    this.#key = key;
    this.#source = source;
  }

  /** The arguments as they were when the function was called. */
  get args(): Arguments {
    return this.#args;
  }

  /** Fires when one of the signals among the arguments does. */
  get signal(): AbortSignal | undefined {
    return this.#signals.length > 1 ? AbortSignal.any([...this.#signals]) : this.#signals[0];
  }

  /** `when` that refuses a result whose key has changed, for a backend that never asks `areCurrent`. */
  onlyUnchanged(when: FetchOptions["when"]): FetchOptions["when"] {
    return this.#source === "data" ? when : this.#ifCurrent(when ?? isKeptByDefault);
  }

  #ifCurrent(when: (result: unknown) => boolean): (result: unknown) => boolean {
    return (result) => this.areCurrent() && when(result);
  }

  /** The answer is at hand: nothing will be computed, so nothing has to be copied. */
  unread(): void {
    this.#isCopied = true;
  }

  /** Copies what may change, unless nobody will read it. Has to be called before the caller runs on. */
  copyArguments(): void {
    if (this.#isCopied) return;
    this.#args = this.#copies();
    this.#isCopied = true;
  }

  #copies(): Arguments {
    return copiedArguments(this.#args, this.#cached.options.key === undefined ? "arguments" : "option key");
  }

  /** Was the result computed from what the key was made from? */
  areCurrent(): boolean {
    return !this.#hasChanged;
  }

  /** Calls the function. `signal` is the computation's, which replaces the caller's own among the arguments. */
  compute(signal: AbortSignal): unknown {
    this.copyArguments();
    this.#compareKeys();
    // The function may change what it is given. Where the key is made again from the arguments, and `when` is given
    // them, it gets copies of its own.
    const own = this.#source === "data" ? this.#args : this.#copies();
    const args = this.#signals.length === 0 ? own : withSignal(own, this.#signals, signal);
    const run = () => this.#cached.fn.apply(this.#self, args as unknown[]);
    return this.#source === "data" ? run() : this.#compareAfter(run);
  }

  async #compareAfter(run: () => unknown): Promise<unknown> {
    try {
      return await run();
    } finally {
      this.#compareKeys(); // rule 15: the key is compared when the function has ended
    }
  }

  #compareKeys(): void {
    if (this.#hasChanged || this.#hasSameKey()) return;
    this.#hasChanged = true;
    this.#cached.noteChange();
  }

  #hasSameKey(): boolean {
    try {
      return this.#cached.keyed(this.#self, this.#args).key === this.#key;
    } catch {
      return false; // What has no key any more has another one.
    }
  }
}
