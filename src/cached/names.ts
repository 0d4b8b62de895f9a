/**
 * Who owns a name on a backend. Two functions under one name would be given each other's results, and so would two
 * classes of one name whose instances call one method. So names are registered before they are used in keys: a second
 * function is refused, or replaces the first where the backend has the option `redefine`; what a second class computes
 * is not kept.
 */
import type { Backend } from "../backend/backend.ts";
import { quoted } from "../util/checks.ts";
import { warn, type WarningTopic } from "../util/warnings.ts";

/** So many names a backend remembers, with room for as many classes as functions: 5,000 are about 3 MB. */
const MAX_NAMES = { function: 5_000, method: 5_000, class: 10_000 } as const;

/** A function or class that asks for a name. */
export interface Candidate {
  /** The name as in keys, escaped. */
  readonly id: string;
  /** The name as people read it in errors and warnings. */
  readonly name: string;
  /** A function; a method, which several classes may have from one mixin; or the class of a method's receivers. */
  readonly kind: "function" | "method" | "class";
  /** The function or class itself. */
  readonly target: object;
  /** Larger for what was wrapped, or defined, later: `numberOf` the cached function, or the class. */
  readonly order: number;
  /** The option `key` or `shared` says that all of one source are to share results. */
  readonly shares: boolean;
}

/** A name that a candidate may use. */
export interface Registration {
  readonly owner: NameOwner;
  readonly order: number;
  /** false: a class that must not share what the owner of the name has kept. */
  readonly keeps: boolean;
}

/**
 * Has a newer definition taken the name, or another class had it first? Then calls compute, and keep and read nothing.
 */
export const isSuperseded = ({ owner, order, keeps }: Registration): boolean => !keeps || owner.newest > order;

/** The function or class that owns a name on a backend. */
export class NameOwner {
  /** The table was full, so others may use the name unseen: only the source kept with an entry tells whose it is. */
  isUnsure = false;
  /** Candidates of a lower order were replaced by a newer definition. */
  newest = 0;
  /** Another number for each definition that replaced one; 0: none did. */
  replacement = 0;
  #identity: Identity;
  #order: number;
  #source: string;
  #hasWarned = false;

  /** Gives the name to its first candidate. */
  constructor({ target, order }: Candidate) {
    this.#identity = identityOf(target);
    this.#order = order;
    this.#source = sourceHash(target);
  }

  /**
   * Decides on another candidate. A function of another source throws a TypeError, or replaces the owner where the
   * backend says `redefine`. Returns false for another class, which may have the name and must not share results.
   */
  assertSame(candidate: Candidate, backend: Backend | undefined): boolean {
    const { kind, order, shares } = candidate;
    const identity = identityOf(candidate.target), source = sourceHash(candidate.target);
    if (identity === this.#identity) {
      this.#order = Math.max(this.#order, order);
      return true;
    }
    const isOther = source !== this.#source;
    if (backend?.redefine === true && (isOther || kind !== "method" && !shares)) {
      if (order < this.#order) {
        this.newest = Math.max(this.newest, order + 1);
      } else {
        [this.#identity, this.#source] = [identity, source];
        this.newest = this.#order = order;
        this.replacement = ++state.replacements;
      }
      return true;
    }
    const name = quoted(candidate.name);
    if (kind === "class") {
      this.#warnOnce(
        "classes of one name",
        `two classes of one name share ${name}, so results of the second one are not kept. Give them two names; or ` +
          "pass the option `key`, or `shared: true`, if they are to share. Where a host runs modules again, give the " +
          "backend the option `redefine: true`.",
      );
      return false;
    }
    if (isOther) {
      throw new TypeError(
        `Cannot cache ${name}: another function of this name is cached on the same backend, and they would share ` +
          "results; pass the option `name`. Where a host runs modules again, as development servers do, give the " +
          "backend the option `redefine: true`",
      );
    }
    if (kind === "function" && !shares) {
      this.#warnOnce(
        "functions that share a name",
        `${name} was wrapped more than once. Closures of one source share their results: wrap it once, outside; or ` +
          "pass the option `key`, to say what tells them apart, or `shared: true`, if nothing does.",
      );
    }
    return true;
  }

  #warnOnce(topic: WarningTopic, text: string): void {
    if (!this.#hasWarned) warn(topic, text);
    this.#hasWarned = true;
  }
}

/**
 * Registers a name on a backend; `undefined`: on the default backend that is still to be made. Throws a TypeError if
 * another function has it. What finds the table full is not remembered: a function then trusts only entries of its own
 * source, and a class, of which the source tells too little, keeps nothing.
 */
