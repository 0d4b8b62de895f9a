import type { FetchOptions, Inputs } from "../backend/backend.ts";
import { isKeptByDefault } from "../backend/entry_options.ts";
import { copiedData, takenArguments } from "../key/arguments.ts";
import { withSignal } from "../key/signals.ts";
import { quoted } from "../util/checks.ts";
import { warn } from "../util/warnings.ts";
import type { AnyFunction } from "./types.ts";

/** The arguments of one call. */
export type Arguments = readonly unknown[];

/** What a call needs of the cached function that was called. */
export interface Called {
  readonly fn: AnyFunction;
  /** The key of a call; `owner` is who stands in it, if anybody does. */
  keyOf(owner: unknown, args: Arguments): string;
  /** Told when a call's key has become another one. */
  changed(): void;
}

/** What a call's key was cut from: its arguments as they stand; with something that cannot be copied; or by the option `key`. */
export type CutFrom = "data" | "data and identities" | "the option key";

/**
 * One call whose arguments are objects, or whose key depends on objects: they may change before the function reads them.
 *
 *   1. `report(day)` cuts its key and looks      2. the caller moves `day` on      3. the function reads `day`
 *
 * Data is copied before the first wait, and keyed again, lest it be a proxy that says something else each time. What
 * cannot be copied (a receiver, what has a `[cacheKey]`, what the option `key` reads) is keyed again just before the
 * function runs and when it has ended: another key, and what came of it is this caller's alone.
 */
export class ObjectCall implements Inputs {
  readonly #called: Called;
  readonly #self: unknown;
  readonly #owner: unknown;
  readonly #signals: readonly AbortSignal[];
  readonly #key: string;
  readonly #from: CutFrom;
  #args: Arguments;
  #taken: boolean;
  #changed = false;

  constructor(
    called: Called,
    self: unknown,
    owner: unknown,
    args: Arguments,
    signals: readonly AbortSignal[],
    key: string,
    from: CutFrom,
  ) {
    this.#called = called;
    this.#self = self;
    this.#owner = owner;
    this.#args = args;
    this.#signals = signals;
    this.#key = key;
    this.#from = from;
    this.#taken = false;
  }

  /** The arguments as they were when the function was called. */
  get args(): Arguments {
    return this.#args;
  }

  /** The options of its fetch, given those that any call has. */
  optionsOn(
    { ttl, stale, group, when, timeout, mintDelay, force, name, source, strictSource }: FetchOptions,
  ): FetchOptions {
    const signals = this.#signals;
    return {
      ttl,
      stale,
      group,
      // A backend that knows no inputs is not to keep what has changed either.
      when: this.#from === "data" ? when : (result) => this.areCurrent() && (when ?? isKeptByDefault)(result),
      timeout,
      mintDelay,
      force,
      name,
      source,
      strictSource,
      signal: signals.length > 1 ? AbortSignal.any([...signals]) : signals[0],
      inputs: this,
    };
  }

  /** The answer was at hand: nothing will be computed. */
  unread(): void {
    this.#taken = true;
  }

  /** Copies what may change, unless nobody will read it. Once, before the caller runs on. */
  take(): void {
    if (this.#taken) return;
    this.#args = this.#copies();
    this.#taken = true;
  }

  /** What the option `key` reads need not be data; what is none of it stays what it is. */
  #copies(): Arguments {
    return this.#from === "the option key" ? copiedData(this.#args) : takenArguments(this.#args);
  }

  /** Was the result computed from what the key was cut from? */
  areCurrent(): boolean {
    return !this.#changed;
  }

  /** Calls the function. `signal`: the computation's, which stands in the place of the caller's own. */
  compute(signal: AbortSignal): unknown {
    this.take();
    this.#compare();
    // The function may change what it is given: what is keyed again, and what `when` is told, are other copies.
    const own = this.#from === "data" ? this.#args : this.#copies();
    const args = this.#signals.length === 0 ? own : withSignal(own, this.#signals, signal);
    const { fn } = this.#called;
    return this.#from === "data"
      ? fn.apply(this.#self, args as unknown[])
      : this.#watched(() => fn.apply(this.#self, args as unknown[]));
  }

  async #watched(work: () => unknown): Promise<unknown> {
    try {
      return await work();
    } finally {
      this.#compare();
    }
  }

  #compare(): void {
    if (this.#changed || this.#sameKey()) return;
    this.#changed = true;
    this.#called.changed();
  }

  /** What has no key any more has another one. */
  #sameKey(): boolean {
    try {
      return this.#called.keyOf(this.#owner, this.#args) === this.#key;
    } catch {
      return false;
    }
  }
}

/** Says that a result was not kept, since its key has changed meanwhile. */
export function warnChanged(name: string): void {
  warn(
    "results whose call has changed",
    `a result of ${quoted(name)} was not kept, since what identifies the call changed ` +
      "between the call and the end of its function: its receiver, an argument with [cacheKey], or what the option " +
      "`key` reads. Pass the function objects that nobody changes meanwhile (told once a function).",
  );
}
