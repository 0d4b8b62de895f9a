import type { Backend, FetchOptions, Groups } from "../backend/backend.ts";
import { CacheKeyError } from "../errors.ts";
import { argumentsText, argumentText, keyedArguments, primitivesText } from "../key/arguments.ts";
import { hasIdentity } from "../key/identity.ts";
import { signalsIn } from "../key/signals.ts";
import { isPromise } from "../util/callbacks.ts";
import { quoted } from "../util/checks.ts";
import { warn } from "../util/warnings.ts";
import { defaultBackend, knownDefault } from "./configure.ts";
import { candidateOf, type Keyed, type KeyPrefix, KeyPrefixes, type Verb } from "./key_prefixes.ts";
import { numberOf, register, sourceOf } from "./names.ts";
import { type Arguments, ObjectCall } from "./object_call.ts";
import type { CheckedOptions } from "./options.ts";
import {
  classOf,
  declaringClassOf,
  handleOf,
  isPrototype,
  type MemberRef,
  nameOfClass,
  partsOfName,
} from "./receiver.ts";
import type { AnyFunction, Cached, CachedVerbs } from "./types.ts";

/**
 * A function with the options of its cache: it makes of each call a key and the options of a fetch. Users hold wrappers
 * of it, one for each receiver that they bind.
 */
export class CachedFunction {
  /** The function that was wrapped. */
  readonly fn: AnyFunction;
  readonly options: CheckedOptions;
  /** `undefined`: it is no method. */
  readonly member: MemberRef | undefined;
  /** Larger for what was wrapped later. */
  readonly order: number;
  /** Of a method, once it is known: the class (of a static) or prototype that declares it. */
  declaringClass: object | undefined;
  /** The name in keys; `undefined` for a method whose class is not known yet. */
  name: string | undefined;
  /** The parts of a derived name; `undefined` if it was given. */
  nameParts: readonly string[] | undefined;
  /** On the backend of the last call. `undefined` before the first one, and when the class has become known. */
  #prefixes: KeyPrefixes | undefined;
  /** Some options are functions of the arguments or the result. */
  readonly #asksUser: boolean;
  #hasWarned = false;

  /**
   * Throws a TypeError for what is wrong whatever the call: a function without a name, groups on a backend that has
   * none, a name that another function has.
   */
  constructor(fn: AnyFunction, options: CheckedOptions, member?: MemberRef) {
    this.fn = fn;
    this.options = options;
    this.member = member;
    if (options.name === undefined && member === undefined) this.nameParts = [functionName(fn)];
    this.name = options.name ?? this.nameParts?.join();
    this.order = numberOf(this);
    const { ttl, when, group, backend } = options;
    this.#asksUser = typeof ttl === "function" || when !== undefined || typeof group === "function";
    if (backend !== undefined) this.#assertGroups(backend);
    this.registerName();
  }

  // ──────────────── the call and its verbs ────────────────