export function register(candidate: Candidate, backend: Backend | undefined): Registration {
  const names = namesOn(backend), { id, kind, order } = candidate;
  const known = names.get(id);
  if (known !== undefined) return { owner: known, order, keeps: known.assertSame(candidate, backend) };
  const owner = new NameOwner(candidate);
  if (names.size < MAX_NAMES[kind]) {
    names.set(id, owner);
    return { owner, order, keeps: true };
  }
  owner.isUnsure = true;
  if (backend?.redefine === true) owner.replacement = ++state.replacements;
  if (kind !== "class") return { owner, order, keeps: true };
  warn(
    "classes of one name",
    `results of ${quoted(candidate.name)} are not kept, since ${MAX_NAMES.class} names are cached on one backend. ` +
      "Make fewer classes; or pass the option `key`, or `shared: true`, if those of one name are to share.",
  );
  return { owner, order, keeps: false };
}

// ──────────────── what is shared between copies of the library ────────────────

/** Raised whenever the shape or the meaning of something shared changes: copies that disagree share nothing. */
const FORMAT = 1;
const PLACE: unique symbol = Symbol.for("@x/cache-utils.shared");

/**
 * State that all copies of this library in one program share. Two versions in one tree of dependencies would otherwise
 * have a default backend each, and an invalidation through one would not reach what the other keeps. Returns the part
 * that another copy has made under `name`, else what `make` returns.
 */
export function acrossCopies<T extends object>(name: string, make: () => T): T {
  const realm = globalThis as { [PLACE]?: { readonly format: number; readonly parts: Map<string, object> } };
  // A copy of another format came first: this one keeps to itself.
  const parts = realm[PLACE]?.format === FORMAT ? realm[PLACE].parts : ownParts;
  // So it does in a realm that is frozen.
  if (realm[PLACE] === undefined && Object.isExtensible(realm)) {
    Object.defineProperty(realm, PLACE, { value: { format: FORMAT, parts }, configurable: true });
  }
  let part = parts.get(name);
  if (part === undefined) parts.set(name, part = make());
  return part as T;
}

const ownParts = new Map<string, object>();

const state = acrossCopies("names", () => ({
  tables: new WeakMap<Backend, Map<string, NameOwner>>(),
  /** Of functions that were wrapped before there was a default backend. */
  early: new Map<string, NameOwner>(),
  numbers: new WeakMap<object, number>(),
  lastNumber: 0,
  replacements: 0,
}));

/** The owners of names on a backend; `undefined`: on the default backend that is still to be made. */
export function namesOn(backend: Backend | undefined): Map<string, NameOwner> {
  if (backend === undefined) return state.early;
  let names = state.tables.get(backend);
  if (names === undefined) state.tables.set(backend, names = new Map());
  return names;
}

/** Registers on `backend` what was registered on the default backend `before` it, where the names are free. */
export function inheritNames(before: Backend | undefined, backend: Backend): void {
  const names = namesOn(backend);
  for (const [id, owner] of namesOn(before)) if (!names.has(id)) names.set(id, owner);
}

/** Larger for what was seen later. It outlives the object, so that no warning depends on when garbage is collected. */
export function numberOf(object: object): number {
  let number = state.numbers.get(object);
  if (number === undefined) state.numbers.set(object, number = ++state.lastNumber);
  return number;
}

/** An object's number; of a primitive its type and text. */
export type Identity = number | string;
export const identityOf = (value: unknown): Identity =>
  typeof value === "object" && value !== null || typeof value === "function"
    ? numberOf(value)
    : `${typeof value} ${String(value)}`;

// ──────────────── the source of a function ────────────────

/** The text of a function or class. All bound functions have the same. */
export const sourceOf = (fn: unknown): string => Function.prototype.toString.call(fn);

const hashes = new WeakMap<object, string>();

/** A short hash of a function's or class's text: what tells it from another of its name, as far as anything does. */
export function sourceHash(fn: object): string {
  let hash = hashes.get(fn);
  if (hash === undefined) hashes.set(fn, hash = hashOf(sourceOf(fn)));
  return hash;
}

/** One or two letters, as minifiers give them. */
const MINIFIED = /^[\p{L}_$][\p{L}\p{N}_$]?$/u;

/** Does it look like a name that the next minified build may give to another function? */
export const isMinified = (name: string): boolean => MINIFIED.test(name);

/**
 * 53 bits of a text, in at most 11 characters (cyrb53). Loading a real hash costs Deno 14 to 19 ms; nobody gains
 * anything by two functions that share this one but a warning that does not come.
 */
function hashOf(text: string): string {
  let high = 0xdeadbeef, low = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ high >>> 16, 2246822507) ^ Math.imul(low ^ low >>> 13, 3266489909);
  low = Math.imul(low ^ low >>> 16, 2246822507) ^ Math.imul(high ^ high >>> 13, 3266489909);
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(36);
}
