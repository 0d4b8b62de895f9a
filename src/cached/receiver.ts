/**
 * Whose method is called: the class of a receiver, as keys see it. It is found by prototypes and the functions they
 * belong to, never by what an instance carries: `{"constructor":{"name":"Admin"}}` may be somebody's data.
 */

import { printable, quoted } from "../util/checks.ts";

/** The class that a receiver belongs to. */
export interface ReceiverClass {
  /** The class itself, or for the receivers of methods its prototype. `undefined`: an object without a prototype. */
  readonly home: object | undefined;
  /** As it stands in keys; `undefined`: it has no name. */
  readonly name: string | undefined;
}

/** The prototype of a class has its verbs, but stands for no instance. */
export const isPrototype = (self: unknown): self is object =>
  typeof self === "object" && self !== null && classOf(self) !== undefined;

/** A class, or the prototype of one. */
export const isHome = (at: unknown): boolean => typeof at === "function" || isPrototype(at);

/**
 * What all receivers of one class have in common: of a static the class, else the prototype. One lookup by it finds
 * what is known of the class. `null`: an object without a prototype.
 */
export function kindOf(self: unknown, isStatic: boolean): object | null {
  if (isStatic && typeof self === "function" || isPrototype(self)) return self as object;
  return Object.getPrototypeOf(self);
}

/** The class of all receivers of a kind. Objects made of an instance (`Object.create(repo)`) are of that one's class. */
export function classOfKind(kind: object | null, isStatic: boolean): ReceiverClass {
  if (isStatic && typeof kind === "function") return { home: kind, name: ownName(kind) };
  for (let at = kind; at !== null; at = Object.getPrototypeOf(at)) {
    const itsClass = classOf(at);
    if (itsClass === undefined) continue;
    const name = ownName(itsClass);
    // A static's receiver may be an instance of a class that is itself a receiver: two names.
    return { home: at, name: name !== undefined && isStatic ? `${name}()` : name };
  }
  // No class can be called so.
  return { home: undefined, name: "null" };
}

/** The name of a class, given it or its prototype. */
export const nameOfHome = (home: object): string | undefined => ownName(functionOf(home) ?? home);

/** How a user reaches the verbs of a method. */
export const handleOf = (self: string, method: string): string => `handle(${self}, ${quoted(method)})`;

/** The parts of `Class.method`. Throws a TypeError where the class is not known, or has no name. */
export function partsOfName(home: object | undefined, property: string | symbol): readonly [string, string] {
  const method = typeof property === "symbol" ? `[${property.description ?? ""}]` : property;
  if (home === undefined) {
    const form = handleOf("Class.prototype", method);
    throw new TypeError(
      `Cannot name ${
        printable(method)
      }: its class is not known, before its first instance or since another decorator hides it; ` +
        `use ${form}, put @cached outermost, or pass the option \`name\``,
    );
  }
  const className = nameOfHome(home);
  if (className === undefined) {
    throw new TypeError(`Cannot name ${printable(method)}: its class has no name; pass the option \`name\``);
  }
  return [className, method];
}

/** The class itself, given it or its prototype. */
export const functionOf = (home: object): object | undefined => typeof home === "function" ? home : classOf(home);

/**
 * Where, from a receiver on, a method stands: the own property that holds its wrapper (`isOurs`). A decorator above ours may
 * have put something else there: then the only one with an own property of that name. Of two, nobody can tell: guessing
 * would give one method two keys, depending on which class a process constructs first.
 */
export function homeOf(
  self: unknown,
  property: string | symbol,
  isOurs: (value: unknown) => boolean,
): object | undefined {
  const others: object[] = [];
  if (self === undefined || self === null) return undefined;
  for (let at = Object(self) as object | null; at !== null; at = Object.getPrototypeOf(at)) {
    const own = isHome(at) ? Object.getOwnPropertyDescriptor(at, property) : undefined;
    if (own === undefined) continue;
    if (isOurs(own.value)) return at;
    others.push(at);
  }
  return others.length === 1 ? others[0] : undefined;
}

/** The class whose prototype this is. */
function classOf(prototype: object): object | undefined {
  // Asked at each call of a method, and of an instance, which has none: quicker than its descriptor.
  if (!Object.hasOwn(prototype, "constructor")) return undefined;
  const itsClass: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof itsClass === "function" && itsClass.prototype === prototype ? itsClass : undefined;
}

/** Not the inherited one: an anonymous class that extends Repo is not called Repo. */
function ownName(itsClass: object): string | undefined {
  const name: unknown = Object.hasOwn(itsClass, "name") ? (itsClass as { name?: unknown }).name : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}
