/**
 * What objects are data at heart, and of which kind. An object is known by its prototype, or, where that comes from
 * another realm (a node:vm context, Jest, an edge sandbox), by the prototype's own native constructor. An instance of a
 * subclass is of no kind: what its class adds would be lost.
 */

/** Typed arrays, and what else is nothing but bytes. */
export type BytesTag =
  | "Uint8Array"
  | "Int8Array"
  | "Uint8ClampedArray"
  | "Int16Array"
  | "Uint16Array"
  | "Int32Array"
  | "Uint32Array"
  | "BigInt64Array"
  | "BigUint64Array"
  | "Float16Array"
  | "Float32Array"
  | "Float64Array"
  | "ArrayBuffer"
  | "DataView"
  | "Buffer";

/** What a text says in full (contents.ts). */
export type TextTag =
  | "URL"
  | "URLSearchParams"
  | "Temporal.Instant"
  | "Temporal.PlainDate"
  | "Temporal.PlainTime"
  | "Temporal.PlainDateTime"
  | "Temporal.PlainYearMonth"
  | "Temporal.PlainMonthDay"
  | "Temporal.ZonedDateTime"
  | "Temporal.Duration";

/** Built-in objects besides arrays and plain objects. */
export type BuiltinTag = BytesTag | TextTag | "Date" | "Map" | "Set" | "RegExp" | "Headers";

/** "bare": a plain object without a prototype. */
export type TypeTag = BuiltinTag | "plain" | "bare" | "Array";

export interface View extends ArrayBufferView {
  readonly buffer: ArrayBuffer;
}
type ViewOf = new (buffer: ArrayBuffer) => View;

/** What not every runtime has: Node 20 has no Float16Array, a browser no Buffer. */
interface Sometimes {
  readonly Float16Array?: ViewOf;
  readonly Buffer?: ViewOf & { from(buffer: ArrayBuffer): View };
}
export const sometimes = globalThis as unknown as Sometimes;

const VIEWS: readonly (ViewOf | undefined)[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  sometimes.Float16Array,
  Float32Array,
  Float64Array,
  DataView,
];

/** Typed arrays and DataView, by name: what may be made of bytes, whoever wrote its name. */
export const viewOf: Map<string, ViewOf> = new Map();
/** By prototype. Those of the web platform are found when they are met, since to name them would load them. */
const tagOfPrototype = new Map<object, TypeTag>([
  [Object.prototype, "plain"],
  [Array.prototype, "Array"],
  [Date.prototype, "Date"],
  [Map.prototype, "Map"],
  [Set.prototype, "Set"],
  [RegExp.prototype, "RegExp"],
  [ArrayBuffer.prototype, "ArrayBuffer"],
]);
for (const view of VIEWS) {
  if (view === undefined) continue;
  viewOf.set(view.name, view);
  tagOfPrototype.set(view.prototype, view.name as BytesTag);
}

/** The kind of an object; `undefined`: it is no data, or of a class of somebody's own. */
export function typeTagOf(object: object): TypeTag | undefined {
  const prototype = Object.getPrototypeOf(object);
  if (prototype === Object.prototype) return "plain";
  if (prototype === null) return "bare";
  if (prototype === Array.prototype) return Array.isArray(object) ? "Array" : undefined;
  const kind = tagOfPrototype.get(prototype) ?? tagOfOther(prototype);
  // What has the prototype of an array need not be one.
  return kind === "Array" && !Array.isArray(object) ? undefined : kind;
}

/** Prototypes that were met: of another realm, of the web platform, or of classes. */
const others = new WeakMap<object, TypeTag | "none">();

function tagOfOther(prototype: object): TypeTag | undefined {
  let kind = others.get(prototype);
  if (kind === undefined) others.set(prototype, kind = builtinTagOf(prototype) ?? "none");
  return kind === "none" ? undefined : kind;
}

const LANGUAGE: ReadonlySet<string> = new Set([
  "Object",
  ...[...tagOfPrototype.values()].filter((kind) => kind !== "plain"),
]);
/** Written in JavaScript in some runtimes, so their source does not say that they are built in. */
const PLATFORM: ReadonlySet<string> = new Set(["URL", "URLSearchParams", "Headers"]);
const TEMPORAL: readonly string[] = [
  "Temporal.Instant",
  "Temporal.PlainDate",
  "Temporal.PlainTime",
  "Temporal.PlainDateTime",
  "Temporal.PlainYearMonth",
  "Temporal.PlainMonthDay",
  "Temporal.ZonedDateTime",
  "Temporal.Duration",
];
const TEXTS: ReadonlySet<unknown> = new Set([...TEMPORAL, "URL", "URLSearchParams"]);

