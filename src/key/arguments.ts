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
import type { BytesTag, TextTag } from "../data/type_tags.ts";
import { rebuild } from "../data/copy.ts";
import { type Builder, validate, Validator } from "../data/validate.ts";
import { fromExactText } from "../data/contents.ts";
import { CacheKeyError } from "../errors.ts";
import { printable } from "../util/checks.ts";
import { classNameOf, hasIdentity, type Identified, identityOf, isWord } from "./identity.ts";
import { isSignal, keyedLength, NO_SIGNALS, signalsIn } from "./signals.ts";

/**
 * How long the text of a call may be, in UTF-16 units: as many as memcached's largest item has bytes. A longer one costs
 * more than most computations do.
 */
const MAX_LENGTH = 1 << 20;
/** How many objects an argument may hold, one that stands in two places counted twice: each call goes through them. */
const MAX_OBJECTS = 100_000;
/** Up to this length a loop in JavaScript is faster than the engine's JSON.stringify. */
const SHORT = 64;

/** The arguments of a call, as text. */
export interface KeyedArguments {
  /** Without the parentheses. */
  readonly text: string;
  /** Whether something in them has a `[cacheKey]`, which may return something else later. */
  readonly identified: boolean;
  /** The signals among the arguments, which are no part of the text. */
  readonly signals: readonly AbortSignal[];
}

/** The text of arguments that are all primitive, and so cannot change. `undefined` if some are not. */
export function primitivesText(args: readonly unknown[]): string | undefined {
  const count = definedLength(args);
  let text = "";
  for (let i = 0; i < count; i++) {
    const arg = args[i];
    if (typeof arg === "object" && arg !== null || typeof arg === "function") return undefined;
    text = i === 0 ? primitiveText(arg, 0) : `${text},${primitiveText(arg, i)}`;
  }
  if (text.length > MAX_LENGTH) throw tooLong("these arguments");
  return text;
}

/** How many arguments there are without trailing `undefined`s, which a function cannot tell from absence. */
function definedLength(args: readonly unknown[]): number {
  let count = args.length;
  while (count > 0 && args[count - 1] === undefined) count--;
  return count;
}

/** The text of all arguments of a call. Throws a CacheKeyError that names an argument which has none. */
export function keyedArguments(args: readonly unknown[]): KeyedArguments {
  const signals = signalsIn(args);
  const count = signals === NO_SIGNALS ? definedLength(args) : keyedLength(args);
  // Each hit needs a builder, so one is kept. It is taken meanwhile, since a [cacheKey] may cut a key of its own.
  const builder = spare ?? new KeyText();
  spare = undefined;
  builder.begin(signals);
  let text = "";
  for (let i = 0; i < count; i++) text += i === 0 ? builder.write(args[i], 1) : `,${builder.write(args[i], i + 1)}`;
  spare = builder;
  return { text, identified: builder.identified, signals };
}

let spare: KeyText | undefined;

/** The text of all arguments of a call, without the parentheses. */
export const argumentsText = (args: readonly unknown[]): string => primitivesText(args) ?? keyedArguments(args).text;

/** The text of one value. `subject` names it in errors: an argument's position (from 1), or words. */
export const argumentText = (value: unknown, subject: number | string): string => new KeyText().write(value, subject);

/** An object with a `[cacheKey]`: its class (`City`), and its text (`City(7)`). `subject` names it in errors. */
export function identityText(object: Identified, subject: string): { className: string; text: string } {
  const text = new KeyText(object).write(object, subject);
  return { className: classNameOf(object, subject, "receiver"), text };
}

/**
 * The arguments with copies of those that are data, which nobody else can change. What has a `[cacheKey]`, signals and
 * template strings stay what they are, also inside of data. An argument that is no data stays as well where the option
 * `key` says what identifies the call; without it that is a CacheKeyError: the key was made of it, and it may change.
 */
