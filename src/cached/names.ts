/**
 * Who holds a name on which backend. Two functions under one name would be given each other's results, and so would two
 * classes of one name whose instances call one method.
 */
import type { Backend } from "../backend/backend.ts";
import { quoted } from "../util/checks.ts";
import { warn, type WarningTopic } from "../util/warnings.ts";
import { shared } from "./shared.ts";
import { sourceHash } from "./source.ts";

/** So many names of a backend are remembered: about 3 MB. */
const MOST_NAMES = 5_000;
/** So many keys of a method are watched for a second receiver. */
const WATCHED_KEYS = 100;

/** Who wants a name. */
export interface Claim {
  /** The name as it stands in keys, escaped. */
  readonly id: string;
  /** The name for people. */
  readonly name: string;
  /** A function; a method, which several classes may have from one mixin; or the class of a method's receivers. */
  readonly kind: "function" | "method" | "class";
  /** The function or class. */
  readonly what: object;
  /** Who came later has the larger one: `numberOf` the wrapper, or of the class. */
  readonly order: number;
  /** The option `key` or `shared` says that all of one source are to share results. */
  readonly shares: boolean;
}

/** A name that is taken on a backend. */
export class Holder {
  /** As in keys, escaped. */
  readonly id: string;
  /** The table that it stands in, or stood. */
  table: Names;
  /** How many names that table had forgotten when it forgot this one; `undefined`: it stands there. */
  forgotten: number | undefined = undefined;
  /** Somebody else may have held the name before, and is forgotten: only what is in an entry tells. */
  readonly isUnsure: boolean;
  /** Whoever is of a lower order was replaced by a newer definition, and keeps nothing. */
  newest = 0;
  /** Another number for each definition that replaced one. 0: none did. */
  replacement = 0;
  #what: Identity;
  #order: number;
  #source: string;
  /** Which receiver asked for which key first. */
  #receivers: Map<string, Identity> | undefined;
  #hasMet = false;
  #warned = false;

  /** Takes the name for its first claim. */
  constructor(claim: Claim, table: Names, isUnsure: boolean) {
    this.id = claim.id;
    this.table = table;
    this.isUnsure = isUnsure;
    this.#what = identityOf(claim.what);
    this.#order = claim.order;
    this.#source = sourceHash(claim.what);
  }

  /**
   * Another claim of the name. A function of another source is a TypeError, or replaces the older one where the backend
   * says so. Tells whether the two may share what is kept.
   */
  admit(claim: Claim, redefine: boolean): boolean {
    const what = identityOf(claim.what);
    if (what === this.#what) {
      this.#order = Math.max(this.#order, claim.order);
      return true;
    }
    const source = sourceHash(claim.what);
    const isOther = source !== this.#source;
    if (redefine && (isOther || claim.kind !== "method" && !claim.shares)) {
      if (claim.order > this.#order) this.#replace(what, source, claim.order);
      else this.newest = Math.max(this.newest, claim.order + 1);
      state.changes++;
      return true;
    }
    const name = quoted(claim.name);
    if (claim.kind === "class") {
      this.#warn(
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
    if (claim.kind === "function" && !claim.shares) {
      this.#warn(
        "functions that share a name",
        `${name} was wrapped more than once. Closures of one source share their results: wrap it once, outside; or ` +
          "pass the option `key`, to say what tells them apart, or `shared: true`, if nothing does.",
      );
    }
    return true;
  }

  #replace(what: Identity, source: string, order: number): void {
    this.#what = what;
    this.#source = source;
    this.newest = this.#order = order;
    this.replacement = ++state.replacements;
  }

