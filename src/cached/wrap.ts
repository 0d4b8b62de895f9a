import { isPromise } from "../util/callbacks.ts";
import type { Backend, EntryOptions, FetchOptions, Groups } from "../backend/backend.ts";
import { CacheKeyError } from "../errors.ts";
import { argumentsText, argumentText, identityText, keyedArguments, primitivesText } from "../key/arguments.ts";
import { hasIdentity } from "../key/identity.ts";
import { signalsIn } from "../key/signals.ts";
import { type Arguments, type Called, type CutFrom, ObjectCall, warnChanged } from "./call.ts";
import { quoted } from "../util/checks.ts";
import { defaultBackend, knownDefault } from "./configure.ts";
import { claimName, type Head, Heads, sharesOf, type Subject } from "./heads.ts";
import { type Holder, numberOf } from "./names.ts";
import type { Terms } from "./options.ts";
import { functionOf, handleOf, homeOf, isPrototype, nameOfHome, partsOfName } from "./receiver.ts";
import { sourceOf } from "./source.ts";
import type { AnyFunction, Cached, CachedVerbs } from "./types.ts";

/** Where a decorated method stands. */
export interface Place {
  /** Its name in its class. */
  readonly property: string | symbol;
  /** Does it stand on the class itself? */
  readonly isStatic: boolean;
}

/** A cached function behind its wrapper: what is decided once, and how one call becomes a key and the options of a fetch. */
export class CachedFunction implements Called {
  /** The function that was wrapped. */
  readonly fn: AnyFunction;
  readonly #terms: Terms;
  /** Only of a method: where it stands, and, once that is known, on which class or prototype. */
  readonly #place: Place | undefined;
  #home: object | undefined;
  #name: string | undefined;
  /** The parts of a name that was derived and not given. */
  #derived: readonly string[] | undefined;
  /** Who was wrapped later has the larger one. */
  readonly #order: number;
  /** How it stands in keys, on the backend of the last call, where it is known to hold its name. */
  #heads: Heads | undefined;
  #backend: Backend | undefined;
  #holder: Holder | undefined;
  readonly #variable: boolean;
  #warnedOfChange = false;

  /** Throws a TypeError for what is wrong whatever the call: no name, no groups on the given backend, a name that is taken. */
  constructor(fn: AnyFunction, terms: Terms, place?: Place) {
    this.fn = fn;
    this.#terms = terms;
    this.#place = place;
    if (terms.name === undefined && place === undefined) this.#derived = [functionName(fn)];
    this.#name = terms.name ?? this.#derived?.join();
    this.#order = numberOf(this);
    const { ttl, when, group, backend } = terms;
    this.#variable = typeof ttl === "function" || when !== undefined || typeof group === "function";
    if (backend !== undefined) this.#assertGroups(backend);
    this.#claimEarly();
  }

  // ──────────────── the call and its verbs ────────────────

  /** Answers a call. */
  call(self: unknown, args: Arguments): Promise<unknown> {
    return this.#fetch("call", self, args, self);
  }

