/**
 * Whose method is called: the class of a receiver, as keys see it. It is found by prototypes and the functions they
 * belong to, never by what an instance carries: `{"constructor":{"name":"Admin"}}` may be somebody's data.
 *
 * A static stands on its class and a method on the prototype of its class: either is called a class object here.
 */
import { printable, quoted } from "../util/checks.ts";

/** What a decorated method is called in its class. */
export interface MemberRef {
  readonly property: string | symbol;
  readonly isStatic: boolean;
}

/** The class that a receiver belongs to. */
export interface ReceiverClass {
  /** Its class object; `undefined` for an object without a prototype. */
  readonly classObject: object | undefined;
  /** As in keys; `undefined` if it has no name. */
  readonly name: string | undefined;
}

/** The prototype of a class has the verbs of its methods, but is no instance of it. */
export const isPrototype = (self: unknown): self is object =>
  typeof self === "object" && self !== null && classWithPrototype(self) !== undefined;

/** A class, or the prototype of one. */
export const isClassObject = (value: unknown): boolean => typeof value === "function" || isPrototype(value);

/** The class itself, given it or its prototype; `undefined` for any other object. */
export const classOf = (classObject: object): object | undefined =>
  typeof classObject === "function" ? classObject : classWithPrototype(classObject);

/** The name of a class, given it or its prototype. */
export const nameOfClass = (classObject: object): string | undefined => ownName(classOf(classObject) ?? classObject);

/** Stands for the prototype of objects that have none. */
const NO_PROTOTYPE: object = Object.freeze(Object.create(null));

/** What the receivers of one class have in common, to find by one lookup what is known of the class. */
export function commonOf(self: unknown, member: MemberRef | undefined): object {
  if (member?.isStatic && typeof self === "function" || isPrototype(self)) return self as object;
  return Object.getPrototypeOf(self) ?? NO_PROTOTYPE;
}

/**
 * The class of all receivers with this in common. Objects made of an instance (`Object.create(repo)`) are of its class.
 */
export function receiverClass(common: object, member: MemberRef | undefined): ReceiverClass {
  if (member?.isStatic && typeof common === "function") return { classObject: common, name: ownName(common) };
  for (let at: object | null = common; at !== null; at = Object.getPrototypeOf(at)) {
    const itsClass = classWithPrototype(at);
    if (itsClass === undefined) continue;
    const name = ownName(itsClass);
    // A static's receiver may be a class, or an instance of that class: two names.
    return { classObject: at, name: name !== undefined && member?.isStatic ? `${name}()` : name };
  }
  // No class can be called so.
  return { classObject: undefined, name: "null" };
}

/** How a user reaches the verbs of a method. */
export const handleOf = (self: string, method: string): string => `handle(${self}, ${quoted(method)})`;

/** The parts of `Class.method`. Throws a TypeError where the class is not known, or has no name. */
export function partsOfName(classObject: object | undefined, property: string | symbol): readonly [string, string] {
  const method = typeof property === "symbol" ? `[${property.description ?? ""}]` : property;
  if (classObject === undefined) {
    const form = handleOf("Class.prototype", method);
    throw new TypeError(
      `Cannot name ${printable(method)}: its class is not known, before its first instance or since another ` +
        `decorator hides it; use ${form}, put @cached outermost, or pass the option \`name\``,
    );
  }
  const className = nameOfClass(classObject);
  if (className === undefined) {
    throw new TypeError(`Cannot name ${printable(method)}: its class has no name; pass the option \`name\``);
  }
  return [className, method];
}

/**
 * The class object that declares a method, looked for from a receiver on: the own property that holds its wrapper
 * (`isOurs`). A decorator above `@cached` may have put something else there: then the only own property of that name
 * counts. Of two, nobody can tell: guessing would give one method two keys, depending on which class a process
 * constructs first.
 */
export function declaringClassOf(
  self: unknown,
  property: string | symbol,
  isOurs: (value: unknown) => boolean,
): object | undefined {
  const others: object[] = [];
  if (self === undefined || self === null) return undefined;
  for (let at = Object(self) as object | null; at !== null; at = Object.getPrototypeOf(at)) {
    const own = isClassObject(at) ? Object.getOwnPropertyDescriptor(at, property) : undefined;
    if (own === undefined) continue;
    if (isOurs(own.value)) return at;
    others.push(at);
  }
  return others.length === 1 ? others[0] : undefined;
}

/** The class whose prototype this is. */
function classWithPrototype(prototype: object): object | undefined {
  // Most receivers are instances, which have no own `constructor`: this is quicker than to ask for its descriptor.
  if (!Object.hasOwn(prototype, "constructor")) return undefined;
  const itsClass: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof itsClass === "function" && itsClass.prototype === prototype ? itsClass : undefined;
}

/** Not the inherited one: an anonymous class that extends Repo is not called Repo. */
function ownName(itsClass: object): string | undefined {
  const name: unknown = Object.hasOwn(itsClass, "name") ? (itsClass as { name?: unknown }).name : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}
