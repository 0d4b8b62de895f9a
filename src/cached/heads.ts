/**
 * How a cached function stands in keys on one backend, for the receivers of each class: `Repo.find(` for the class that
 * declares it, `Repo.find<Users>(` for one that inherits it, so that two of them never share a result.
 */
import type { Backend, FetchOptions } from "../backend/backend.ts";
import { quoted } from "../util/checks.ts";
import { changes, type Claim, type Holder, type Names, namesOn, numberOf } from "./names.ts";
import type { Terms } from "./options.ts";
import { classOfKind, functionOf, kindOf } from "./receiver.ts";
import { isMinified, sourceHash } from "./source.ts";
import type { AnyFunction } from "./types.ts";

/** A cached function whose name is known. */
export interface Subject {
  readonly fn: AnyFunction;
  readonly terms: Terms;
  /** Of a function's receivers only an identity counts: no class declares it. */
  readonly kind: "function" | "method" | "static";
  readonly name: string;
  /** The class (of a static) or prototype that declares a method; `undefined`: nobody can tell. */
  readonly home: object | undefined;
  /** The parts of a name that was derived and not given. */
  readonly derived: readonly string[] | undefined;
  /** Who was wrapped later has the larger one. */
  readonly order: number;
}

/** A name that calls are kept under, and who holds it. */
interface Held {
  readonly holder: Holder;
  /** Who came later has the larger one. */
  readonly order: number;
  /** Another class of the same name came first. */
  readonly isSecond: boolean;
}

/** How calls for the receivers of one class are kept. */
export class Head {
  /** The key up to the arguments; of receivers with an identity, from behind their text on. */
  readonly text: string;
  /** The options of a fetch, and of one that computes in any case, as far as no call changes them. */
  readonly fixed: FetchOptions;
  readonly forced: FetchOptions;
  /** The function's name, that of a method on the receiver's class, and the class's. */
  readonly held: readonly Held[];
  /** What was seen of them when so much had changed in the tables of names. */
  #seenAt = -1;
  #keepsNothing = false;
  #isForgotten = false;

  constructor(text: string, fixed: FetchOptions, held: readonly Held[]) {
    this.text = text;
    this.fixed = fixed;
    this.forced = { ...fixed, force: true };
    this.held = held;
  }

  /** A newer definition has taken a name over, or another class had it first: calls compute, and that is all. */
  get keepsNothing(): boolean {
    if (this.#seenAt !== changes()) this.#look();
    return this.#keepsNothing;
  }

  /** Must its names be claimed again? */
  get isForgotten(): boolean {
    if (this.#seenAt !== changes()) this.#look();
    return this.#isForgotten;
  }

  #look(): void {
    this.#seenAt = changes();
    this.#keepsNothing = this.held.some(({ holder, order, isSecond }) => isSecond || holder.newest > order);
    this.#isForgotten = this.held.some(({ holder }) => holder.forgotten !== undefined);
  }

  /** What a backend is told at a read or a set, where it has to know. */
  get source(): Pick<FetchOptions, "source" | "strictSource"> | undefined {
    const { source, strictSource } = this.fixed;
    return source === undefined ? undefined : { source, strictSource };
  }

  /** The options of a fetch that keeps nothing, on any backend. */
  get unkept(): FetchOptions {
    const { timeout, mintDelay, name } = this.fixed;
    return { ttl: 0, when: () => false, force: true, timeout, mintDelay, name };
  }
}

/** The heads of one function on one backend. */
export class Heads {
  readonly #subject: Subject;
  readonly #names: Names;
  readonly #redefine: boolean;
  /** The function's name as it stands in keys. */
  readonly #id: string;
  readonly #holder: Holder;
  #own: Head | undefined;
  /** By what the receivers of one class have in common. */
  readonly #others = new WeakMap<object, Head>();
  /** The one asked for last, which most calls ask for again. */
  #lastIts: object | undefined;
  #last: Head | undefined;
  #identified: WeakMap<object, Head> | undefined;

  /** Throws a TypeError if another function has the name. `before`: what held it for this function. */
  constructor(subject: Subject, backend: Backend, before: Holder | undefined) {
    this.#subject = subject;
    this.#names = namesOn(backend);
    this.#redefine = backend.redefine === true;
    this.#id = escapedName(subject.name);
    this.#holder = claimName(subject, backend, before);
  }

  /** Who holds the function's name. */
  get holder(): Holder {
    return this.#holder;
  }

  /** Have receivers with an identity been seen? */
  get identifies(): boolean {
    return this.#identified !== undefined;
  }