export function copiedArguments(args: readonly unknown[], identifiedBy: "arguments" | "option key"): unknown[] {
  return args.map((arg) => {
    if (typeof arg !== "object" || arg === null) return arg;
    try {
      return validate(arg, copying);
    } catch (error) {
      if (identifiedBy === "arguments") throw error;
      return arg;
    }
  });
}

const copying: Builder = {
  ...rebuild,
  refuse: (...fault) => keyError("the arguments", ...fault),
  replace: (object) => hasIdentity(object) || isSignal(object) || isTemplate(object) ? object : undefined,
};

/** Builds the texts of values, up to a length in all. */
class KeyText implements Builder {
  identified = false;
  readonly maxListedElements = MAX_LENGTH;
  readonly maxObjects = MAX_OBJECTS;
  #signals: readonly AbortSignal[] = NO_SIGNALS;
  #left = MAX_LENGTH;
  readonly #validator = new Validator(this);
  #subject: number | string = "";
  readonly #receiver: object | undefined;

  constructor(receiver?: object) {
    this.#receiver = receiver;
  }

  begin(signals: readonly AbortSignal[]): void {
    this.identified = false;
    this.#signals = signals;
    this.#left = MAX_LENGTH;
  }

  /** `subject` names the value in errors: an argument's position (from 1), or words. */
  write(value: unknown, subject: number | string): string {
    this.#subject = subject;
    return this.#validator.validate(value) as string;
  }

