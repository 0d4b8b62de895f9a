/**
 * Arguments as text: readable, and injective, since two calls that share a text share a result.
 *
 *   "oslo"  1  1n  -0  NaN  true  null  undefined       as in source; strings are quoted as in JSON
 *   [1,empty*2,3]                                       an array; holes are counted, and are not `undefined`
 *   {limit:10,"a b":1}                                  a plain object; keys are sorted, `undefined` is absent
 *   Date<"2020-01-01T00:00:00.000Z">  Map<[1,2]>        what the language brings: Date, URL, RegExp, Map, Set, bytes
 *   City(7)                                             what has a `[cacheKey]`: its class, and what it returns
 *
 * Built-ins stand in <>, classes in (), so that a class of a user may be called Map. Nothing else has a text: whatever
 * is not listed is a CacheKeyError, and never an empty object.
 */
import { CacheKeyError } from "../errors.ts";

/**
 * Names the method that says what identifies an object, used as an argument or as `this`.
 *
 * What it returns is written into the key like an argument, after the name of the object's class. It is
 * `Symbol.for("@x/cache-utils.cacheKey")`, since two copies of the library may meet.
 *
 * @example
 * ```ts
 * import { cached, cacheKey } from "jsr:@x/cache-utils";
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

/** So deep may an argument be nested; the codec's bound for values is the same. */
const MAX_DEPTH = 500;
/** Up to here a loop in JavaScript is faster than the engine's JSON.stringify. */
const SHORT = 64;

/** All arguments of a call, without the parentheses. Trailing `undefined`s are dropped: a function cannot tell them from absence. */
export function argumentsText(args: readonly unknown[]): string {
  let count = args.length;
  while (count > 0 && args[count - 1] === undefined) count--;
  if (count === 0) return "";
  let text = argumentText(args[0], 1);
  for (let i = 1; i < count; i++) text += "," + argumentText(args[i], i + 1);
  return text;
}

/** One value. `subject` names it in errors: an argument's position (from 1), or words. */
export function argumentText(value: unknown, subject: number | string): string {
  return typeof value === "string" ? quoted(value) : text(value, subject, undefined);
}

/** The class of an object with `[cacheKey]`, and with what that returns: `City(7)`. */
export function identityText(object: { [cacheKey](): unknown }, subject: string): { className: string; text: string } {
  const className = classNameOf(object, subject);
  return { className, text: `${className}(${text(identityOf(object, subject), subject, [object])})` };
}

/** Does it have a `[cacheKey]`, the right way or a wrong one? */
export function hasIdentity(object: unknown): object is { [cacheKey](): unknown } {
  return object !== null && (typeof object === "object" || typeof object === "function") &&
    (object as { [cacheKey]?: unknown })[cacheKey] !== undefined;
}

/** `above`: the objects that hold this value, outermost first. */
function text(value: unknown, subject: number | string, above: object[] | undefined): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
      return numberText(value);
    case "boolean":
      return value ? "true" : "false";
    case "undefined":
      return "undefined";
    case "bigint":
      return `${value}n`;
    case "object":
      return value === null ? "null" : objectText(value, subject, above ?? []);
    default:
      if (hasIdentity(value)) return objectText(value, subject, above ?? []);
      throw refusal(`a ${typeof value}`, subject, above?.length ?? 0, "pass the option `key`, which leaves it out");
  }
}

const numberText = (value: number): string => value === 0 && 1 / value < 0 ? "-0" : String(value);

/** As JSON.stringify quotes it, lone surrogates included (`\ud800`). */
function quoted(value: string): string {
  if (value.length > SHORT) return JSON.stringify(value);
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    // Controls, the quote, the backslash; from 0xd800 there may be lone surrogates.
    if (unit < 0x20 || unit === 0x22 || unit === 0x5c || unit >= 0xd800) return JSON.stringify(value);
  }
  return `"${value}"`;
}

function objectText(value: object, subject: number | string, above: object[]): string {
  const depth = above.length;
  if (above.includes(value)) throw refusal("itself", subject, depth, "pass it without its cycle");
  if (depth === MAX_DEPTH) throw refusal(`more than ${MAX_DEPTH} levels`, subject, depth, "nest it less deeply");
  above.push(value);
  const written = openedText(value, subject, depth, (item) => text(item, subject, above));
  above.pop();
  return written;
}

