import type { Backend, EntryOptions, FetchOptions, Groups } from "../backend/backend.ts";
import { keepsByDefault } from "../backend/terms.ts";
import { argumentsText, argumentText, identityText, keyedArguments, primitivesText } from "../key/arguments.ts";
import { hasIdentity } from "../key/identity.ts";
import { signalsIn } from "../key/signals.ts";
import { type Arguments, type Called, type CutFrom, ObjectCall, warnChanged } from "./call.ts";
import { defaultBackend } from "./configure.ts";
import { claim, type Holder, sourceOf } from "./names.ts";
import type { Terms } from "./options.ts";
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
  /** The key up to the arguments; for receivers with an identity, from their text on, by their class. */
  #head = "";
  readonly #heads = new Map<string, string>();
  /** The options of a fetch, and of one that computes in any case, as far as no call changes them. */
  #fixed: FetchOptions = {};
  #forced: FetchOptions = {};
  readonly #variable: boolean;
  /** The backend of the last call, on which this function is known to hold its name. */
  #backend: Backend | undefined;
  #holder: Holder | undefined;
  #warnedOfChange = false;

  /** Throws a TypeError for what is wrong whatever the call: no name, no groups on the given backend, a name that is taken. */
  constructor(fn: AnyFunction, terms: Terms, place?: Place) {
    this.fn = fn;
    this.#terms = terms;
    this.#place = place;
    this.#name = terms.name ?? (place === undefined ? functionName(fn) : undefined);
    const { ttl, when, group, backend } = terms;
    this.#variable = typeof ttl === "function" || when !== undefined || typeof group === "function";
    if (backend !== undefined) {
      this.#assertGroups(backend);
      if (this.#name !== undefined) this.#hold(backend);
    }
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
      const fixed = verb === "call" ? this.#fixed : this.#forced;
      const text = this.#terms.key === undefined
        ? primitivesText(args)
        : isObject(owner) || args.some(isObject)
        ? undefined
        : this.#optionText(owner, args);
      if (text === undefined || isObject(owner) && hasIdentity(owner)) {
        return this.#fetchObjects(backend, fixed, self, args, owner);
      }
      const key = this.#keyOfNobody(owner, text);
      this.#checkReceiver(self, key, owner);
      const options = this.#variable ? this.#fetchOptions(fixed, owner, () => args) : fixed;
      return backend.fetch(key, () => this.fn.apply(self, args as unknown[]), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same for a call that objects belong to, which may change meanwhile. */
  #fetchObjects(
    backend: Backend,
    fixed: FetchOptions,
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
    const key = this.#keyAround(owner, text);
    this.#checkReceiver(self, key, owner);
    const call = new ObjectCall(this, self, owner, args, signals, key, from);
    const options = this.#objectOptions(fixed, owner, call, signals, from);
    const answer = backend.fetch(key, (signal) => call.compute(signal), options);
    // Nothing but `fetch` has run since the key was cut.
    call.take();
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
    // The verbs of a static need no receiver, since its class is one; a prototype is not the one whose state is meant.
    const owner = () => self === undefined && place?.isStatic ? this.#home : isPrototype(self) ? undefined : self;
    const before = () => {
      const backend = this.#ready(self);
      // Calls on objects with an identity have it in their keys: without a receiver a verb would mean another key.
      if (place === undefined && self === undefined && this.#heads.size > 0) throw this.#noReceiver();
      return backend;
    };
    return {
      invalidate: (...args) => attempt(() => before().delete(this.keyOf(owner(), args))),
      refresh: (...args) => attempt(() => (before(), this.#fetch("refresh", self ?? owner(), args, owner()))),
      peek: (...args) => attempt(() => before().get(this.keyOf(owner(), args), { group: this.#group(owner(), args) })),
      set: (args, value) =>
        attempt(() => {
          if (!Array.isArray(args)) throw new TypeError("Cannot set: `args` must be an array of the call's arguments");
          const backend = before();
          return backend.set(this.keyOf(owner(), args), value, this.#entryOptions(owner(), args));
        }),
      key: (...args) => before().key(this.keyOf(owner(), args)),
      on: (receiver) => bound(this, receiver),
    };
  }

  // ──────────────── the class ────────────────

  /** The class (of a static) or prototype this method stands on. The first one told counts. */
  stand(home: object | undefined): void {
    this.#home ??= home;
  }

  /** A check at wrap time, where a class is known that early: is the name free on the given backend? */
  checkName(): void {
    const named = this.#home !== undefined && classNameOf(this.#home) !== undefined;
    if (named && this.#terms.backend !== undefined) this.#ready(this.#home);
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

  /** The backend of this call, on which the name is held. */
  #ready(self: unknown): Backend {
    const backend = this.#terms.backend ?? defaultBackend();
    if (backend !== this.#backend) {
      this.#assertGroups(backend);
      this.#name ??= this.#methodName(self);
      this.#hold(backend);
    }
    return backend;
  }

  #assertGroups(backend: Backend): void {
    if (backend.groups === false && this.#terms.group !== undefined) {
      throw new TypeError("Cannot use group: its backend has no groups; use a GroupBackend, or leave `group` out");
    }
  }

  #hold(backend: Backend): void {
    const name = this.#name!;
    this.#holder = this.#claim(backend, name);
    this.#backend = backend;
    this.#head = `${escapedName(name)}(`;
    this.#heads.clear();
    const { ttl, stale, group, timeout, mintDelay } = this.#terms;
    this.#fixed = {
      ttl: typeof ttl === "function" ? undefined : ttl,
      stale,
      group: typeof group === "function" ? undefined : group,
      when: undefined,
      timeout,
      mintDelay,
      force: undefined,
      name,
    };
    this.#forced = { ...this.#fixed, force: true };
  }

  #claim(backend: Backend, name: string): Holder {
    const { key, name: given } = this.#terms;
    return claim(backend, name, this.fn, key !== undefined ? "by key" : given !== undefined ? "by name" : "not at all");
  }

  /** `Class.method`. A process that never called the method may find its class by the receiver. */
  #methodName(self: unknown): string {
    const { property } = this.#place!;
    if (this.#home === undefined) this.stand(homeOf(self, this.#place!, this.fn));
    const method = typeof property === "symbol" ? `[${property.description ?? ""}]` : property;
    if (this.#home === undefined) {
      const form = handleOf("Class.prototype", method);
      throw new TypeError(
        `Cannot name ${method}: its class is not known, before its first instance or since another decorator hides it; ` +
          `use ${form}, put @cached outermost, or pass the option \`name\``,
      );
    }
    const className = classNameOf(this.#home);
    if (className === undefined) {
      throw new TypeError(`Cannot name ${method}: its class has no name; pass the option \`name\``);
    }
    return `${className}.${method}`;
  }

  // ──────────────── one call ────────────────

  /** The key of a call. */
  keyOf(owner: unknown, args: Arguments): string {
    return this.#keyAround(
      owner,
      this.#terms.key === undefined ? argumentsText(args) : this.#optionText(owner, args),
    );
  }

  #optionText(owner: unknown, args: Arguments): string {
    return argumentText(this.#ask(this.#terms.key!, owner, args), "what `key` returns");
  }

  #keyAround(owner: unknown, text: string): string {
    if (!hasIdentity(owner)) return this.#keyOfNobody(owner, text);
    if (isPrototype(owner)) throw this.#noReceiver();
    const identity = identityText(owner, "`this`");
    return `${identity.text}.${this.#headOn(identity.className)}${text})`;
  }

  /** The key where nobody stands in it. */
  #keyOfNobody(owner: unknown, text: string): string {
    if (owner === undefined && this.#place !== undefined && this.#identifies()) throw this.#noReceiver();
    return `${this.#head}${text})`;
  }

  /** `offers(` for `City.offers` on a City, and whatever is declared elsewhere in full; the name it amounts to is taken, too. */
  #headOn(className: string): string {
    let head = this.#heads.get(className);
    if (head === undefined) {
      const name = this.#name!;
      const rest = name.startsWith(`${className}.`) ? name.slice(className.length + 1) : name;
      this.#claim(this.#backend!, `${className}.${rest}`);
      this.#heads.set(className, head = `${escapedName(rest)}(`);
    }
    return head;
  }

  /** Do the instances of its class stand in the key? So its class says, or those that were seen. */
  #identifies(): boolean {
    return hasIdentity(this.#home) || this.#heads.size > 0;
  }

  #noReceiver(cause?: unknown): TypeError {
    const name = JSON.stringify(this.#name);
    const method = String(this.#place?.property ?? "");
    const form = this.#place === undefined ? ".on(receiver)" : `${handleOf("instance", method)}`;
    return new TypeError(
      `Cannot make a key of ${name} without a receiver: its key or groups depend on \`this\`; use ${form}`,
      { cause },
    );
  }

  /** A function of the options that reads `this` where there is none fails with a word on what to do. */
  #ask<T>(question: (this: unknown, ...args: unknown[]) => T, owner: unknown, args: Arguments): T {
    try {
      return question.apply(owner, args as unknown[]);
    } catch (error) {
      const lacksThis = owner === undefined && error instanceof TypeError && /\bthis\b/.test(sourceOf(question));
      throw lacksThis ? this.#noReceiver(error) : error;
    }
  }

  #group(owner: unknown, args: Arguments): Groups | undefined {
    const { group } = this.#terms;
    return typeof group === "function" ? this.#ask(group, owner, args) : group;
  }

  #entryOptions(owner: unknown, args: Arguments): EntryOptions {
    const { ttl, stale } = this.#terms;
    return {
      ttl: typeof ttl === "function" ? (result) => ttl(result, ...args) : ttl,
      stale,
      group: this.#group(owner, args),
    };
  }

  /** `argsOf`: the arguments as they were, asked when the result is there. */
  #fetchOptions(fixed: FetchOptions, owner: unknown, argsOf: () => Arguments): FetchOptions {
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
      signal: undefined,
      inputs: undefined,
    };
  }

  #objectOptions(
    fixed: FetchOptions,
    owner: unknown,
    call: ObjectCall,
    signals: readonly AbortSignal[],
    from: CutFrom,
  ): FetchOptions {
    const { ttl, stale, group, when, timeout, mintDelay, force, name } = this.#variable
      ? this.#fetchOptions(fixed, owner, () => call.args)
      : fixed;
    return {
      ttl,
      stale,
      group,
      // A backend that knows no inputs is not to keep what has changed either.
      when: from === "data" ? when : (result) => call.areCurrent() && (when ?? keepsByDefault)(result),
      timeout,
      mintDelay,
      force,
      name,
      signal: signals.length > 1 ? AbortSignal.any([...signals]) : signals[0],
      inputs: call,
    };
  }

  #checkReceiver(self: unknown, key: string, owner: unknown): void {
    if (this.#place === undefined) return;
    if (isPrototype(self)) throw this.#noReceiver();
    this.#meet(key, owner);
  }

  /** Instances whose identity is not in the key share results, which may surprise. */
  #meet(key: string, owner: unknown): void {
    if (this.#terms.key !== undefined || owner === undefined || owner === null) return;
    // Of a static, the receivers are classes: one that inherits it is another one.
    if (typeof owner !== (this.#place!.isStatic ? "function" : "object") || hasIdentity(owner)) return;
    this.#holder!.meet(key, owner as object);
  }
}

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

function classNameOf(home: object): string | undefined {
  const { name } = (typeof home === "function" ? home : home.constructor ?? {}) as { name?: unknown };
  return typeof name === "string" && name !== "" ? name : undefined;
}

const handleOf = (self: string, method: string): string => `handle(${self}, ${JSON.stringify(method)})`;

/** The backend escapes `%` once more, and everything else. */
const escapedName = (name: string): string =>
  name.replace(/[():%]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The prototype of a class has its verbs, but stands for no instance. */
const isPrototype = (self: unknown): boolean =>
  typeof self === "object" && self !== null && Object.hasOwn(self, "constructor") &&
  (self.constructor as { prototype?: unknown } | undefined)?.prototype === self;

/**
 * Where, from a receiver on, this method stands: the own property that holds its wrapper. A decorator above ours may
 * have put something else there: then the only one with an own property of that name. Of two, nobody can tell: guessing
 * would give one method two keys, depending on which class a process constructs first.
 */
export function homeOf(self: unknown, { property }: Place, fn: AnyFunction): object | undefined {
  const others: object[] = [];
  if (self === undefined || self === null) return undefined;
  for (let at = Object(self) as object | null; at !== null; at = Object.getPrototypeOf(at)) {
    const own = isHome(at) ? Object.getOwnPropertyDescriptor(at, property) : undefined;
    if (own === undefined) continue;
    if (cachedFunctionOf(own.value)?.fn === fn) return at;
    others.push(at);
  }
  return others.length === 1 ? others[0] : undefined;
}

/** A class, or the prototype of one. */
export const isHome = (at: unknown): boolean => typeof at === "function" || isPrototype(at);

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
