import { textOf } from "../data/contents.ts";
import { isTextTag, ownValue, typeTagOf } from "../data/type_tags.ts";

/**
 * Says where two values differ in anything a program could notice; `undefined` if nowhere. Unlike the usual deep equality
 * it tells 0 from -0 and a hole from `undefined`, and minds prototypes and the order of properties.
 */
export function difference(actual: unknown, expected: unknown, path = "value"): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) {
    return `${path} is ${show(actual)} instead of ${show(expected)}`;
  }
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return `${path} has another prototype`;
  const found = partsOf(actual), wanted = partsOf(expected);
  if (found.length !== wanted.length || found.some(([name], i) => name !== wanted[i]![0])) {
    return `${path} has the parts ${list(found)} instead of ${list(wanted)}`;
  }
  for (let i = 0; i < wanted.length; i++) {
    const differs = difference(found[i]![1], wanted[i]![1], `${path}.${String(wanted[i]![0])}`);
    if (differs !== undefined) return differs;
  }
  return undefined;
}

type Part = readonly [name: PropertyKey, value: unknown];

/** What an object holds inside, and its properties. Of bytes and of some platform objects the properties are the runtime's. */
function partsOf(object: object): Part[] {
  const inside = insideOf(object).map((part, i): Part => [`(part ${i})`, part]);
  if (ArrayBuffer.isView(object) || isTextTag(typeTagOf(object)) || object instanceof Headers) return inside;
  return [...inside, ...Reflect.ownKeys(object).map((key): Part => [key, ownValue(object, key)])];
}

function insideOf(object: object): unknown[] {
  const tag = typeTagOf(object);
  if (isTextTag(tag)) return [textOf(object, tag)];
  if (object instanceof Date) return [object.getTime()];
  if (object instanceof Map || object instanceof Headers) return [...object].flat();
  if (object instanceof Set) return [...object];
  if (object instanceof RegExp) return [object.source, object.flags, object.lastIndex];
  if (object instanceof ArrayBuffer) return [...new Uint8Array(object)];
  if (ArrayBuffer.isView(object)) return [...new Uint8Array(object.buffer, object.byteOffset, object.byteLength)];
  return [];
}

const list = (parts: readonly Part[]): string => parts.slice(0, 20).map(([name]) => String(name)).join(", ") || "none";

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
