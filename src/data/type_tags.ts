/**
 * The type tag of an object says which of the built-in types it is, and so that it is data. An object is known by its
 * prototype, or, where that comes from another realm (a node:vm context, Jest, an edge sandbox), by the prototype's own
 * native constructor. An instance of a subclass has no tag: what its class adds would be lost.
 */

const VIEWS = [
  "Uint8Array",
  "Int8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "BigInt64Array",
  "BigUint64Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "DataView",
] as const;

const TEMPORAL = [
  "Instant",
  "PlainDate",
  "PlainTime",
  "PlainDateTime",
  "PlainYearMonth",
  "PlainMonthDay",
  "ZonedDateTime",
  "Duration",
] as const;

/** Objects that consist of bytes. */
export type BytesTag = (typeof VIEWS)[number] | "ArrayBuffer" | "Buffer";

/** Objects whose text says all of them (contents.ts). */
export type TextTag = "URL" | "URLSearchParams" | `Temporal.${(typeof TEMPORAL)[number]}`;

/** Built-in objects besides arrays and plain objects. */
export type BuiltinTag = BytesTag | TextTag | "Date" | "Map" | "Set" | "RegExp" | "Headers";

/** "bare": a plain object without a prototype. */
export type TypeTag = BuiltinTag | "plain" | "bare" | "Array";

/** A typed array, a DataView or a Buffer. */
export interface View extends ArrayBufferView {
  readonly buffer: ArrayBuffer;
}
type ViewOf = new (buffer: ArrayBuffer) => View;

const globals = globalThis as unknown as Readonly<Record<string, ViewOf | undefined>>;

/** The classes of views, by the names that bytes from outside may ask for. */
export const viewOf: Map<string, ViewOf> = new Map();
/** Those of the web platform are added when they are met, since naming them would load them. */
const tagOfPrototype = new Map<object, TypeTag>([
  [Object.prototype, "plain"],
  [Array.prototype, "Array"],
  [Date.prototype, "Date"],
  [Map.prototype, "Map"],
  [Set.prototype, "Set"],
  [RegExp.prototype, "RegExp"],
  [ArrayBuffer.prototype, "ArrayBuffer"],
]);
for (const name of VIEWS) {
  const view = globals[name];
  if (view === undefined) continue; // Node 20 has no Float16Array.
  viewOf.set(name, view);
  tagOfPrototype.set(view.prototype, name);
}

/** The type tag of an object. `undefined` for what is no data, and for instances of classes of somebody's own. */
export function typeTagOf(object: object): TypeTag | undefined {
  const prototype = Object.getPrototypeOf(object);
  if (prototype === Object.prototype) return "plain";
  if (prototype === null) return "bare";
  if (prototype === Array.prototype) return Array.isArray(object) ? "Array" : undefined;
  const tag = tagOfPrototype.get(prototype) ?? tagOfOther(prototype);
  // What has the prototype of an array need not be one.
  return tag === "Array" && !Array.isArray(object) ? undefined : tag;
}

/** Prototypes of another realm, of the web platform, and of classes, as far as they were met. */
const others = new WeakMap<object, TypeTag | "none">();

function tagOfOther(prototype: object): TypeTag | undefined {
  let tag = others.get(prototype);
  if (tag === undefined) others.set(prototype, tag = builtinTagOf(prototype) ?? "none");
  return tag === "none" ? undefined : tag;
}

const LANGUAGE: ReadonlySet<string> = new Set([...tagOfPrototype.values(), "Object"].filter((tag) => tag !== "plain"));
/** Some runtimes write these in JavaScript, so that their source does not say that they are built in. */
const PLATFORM: ReadonlySet<string> = new Set(["URL", "URLSearchParams", "Headers"]);
const TEXTS: ReadonlySet<unknown> = new Set(["URL", "URLSearchParams", ...TEMPORAL.map((name) => `Temporal.${name}`)]);

/** Whether it is the tag of an object whose text says all of it. */
export const isTextTag = (tag: unknown): tag is TextTag => TEXTS.has(tag);

