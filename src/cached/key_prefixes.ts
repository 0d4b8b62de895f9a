/**
 * What keys of one cached function begin with on one backend, for the receivers of each class: `Repo.find(` for the
 * class that declares it, `Repo.find<Users>(` for one that inherits it, so that the two never share a result.
 */
import type { Backend, FetchOptions } from "../backend/backend.ts";
import { identityText } from "../key/arguments.ts";
import { hasIdentity } from "../key/identity.ts";
import { quoted } from "../util/checks.ts";
import { warn } from "../util/warnings.ts";
import type { CachedFunction } from "./function.ts";
import {
  type Candidate,
  type Identity,
  identityOf,
  isMinified,
  isSuperseded,
  numberOf,
  register,
  type Registration,
  sourceHash,
} from "./names.ts";
import type { CheckedOptions } from "./options.ts";
import { classOf, commonOf, isPrototype, type MemberRef, receiverClass } from "./receiver.ts";

/** How many keys of a method are watched for a second receiver. */
const WATCHED_KEYS = 100;

/** A call, or one that computes in any case. */
export type Verb = "call" | "refresh";

/** What the keys of one class's receivers begin with, and how their results are kept. */
export class KeyPrefix {
  /** The key up to the arguments; for receivers with an identity, what follows the identity. */
  readonly text: string;
  readonly #options: FetchOptions;
  /** The names used here that may be superseded: the function's, the method's on the receiver's class, the class's. */
  readonly #names: readonly Registration[];

  constructor(text: string, options: FetchOptions, names: readonly Registration[]) {
    this.text = text;
    this.#options = options;
    this.#names = names;
  }

  /** Calls compute, and keep and read nothing. */
  get keepsNothing(): boolean {
    for (const name of this.#names) if (isSuperseded(name)) return true;
    return false;
  }

  /** The options of a fetch as far as no call changes them. */
  optionsOf(verb: Verb): FetchOptions {
    if (!this.keepsNothing) return verb === "call" ? this.#options : { ...this.#options, force: true };
    const { timeout, mintDelay, name } = this.#options;
    return { ttl: 0, when: () => false, force: true, timeout, mintDelay, name };
  }

  /** What a backend has to know of the source at a read or a set; `undefined`: nothing. */
  get source(): Pick<FetchOptions, "source" | "strictSource" | "name"> | undefined {
    const { source, strictSource, name } = this.#options;
    return source === undefined ? undefined : { source, strictSource, name };
  }
}

/** A key, and what it begins with. */
export interface Keyed {
  readonly prefix: KeyPrefix;
  readonly key: string;
}

/** The key prefixes of one function on one backend. */
export class KeyPrefixes {
  readonly backend: Backend;
  readonly #fn: CachedFunction;
  /** The function's name as in keys, escaped. */
  readonly #id: string;
  readonly #name: Registration;
  #own: KeyPrefix | undefined;
  /** By what the receivers of a class have in common (`commonOf`). */
  readonly #inherited = new WeakMap<object, KeyPrefix>();
  /** The one of the last call, which most calls need again: quicker than to look it up. */
  #lastCommon: object | undefined;
  #last: KeyPrefix | undefined;
  #identified: WeakMap<object, KeyPrefix> | undefined;
  /** Which receiver used a key first. */
  readonly #receivers = new Map<string, Identity>();
  #hasWarned = false;

  /** Throws a TypeError if another function has the name. */
  constructor(fn: CachedFunction, backend: Backend) {
    this.backend = backend;
    this.#fn = fn;
    this.#id = escapedName(fn.name!);
    this.#name = register(candidateOf(fn), backend);
  }

  /** Have receivers with an identity been seen? Then a call without one may be meant for any of them. */
  get identifies(): boolean {
    return this.#identified !== undefined;
  }

