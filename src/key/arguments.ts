/**
 * Arguments as text: readable, and injective, since two calls that share a text share a result.
 *
 *   "oslo"  1  1n  -0  NaN  true  null  undefined       as in source; strings are quoted as in JSON
 *   [1,empty*2,3]                                       an array; holes are counted, and are not `undefined`
 *   {limit:10,"a b":1}                                  a plain object; keys are sorted, `undefined` is absent
 *   Date<"2020-01-01T00:00:00.000Z">  Map<[1,2]>        what the language and the platform bring (data/type_tags.ts)
 *   City(7)                                             what has a `[cacheKey]`: its class, and what it returns
 *
 * Built-ins stand in <>, classes in (), so that a class of a user may be called Map. Nothing else has a text: whatever
 * is not listed is a CacheKeyError, and never an empty object.
 */
import { advice } from "../data/advice.ts";
import { type BytesTag, isBuiltIn, type TextTag } from "../data/type_tags.ts";
import { rebuild } from "../data/copy.ts";
import { type Builder, type Fault, PassThrough, Validator } from "../data/validate.ts";
import { fromExactText } from "../data/contents.ts";
import { CacheKeyError } from "../errors.ts";
import { printable } from "../util/checks.ts";
import { classNameOf, hasIdentity, type Identified, identityOf, isWord } from "./identity.ts";
import { isSignal, keyedLength, mayHoldSignals, NO_SIGNALS, signalsIn } from "./signals.ts";

/**
 * So long may the text of a call be, in UTF-16 units: as many as memcached's largest item has bytes. A longer one costs
 * more than most computations do.
 */
const LONGEST = 1 << 20;
/** So many objects an argument may hold, one that stands in two places counted twice: a key is cut at each call. */
const MOST_OBJECTS = 100_000;
/** Up to here a loop in JavaScript is faster than the engine's JSON.stringify. */
const SHORT = 64;

/** What the arguments of a call come to. */
export interface KeyedArguments {
  /** Without the parentheses. */
  readonly text: string;
  /** Something in them has a `[cacheKey]`, which may say something else later. */
  readonly identified: boolean;
  /** No part of the text. */
  readonly signals: readonly AbortSignal[];
}

/** The text of arguments that are all primitive, and so cannot change; `undefined`: some are not. */
export function primitivesText(args: readonly unknown[]): string | undefined {
  let text = "", count = args.length;
  // Trailing `undefined`s are dropped: a function cannot tell them from absence.
  while (count > 0 && args[count - 1] === undefined) count--;
  for (let i = 0; i < count; i++) {
    const arg = args[i];
    if (typeof arg === "object" && arg !== null || typeof arg === "function") return undefined;
    text = i === 0 ? primitiveText(arg, 0) : `${text},${primitiveText(arg, i)}`;
  }
  if (text.length > LONGEST) throw tooLong("these arguments");
  return text;
}

/** All arguments of a call. Throws a CacheKeyError that names the one which has no text. */
export function keyedArguments(args: readonly unknown[]): KeyedArguments {
  let signals = NO_SIGNALS, count = args.length;
  if (mayHoldSignals(args)) [signals, count] = [signalsIn(args), keyedLength(args)];
  else while (count > 0 && args[count - 1] === undefined) count--;
  // One is kept for the next call, since each hit needs one. (A [cacheKey] may cut a key meanwhile.)
  const maker = spare ?? new KeyText();
  spare = undefined;
  maker.begin(signals);
  let text = "";
  for (let i = 0; i < count; i++) text += i === 0 ? maker.write(args[i], 1) : `,${maker.write(args[i], i + 1)}`;
  spare = maker;
  return { text, identified: maker.identified, signals };
}

let spare: KeyText | undefined;

/** All arguments of a call, without the parentheses. */
export const argumentsText = (args: readonly unknown[]): string => primitivesText(args) ?? keyedArguments(args).text;

/** One value. `subject` names it in errors: an argument's position (from 1), or words. */
export const argumentText = (value: unknown, subject: number | string): string => new KeyText().write(value, subject);

/** The class of an object with `[cacheKey]`, and with what that returns: `City(7)`. */
export function identityText(object: Identified, subject: string): { className: string; text: string } {
  const text = new KeyText(object).write(object, subject);
  return { className: classNameOf(object, subject, "receiver"), text };
}

/**
 * Arguments that nobody else can change: copies of what is data; what has a `[cacheKey]`, signals and template strings
 * stay what they are. The arguments have a text.
 */
export function copiedArguments(args: readonly unknown[]): unknown[] {
  return args.map((arg) => typeof arg === "object" && arg !== null ? new Validator(taking).validate(arg) : arg);
}

