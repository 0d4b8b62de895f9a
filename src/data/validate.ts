/**
 * The one traversal for arguments and results. It goes through a value from outside and builds something of it (a key's
 * text, a copy, tagged JSON), or refuses it with an error that names the part. What passes is data that can be copied
 * exactly: no code of the value runs, and every property is read once.
 */
import { printable, quoted } from "../util/checks.ts";
import { bytesOf, textOf } from "./contents.ts";
import { addedTo, type BuiltinTag, type BytesTag, isTextTag, namesOf, type TextTag, typeTagOf } from "./type_tags.ts";

/** How deep objects, arrays, maps and sets may be nested. */
export const MAX_DEPTH = 500;
/** An object that stands in two places counts twice: such values may hold far more than they take in memory. */
const MAX_OBJECTS = 1_000_000;

/** Builds something of a value's parts, from the innermost outward. */
export interface Builder {
  /** Returns the error for a part that is refused. `path`: where it stands (`.list[3]`). `words`: what is wrong with it. */
  refuse(path: string, fault: Fault, words: string, part: unknown, cause?: unknown): Error;
  /**
   * Returns what an object or a function becomes, whatever it consists of; `undefined`: it is gone through. `inner` goes
   * through another value in its place.
   */
  replace?(object: object, inner: (value: unknown) => unknown): unknown;
  /** How many objects a value may hold. Default: 1,000,000. */
  readonly maxObjects?: number;
  /** Up to how many elements a typed array's properties are listed, to find added ones. Default: 65,536. */
  readonly maxListedElements?: number;
  text(value: string): unknown;
  /** A boolean, null, or a number that JSON has a word for. */
  primitive(value: boolean | number | null): unknown;
  /** undefined, NaN, Infinity, -Infinity or -0. */
  nonJson(value: number | undefined): unknown;
  bigint(value: bigint): unknown;
  /** `built`: a new plain object of parts that are already built. */
  plain(built: Record<string, unknown>): unknown;
  /** The same for an object without a prototype. */
  bare(built: Record<string, unknown>): unknown;
  /** `built`: a new array of parts that are already built. */
  array(built: unknown[]): unknown;
  /** An array with holes. `elements`: index and built part of each. */
  sparse(length: number, elements: [number, unknown][]): unknown;
  date(ms: number): unknown;
  /** `flat`: built keys and values in turn. */
  map(flat: unknown[]): unknown;
  set(items: unknown[]): unknown;
  /** `flat`: names and values in turn, built as texts. */
  headers(flat: unknown[]): unknown;
  /** An object whose text says all of it. */
  textual(text: string, tag: TextTag): unknown;
  /** `lastIndex`: already built. */
  regexp(source: string, flags: string, lastIndex: unknown): unknown;
  /** `bytes`: the object's own memory, not a copy. */
  bytes(bytes: Uint8Array, tag: BytesTag, object: object): unknown;
}

/** Why a part is refused. */
export type Fault =
  | "function"
  | "symbol"
  | "instance"
  | "cycle"
  | "depth"
  | "size"
  | "accessor"
  | "hidden"
  | "added"
  | "unreadable";

/** Where a part stands in its parent, for errors. */
type Step = string | number | { readonly text: string };

const INNER: Step = { text: "[cacheKey]()" };
/** Much cheaper on an array's elements than their descriptors. */
const lookupGetter =
  (Object.prototype as unknown as { __lookupGetter__(this: object, key: PropertyKey): unknown }).__lookupGetter__;

/** Builds something of a value. Throws the builder's error where a part is refused. */
export const validate = (value: unknown, builder: Builder): unknown => new Validator(builder).validate(value);

/** Validates one value after another. */
export class Validator {
  readonly #builder: Builder;
  /** The objects around the part that is being built, and where each stands in the one before. */
  readonly #ancestors: object[] = [];
  readonly #steps: Step[] = [];
  #inner: ((value: unknown) => unknown) | undefined;
  #objects = 0;
  #failure: unknown;

  constructor(builder: Builder) {
    this.#builder = builder;
  }