  /** Answers a call; `refresh` computes in any case. */
  fetch(verb: Verb, self: unknown, args: Arguments): Promise<unknown> {
    try {
      const prefixes = this.#prefixesFor(self);
      // What the option `key` reads may change even where all arguments are primitive.
      const text = this.options.key === undefined ? primitivesText(args) : undefined;
      if (text === undefined || hasIdentity(self)) return this.#fetchObjects(prefixes, verb, self, args);
      const prefix = prefixes.of(self), key = `${prefix.text}${text})`;
      prefixes.noteReceiver(self, prefix, key);
      const options = this.#asksUser ? this.#fetchOptions(prefix, verb, self, { args }) : prefix.optionsOf(verb);
      return prefixes.backend.fetch(key, () => this.fn.apply(self, args as unknown[]), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same for a call that objects belong to, which may change meanwhile. */
  #fetchObjects(prefixes: KeyPrefixes, verb: Verb, self: unknown, args: Arguments): Promise<unknown> {
    const keyed = this.options.key === undefined ? keyedArguments(args) : undefined;
    const { prefix, key } = prefixes.keyed(self, keyed === undefined ? this.#optionText(self, args) : keyed.text);
    prefixes.noteReceiver(self, prefix, key);
    const isData = keyed !== undefined && !keyed.identified && !hasIdentity(self);
    const signals = keyed === undefined ? signalsIn(args) : keyed.signals;
    const call = new ObjectCall(this, self, args, signals, key, isData ? "data" : "what may change");
    const options = this.#fetchOptions(prefix, verb, self, call, call);
    const answer = prefixes.backend.fetch(key, (signal) => call.compute(signal), options);
    // Nothing but `fetch` has run since the key was made, so the arguments are still those of the key.
    try {
      call.copyArguments();
    } catch (error) {
      answer.catch(() => {});
      throw error;
    }
    return answer;
  }

  /** What identifies a call has changed before its function had ended. Warns once. */
  noteChange(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    warn(
      "results whose call has changed",
      `a result of ${quoted(this.name!)} was not kept, since what identifies the call changed ` +
        "between the call and the end of its function: its receiver, an argument with [cacheKey], or what the option " +
        "`key` reads. Pass the function objects that nobody changes meanwhile (one warning a function).",
    );
  }

  /** The verbs for a receiver; `undefined`: for none. */
  verbs(self: unknown): Omit<CachedVerbs<AnyFunction>, "original"> {
    /** Throws a TypeError where calls on objects have keys that a verb without a receiver cannot mean. */
    const receiverOfVerb = (): unknown => {
      // The verbs of a static need none, since its class is one.
      const receiver = self === undefined && this.member?.isStatic ? this.declaringClass : self;
      const prefixes = this.#prefixesFor(receiver);
      const isElsewhere = this.member === undefined ? prefixes.identifies : this.declaringClass === undefined;
      if (receiver === undefined && isElsewhere) throw this.noReceiver();
      return receiver;
    };
    const asked = (args: Arguments) => {
      const receiver = receiverOfVerb();
      return { ...this.keyed(receiver, args), receiver, backend: this.#prefixes!.backend };
    };
    return {
      invalidate: async (...args) => {
        const { backend, key } = asked(args);
        await backend.delete(key, { name: this.name });
      },
      refresh: async (...args) => await this.fetch("refresh", receiverOfVerb(), args),
      peek: async (...args) => {
        const { receiver, backend, prefix, key } = asked(args);
        if (prefix.keepsNothing) return undefined;
        return await backend.get(key, { group: this.#group(receiver, args), ...prefix.source });
      },
      set: async (args, value) => {
        if (!Array.isArray(args)) throw new TypeError("Cannot set: `args` must be an array of the call's arguments");
        const { receiver, backend, prefix, key } = asked(args);
        if (prefix.keepsNothing) return;
        const { ttl, stale, group, name } = this.#fetchOptions(prefix, "call", receiver, { args });
        await backend.set(key, value, { ttl, stale, group, name, ...prefix.source });
      },
      key: (...args) => {
        const { backend, key } = asked(args);
        return backend.key(key);
      },
      on: (other) => wrapperOf(this, other),
    };
  }

  // ──────────────── the class, the name and the backend ────────────────

  /** Says which class (of a static) or prototype declares this method. Only the first one counts. */
  bindClass(classObject: object | undefined): void {
    if (this.declaringClass !== undefined || classObject === undefined) return;
    this.declaringClass = classObject;
    const methods = methodsOn.get(classObject) ?? new Map<string | symbol, CachedFunction>();
    methodsOn.set(classObject, methods.set(this.member!.property, this));
    // Which of two classes is newer counts from their definitions, as far as those are seen.
    const itsClass = classOf(classObject);
    if (itsClass !== undefined) numberOf(itsClass);
    // The keys of that class's receivers are others now.
    this.#prefixes = undefined;
  }

  /** Binds the class of a receiver that declares this method. */
  bindClassOf(self: unknown): void {
    const { member } = this;
    if (member === undefined || this.declaringClass !== undefined) return;
    this.bindClass(declaringClassOf(self, member.property, (value) => cachedFunctionOf(value)?.fn === this.fn));
  }

  /**
   * Registers the name as soon as it is known, so that a second function of that name is refused when it is wrapped.
   */
  registerName(): void {
    const { declaringClass, options } = this;
    if (declaringClass !== undefined && nameOfClass(declaringClass) !== undefined) this.name ??= this.#methodName();
    if (this.name !== undefined) register(candidateOf(this), options.backend ?? knownDefault());
  }

  #prefixesFor(self: unknown): KeyPrefixes {
    const backend = this.options.backend ?? defaultBackend();
    if (backend === this.#prefixes?.backend) return this.#prefixes;
    this.#assertGroups(backend);
    this.bindClassOf(self);
    this.name ??= this.#methodName();
    return this.#prefixes = new KeyPrefixes(this, backend);
  }

  #assertGroups(backend: Backend): void {
    if (backend.groups === false && this.options.group !== undefined) {
      throw new TypeError("Cannot use group: its backend has no groups; use a GroupBackend, or leave `group` out");
    }
  }

  /** `Class.method`. Throws a TypeError where the class is not known, or has no name. */
  #methodName(): string {
    this.nameParts = partsOfName(this.declaringClass, this.member!.property);
    return this.nameParts.join(".");
  }

  // ──────────────── one call ────────────────

  /** The key of a call. */
  keyed(self: unknown, args: Arguments): Keyed {
    const text = this.options.key === undefined ? argumentsText(args) : this.#optionText(self, args);
    return (this.#prefixes ?? this.#prefixesFor(self)).keyed(self, text);
  }

  #optionText(self: unknown, args: Arguments): string {
    const identity = this.#ask(this.options.key!, self, args, "key", "what identifies a call");
    return argumentText(identity, "what `key` returns");
  }

  #group(self: unknown, args: Arguments): Groups | undefined {
    const { group } = this.options;
    return typeof group === "function" ? this.#ask(group, self, args, "group", "names of groups") as Groups : group;
  }

  /**
   * Calls a function of the options, which has to answer at once. Where it reads `this` and there is none, the error
   * says what to do.
   */
  #ask(question: AnyFunction, self: unknown, args: Arguments, option: "key" | "group", wanted: string): unknown {
    // A prototype is not the one whose state is meant.
    const receiver = this.member !== undefined && isPrototype(self) ? undefined : self;
    let answer: unknown;
    try {
      answer = question.apply(receiver, args as unknown[]);
    } catch (error) {
      const lacksThis = receiver === undefined && error instanceof TypeError && /\bthis\b/.test(sourceOf(question));
      throw lacksThis ? this.noReceiver(error) : error;
    }
    if (!isPromise(answer)) return answer;
    const text = `its option \`${option}\` gave a promise, and must return ${wanted} at once`;
    throw new (option === "key" ? CacheKeyError : TypeError)(`Cannot call ${quoted(this.name!)}: ${text}`);
  }

  noReceiver(cause?: unknown): TypeError {
    const { member } = this;
    const form = member === undefined ? ".on(receiver)" : handleOf("instance", String(member.property));
    return new TypeError(
      `Cannot make a key of ${
        quoted(this.name!)
      } without a receiver: its key or groups depend on \`this\`; use ${form}`,
      { cause },
    );
  }

  /** The options of one fetch. `call.args` are read when they are needed: by then an ObjectCall has copied them. */
  #fetchOptions(
    prefix: KeyPrefix,
    verb: Verb,
    self: unknown,
    call: { readonly args: Arguments },
    inputs?: ObjectCall,
  ): FetchOptions {
    const fixed = prefix.optionsOf(verb);
    const { ttl, when } = this.options, asksUser = this.#asksUser && !prefix.keepsNothing;
    const keeps = asksUser && when !== undefined ? withArguments(when, call) : fixed.when;
    // Written out: spreads cost more than all of the rest.
    return {
      ttl: asksUser && typeof ttl === "function" ? withArguments(ttl, call) : fixed.ttl,
      stale: fixed.stale,
      group: asksUser ? this.#group(self, call.args) : fixed.group,
      when: inputs === undefined ? keeps : inputs.onlyUnchanged(keeps),
      timeout: fixed.timeout,
      mintDelay: fixed.mintDelay,
      force: fixed.force,
      name: fixed.name,
      source: fixed.source,
      strictSource: fixed.strictSource,
      signal: inputs?.signal,
      inputs,
    };
  }
}

/**
 * A function of a result that gives `ask` the arguments as well. Not written inline, where each call would pay for it.
 */
function withArguments<T>(
  ask: (result: unknown, ...args: unknown[]) => T,
  call: { readonly args: Arguments },
): (result: unknown) => T {
  return (result) => ask(result, ...call.args);
}

function functionName(fn: AnyFunction): string {
  if (typeof fn.name === "string" && fn.name !== "") return fn.name;
  throw new TypeError("Cannot name this function: it is anonymous; pass the option `name`");
}

// ──────────────── wrappers ────────────────

const wrappers = new WeakMap<AnyFunction, CachedFunction>();
/** The methods of a class or prototype, which another decorator may have hidden. */
const methodsOn = new WeakMap<object, Map<string | symbol, CachedFunction>>();

/** The cached function of a wrapper; `undefined` for any other value. */
export const cachedFunctionOf = (value: unknown): CachedFunction | undefined =>
  typeof value === "function" ? wrappers.get(value as AnyFunction) : undefined;

/** The cached method that a class or prototype declares; `undefined` if it declares none of that name. */
export const cachedMethodOf = (classObject: object, property: string | symbol): CachedFunction | undefined =>
  methodsOn.get(classObject)?.get(property);

/** A wrapper: called on whatever receiver it is called on, or always on `self` where that is given. */
// deno-lint-ignore no-explicit-any
export function wrapperOf(cached: CachedFunction, self?: unknown): Cached<any> {
  const { fn } = cached;
  const call: AnyFunction = self === undefined
    ? function (this: unknown, ...args: unknown[]) {
      return cached.fetch("call", this, args);
    }
    : (...args: unknown[]) => cached.fetch("call", self, args);
  Object.assign(call, cached.verbs(self));
  Object.defineProperties(call, {
    name: { value: fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
    original: { get: () => self === undefined ? fn : fn.bind(self), configurable: true },
  });
  wrappers.set(call, cached);
  // deno-lint-ignore no-explicit-any
  return call as Cached<any>;
}