/** The same of those that are data as a whole; the others stay what they are. */
export function copiedWhereData(args: readonly unknown[]): unknown[] {
  return args.map((arg) => {
    if (typeof arg !== "object" || arg === null) return arg;
    try {
      return new Validator(copying).validate(arg);
    } catch {
      return arg;
    }
  });
}

const taking: Builder = {
  ...rebuild,
  refuse: (...fault) => refused("the arguments", ...fault),
  replace: (object) => hasIdentity(object) || isSignal(object) || isTemplate(object) ? object : undefined,
};

const copying: Builder = {
  ...rebuild,
  replace: (object) => isTemplate(object) ? object : undefined,
  refuse: taking.refuse,
};

/** Writes values as texts, as long as there is room. */
class KeyText implements Builder {
  identified = false;
  readonly maxListedElements = LONGEST;
  readonly maxObjects = MOST_OBJECTS;
  #signals: readonly AbortSignal[] = NO_SIGNALS;
  #left = LONGEST;
  readonly #walk = new Validator(this);
  #subject: number | string = "";
  readonly #receiver: object | undefined;

  constructor(receiver?: object) {
    this.#receiver = receiver;
  }

  begin(signals: readonly AbortSignal[]): void {
    this.identified = false;
    this.#signals = signals;
    this.#left = LONGEST;
  }

  /** `subject` names the value in errors: an argument's position (from 1), or words. */
  write(value: unknown, subject: number | string): string {
    this.#subject = subject;
    return this.#walk.validate(value) as string;
  }

  refuse(...fault: Parameters<Builder["refuse"]>): CacheKeyError {
    return refused(this.#subjectText(), ...fault);
  }

  replace(object: object, inner: (value: unknown) => unknown): unknown {
    if (hasIdentity(object)) {
      this.identified = true;
      return this.#spent(`${this.#classNameOf(object)}(${inner(this.#identityOf(object))})`, 2);
    }
    if (this.#signals.length > 0 && this.#signals.includes(object as AbortSignal)) return "undefined";
    if (isTemplate(object)) return `Template<${inner([...object])},${inner([...object.raw])}>`;
    return undefined;
  }

  text(value: string): string {
    this.#spend(value.length);
    return quoted(value);
  }
  primitive(value: boolean | number | null): string {
    return this.#spent(String(value), 1);
  }
  nonJson(value: number | undefined): string {
    return this.#spent(numberText(value), 1);
  }
  bigint(value: bigint): string {
    // Its decimal digits take more than linear time to write.
    this.#spend(digitsOf(value));
    return `${value}n`;
  }
  /** Keys sorted by code unit; a property that holds `undefined` is absent. */
  plain(made: Record<string, unknown>): string {
    let text = "";
    for (const key of sorted(Object.keys(made))) {
      const part = made[key] as string;
      this.#spend(key.length + 1);
      if (part === "undefined") continue;
      text += `${text === "" ? "" : ","}${isWord(key) ? key : quoted(key)}:${part}`;
    }
    return this.#spent(`{${text}}`, 2);
  }
  bare(made: Record<string, unknown>): string {
    return this.plain(made);
  }
  array(made: unknown[]): string {
    return this.#spent(`[${made.join()}]`, 2);
  }
  sparse(length: number, elements: [number, unknown][]): string {
    const items: unknown[] = [];
    const holes = (count: number) => count > 0 && items.push(count === 1 ? "empty" : `empty*${count}`);
    let next = 0;
    for (const [index, part] of elements) {
      holes(index - next);
      items.push(part);
      next = index + 1;
    }
    holes(length - next);
    return this.array(items);
  }
  date(ms: number): string {
    return this.#spent(`Date<${isNaN(ms) ? "NaN" : `"${new Date(ms).toISOString()}"`}>`, 32);
  }
  map(flat: unknown[]): string {
    const pairs: string[] = [];
    for (let i = 0; i < flat.length; i += 2) pairs.push(`[${flat[i]},${flat[i + 1]}]`);
    return this.#spent(`Map<${pairs.join()}>`, 5 + 2 * flat.length);
  }
  set(items: unknown[]): string {
    return this.#spent(`Set<${items.join()}>`, 5);
  }
  headers(flat: unknown[]): string {
    return this.map(flat).replace("Map", "Headers");
  }
  /** Refuses what could not be copied, but for what always can: to read a URL again is most of a hit's cost. */
  textual(text: string, kind: TextTag): string {
    if (kind !== "URLSearchParams" && !(kind === "URL" && text.startsWith("http"))) fromExactText(text, kind);
    return `${kind}<${this.text(text)}>`;
  }
  regexp(source: string, flags: string, lastIndex: unknown): string {
    return `RegExp<${this.text(source)},"${flags}"${lastIndex === "0" ? "" : `,${lastIndex}`}>`;
  }
  bytes(bytes: Uint8Array, kind: BytesTag, object: object): string {
    this.#spend(2 * bytes.length);
    const elements = kind === "ArrayBuffer" || kind === "DataView" ? bytes : object as Float64Array;
    // `join` would write -0 as 0.
    const text = kind.startsWith("Float") ? Array.from(elements, numberText).join() : elements.join();
    return `${kind}<${text}>`;
  }

  /** A user's own method, whose errors are the caller's. */
  #identityOf(object: Identified): unknown {
    try {
      return identityOf(object, this.#subjectText());
    } catch (error) {
      throw new PassThrough(error);
    }
  }

  #classNameOf(object: object): string {
    try {
      return classNameOf(object, this.#subjectText(), object === this.#receiver ? "receiver" : "argument");
    } catch (error) {
      throw new PassThrough(error);
    }
  }

  #subjectText(): string {
    return typeof this.#subject === "number" ? `argument ${this.#subject}` : this.#subject;
  }

  #spent(text: string, length: number): string {
    this.#spend(length);
    return text;
  }

