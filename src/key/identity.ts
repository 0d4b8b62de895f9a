import { classOf, ownValue } from "../data/type_tags.ts";
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

/** Whether it has a `[cacheKey]`, be it a method or not. */
export function hasIdentity(object: unknown): object is Identified {
  return object !== null && (typeof object === "object" || typeof object === "function") &&
    (object as { [cacheKey]?: unknown })[cacheKey] !== undefined;
}

/** What the `[cacheKey]` of an object returns. Throws a CacheKeyError where that is no method. `subject` names the object in errors. */
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
 * The name of an object's class, for a key. Throws a CacheKeyError for a class without a name. A second class of one name
 * is warned of where an argument is an instance of it, as it shares keys with the first. For receivers that is the task of
 * cached/names.ts, which refuses to share results between them.
 */
export function classNameOf(object: object, subject: string, use: "argument" | "receiver"): string {
  const constructor = typeof object === "function" ? object : classOf(object);
  const name = constructor === undefined ? "Object" : ownValue(constructor, "name");
  if (typeof name !== "string" || !isWord(name)) {
    throw new CacheKeyError(`Cannot make a key of ${subject}: the class of an object with [cacheKey] needs a name`);
  }
  if (use === "argument" && constructor !== undefined && constructor !== Object) noteClass(name, constructor);
  // A class with a static [cacheKey] is no instance of itself.
  return typeof object === "function" ? `Class<${name}>` : name;
}

/** For how many names a second class is noticed. */
const MAX_NAMES = 1000;
/** Classes that were met; a weak set keeps none of them alive. */
const classes = new WeakSet<object>();
const names = new Map<string, "one class" | "warned">();

function noteClass(name: string, constructor: object): void {
  if (classes.has(constructor)) return;
  classes.add(constructor);
  const known = names.get(name);
  if (known === "warned" || known === undefined && names.size === MAX_NAMES) return;
  names.set(name, known === undefined ? "one class" : "warned");
  if (known === undefined) return;
  warn(
    "classes of one name",
    `two classes with [cacheKey] are called ${quoted(name)}, so their objects share keys where ` +
      "[cacheKey]() returns the same. Rename one, or return something from [cacheKey]() that tells them apart.",
  );
}

/** Whether a name stands in a key without quotes: letters, digits, `_`, `$`, and all beyond ASCII but surrogates. */
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
