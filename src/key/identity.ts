import { CacheKeyError } from "../errors.ts";
import { isPromise } from "../util/callbacks.ts";
import { quoted } from "../util/checks.ts";
import { warn } from "../util/warnings.ts";

/**
 * Names the method that says what identifies an object, used as an argument or as `this`.
 *
 * What it returns is written into the key like an argument, after the name of the object's class. It is
 * `Symbol.for("@x/cache-utils.cacheKey")`, since two copies of the library may meet.
 *
 * @example
 * ```ts
 * import { cached, cacheKey } from "@x/cache-utils";
 *
 * class City {
 *   id = 7;
 *   [cacheKey]() { return this.id; }
 * }
 * const weather = cached(async function weather(city: City) { return `rain in ${city.id}`; });
 * console.log(weather.key(new City())); // ::weather(City(7))
 * ```
 */
export const cacheKey: unique symbol = Symbol.for("@x/cache-utils.cacheKey");

/** An object that says what identifies it. */
export interface Identified {
  [cacheKey](): unknown;
}

/** Does it have a `[cacheKey]`, the right way or a wrong one? */
export function hasIdentity(object: unknown): object is Identified {
  return object !== null && (typeof object === "object" || typeof object === "function") &&
    (object as { [cacheKey]?: unknown })[cacheKey] !== undefined;
}

/** What its `[cacheKey]` returns. Throws a CacheKeyError where that is no method. `subject` names it in errors. */
export function identityOf(object: Identified, subject: string): unknown {
  if (typeof object[cacheKey] !== "function") {
    throw new CacheKeyError(`Cannot make a key of ${subject}: its [cacheKey] must be a method`);
  }
  const identity = object[cacheKey]();
  if (!isPromise(identity)) return identity;
  throw new CacheKeyError(
    `Cannot make a key of ${subject}: its [cacheKey] returned a promise, and must say at once what identifies it`,
  );
}

/**
 * The name of an object's class, for a key. Throws a CacheKeyError for a class without a name. Two classes of one name
 * are told of by a warning: what returns the same from both is one key. Not of receivers: whose results those of a second
 * class would be is seen, and told, where names are held (cached/names.ts).
 */
export function classNameOf(object: object, subject: string, use: "argument" | "receiver"): string {
  const made = typeof object === "function" ? object : constructorOf(object);
  const name = made === undefined ? "Object" : Object.getOwnPropertyDescriptor(made, "name")?.value;
  if (typeof name !== "string" || !isWord(name)) {
    throw new CacheKeyError(`Cannot make a key of ${subject}: the class of an object with [cacheKey] needs a name`);
  }
  if (use === "argument" && made !== undefined && made !== Object) note(name, made);
  // A class with a static [cacheKey] is no instance of itself.
  return typeof object === "function" ? `Class<${name}>` : name;
}

/** As its prototype says: what an object says of itself may be data. */
function constructorOf(object: object): object | undefined {
  for (let at = Object.getPrototypeOf(object); at !== null; at = Object.getPrototypeOf(at)) {
    const made = Object.getOwnPropertyDescriptor(at, "constructor")?.value;
    if (typeof made === "function") return made;
  }
  return undefined;
}

/** So many names of classes are watched. */
const WATCHED_NAMES = 1000;
/** Classes by number, and which of them was the first of its name; 0: that was warned about. No class is kept alive. */
const numbers = new WeakMap<object, number>();
const firsts = new Map<string, number>();
let count = 0;

function note(name: string, made: object): void {
  let number = numbers.get(made);
  if (number !== undefined) return;
  numbers.set(made, number = ++count);
  const first = firsts.get(name);
  if (first === undefined) {
    if (firsts.size < WATCHED_NAMES) firsts.set(name, number);
  } else if (first !== 0) {
    firsts.set(name, 0);
    warn(
      "classes of one name",
      `two classes with [cacheKey] are called ${quoted(name)}, so their objects share keys where ` +
        "[cacheKey]() returns the same. Rename one, or return something from [cacheKey]() that tells them apart.",
    );
  }
}

/** Letters, digits, `_`, `$`, and all beyond ASCII but surrogates: stands without quotes. */
export function isWord(key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    const fits = unit >= 0x80
      ? unit < 0xd800
      : unit >= 0x61 && unit <= 0x7a || unit >= 0x41 && unit <= 0x5a || unit >= 0x30 && unit <= 0x39 ||
        unit === 0x5f || unit === 0x24;
    if (!fits) return false;
  }
  return key !== "";
}