/** `depth`: how many objects hold this one. `inner` writes what it holds. */
function openedText(value: object, subject: number | string, depth: number, inner: (item: unknown) => string): string {
  if (hasIdentity(value)) return `${classNameOf(value, subject)}(${inner(identityOf(value, subject))})`;
  const prototype = Object.getPrototypeOf(value);
  switch (prototype) {
    case Object.prototype:
    case null:
      return plainText(value, subject, depth, inner);
    case Array.prototype:
      if (Array.isArray(value)) return arrayText(value, subject, depth, inner);
      break;
    case Date.prototype:
      assertBare(value, subject, depth);
      return `Date<${isNaN((value as Date).getTime()) ? "NaN" : `"${(value as Date).toISOString()}"`}>`;
    case URL.prototype: // Not asserted bare: runtimes keep their own things on it.
      return `URL<${quoted((value as URL).href)}>`;
    case RegExp.prototype: {
      assertBare(value, subject, depth);
      const { source, flags, lastIndex } = value as RegExp;
      return `RegExp<${quoted(source)},"${flags}"${lastIndex === 0 ? "" : `,${lastIndex}`}>`;
    }
    case Map.prototype:
      assertBare(value, subject, depth);
      return `Map<${Array.from(value as Map<unknown, unknown>, ([k, v]) => `[${inner(k)},${inner(v)}]`).join()}>`;
    case Set.prototype:
      assertBare(value, subject, depth);
      return `Set<${Array.from(value as Set<unknown>, inner).join()}>`;
    case ArrayBuffer.prototype:
      assertBare(value, subject, depth);
      return `ArrayBuffer<${new Uint8Array(value as ArrayBuffer).join()}>`;
  }
  if (isTypedArray(value, prototype)) {
    // `join` would write -0 as 0.
    const floats = value[Symbol.toStringTag].startsWith("Float");
    return `${value[Symbol.toStringTag]}<${floats ? Array.from(value, numberText).join() : value.join()}>`;
  }
  // Node's own bytes: a Uint8Array, and yet of another class, so another call.
  const { Buffer } = globalThis as { Buffer?: { readonly prototype: object } };
  if (value instanceof Uint8Array && prototype === Buffer?.prototype) return `Buffer<${value.join()}>`;
  throw refusal(described(value), subject, depth);
}

/** Keys sorted by code unit; a property that holds `undefined` is absent. */
function plainText(
  value: object,
  subject: number | string,
  depth: number,
  inner: (item: unknown) => string,
): string {
  assertNoSymbols(value, subject, depth);
  let written = "";
  for (const key of Object.keys(value).sort()) {
    const property = (value as Record<string, unknown>)[key];
    if (property === undefined) continue;
    written += `${written === "" ? "" : ","}${isWord(key) ? key : quoted(key)}:${inner(property)}`;
  }
  return `{${written}}`;
}

/** By its keys, so that a sparse array costs what is in it, and named properties are seen. */
function arrayText(
  value: readonly unknown[],
  subject: number | string,
  depth: number,
  inner: (item: unknown) => string,
): string {
  const items: string[] = [];
  const holes = (count: number) => count > 0 && items.push(count === 1 ? "empty" : `empty*${count}`);
  let next = 0;
  for (const key of Object.keys(value)) {
    const index = Number(key);
    // Indices come first, in ascending order; whatever follows them is none.
    if (!(index >= next && index < value.length && String(index) === key)) {
      throw refusal(`an array with a property ${quoted(key)}`, subject, depth, "pass an array without it");
    }
    holes(index - next);
    items.push(inner(value[index]));
    next = index + 1;
  }
  holes(value.length - next);
  assertNoSymbols(value, subject, depth);
  return `[${items.join()}]`;
}

/** Properties that somebody gave to a built-in would be lost. */
function assertBare(value: object, subject: number | string, depth: number): void {
  const [key] = Object.keys(value);
  if (key !== undefined) {
    throw refusal(`${described(value)} with a property ${quoted(key)}`, subject, depth);
  }
  assertNoSymbols(value, subject, depth);
}

/** Query builders hide operators under symbols; left out, two queries would be one call. */
function assertNoSymbols(value: object, subject: number | string, depth: number): void {
  for (const symbol of Object.getOwnPropertySymbols(value)) {
    if (Object.prototype.propertyIsEnumerable.call(value, symbol)) {
      throw refusal(`an object with a property under ${String(symbol)}`, subject, depth);
    }
  }
}

type AnyTypedArray = Uint8Array | Float32Array | Float64Array;
const TypedArrayPrototype: object = Object.getPrototypeOf(Uint8Array.prototype);

/** One of the language's own, not of a class made from it. */
const isTypedArray = (value: object, prototype: object): value is AnyTypedArray =>
  ArrayBuffer.isView(value) && Object.getPrototypeOf(prototype) === TypedArrayPrototype;

/** Letters, digits, `_`, `$`, and all beyond ASCII but surrogates: stands without quotes. */
function isWord(key: string): boolean {
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

function identityOf(value: { [cacheKey](): unknown }, subject: number | string): unknown {
  if (typeof value[cacheKey] === "function") return value[cacheKey]();
  throw new CacheKeyError(`Cannot make a key of ${subjectText(subject)}: its [cacheKey] must be a method`);
}

function classNameOf(value: object, subject: number | string): string {
  const name: unknown = Object.getPrototypeOf(value) === null ? "Object" : value.constructor?.name;
  if (typeof name === "string" && isWord(name)) return name;
  throw new CacheKeyError(
    `Cannot make a key of ${subjectText(subject)}: the class of an object with [cacheKey] needs a name`,
  );
}

function described(value: object): string {
  if (value instanceof Promise) return "a promise (await it first)";
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an instance of a class";
}

const subjectText = (subject: number | string): string => typeof subject === "number" ? `argument ${subject}` : subject;

function refusal(what: string, subject: number | string, depth: number, advice?: string): CacheKeyError {
  const verb = depth === 0 ? "is" : "contains";
  return new CacheKeyError(
    `Cannot make a key of ${subjectText(subject)}: it ${verb} ${what}; ${
      advice ?? "give its class a [cacheKey]() method, or pass the option `key`"
    }`,
  );
}