  /**
   * Looks at the receiver of a method's call. Throws a TypeError for a prototype, whose result would be every
   * instance's. Warns, once, if another receiver has used the key: instances whose identity is not in it share results.
   */
  noteReceiver(self: unknown, prefix: KeyPrefix, key: string): void {
    const { member, options, name } = this.#fn;
    if (member === undefined) return;
    if (isPrototype(self)) throw this.#fn.noReceiver();
    if (this.#hasWarned || self === undefined || self === null || mayShare(options) || hasIdentity(self)) return;
    const first = this.#receivers.get(key), identity = identityOf(self);
    if (first === identity || prefix.keepsNothing) return;
    if (first === undefined) {
      if (this.#receivers.size < WATCHED_KEYS) this.#receivers.set(key, identity);
      return;
    }
    this.#hasWarned = true;
    this.#receivers.clear();
    warn(
      "receivers that share results",
      `two instances or classes share the results of ${quoted(name!)}, since \`this\` is not part of its key. ` +
        "Give their class a [cacheKey]() method; or pass the option `key`, or `shared: true`, if they are to share.",
    );
  }

  /** The key of a call, given the text of what identifies it besides its receiver. */
  keyed(self: unknown, text: string): Keyed {
    if (!hasIdentity(self)) {
      const prefix = this.of(self);
      return { prefix, key: `${prefix.text}${text})` };
    }
    if (isPrototype(self)) throw this.#fn.noReceiver();
    const { className, text: identity } = identityText(self, "`this`");
    const prefix = this.#ofIdentified(self, className);
    return { prefix, key: `${identity}.${prefix.text}${text})` };
  }

  /**
   * The prefix for a receiver without an identity, or without a receiver. Throws a TypeError for one whose class has no
   * name, and where a receiver's identity would have to be in the key.
   */
  of(self: unknown): KeyPrefix {
    const { member, declaringClass } = this.#fn;
    if (member === undefined) return this.own;
    const isNobody = self === undefined || this.identifies && isPrototype(self);
    // Whether instances of its class have an identity is said by the class, or by those that were seen.
    if (isNobody && (this.identifies || hasIdentity(declaringClass))) throw this.#fn.noReceiver();
    if (self === undefined || self === null) return this.own;
    const common = commonOf(self, member);
    if (common === declaringClass) return this.own;
    if (common === this.#lastCommon) return this.#last!;
    let prefix = this.#inherited.get(common);
    if (prefix === undefined) this.#inherited.set(common, prefix = this.#ofInherited(common, member));
    this.#lastCommon = common;
    return this.#last = prefix;
  }

  /** For calls without a receiver, and for the class that declares the method. */
  get own(): KeyPrefix {
    const { declaringClass, name } = this.#fn;
    return this.#own ??= this.#make(`${this.#id}(`, declaringClass, this.#registerClass(declaringClass, "", name!));
  }

  #ofInherited(common: object, member: MemberRef): KeyPrefix {
    const { declaringClass, name, options } = this.#fn;
    const { classObject, name: className = "" } = receiverClass(common, member);
    if (classObject === declaringClass && classObject !== undefined) return this.own;
    if (className === "" && !mayShare(options)) {
      throw new TypeError(
        `Cannot make a key of ${quoted(name!)}: the class of its receiver has no name, so its results would ` +
          "be those of all such classes; give the class a name, or pass the option `key`",
      );
    }
    const names = this.#registerClass(classObject, escapedName(className), `${name} of ${className}`);
    return this.#make(`${this.#id}<${escapedName(className)}>(`, classObject, names, className);
  }

  /**
   * For a receiver with an identity, whose text has its class already: `offers(` for `City.offers` of a City, and in
   * full what another class declares. The name that the two amount to is registered as well.
   */
  #ofIdentified(self: object, className: string): KeyPrefix {
    const { name, member } = this.#fn;
    const common = commonOf(self, member);
    const known = this.#identified?.get(common);
    if (known !== undefined) return known;
    const rest = name!.startsWith(`${className}.`) ? name!.slice(className.length + 1) : name!;
    const whole = `${className}.${rest}`;
    // As a method it shares with those of its source in silence: a warning under the function's own name was enough.
    const registration = register({ ...candidateOf(this.#fn, whole), kind: "method" }, this.backend);
    const { classObject } = receiverClass(common, member);
    const names = [registration, ...this.#registerClass(classObject, `${escapedName(className)}()`, whole)];
    const prefix = this.#make(`${escapedName(rest)}(`, classObject, names, className);
    (this.#identified ??= new WeakMap()).set(common, prefix);
    return prefix;
  }

  /** Registers a class under a method's name: what a second class of that name computes is not kept. */
  #registerClass(classObject: object | undefined, className: string, name: string): readonly Registration[] {
    const { member, options } = this.#fn;
    const target = classObject && classOf(classObject);
    // Nothing tells plain objects apart, and each realm has an Object of its own.
    const isPlain = classObject !== undefined && !member?.isStatic && Object.getPrototypeOf(classObject) === null;
    if (target === undefined || isPlain || mayShare(options)) return [];
    const id = `${this.#id}<${className}>`;
    return [register({ id, name, kind: "class", target, order: numberOf(target), shares: false }, this.backend)];
  }

  /** `className`: as in the key, behind or before the name. */
  #make(text: string, classObject: object | undefined, others: readonly Registration[], className = ""): KeyPrefix {
    const { name, options: { ttl, stale, group, timeout, mintDelay } } = this.#fn;
    const names = [this.#name, ...others];
    const options: FetchOptions = {
      ttl: typeof ttl === "function" ? undefined : ttl,
      stale,
      group: typeof group === "function" ? undefined : group,
      when: undefined,
      timeout,
      mintDelay,
      force: undefined,
      name,
      ...this.#source(names, classObject, className),
    };
    // Without `redefine` no name is ever taken over, so that most calls have nothing to look at.
    return new KeyPrefix(text, options, this.backend.redefine === true ? names : names.filter(({ keeps }) => !keeps));
  }

  /**
   * What is kept with a result of where it comes from: nothing where the name is the user's word. A minifier may give a
   * name of one or two letters to another function in the next build, or to another class: then both sources count, and
   * what is not of this source is outdated. So it is where a newer definition takes a name over, and where the table of
   * names was full.
   */
  #source(
    names: readonly Registration[],
    classObject: object | undefined,
    className: string,
  ): Pick<FetchOptions, "source" | "strictSource"> {
    const { fn, nameParts } = this.#fn;
    const isGuess = [className, ...nameParts ?? []].some(isMinified);
    const strictSource = isGuess || this.backend.redefine === true || names.some(({ owner }) => owner.isUnsure);
    if (nameParts === undefined && !strictSource) return { source: undefined, strictSource };
    const itsClass = strictSource && classObject !== undefined ? classOf(classObject) : undefined;
    const replacement = Math.max(...names.map(({ owner }) => owner.replacement));
    const parts = [sourceHash(fn), itsClass && sourceHash(itsClass), replacement > 0 ? replacement : undefined];
    return { source: parts.filter((part) => part !== undefined).join("."), strictSource };
  }
}

/** A function as a candidate for its own name, or for `name`. */
export function candidateOf({ fn, options, member, order, name: own }: CachedFunction, name: string = own!): Candidate {
  const kind = member === undefined ? "function" : "method";
  return { id: escapedName(name), name, kind, target: fn, order, shares: mayShare(options) };
}

/** Has the user said that all of one source share results? */
const mayShare = ({ key, shared }: CheckedOptions): boolean => key !== undefined || shared;

/** The backend escapes `%` once more, and everything else. */
const escapedName = (name: string): string =>
  name.replace(/[():<>%]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