  /** Answers a call for `self`, or computes in any case. `owner` is who stands in the key, if anybody does. */
  #fetch(verb: "call" | "refresh", self: unknown, args: Arguments, owner: unknown): Promise<unknown> {
    try {
      const backend = this.#ready(owner);
      // What the option `key` reads may change even where all arguments are primitive.
      const text = this.#terms.key === undefined ? primitivesText(args) : undefined;
      if (text === undefined || isObject(owner) && hasIdentity(owner)) {
        return this.#fetchObjects(backend, verb, self, args, owner);
      }
      const head = this.#headOfNobody(owner), key = `${head.text}${text})`;
      this.#checkReceiver(self, key, owner, head);
      const fixed = fixedOptions(verb, head);
      const options = this.#variable ? this.#variableOptions(fixed, head, owner, () => args) : fixed;
      return backend.fetch(key, () => this.fn.apply(self, args as unknown[]), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same for a call that objects belong to, which may change meanwhile. */
  #fetchObjects(
    backend: Backend,
    verb: "call" | "refresh",
    self: unknown,
    args: Arguments,
    owner: unknown,
  ): Promise<unknown> {
    let text: string, signals: readonly AbortSignal[], from: CutFrom;
    if (this.#terms.key !== undefined) {
      [text, signals, from] = [this.#optionText(owner, args), signalsIn(args), "the option key"];
    } else {
      const keyed = keyedArguments(args);
      ({ text, signals } = keyed);
      from = keyed.identified || hasIdentity(owner) ? "data and identities" : "data";
    }
    const { head, key } = this.#around(owner, text);
    this.#checkReceiver(self, key, owner, head);
    const call = new ObjectCall(this, self, owner, args, signals, key, from);
    const fixed = fixedOptions(verb, head);
    const options = call.optionsOn(
      this.#variable ? this.#variableOptions(fixed, head, owner, () => call.args) : fixed,
    );
    const answer = backend.fetch(key, (signal) => call.compute(signal), options);
    // Nothing but `fetch` has run since the key was cut.
    try {
      call.take();
    } catch (error) {
      answer.catch(() => {});
      throw error;
    }
    return answer;
  }

  /** What identifies a call has changed before its function had ended. */
  changed(): void {
    if (!this.#warnedOfChange) warnChanged(this.#name!);
    this.#warnedOfChange = true;
  }

  /** The verbs for a receiver; `self` is `undefined` where none is known. */
  verbs(self: unknown): Omit<CachedVerbs<AnyFunction>, "original"> {
    const place = this.#place;
    // The verbs of a static need no receiver, since its class is one.
    const owner = () => self === undefined && place?.isStatic ? this.#home : self;
    const before = () => {
      const backend = this.#ready(self);
      // Calls on objects whose identity or class is in their keys: without a receiver a verb would mean another key.
      const isElsewhere = place === undefined ? this.#heads!.identifies : this.#home === undefined;
      if (self === undefined && isElsewhere) throw this.#noReceiver();
      return backend;
    };
    const asked = (args: Arguments) => ({ backend: before(), ...this.#asked(owner(), args) });
    return {
      invalidate: (...args) => attempt(() => before().delete(this.keyOf(owner(), args), { name: this.#name })),
      refresh: (...args) => attempt(() => (before(), this.#fetch("refresh", self ?? owner(), args, owner()))),
      peek: (...args) =>
        attempt(() => {
          const { backend, head, key } = asked(args);
          const group = this.#group(owner(), args);
          if (head.keepsNothing) return Promise.resolve(undefined);
          const { source } = head;
          return backend.get(key, source === undefined ? { group } : { group, ...source, name: this.#name });
        }),
      set: (args, value) =>
        attempt(() => {
          if (!Array.isArray(args)) throw new TypeError("Cannot set: `args` must be an array of the call's arguments");
          const { backend, head, key } = asked(args);
          const options = { ...this.#entryOptions(owner(), args), ...head.source };
          return head.keepsNothing ? Promise.resolve() : backend.set(key, value, options);
        }),
      key: (...args) => before().key(this.keyOf(owner(), args)),
      on: (receiver) => bound(this, receiver),
    };
  }

  // ──────────────── the class ────────────────

  /** The class (of a static) or prototype this method stands on. The first one told counts. */
  stand(home: object | undefined): void {
    if (this.#home !== undefined || home === undefined) return;
    this.#home = home;
    // Which of two classes is newer counts from their definitions, as far as those are seen.
    const made = functionOf(home);
    if (made !== undefined) numberOf(made);
    // Keys of receivers of that class are others now.
    this.#backend = undefined;
  }

  /** Where, from a receiver on, this method stands. */
  homeFrom(self: unknown): object | undefined {
    return homeOf(self, this.#place!.property, (value) => cachedFunctionOf(value)?.fn === this.fn);
  }

  /** A check at wrap time, where a class is known that early: is the name free? */
  checkName(): void {
    if (this.#home === undefined || nameOfHome(this.#home) === undefined) return;
    this.#name ??= this.#methodName();
    this.#claimEarly();
  }

  /** Where it stands; `undefined` for a function. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** The class (of a static) or prototype it stands on, once that is known. */
  get home(): object | undefined {
    return this.#home;
  }

  // ──────────────── name and backend ────────────────

  /** Takes the name where the backend is known, or the default one that is still to come: a second source is told now. */
  #claimEarly(): void {
    if (this.#name === undefined) return;
    this.#holder = claimName(this.#subject(), this.#terms.backend ?? knownDefault(), this.#holder);
  }

  /** The backend of this call, on which the name is held. */
  #ready(self: unknown): Backend {
    const backend = this.#terms.backend ?? defaultBackend();
    if (backend !== this.#backend || this.#holder!.forgotten !== undefined) {
      this.#assertGroups(backend);
      if (this.#place !== undefined) this.stand(this.homeFrom(self));
      this.#name ??= this.#methodName();
      this.#heads = new Heads(this.#subject(), backend, this.#holder);
      this.#holder = this.#heads.holder;
      this.#backend = backend;
    }
    return backend;
  }

  #subject(): Subject {
    const place = this.#place;
    const kind = place === undefined ? "function" : place.isStatic ? "static" : "method";
    return {
      fn: this.fn,
      terms: this.#terms,
      kind,
      name: this.#name!,
      home: this.#home,
      derived: this.#derived,
      order: this.#order,
    };
  }

  #assertGroups(backend: Backend): void {
    if (backend.groups === false && this.#terms.group !== undefined) {
      throw new TypeError("Cannot use group: its backend has no groups; use a GroupBackend, or leave `group` out");
    }
  }

  /** The name, `Class.method` if it was not given. A process that never called the method may find its class by the receiver. */
  #methodName(): string {
    this.#derived = partsOfName(this.#home, this.#place!.property);
    return this.#derived.join(".");
  }

  // ──────────────── one call ────────────────

  /** The key of a call. */
  keyOf(owner: unknown, args: Arguments): string {
    return this.#asked(owner, args).key;
  }

  /** The key of a call, and how calls for receivers of that class are kept. */
  #asked(owner: unknown, args: Arguments): { readonly head: Head; readonly key: string } {
    return this.#around(owner, this.#terms.key === undefined ? argumentsText(args) : this.#optionText(owner, args));
  }

  #optionText(owner: unknown, args: Arguments): string {
    const identity = this.#ask(this.#terms.key!, owner, args);
    if (isPromise(identity)) throw new CacheKeyError(this.#atOnce("key", "what identifies a call"));
    return argumentText(identity, "what `key` returns");
  }

  /** The same, given the text of what identifies the call besides its receiver. */
  #around(owner: unknown, text: string): { readonly head: Head; readonly key: string } {
    if (!hasIdentity(owner)) {
      const head = this.#headOfNobody(owner);
      return { head, key: `${head.text}${text})` };
    }
    if (isPrototype(owner)) throw this.#noReceiver();
    const identity = identityText(owner, "`this`");
    const head = this.#heads!.identified(owner, identity.className);
    return { head, key: `${identity.text}.${head.text}${text})` };
  }

  /** Of calls in whose key nobody stands but, maybe, the receiver's class. */
  #headOfNobody(owner: unknown): Head {
    const heads = this.#heads!;
    const isNobody = owner === undefined || heads.identifies && isPrototype(owner);
    // Do the instances of its class stand in the key? So the class says, or those that were seen.
    if (isNobody && this.#place !== undefined && (heads.identifies || hasIdentity(this.#home))) {
      throw this.#noReceiver();
    }
    return heads.of(owner);
  }

  #noReceiver(cause?: unknown): TypeError {
    const name = quoted(this.#name!);
    const method = String(this.#place?.property ?? "");
    const form = this.#place === undefined ? ".on(receiver)" : `${handleOf("instance", method)}`;
    return new TypeError(
      `Cannot make a key of ${name} without a receiver: its key or groups depend on \`this\`; use ${form}`,
      { cause },
    );
  }

  /** A function of the options that reads `this` where there is none fails with a word on what to do. */
  #ask<T>(question: (this: unknown, ...args: unknown[]) => T, owner: unknown, args: Arguments): T {
    // A prototype is not the one whose state is meant.
    const self = this.#place !== undefined && isPrototype(owner) ? undefined : owner;
    try {
      return question.apply(self, args as unknown[]);
    } catch (error) {
      const lacksThis = self === undefined && error instanceof TypeError && /\bthis\b/.test(sourceOf(question));
      throw lacksThis ? this.#noReceiver(error) : error;
    }
  }

  #group(owner: unknown, args: Arguments): Groups | undefined {
    const { group } = this.#terms;
    if (typeof group !== "function") return group;
    const groups = this.#ask(group, owner, args);
    if (isPromise(groups)) throw new TypeError(this.#atOnce("group", "names of groups"));
    return groups;
  }

  #atOnce(option: string, wanted: string): string {
    return `Cannot call ${
      quoted(this.#name!)
    }: its option \`${option}\` gave a promise, and must return ${wanted} at once`;
  }

  #entryOptions(owner: unknown, args: Arguments): EntryOptions {
    const { ttl, stale } = this.#terms;
    return {
      ttl: typeof ttl === "function" ? (result) => ttl(result, ...args) : ttl,
      stale,
      group: this.#group(owner, args),
      name: this.#name,
    };
  }

  /** `argsOf`: the arguments as they were, asked when the result is there. */
  #variableOptions(fixed: FetchOptions, head: Head, owner: unknown, argsOf: () => Arguments): FetchOptions {
    if (head.keepsNothing) return fixed;
    const { when, ttl } = this.#terms;
    // Written out: spreads cost more than all of the rest.
    return {
      ttl: typeof ttl === "function" ? (result) => ttl(result, ...argsOf()) : fixed.ttl,
      stale: fixed.stale,
      group: this.#group(owner, argsOf()),
      when: when && ((result) => when(result, ...argsOf())),
      timeout: fixed.timeout,
      mintDelay: fixed.mintDelay,
      force: fixed.force,
      name: fixed.name,
      source: fixed.source,
      strictSource: fixed.strictSource,
      signal: undefined,
      inputs: undefined,
    };
  }

  /** Instances whose identity is not in the key share results, which may surprise. */
  #checkReceiver(self: unknown, key: string, owner: unknown, head: Head): void {
    if (this.#place === undefined) return;
    if (isPrototype(self)) throw this.#noReceiver();
    if (owner === undefined || owner === null || sharesOf(this.#terms) || hasIdentity(owner)) return;
    if (!head.keepsNothing) this.#holder!.meet(this.#name!, key, owner);
  }
}

/** The options of a fetch as far as no call changes them. */
const fixedOptions = (verb: "call" | "refresh", head: Head): FetchOptions =>
  head.keepsNothing ? head.unkept : verb === "call" ? head.fixed : head.forced;

// ──────────────── wrappers ────────────────

const behind = new WeakMap<AnyFunction, CachedFunction>();

/** What stands behind a wrapper; `undefined` for any other value. */
export const cachedFunctionOf = (value: unknown): CachedFunction | undefined =>
  typeof value === "function" ? behind.get(value as AnyFunction) : undefined;

/** The wrapper of a cached function, called with whatever receiver it is called on. */
// deno-lint-ignore no-explicit-any
export function wrapperOf(cached: CachedFunction): Cached<any> {
  return wrapped(cached, undefined, function (this: unknown, ...args: unknown[]) {
    return cached.call(this, args);
  });
}

/** Another wrapper, for one receiver. */
// deno-lint-ignore no-explicit-any
export function bound(cached: CachedFunction, self: unknown): Cached<any> {
  return wrapped(cached, self, (...args: unknown[]) => cached.call(self, args));
}

// deno-lint-ignore no-explicit-any
function wrapped(cached: CachedFunction, self: unknown, call: AnyFunction): Cached<any> {
  const { fn } = cached;
  Object.assign(call, cached.verbs(self));
  Object.defineProperties(call, {
    name: { value: fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
    original: { get: () => self === undefined ? fn : fn.bind(self), configurable: true },
  });
  behind.set(call, cached);
  // deno-lint-ignore no-explicit-any
  return call as Cached<any>;
}

// ──────────────── names and classes ────────────────

function functionName(fn: AnyFunction): string {
  if (typeof fn.name === "string" && fn.name !== "") return fn.name;
  throw new TypeError("Cannot name this function: it is anonymous; pass the option `name`");
}

const isObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null || typeof value === "function";

/** Methods that return a promise never throw. */
function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work();
  } catch (error) {
    return Promise.reject(error);
  }
}
