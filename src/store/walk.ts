import { CacheValueError } from "../errors.ts";
import { type BytesKind, bytesOf, type Kind, kindOf } from "./kinds.ts";

/** Objects, arrays, maps and sets inside one another. */
export const MAX_DEPTH = 500;

/** What a walk makes of a value's parts, from the innermost outward. Strings, booleans, null and ordinary numbers stay as they are. */
export interface Maker {
  /** undefined, NaN, Infinity, -Infinity or -0. */
  odd(value: number | undefined): unknown;
  bigint(value: bigint): unknown;
  /** `made`: a fresh plain object of parts already made. */
  plain(made: Record<string, unknown>): unknown;
  /** The same for an object without a prototype. */
  bare(made: Record<string, unknown>): unknown;
  date(ms: number): unknown;
  /** Keys and values in turn. */
  map(flat: unknown[]): unknown;
  set(items: unknown[]): unknown;
  url(href: string): unknown;
  /** `lastIndex`: already made. */
  regexp(source: string, flags: string, lastIndex: unknown): unknown;
  /** `bytes` are the value's own, not a copy. */
  bytes(bytes: Uint8Array, kind: BytesKind): unknown;
}

/** A part's place in its parent, for errors. */
type Step = string | number | { readonly text: string };

const ACCESSOR = "it is an accessor";
const { prototype: OBJECT } = Object;
const { prototype: ARRAY } = Array;
/** Much cheaper on an array's elements than their descriptors. */
const lookupGetter =
  (OBJECT as unknown as { __lookupGetter__(this: object, key: PropertyKey): unknown }).__lookupGetter__;

/**
 * Goes through a value that came from outside and makes something of it, or refuses it with a CacheValueError that
 * names the part. What passes is data that can be kept exactly: no code runs, every property is read once.
 */
export function walk(value: unknown, maker: Maker): unknown {
  return new Walk(maker).whole(value);
}

class Walk {
  readonly #maker: Maker;
  readonly #seen = new Set<object>();
  /** From the value to the part that is being made: one for every level of nesting. */
  readonly #steps: Step[] = [];

  constructor(maker: Maker) {
    this.#maker = maker;
  }

  whole(value: unknown): unknown {
    try {
      return this.#part(value);
    } catch (error) {
      if (error instanceof CacheValueError) throw error;
      // A proxy that throws, or an object with the prototype of a Date, a Map, … but without its insides.
      return this.#refuse("it cannot be read", error);
    }
  }