  validate(value: unknown): unknown {
    this.#objects = 0;
    try {
      return this.#part(value);
    } catch (error) {
      if (error === this.#failure) throw error;
      // A proxy that throws, or an object with the prototype of a Date, a Map, … but without its internal slots.
      return this.#refuse("unreadable", "it cannot be read", value, error);
    }
  }

  /** For builders: throws an error that leaves `validate` as it is. */
  fail(error: unknown): never {
    throw this.#failure = error;
  }

  #part(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        return this.#builder.text(value);
      case "boolean":
        return this.#builder.primitive(value);
      case "number":
        // NaN and the infinities less themselves are NaN.
        return value - value === 0 && (value !== 0 || 1 / value > 0)
          ? this.#builder.primitive(value)
          : this.#builder.nonJson(value);
      case "undefined":
        return this.#builder.nonJson(value);
      case "bigint":
        return this.#builder.bigint(value);
      case "object":
        return value === null ? this.#builder.primitive(null) : this.#object(value);
      case "function":
        return this.#object(value);
      default:
        return this.#refuse("symbol", `it is a ${typeof value}`, value);
    }
  }

  #child(step: Step, value: unknown): unknown {
    this.#steps.push(step);
    const built = this.#part(value);
    this.#steps.pop();
    return built;
  }

  #object(object: object): unknown {
    const depth = this.#ancestors.length;
    if (depth > 0 && this.#ancestors.includes(object)) this.#refuse("cycle", "it contains itself (a cycle)", object);
    if (depth === MAX_DEPTH) this.#refuse("depth", `it is nested deeper than ${MAX_DEPTH} levels`, object);
    const { maxObjects = MAX_OBJECTS } = this.#builder;
    if (++this.#objects > maxObjects) this.#refuse("size", `it holds more than ${maxObjects} objects`, object);
    this.#ancestors.push(object);
    const replaced = this.#builder.replace === undefined ? undefined : this.#replaced(object);
    const built = replaced === undefined ? this.#contents(object) : replaced;
    this.#ancestors.pop();
    return built;
  }

  #replaced(object: object): unknown {
    this.#inner ??= (value) => this.#child(INNER, value);
    return this.#builder.replace!(object, this.#inner);
  }

  #contents(object: object): unknown {
    // A function is none, whatever prototype it was given.
    if (typeof object === "function") this.#refuse("function", "it is a function", object);
    // Most are plain.
    const tag = Object.getPrototypeOf(object) === Object.prototype ? "plain" : typeTagOf(object);
    switch (tag) {
      case "plain":
        return this.#builder.plain(this.#properties(object));
      case "bare":
        return this.#builder.bare(this.#properties(object));
      case "Array":
        return this.#array(object as unknown[]);
      case undefined:
        return this.#refuse("instance", `it is ${describeClass(object)}`, object);
      default:
        return this.#builtin(object, tag);
    }
  }

  #array(array: readonly unknown[]): unknown {
    const { length } = array;
    const built: unknown[] = [];
    for (let i = 0; i < length; i++) {
      if (lookupGetter.call(array, i) !== undefined) this.#refuseAccessor(i);
      const element = array[i];
      if (element === undefined) {
        const property = Object.getOwnPropertyDescriptor(array, i);
        if (property === undefined) return this.#sparse(array);
        if (property.set !== undefined) this.#refuseAccessor(i);
      }
      built.push(isPrimitive(element) ? this.#part(element) : this.#child(i, element));
    }
    const keys = Reflect.ownKeys(array);
    // "length" is one more.
    if (keys.length !== length + 1) this.#refuseAdded(array, keys.find((key) => key !== "length" && !isIndex(key))!);
    return this.#builder.array(built);
  }

  /** Goes by the keys of an array with holes, so that it costs what is in it and not its length. */
  #sparse(array: readonly unknown[]): unknown {
    const elements: [number, unknown][] = [];
    for (const key of Reflect.ownKeys(array)) {
      if (key === "length") continue;
      if (!isIndex(key)) return this.#refuseAdded(array, key);
      const property = Object.getOwnPropertyDescriptor(array, key);
      const index = Number(key);
      if (property === undefined) return this.#refuseChild(index, "unreadable", "it changes while it is read");
      if (!("value" in property)) this.#refuseAccessor(index);
      elements.push([index, this.#child(index, property.value)]);
    }
    return this.#builder.sparse(array.length, elements);
  }

  #properties(object: object): Record<string, unknown> {
    const built: Record<string, unknown> = {};
    // V8 answers these two five times as fast as Reflect.ownKeys.
    const symbols = Object.getOwnPropertySymbols(object);
    if (symbols.length > 0) this.#refuseAdded(object, symbols[0]!);
    for (const key of Object.getOwnPropertyNames(object)) {
      const property = Object.getOwnPropertyDescriptor(object, key);
      if (property === undefined) return this.#refuseChild(key, "unreadable", "it changes while it is read");
      if (property.get !== undefined || property.set !== undefined) this.#refuseAccessor(key);
      if (!property.enumerable) return this.#refuseChild(key, "hidden", "it is not enumerable");
      const { value } = property;
      const part = isPrimitive(value) ? this.#part(value) : this.#child(key, value);
      if (key === "__proto__") define(built, key, part);
      else built[key] = part;
    }
    return built;
  }

  #builtin(object: object, tag: BuiltinTag): unknown {
    const added = addedTo(object, tag, this.#builder.maxListedElements);
    if (added !== undefined) this.#refuseAdded(object, added);
    switch (tag) {
      case "Date":
        return this.#builder.date((object as Date).getTime());
      case "Map": {
        const flat: unknown[] = [];
        for (const [key, value] of object as Map<unknown, unknown>) {
          const index = flat.length / 2;
          flat.push(this.#child({ text: ` (key ${index})` }, key));
          const text = typeof key === "string" ? quoted(key) : `key ${index}`;
          flat.push(this.#child({ text: `.get(${text})` }, value));
        }
        return this.#builder.map(flat);
      }
      case "Set": {
        const items: unknown[] = [];
        for (const item of object as Set<unknown>) items.push(this.#child({ text: ` (item ${items.length})` }, item));
        return this.#builder.set(items);
      }
      case "Headers":
        return this.#builder.headers([...object as Headers].flat().map((part) => this.#builder.text(part)));
      case "RegExp": {
        const { source, flags, lastIndex } = object as RegExp;
        if (typeof lastIndex !== "number") this.#refuse("unreadable", "its lastIndex is no number", object);
        return this.#builder.regexp(source, flags, this.#part(lastIndex));
      }
      default: {
        if (isTextTag(tag)) return this.#builder.textual(textOf(object, tag), tag);
        const bytes = bytesOf(object as ArrayBuffer | ArrayBufferView, tag);
        if (bytes !== undefined) return this.#builder.bytes(bytes, tag, object);
        return this.#refuse("unreadable", "its memory is shared, or can change its size", object);
      }
    }
  }

  #refuseAdded(object: object, key: PropertyKey): never {
    const name = typeof key === "string" ? quoted(key) : shortened(String(key));
    const tag = typeTagOf(object);
    const what = tag === "Array" ? "an array" : tag === "plain" || tag === "bare" ? "a plain object" : `a ${tag}`;
    return this.#refuse("added", `it has the property ${name}, which is not kept of ${what}`, object);
  }

  #refuseAccessor(step: Step): never {
    return this.#refuseChild(step, "accessor", "it is an accessor");
  }

  #refuseChild(step: Step, fault: Fault, words: string): never {
    this.#steps.push(step);
    return this.#refuse(fault, words, undefined);
  }

  #refuse(fault: Fault, words: string, part: unknown, cause?: unknown): never {
    const path = this.#steps.map(textOfStep).join("");
    const short = path.length > 200 ? `${path.slice(0, 100)}…${path.slice(-100)}`.toWellFormed() : path;
    return this.fail(this.#builder.refuse(short, fault, words, part, cause));
  }
}