/** Is it the name of a text kind? */
export const isTextTag = (name: unknown): name is TextTag => TEXTS.has(name);

function builtinTagOf(prototype: object): TypeTag | undefined {
  if (prototype === sometimes.Buffer?.prototype) return "Buffer";
  const made = ownValue(prototype, "constructor");
  if (typeof made !== "function" || ownValue(made, "prototype") !== prototype) return undefined;
  const tag = ownValue(prototype, Symbol.toStringTag);
  if (typeof tag === "string") {
    const global = (globalThis as unknown as Record<string, unknown>)[tag];
    if (PLATFORM.has(tag) && (made === global || isNative(made, tag))) return tag as TypeTag;
    if (TEMPORAL.includes(tag) && isNative(made, tag.slice("Temporal.".length))) return tag as TypeTag;
  }
  const name = ownValue(made, "name");
  if (typeof name !== "string" || !LANGUAGE.has(name) || !isNative(made, name)) return undefined;
  return name === "Object" ? "plain" : name as TypeTag;
}

/** What an own property holds; an accessor is not asked. */
export const ownValue = (object: object, name: PropertyKey): unknown =>
  Object.getOwnPropertyDescriptor(object, name)?.value;

/** An object's prototypes but for the last, which all objects have. */
export function prototypesOf(object: object): object[] {
  const prototypes: object[] = [];
  for (let next = Object.getPrototypeOf(object); next !== null; next = Object.getPrototypeOf(next)) {
    prototypes.push(next);
  }
  return prototypes.slice(0, -1);
}

/** The names of an object's classes, its own first. Its prototypes are asked, since what an object says of itself may be anything. */
export function namesOf(object: object): string[] {
  return prototypesOf(object).flatMap((prototype) => {
    const made = ownValue(prototype, "constructor");
    const names = [typeof made === "function" && ownValue(made, "name"), ownValue(prototype, Symbol.toStringTag)];
    return names.filter((name): name is string => typeof name === "string" && name !== "");
  });
}

/** A function of the engine has no source; no function of a user's prints so with this name and a prototype of its own. */
const isNative = (made: unknown, name: string): boolean =>
  Function.prototype.toString.call(made).replace(/\s+/g, " ") === `function ${name}() { [native code] }`;

/** Is its class one of the engine's or the platform's, which nobody gives a method of their own? */
export function isBuiltIn(object: unknown): boolean {
  if (typeof object !== "object" || object === null) return false;
  const made = prototypesOf(object).map((prototype) => ownValue(prototype, "constructor"));
  const nearest = made.find((one) => typeof one === "function");
  if (typeof nearest !== "function" || nearest === Object) return false;
  return (globalThis as unknown as Record<string, unknown>)[nearest.name] === nearest ||
    /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(nearest));
}

/**
 * A property that somebody gave to a built-in object, and that a copy would lose; `undefined`: there is none. In a
 * typed array of more than `listed` elements only symbols are looked for: to list its elements, which are properties as
 * well, takes half a second a million.
 */
export function addedTo(object: object, kind: BuiltinTag, listed: number = LISTED_ELEMENTS): PropertyKey | undefined {
  switch (kind) {
    case "Date":
    case "Map":
    case "Set":
    case "ArrayBuffer":
    case "DataView":
      return Reflect.ownKeys(object)[0];
    case "RegExp":
      return Reflect.ownKeys(object).find((key) => key !== "lastIndex");
    case "Headers":
    case "URL":
    case "URLSearchParams":
      // Some runtimes keep their own things under symbols, the same ones on each object.
      return Reflect.ownKeys(object).find((key) => !Object.hasOwn(fresh(kind), key));
    default:
      if (!ArrayBuffer.isView(object)) return Reflect.ownKeys(object)[0];
      // Elements come first.
      return (object as Uint8Array).length > listed
        ? Object.getOwnPropertySymbols(object)[0]
        : Reflect.ownKeys(object)[(object as Uint8Array).length];
  }
}

const LISTED_ELEMENTS = 65_536;

const probes = new Map<string, object>();

function fresh(kind: "Headers" | "URL" | "URLSearchParams"): object {
  let probe = probes.get(kind);
  if (probe === undefined) {
    // One that was used, since a runtime may note things at the first use.
    const url = new URL("http://a/?a=1"), headers = new Headers([["a", "1"]]);
    void [...url.searchParams, ...headers];
    probe = kind === "URL" ? url : kind === "Headers" ? headers : url.searchParams;
    probes.set(kind, probe);
  }
  return probe;
}
