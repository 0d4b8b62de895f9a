import { isBuiltIn, namesOf, ownValue, prototypesOf, typeTagOf } from "./type_tags.ts";
import type { Fault } from "./validate.ts";

/** By the name of a class, or the tag of what has no class. "…" stands for what the caller does with values. */
const BY_NAME: readonly (readonly [name: RegExp, advice: string])[] = [
  [/^Response$/, "… its text, status and headers instead"],
  [/^Request$/, "… its url, method, headers and text instead"],
  [/^Blob$/, "… its bytes (`await it.arrayBuffer()`) and its type instead"],
  [/^FormData$/, "… its entries (`[...it]`) instead"],
  [/^(Error|DOMException)$/, "… its message instead"],
  [/^(String|Number|Boolean|BigInt)$/, "… its valueOf() instead"],
  [/^Intl\..*$/, "… its locale and options instead"],
  [/^Temporal\..*$/, "… its toString() instead"], // of a polyfill
  [/^(WritableStream|TransformStream|AbortSignal|AbortController|WeakMap|WeakSet|WeakRef)$/, "leave it out"],
  [/^Array$/, "make it a plain array first, as `Array.from(it)` does"],
  [/^(Map|Set|Date)$/, "make it a plain $1 first, as `new $1(it)` does"],
];

/** What to do about a part that was refused, for its error. `give`: what the caller does with values. */
export function advice(fault: Fault, part: unknown, give: "keep" | "pass"): string {
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

function ofInstance(object: object, give: "keep" | "pass"): string {
  for (const name of namesOf(object)) {
    for (const [pattern, words] of BY_NAME) {
      if (pattern.test(name)) return name.replace(pattern, words).replace("…", give);
    }
  }
  const prototypes = prototypesOf(object);
  const has = (name: PropertyKey) => prototypes.some((prototype) => typeof ownValue(prototype, name) === "function");
  if (has("then")) return "await it first";
  if (ITERATED.some(has)) return "read it into an array first";
  if (give === "keep") return "map it to plain data first, as `{ ...it }` does";
  return isBuiltIn(object) ? "pass what identifies it" : "give its class a [cacheKey]() method";
}

/** Streams, generators, cursors and collections have one of these. */
const ITERATED: readonly PropertyKey[] = [Symbol.asyncIterator, Symbol.iterator, "next"];

function ofAdded(object: object, give: string): string {
  const tag = typeTagOf(object);
  if (tag === "Array") return `${give} \`${Object.hasOwn(object, "input") ? "[...match]" : "[...it]"}\` instead`;
  if (tag === "plain" && Object.hasOwn(object, "callee")) return `${give} \`[...arguments]\` instead`;
  if (tag === "plain" || tag === "bare") return "leave it out, or give it a name that is text";
  return "leave it out";
}