  #part(value: unknown): unknown {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        // NaN and the infinities less themselves are NaN.
        return value - value === 0 && (value !== 0 || 1 / value > 0) ? value : this.#maker.odd(value);
      case "undefined":
        return this.#maker.odd(value);
      case "bigint":
        return this.#maker.bigint(value);
      case "object":
        return value === null ? null : this.#object(value);
      default:
        return this.#refuse(`it is a ${typeof value}`);
    }
  }

  #child(step: Step, value: unknown): unknown {
    this.#steps.push(step);
    const made = this.#part(value);
    this.#steps.pop();
    return made;
  }

  #object(object: object): unknown {
    if (this.#seen.has(object)) this.#refuse("it is in the value twice, and a copy of it would be two objects");
    this.#seen.add(object);
    if (this.#steps.length >= MAX_DEPTH) this.#refuse(`it is nested deeper than ${MAX_DEPTH} levels`);
    const prototype = Object.getPrototypeOf(object);
    if (Array.isArray(object)) return prototype === ARRAY ? this.#array(object) : this.#refuseInstance(prototype);
    if (prototype === OBJECT) return this.#maker.plain(this.#properties(object));
    if (prototype === null) return this.#maker.bare(this.#properties(object));
    const kind = kindOf(prototype);
    return kind === undefined ? this.#refuseInstance(prototype) : this.#instance(object, kind);
  }

  #array(array: readonly unknown[]): unknown[] {
    const { length } = array;
    const made: unknown[] = [];
    for (let i = 0; i < length; i++) {
      if (lookupGetter.call(array, i) !== undefined) this.#refuseChild(i, ACCESSOR);
      const element = array[i];
      if (element === undefined) {
        const property = Object.getOwnPropertyDescriptor(array, i);
        if (property === undefined) this.#refuseChild(i, "it is a hole in an array");
        else if (property.set !== undefined) this.#refuseChild(i, ACCESSOR);
      }
      const simple = typeof element === "string" || typeof element === "boolean" || element === null;
      made.push(simple ? element : this.#child(i, element));
    }
    const keys = Reflect.ownKeys(array);
    // "length" is one more.
    if (keys.length !== length + 1) {
      this.#refuseExtra(keys.find((key) => key !== "length" && !isIndex(key)), "an array");
    }
    return made;
  }

  #properties(object: object): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    // V8 answers these two five times as fast as Reflect.ownKeys.
    const symbols = Object.getOwnPropertySymbols(object);
    if (symbols.length > 0) this.#refuseExtra(symbols[0], "a plain object");
    for (const key of Object.getOwnPropertyNames(object)) {
      const property = Object.getOwnPropertyDescriptor(object, key);
      if (property === undefined) return this.#refuseChild(key, "it changes while it is read");
      if (property.get !== undefined || property.set !== undefined) return this.#refuseChild(key, ACCESSOR);
      if (!property.enumerable) return this.#refuseChild(key, "it is not enumerable");
      const { value } = property;
      const part = typeof value === "string" ? value : this.#child(key, value);
      if (key === "__proto__") define(made, key, part);
      else made[key] = part;
    }
    return made;
  }

  #instance(object: object, kind: Kind): unknown {
    switch (kind) {
      case "Date":
        this.#assertBare(object, kind, 0);
        return this.#maker.date((object as Date).getTime());
      case "Map": {
        this.#assertBare(object, kind, 0);
        const flat: unknown[] = [];
        for (const [key, value] of object as Map<unknown, unknown>) {
          flat.push(this.#child({ text: ` (key ${flat.length / 2})` }, key));
          const text = typeof key === "string" ? JSON.stringify(key) : `key ${(flat.length - 1) / 2}`;
          flat.push(this.#child({ text: `.get(${text})` }, value));
        }
        return this.#maker.map(flat);
      }
      case "Set": {
        this.#assertBare(object, kind, 0);
        const items: unknown[] = [];
        for (const item of object as Set<unknown>) items.push(this.#child({ text: ` (item ${items.length})` }, item));
        return this.#maker.set(items);
      }
      case "URL": {
        if (Object.getOwnPropertyNames(object).length > 0) this.#assertBare(object, kind, 0);
        const { href } = object as URL;
        const twin = new URL(href);
        // Deno's URLs have a symbol of their own.
        this.#assertBare(object, kind, Reflect.ownKeys(twin).length);
        if (twin.href !== href) this.#refuse("its text would be read as another URL");
        return this.#maker.url(href);
      }
      case "RegExp": {
        this.#assertBare(object, kind, 1);
        const { source, flags, lastIndex } = object as RegExp;
        if (typeof lastIndex !== "number") this.#refuse("its lastIndex is no number");
        return this.#maker.regexp(source, flags, this.#part(lastIndex));
      }
      default: {
        // A typed array's own keys are its elements, a million strings perhaps: what was added to it is not looked for.
        if (kind === "DataView" || kind === "ArrayBuffer") this.#assertBare(object, kind, 0);
        const bytes = bytesOf(object as ArrayBuffer | ArrayBufferView, kind);
        if (bytes === undefined) return this.#refuse("its memory is shared, or can change its size");
        return this.#maker.bytes(bytes, kind);
      }
    }
  }

  /** Refuses properties that somebody added to an object which by itself has `own` of them. */
  #assertBare(object: object, kind: Kind, own: number): void {
    const keys = Reflect.ownKeys(object);
    if (keys.length !== own) this.#refuseExtra(keys[own], `a ${kind}`);
  }

  #refuseExtra(key: PropertyKey | undefined, where: string): never {
    const name = typeof key === "string" ? JSON.stringify(key) : String(key);
    return this.#refuse(`it has the property ${name}, which is not kept of ${where}`);
  }

  #refuseInstance(prototype: object): never {
    const name = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value?.name;
    return this.#refuse(`it is an instance of ${typeof name === "string" && name !== "" ? name : "a class"}`);
  }

  #refuseChild(step: Step, reason: string): never {
    this.#steps.push(step);
    return this.#refuse(reason);
  }

  #refuse(reason: string, cause?: unknown): never {
    const path = this.#steps.map(show).join("");
    const short = path.length > 200 ? `${path.slice(0, 100)}…${path.slice(-100)}` : path;
    throw new CacheValueError(`Cannot keep value${short}: ${reason}`, cause === undefined ? undefined : { cause });
  }
}

/** Assigning to `__proto__` would change the prototype. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

const isIndex = (key: PropertyKey): boolean => typeof key === "string" && /^\d+$/.test(key);

function show(step: Step): string {
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "object") return step.text;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}

/** Throws for JSON data that is nested deeper than any value that can be kept. */
export function assertDepth(json: unknown): void {
  descend(json, 0);
}

function descend(json: unknown, depth: number): void {
  if (typeof json !== "object" || json === null) return;
  if (depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(json)) {
    for (let i = 0; i < json.length; i++) if (typeof json[i] === "object") descend(json[i], depth + 1);
  } else {
    for (const key in json) {
      const part = (json as Record<string, unknown>)[key];
      if (typeof part === "object") descend(part, depth + 1);
    }
  }
}