  /** For calls without a receiver, and for the class that declares the method. */
  get own(): Head {
    if (this.#own !== undefined && !this.#own.isForgotten) return this.#own;
    const { home } = this.#subject;
    const ofClass = this.#claimClass(home, "", this.#subject.name, this.#own);
    return this.#own = this.#made(`${this.#id}(`, home, ofClass);
  }

  /** For a receiver without an identity. Throws a TypeError for one whose class has no name. */
  of(self: unknown): Head {
    const { kind, home, name, terms } = this.#subject;
    if (kind === "function" || self === undefined || self === null) return this.own;
    const its = kindOf(self, kind === "static");
    if (its === home) return this.own;
    if (its === this.#lastIts && !this.#last!.isForgotten) return this.#last!;
    const known = this.#others.get(its ?? NO_PROTOTYPE);
    if (known !== undefined && !known.isForgotten) {
      this.#lastIts = its ?? NO_PROTOTYPE;
      return this.#last = known;
    }
    const receiver = classOfKind(its, kind === "static");
    let head: Head;
    if (receiver.home === home && home !== undefined) head = this.own;
    else {
      if (receiver.name === undefined && !sharesOf(terms)) {
        throw new TypeError(
          `Cannot make a key of ${quoted(name)}: the class of its receiver has no name, so its results would ` +
            "be those of all such classes; give the class a name, or pass the option `key`",
        );
      }
      const className = receiver.name ?? "";
      const shown = `${name} of ${className}`;
      const ofClass = this.#claimClass(receiver.home, escapedName(className), shown, known);
      head = this.#made(`${this.#id}<${escapedName(className)}>(`, receiver.home, ofClass, className);
    }
    this.#others.set(its ?? NO_PROTOTYPE, head);
    return head;
  }

  /**
   * For a receiver with an identity, whose text has its class already: `offers(` for `City.offers` of a City, and in full
   * what another class declares. The name it amounts to is taken, too.
   */
  identified(self: object, className: string): Head {
    const its = kindOf(self, this.#subject.kind === "static") ?? NO_PROTOTYPE;
    const known = this.#identified?.get(its);
    if (known !== undefined && !known.isForgotten) return known;
    const { name, kind, order } = this.#subject;
    const rest = name.startsWith(`${className}.`) ? name.slice(className.length + 1) : name;
    const whole = `${className}.${rest}`;
    // Of one source it is shared in silence: that was told under the function's own name.
    const claim: Claim = { ...claimOf(this.#subject, whole), kind: "method" };
    const before = known?.held.find(({ holder }) => holder.id === claim.id)?.holder;
    const { holder } = this.#names.claim(claim, this.#redefine, before);
    const { home } = classOfKind(kindOf(self, kind === "static"), kind === "static");
    const ofClass = this.#claimClass(home, `${escapedName(className)}()`, whole, known);
    const held = [{ holder, order, isSecond: false }, ...ofClass];
    const head = this.#made(`${escapedName(rest)}(`, home, held, className);
    (this.#identified ??= new WeakMap()).set(its, head);
    return head;
  }

  /** Two classes of one name must not share: the second one's results are not kept. */
  #claimClass(home: object | undefined, className: string, shown: string, before: Head | undefined): readonly Held[] {
    const { kind, terms } = this.#subject;
    const what = home && functionOf(home);
    // Plain objects are told apart by nothing, and each realm has an Object of its own.
    const isPlain = home !== undefined && kind !== "static" && Object.getPrototypeOf(home) === null;
    if (what === undefined || isPlain || sharesOf(terms)) return [];
    const order = numberOf(what), id = `${this.#id}<${className}>`;
    const claim: Claim = { id, name: shown, kind: "class", what, order, shares: false };
    const held = before?.held.find(({ holder }) => holder.id === id)?.holder;
    const { holder, shares } = this.#names.claim(claim, this.#redefine, held);
    return [{ holder, order, isSecond: !shares }];
  }

  /**
   * What is kept with a result of where it comes from. Nothing where the name is the user's word. A minifier may give a
   * name of one or two letters to another function in the next build, or to another class: then both texts count, and
   * what is not of this source is outdated; likewise where a newer definition takes a name over, and where nobody
   * remembers who else had it.
   */
  #source(
    held: readonly Held[],
    home: object | undefined,
    className: string,
  ): Pick<FetchOptions, "source" | "strictSource"> {
    const { fn, derived } = this.#subject;
    const isGuess = [className, ...derived ?? []].some(isMinified);
    const strictSource = isGuess || this.#redefine || held.some(({ holder }) => holder.isUnsure);
    if (derived === undefined && !strictSource) return { source: undefined, strictSource };
    const itsClass = strictSource && home !== undefined ? functionOf(home) : undefined;
    const replacement = Math.max(...held.map(({ holder }) => holder.replacement));
    const parts = [sourceHash(fn), itsClass && sourceHash(itsClass), replacement > 0 ? replacement : undefined];
    return { source: parts.filter((part) => part !== undefined).join("."), strictSource };
  }

  /** `className`: as it stands in the key behind or before the name. */
  #made(text: string, home: object | undefined, others: readonly Held[], className = ""): Head {
    const { terms, name, order } = this.#subject;
    const held = [{ holder: this.#holder, order, isSecond: false }, ...others];
    const { ttl, stale, group, timeout, mintDelay } = terms;
    const fixed: FetchOptions = {
      ttl: typeof ttl === "function" ? undefined : ttl,
      stale,
      group: typeof group === "function" ? undefined : group,
      when: undefined,
      timeout,
      mintDelay,
      force: undefined,
      name,
      ...this.#source(held, home, className),
    };
    return new Head(text, fixed, held);
  }
}

const NO_PROTOTYPE = {};

/** Takes the name of a function; `undefined`: on the default backend that is still to come. */
export function claimName(subject: Subject, backend: Backend | undefined, before?: Holder): Holder {
  return namesOn(backend).claim(claimOf(subject, subject.name), backend?.redefine === true, before).holder;
}

function claimOf({ fn, terms, kind, order }: Subject, name: string): Claim {
  const id = escapedName(name);
  return { id, name, kind: kind === "function" ? kind : "method", what: fn, order, shares: sharesOf(terms) };
}

/** Has the user said that all of one source share? */
export const sharesOf = ({ key, shared }: Terms): boolean => key !== undefined || shared;

/** The backend escapes `%` once more, and everything else. */
const escapedName = (name: string): string =>
  name.replace(/[():<>%]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