function builtinTagOf(prototype: object): TypeTag | undefined {
  if (prototype === globals["Buffer"]?.prototype) return "Buffer";
  const constructor = ownValue(prototype, "constructor");
  if (typeof constructor !== "function" || ownValue(constructor, "prototype") !== prototype) return undefined;
  const tag = ownValue(prototype, Symbol.toStringTag);
  if (typeof tag === "string") {
    if (PLATFORM.has(tag) && (constructor === globals[tag] || isNative(constructor, tag))) return tag as TypeTag;
    if (isTextTag(tag) && isNative(constructor, tag.slice("Temporal.".length))) return tag;
  }
  const name = ownValue(constructor, "name");
  if (typeof name !== "string" || !LANGUAGE.has(name) || !isNative(constructor, name)) return undefined;
  return name === "Object" ? "plain" : name as TypeTag;
}

/** The value of an own property; an accessor is not called. */
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

/** The names of an object's classes, its own first. Its prototypes are asked, since its own properties may be data. */
export function namesOf(object: object): string[] {
  return prototypesOf(object).flatMap((prototype) => {
    const constructor = ownValue(prototype, "constructor");
    const names = [
      typeof constructor === "function" && ownValue(constructor, "name"),
      ownValue(prototype, Symbol.toStringTag),
    ];
    return names.filter((name): name is string => typeof name === "string" && name !== "");
  });
}

/** An object's class. Its prototypes are asked, since its own properties may be data. */
export function classOf(object: object): object | undefined {
  for (let at = Object.getPrototypeOf(object); at !== null; at = Object.getPrototypeOf(at)) {
    const constructor = ownValue(at, "constructor");
    if (typeof constructor === "function") return constructor;
  }
  return undefined;
}

/** The source of a function; of the engine's it has no body. */
const sourceOf = (constructor: object): string => Function.prototype.toString.call(constructor).replace(/\s+/g, " ");

/** No function of a user's has this source, this name and a prototype of its own. */
const isNative = (constructor: object, name: string): boolean =>
  sourceOf(constructor) === `function ${name}() { [native code] }`;

/** Whether an object's class belongs to the engine or the platform, so that nobody can give it a method. */
export function isBuiltIn(object: object): boolean {
  const constructor = classOf(object);
  if (constructor === undefined || constructor === Object) return false;
  return (globals as object as Record<string, unknown>)[String(ownValue(constructor, "name"))] === constructor ||
    sourceOf(constructor).endsWith("{ [native code] }");
}

/**
 * A property that somebody added to a built-in object, and that a copy would lose; `undefined` if there is none. In a
 * typed array of more than `maxListed` elements only symbols are found: listing its elements, which are properties as
 * well, takes half a second a million.
 */
export function addedTo(object: object, tag: BuiltinTag, maxListed: number = LISTED_ELEMENTS): PropertyKey | undefined {
  switch (tag) {
    case "RegExp":
      return Reflect.ownKeys(object).find((key) => key !== "lastIndex");
    case "Headers":
    case "URL":
    case "URLSearchParams":
      // Some runtimes keep their own things under symbols, the same ones on each object.
      return Reflect.ownKeys(object).find((key) => !Object.hasOwn(usedOne(tag), key));
    default:
      if (!ArrayBuffer.isView(object) || tag === "DataView") return Reflect.ownKeys(object)[0];
      // Elements come first.
      return (object as Uint8Array).length > maxListed
        ? Object.getOwnPropertySymbols(object)[0]
        : Reflect.ownKeys(object)[(object as Uint8Array).length];
  }
}

const LISTED_ELEMENTS = 65_536;

/** Objects that were used, since a runtime may add its own properties at the first use. */
const used = new Map<BuiltinTag, object>();

function usedOne(tag: "Headers" | "URL" | "URLSearchParams"): object {
  if (used.size === 0) {
    const url = new URL("http://a/?a=1"), headers = new Headers([["a", "1"]]);
    void [...url.searchParams, ...headers];
    used.set("URL", url).set("URLSearchParams", url.searchParams).set("Headers", headers);
  }
  return used.get(tag)!;
}