  /** Parts are paid for one by one, so an object that stands in many places is paid for in each. */
  #spend(length: number): void {
    this.#left -= length;
    if (this.#left < 0) throw new PassThrough(tooLong(this.#subjectText()));
  }
}

const tooLong = (subject: string): CacheKeyError =>
  new CacheKeyError(
    `Cannot make a key of ${subject}: its text is longer than ${LONGEST} characters; ` +
      "pass the option `key`, which says in short what identifies a call (an id, a digest)",
  );

/** About so many decimal digits it has. */
const digitsOf = (value: bigint): number =>
  value > -SMALL && value < SMALL ? 20 : Math.ceil(value.toString(16).length * 1.21);

const SMALL = 1n << 64n;

/** Also of what else is written as in source: undefined, null, true, false. */
const numberText = (value: number | bigint | undefined): string =>
  value === 0 && 1 / (value as number) < 0 ? "-0" : String(value);

/** As they mostly are. */
function sorted(keys: string[]): string[] {
  for (let i = 1; i < keys.length; i++) if (keys[i - 1]! > keys[i]!) return keys.sort();
  return keys;
}

function primitiveText(value: unknown, index: number): string {
  if (typeof value === "string") {
    if (value.length > LONGEST) throw tooLong(`argument ${index + 1}`);
    return quoted(value);
  }
  if (typeof value === "symbol") return argumentText(value, index + 1);
  if (typeof value === "bigint") {
    if (digitsOf(value) > LONGEST) throw tooLong(`argument ${index + 1}`);
    return `${value}n`;
  }
  return numberText(value as number | undefined);
}

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

/** The strings of a template literal, as a tag is given them: frozen, so they stay what they are, and nothing but strings. */
function isTemplate(object: object): object is TemplateStringsArray {
  if (!Array.isArray(object) || !Object.hasOwn(object, "raw")) return false;
  const raw = Object.getOwnPropertyDescriptor(object, "raw")!;
  return !raw.enumerable && isFrozenTexts(raw.value, 1) && isFrozenTexts(object, 2) &&
    raw.value.length === object.length;
}

/** `others`: how many properties it has besides its elements. */
const isFrozenTexts = (array: unknown, others: number): boolean =>
  Array.isArray(array) && Object.isFrozen(array) && Reflect.ownKeys(array).length === array.length + others &&
  array.every((text) => typeof text === "string" || text === undefined && others === 2);

/** Says of an argument which part of it has no text, and what to do. */
function refused(subject: string, ...[path, fault, words, part, cause]: Parameters<Builder["refuse"]>): CacheKeyError {
  const remedy = fault === "unreadable" ? "pass a plain copy of it" : remedyOf(fault, part);
  return new CacheKeyError(
    printable(`Cannot make a key of ${subject}${path}: ${words}; ${remedy}, or pass the option \`key\``),
    cause === undefined ? undefined : { cause },
  );
}

function remedyOf(fault: Fault, part: unknown): string {
  // Nobody else will hear of its rejection: what `key` or a [cacheKey] returned is the user's own no more.
  if (part instanceof Promise) part.catch(() => {});
  if (isSignal(part)) return "pass it as an argument of its own, or as `signal` of an object that comes last";
  return advice(fault, part, "pass") ??
    (isBuiltIn(part) ? "pass what identifies it" : "give its class a [cacheKey]() method");
}