/** Whether it is never refused, so that no error has to say where it stands. */
const isPrimitive = (value: unknown): boolean =>
  typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol";

/** Sets `__proto__` as a property; assigning to it would change the prototype. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Whether a property is an element of an array, as "1" is and "01" is not. */
const isIndex = (key: PropertyKey): boolean =>
  typeof key === "string" && /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1;

/** An object's class, in words. */
function describeClass(object: object): string {
  const [name] = namesOf(object);
  return name === undefined ? "an instance of a class" : `an instance of ${shortened(name)}`;
}

const shortened = (name: string): string =>
  printable((name.length > 100 ? `${name.slice(0, 100)}…` : name).toWellFormed());

function textOfStep(step: Step): string {
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "object") return step.text;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) ? `.${step}` : `[${quoted(step)}]`;
}

/** Throws for JSON data that is nested deeper than any value that can be kept. `depth`: how deep it is already. */
export function assertDepth(json: unknown, depth = 0): void {
  if (typeof json !== "object" || json === null) return;
  if (depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(json)) {
    for (let i = 0; i < json.length; i++) if (typeof json[i] === "object") assertDepth(json[i], depth + 1);
  } else {
    for (const key in json) {
      const part = (json as Record<string, unknown>)[key];
      if (typeof part === "object") assertDepth(part, depth + 1);
    }
  }
}