  /** A receiver that has no identity asks for a key. A second one that does is told what the first one was. */
  meet(name: string, key: string, receiver: unknown): void {
    if (this.#hasMet) return;
    const first = this.#receivers?.get(key);
    if (first === undefined) {
      this.#receivers ??= new Map();
      if (this.#receivers.size < WATCHED_KEYS) this.#receivers.set(key, identityOf(receiver));
      return;
    }
    if (first === identityOf(receiver)) return;
    this.#hasMet = true;
    this.#receivers = undefined;
    warn(
      "receivers that share results",
      `two instances or classes share the results of ${quoted(name)}, since \`this\` is not part of its key. ` +
        "Give their class a [cacheKey]() method; or pass the option `key`, or `shared: true`, if they are to share.",
    );
  }

  #warn(kind: WarningTopic, what: string): void {
    if (!this.#warned) warn(kind, what);
    this.#warned = true;
  }
}

/** The names of one backend. The oldest are forgotten; whoever still works under a forgotten name claims it again. */
export class Names {
  readonly #holders = new Map<string, Holder>();
  #forgotten = 0;

  /** How many are remembered. */
  get size(): number {
    return this.#holders.size;
  }

  /**
   * Takes a name. `before`: what held it for the same claimer. Throws a TypeError if another function has it. `shares`:
   * false for a second class, whose results must not be kept.
   */
  claim(claim: Claim, redefine: boolean, before?: Holder): { readonly holder: Holder; readonly shares: boolean } {
    const held = this.#holders.get(claim.id);
    if (held !== undefined) return { holder: held, shares: held.admit(claim, redefine) };
    // Had somebody else taken the name since it was forgotten, that one would still be here.
    const isKnown = before?.table === this && before.id === claim.id && before.forgotten !== undefined &&
      this.#forgotten - before.forgotten < MOST_NAMES;
    const holder = isKnown ? before : new Holder(claim, this, this.#forgotten > 0);
    this.#keep(holder);
    return { holder, shares: true };
  }

  /** Takes over what another table holds, where the names are free here. */
  adopt(others: Names): void {
    for (const holder of others.#holders.values()) if (!this.#holders.has(holder.id)) this.#keep(holder);
  }

  #keep(holder: Holder): void {
    holder.table = this;
    holder.forgotten = undefined;
    this.#holders.set(holder.id, holder);
    if (this.#holders.size <= MOST_NAMES) return;
    const [oldest] = this.#holders.values();
    this.#holders.delete(oldest!.id);
    oldest!.forgotten = ++this.#forgotten;
    state.changes++;
  }
}

/** Of this realm, whichever copy of the library asks. */
const state = shared("names", () => ({
  tables: new WeakMap<Backend, Names>(),
  /** Of functions that were wrapped before there was a default backend. */
  early: undefined as Names | undefined,
  numbers: new WeakMap<object, number>(),
  lastNumber: 0,
  replacements: 0,
  changes: 0,
}));

/** How often a name was forgotten or taken over: while that stays, what was seen of a name holds. */
export const changes = (): number => state.changes;

/** The table of names of a backend; `undefined`: of the default backend that is still to come. */
export function namesOn(backend: Backend | undefined): Names {
  if (backend === undefined) return state.early ??= new Names();
  let names = state.tables.get(backend);
  if (names === undefined) state.tables.set(backend, names = new Names());
  return names;
}

/** The names that were taken on `before` (`undefined`: before there was a default backend) are taken on `backend`. */
export function inheritNames(before: Backend | undefined, backend: Backend): void {
  const names = before === undefined ? state.early : state.tables.get(before);
  if (names === undefined || names === state.tables.get(backend)) return;
  if (state.tables.has(backend)) state.tables.get(backend)!.adopt(names);
  else state.tables.set(backend, names);
  if (before === undefined) state.early = undefined;
}

/** Larger for what was seen later. It outlives the object, so that nothing depends on when garbage is collected. */
export function numberOf(object: object): number {
  let number = state.numbers.get(object);
  if (number === undefined) state.numbers.set(object, number = ++state.lastNumber);
  return number;
}

/** An object's number; a primitive is what it is. */
type Identity = number | string;
const identityOf = (value: unknown): Identity =>
  typeof value === "object" && value !== null || typeof value === "function"
    ? numberOf(value)
    : `${typeof value} ${String(value)}`;