  refuse(...fault: Parameters<Builder["refuse"]>): CacheKeyError {
    return keyError(this.#subjectText(), ...fault);
  }

  replace(object: object, inner: (value: unknown) => unknown): unknown {
    if (hasIdentity(object)) {
      this.identified = true;
      const [className, identity] = this.#identify(object);
      return this.#spent(`${className}(${inner(identity)})`, 2);
    }
    if (this.#signals.length > 0 && this.#signals.includes(object as AbortSignal)) return "undefined";
    if (isTemplate(object)) return `Template<${inner([...object])},${inner([...object.raw])}>`;
    return undefined;
  }

  text(value: string): string {
    this.#spend(value.length);
    return jsonText(value);
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
  plain(built: Record<string, unknown>): string {
    let text = "";
    for (const key of sorted(Object.keys(built))) {
      const part = built[key] as string;
      this.#spend(key.length + 1);
      if (part === "undefined") continue;
      text += `${text === "" ? "" : ","}${isWord(key) ? key : jsonText(key)}:${part}`;
    }
    return this.#spent(`{${text}}`, 2);
  }
  bare(built: Record<string, unknown>): string {
    return this.plain(built);
  }
  array(built: unknown[]): string {
    return this.#spent(`[${built.join()}]`, 2);
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
  /** Refuses what could not be copied. http URLs always can: parsing one again would be most of a hit's cost. */
  textual(text: string, tag: TextTag): string {
    if (tag !== "URLSearchParams" && !(tag === "URL" && text.startsWith("http"))) fromExactText(text, tag);
    return `${tag}<${this.text(text)}>`;
  }
  regexp(source: string, flags: string, lastIndex: unknown): string {
    return `RegExp<${this.text(source)},"${flags}"${lastIndex === "0" ? "" : `,${lastIndex}`}>`;
  }
  bytes(bytes: Uint8Array, tag: BytesTag, object: object): string {
    this.#spend(2 * bytes.length);
    const elements = tag === "ArrayBuffer" || tag === "DataView" ? bytes : object as Float64Array;
    // `join` would write -0 as 0.
    const text = tag.startsWith("Float") ? Array.from(elements, numberText).join() : elements.join();
    return `${tag}<${text}>`;
  }

  /** A `[cacheKey]` is a user's own method, whose errors reach the caller as they are. */
  #identify(object: Identified): [className: string, identity: unknown] {
    const subject = this.#subjectText();
    try {
      const className = classNameOf(object, subject, object === this.#receiver ? "receiver" : "argument");
      return [className, identityOf(object, subject)];
    } catch (error) {
      return this.#validator.fail(error);
    }
  }

  #subjectText(): string {
    return typeof this.#subject === "number" ? `argument ${this.#subject}` : this.#subject;
  }

  #spent(text: string, length: number): string {
    this.#spend(length);
    return text;
  }

  /** Counts the length of a part, so that an object that stands in many places counts in each. */
  #spend(length: number): void {
    this.#left -= length;
    if (this.#left < 0) this.#validator.fail(tooLong(this.#subjectText()));
  }
}

const tooLong = (subject: string): CacheKeyError =>
  new CacheKeyError(
    `Cannot make a key of ${subject}: its text is longer than ${MAX_LENGTH} characters; ` +
      "pass the option `key`, which says in short what identifies a call (an id, a digest)",
  );

/** About how many decimal digits it has. */
const digitsOf = (value: bigint): number =>
  value > -SMALL && value < SMALL ? 20 : Math.ceil(value.toString(16).length * 1.21);

const SMALL = 1n << 64n;

/** A number, undefined, null, true or false, as in source. */
const numberText = (value: number | bigint | undefined): string =>
  value === 0 && 1 / (value as number) < 0 ? "-0" : String(value);

/** Mostly they are sorted already, which is found faster than by sorting. */
function sorted(keys: string[]): string[] {
  for (let i = 1; i < keys.length; i++) if (keys[i - 1]! > keys[i]!) return keys.sort();
  return keys;
}

function primitiveText(value: unknown, index: number): string {
  if (typeof value === "string") {
    if (value.length > MAX_LENGTH) throw tooLong(`argument ${index + 1}`);
    return jsonText(value);
  }
  if (typeof value === "symbol") return argumentText(value, index + 1);
  if (typeof value === "bigint") {
    if (digitsOf(value) > MAX_LENGTH) throw tooLong(`argument ${index + 1}`);
    return `${value}n`;
  }
  return numberText(value as number | undefined);
}

/** As JSON.stringify writes it, lone surrogates included (`\ud800`). */
function jsonText(value: string): string {
  if (value.length > SHORT) return JSON.stringify(value);
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    // Controls, the quote and the backslash are escaped; from 0xd800 there may be lone surrogates.
    if (unit < 0x20 || unit === 0x22 || unit === 0x5c || unit >= 0xd800) return JSON.stringify(value);
  }
  return `"${value}"`;
}

/** Whether it is the strings of a template literal, as a tag function receives them: frozen, so that they cannot change. */
function isTemplate(object: object): object is TemplateStringsArray {
  if (!Array.isArray(object) || !Object.hasOwn(object, "raw")) return false;
  const raw = Object.getOwnPropertyDescriptor(object, "raw")!;
  return !raw.enumerable && isFrozenTexts(raw.value, 1) && isFrozenTexts(object, 2) &&
    raw.value.length === object.length;
}

/** Whether an array is frozen and holds only texts. `others`: how many properties it has besides its elements. */
const isFrozenTexts = (array: unknown, others: number): boolean =>
  Array.isArray(array) && Object.isFrozen(array) && Reflect.ownKeys(array).length === array.length + others &&
  array.every((text) => typeof text === "string" || text === undefined && others === 2);

/** The error for a part of an argument that has no text. It says what to do. */
function keyError(subject: string, ...[path, fault, words, part, cause]: Parameters<Builder["refuse"]>): CacheKeyError {
  // A promise that `key` or a [cacheKey] returned is refused here; if it rejects, that must not end the process.
  if (fault === "instance" && part instanceof Promise) part.catch(() => {});
  const remedy = isSignal(part)
    ? "pass it as an argument of its own, or as `signal` of an object that comes last"
    : advice(fault, part, "pass");
  return new CacheKeyError(
    printable(`Cannot make a key of ${subject}${path}: ${words}; ${remedy}, or pass the option \`key\``),
    cause === undefined ? undefined : { cause },
  );
}
