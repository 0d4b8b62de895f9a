import { isTextTag, typeTagOf } from "../data/type_tags.ts";
import { textOf } from "../data/contents.ts";

/**
 * Where two values differ in anything a program could notice, as a sentence; `undefined`: nowhere. Unlike the usual deep
 * equality it tells 0 from -0, a hole from `undefined`, and minds prototypes and the order of properties.
 */
export function difference(actual: unknown, expected: unknown, path = "value"): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) {
    return `${path} is ${show(actual)} instead of ${show(expected)}`;
  }
  const prototype = Object.getPrototypeOf(expected);
  if (Object.getPrototypeOf(actual) !== prototype) return `${path} has another prototype`;
  const inside = insides(expected);
  const found = insides(actual);
  if (found.length !== inside.length) return `${path} has ${found.length} parts instead of ${inside.length}`;
  for (let i = 0; i < inside.length; i++) {
    const differs = difference(found[i], inside[i], `${path}(part ${i})`);
    if (differs !== undefined) return differs;
  }
  return propertiesDiffer(actual, expected, path);
}

/** What an object holds that is no property of it. */
function insides(object: object): unknown[] {
  if (object instanceof Date) return [object.getTime()];
  if (object instanceof Map) return [...object].flat();
  if (object instanceof Set) return [...object];
  const kind = typeTagOf(object);
  if (isTextTag(kind)) return [textOf(object, kind)];
  if (object instanceof Headers) return [...object].flat();
  if (object instanceof RegExp) return [object.source, object.flags, object.lastIndex];
  if (object instanceof ArrayBuffer) return [...new Uint8Array(object)];
  if (ArrayBuffer.isView(object)) return [...new Uint8Array(object.buffer, object.byteOffset, object.byteLength)];
  return [];
}

/** Some runtimes keep things of their own on these. */
const KEEPING_THEIR_OWN = [URL, URLSearchParams, Headers];

function propertiesDiffer(actual: object, expected: object, path: string): string | undefined {
  if (ArrayBuffer.isView(expected) || KEEPING_THEIR_OWN.some((kind) => expected instanceof kind)) return undefined;
  const keys = Reflect.ownKeys(expected);
  const found = Reflect.ownKeys(actual);
  if (keys.length !== found.length) return `${path} has the properties ${list(found)} instead of ${list(keys)}`;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (found[i] !== key) return `${path} has the properties ${list(found)} instead of ${list(keys)}`;
    const differs = difference(valueOf(actual, key), valueOf(expected, key), `${path}.${String(key)}`);
    if (differs !== undefined) return differs;
  }
  return undefined;
}

const valueOf = (object: object, key: PropertyKey): unknown => Object.getOwnPropertyDescriptor(object, key)?.value;
const list = (keys: readonly PropertyKey[]): string => keys.slice(0, 20).map(String).join(", ") || "none";

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
