import { namesOf, ownValue, prototypesOf, typeTagOf } from "./type_tags.ts";
import type { Fault } from "./validate.ts";

/** What to keep, or pass, in the place of what is no data. By class, or by the tag of what has no class. */
const INSTEAD: Readonly<Record<string, string>> = {
  Response: "its text, status and headers",
  Request: "its url, method, headers and text",
  Blob: "its bytes (`await it.arrayBuffer()`) and its type",
  FormData: "its entries (`[...it]`)",
  Error: "its message",
  DOMException: "its message",
  String: "its valueOf()",
  Number: "its valueOf()",
  Boolean: "its valueOf()",
  BigInt: "its valueOf()",
};

/** What to do with it before. */
const FIRST: Readonly<Record<string, string>> = {
  WritableStream: "leave it out",
  TransformStream: "leave it out",
  AbortSignal: "leave it out",
  AbortController: "leave it out",
  WeakMap: "leave it out",
  WeakSet: "leave it out",
  WeakRef: "leave it out",
  Array: "make it a plain array first, as `Array.from(it)` does",
  Map: "make it a plain Map first, as `new Map(it)` does",
  Set: "make it a plain Set first, as `new Set(it)` does",
  Date: "make it a plain Date first, as `new Date(it)` does",
};

/**
 * What to do about a part that a walk refused, for its error. `give`: what the caller does with values of this sort.
 * `undefined` for an instance of a class of somebody's own, of which the caller knows more.
 */
export function advice(fault: Fault, part: unknown, give: "keep" | "pass"): string | undefined {
  switch (fault) {
    case "function":
    case "symbol":
      return "leave it out";
    case "instance":
      return ofInstance(part as object, give);
    case "cycle":
      return `${give} its id there instead`;
    case "depth":
      return "nest it less deeply";
    case "size":
      return `${give} it in parts`;
    case "accessor":
      return `${give} what it gives, as a copy of its object does (\`{ ...it }\`)`;
    case "hidden":
      return "leave it out, or make it enumerable";
    case "added":
      return ofAdded(part as object, give);
    case "unreadable":
      return ArrayBuffer.isView(part) ? `${give} a copy of it (\`it.slice()\`)` : `${give} a plain copy of it`;
  }
}

function ofInstance(object: object, give: string): string | undefined {
  for (const name of namesOf(object)) {
    if (Object.hasOwn(INSTEAD, name)) return `${give} ${INSTEAD[name]} instead`;
    if (Object.hasOwn(FIRST, name)) return FIRST[name];
    if (name.startsWith("Intl.")) return `${give} its locale and options instead`;
    if (name.startsWith("Temporal.")) return `${give} its toString() instead`; // of a polyfill
  }
  const prototypes = prototypesOf(object);
  const has = (name: PropertyKey) => prototypes.some((prototype) => typeof ownValue(prototype, name) === "function");
  if (has("then")) return "await it first";
  // Streams, generators, cursors, collections.
  return ITERATED.some(has) ? "read it into an array first" : undefined;
}

const ITERATED: readonly PropertyKey[] = [Symbol.asyncIterator, Symbol.iterator, "next"];

function ofAdded(object: object, give: string): string {
  const kind = typeTagOf(object);
  if (kind === "Array") return `${give} \`${Object.hasOwn(object, "input") ? "[...match]" : "[...it]"}\` instead`;
  if (kind === "plain" && Object.hasOwn(object, "callee")) return `${give} \`[...arguments]\` instead`;
  if (kind === "plain" || kind === "bare") return "leave it out, or give it a name that is text";
  return "leave it out";
}
