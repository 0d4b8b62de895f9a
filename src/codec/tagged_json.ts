import { rebuild, refuseValue } from "../data/copy.ts";
import { fromExactText, fromText } from "../data/contents.ts";
import { type BytesTag, isTextTag, type TextTag } from "../data/type_tags.ts";
import { MAX_DEPTH, validate } from "../data/validate.ts";
import { CacheValueError } from "../errors.ts";
import { bigintCost, headersCost, MAX_READ_COST, regexpCost, sparseCost, TAG_COST, textualCost } from "./read_cost.ts";

/**
 * A value as JSON data. What JSON has no word for is a tag, an object whose only property is "$":
 *
 *   {"$":"undefined" | "NaN" | "Infinity" | "-Infinity" | "-0"}
 *   {"$":["bigint","-ff"]}            hexadecimal, since decimal digits take more than linear time to read
 *   {"$":["Date",ms | null]}          {"$":["RegExp",source,flags,lastIndex]}
 *   {"$":["URL",text]}                also URLSearchParams and the types of Temporal
 *   {"$":["Headers",[name,value,name,value]]}
 *   {"$":["sparse",length,[index,element,index,element]]}
 *   {"$":["Map",[k,v,k,v]]}           {"$":["Set",[item,item]]}
 *   {"$":["bare",{…}]}                an object without a prototype
 *   {"$":["plain",{…}]}               a plain object that itself has a property "$"
 *   {"$":["Int8Array",length]}        the next `length` bytes of the contents that follow the JSON
 */
export interface TaggedJson {
  readonly json: unknown;
  /** Whether there is a tag in it. Otherwise the value is JSON data as it stands. */
  readonly tagged: boolean;
  /** How many regular expressions are in it. */
  readonly regexps: number;
  /** The bytes of its typed arrays, in the order of their tags. They are the value's own memory. */
  readonly contents: readonly Uint8Array[];
  /** What reading its tags costs (read_cost.ts). */
  readonly readCost: number;
}

const TAG = "$";
const NON_JSON = new Map<unknown, number | undefined>([
  ["undefined", undefined],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0],
]);

/** A value as tagged JSON. Throws CacheValueError for what cannot be kept. */
export function toTaggedJson(value: unknown): TaggedJson {
  let tagged = false, regexps = 0, readCost = 0;
  const contents: Uint8Array[] = [];
  const tag = (tag: unknown, cost = TAG_COST): unknown => {
    tagged = true;
    readCost += cost;
    return { [TAG]: tag };
  };
  const json = validate(value, {
    ...rebuild,
    refuse: refuseValue,
    nonJson: (value) => tag(Object.is(value, -0) ? "-0" : String(value)),
    bigint: (value) => {
      const hex = value.toString(16);
      return tag(["bigint", hex], bigintCost(hex.length));
    },
    plain: (built) => Object.hasOwn(built, TAG) ? tag(["plain", built]) : built,
    bare: (built) => tag(["bare", built]),
    sparse: (length, elements) => tag(["sparse", length, elements.flat(1)], sparseCost(length, elements.length)),
    date: (ms) => tag(["Date", ms]),
    map: (flat) => tag(["Map", flat]),
    set: (items) => tag(["Set", items]),
    headers: (flat) => tag(["Headers", flat], headersCost(flat.length / 2)),
    textual: (text, type) => {
      fromExactText(text, type); // Throws where reading would give another object.
      return tag([type, text], textualCost(type, text));
    },
    regexp: (source, flags, lastIndex) => {
      regexps++;
      return tag(["RegExp", source, flags, lastIndex], regexpCost(source, flags));
    },
    bytes: (bytes, type) => {
      contents.push(bytes);
      return tag([type, bytes.length]);
    },
  });
  return { json, tagged, regexps, contents, readCost };
}

/** The text of JSON data. Throws CacheValueError where it would be longer than a string can be. */
export function jsonOf(json: unknown): string {
  try {
    return JSON.stringify(json);
  } catch (error) {
    throw new CacheValueError("Cannot keep a value: it is too large for a string", { cause: error });
  }
}

/**
 * The value of tagged JSON, built inside the JSON's own arrays and objects. The JSON may come from anybody, so each tag is
 * checked, and its cost counted, before it is read. `contents`: the bytes of all typed arrays. `maxCost`: what reading the
 * tags may cost; Infinity for JSON of our own. Throws anything for what is no tagged JSON.
 */
export function fromTaggedJson(json: unknown, contents: Uint8Array, maxCost: number = MAX_READ_COST): unknown {
  const reader = new Reader(contents, maxCost);
  const value = reader.part(json, 0);
  reader.assertAllTaken();
  return value;
}

class Reader {
  readonly #contents: Uint8Array;
  #taken = 0;
  #costLeft: number;

  constructor(contents: Uint8Array, maxCost: number) {
    this.#contents = contents;
    this.#costLeft = maxCost;
  }

  assertAllTaken(): void {
    if (this.#taken !== this.#contents.length) unreadable("there are bytes left over");
  }

  part(node: unknown, depth: number): unknown {
    if (typeof node !== "object" || node === null) return node;
    if (depth > MAX_DEPTH) unreadable("it is nested too deep");
    if (Array.isArray(node)) return this.#items(node, depth);
    return Object.hasOwn(node, TAG)
      ? this.#untagged((node as Record<string, unknown>)[TAG], depth)
      : this.#properties(node as Record<string, unknown>, depth);
  }

  #items(items: unknown[], depth: number): unknown[] {
    for (let i = 0; i < items.length; i++) items[i] = this.part(items[i], depth + 1);
    return items;
  }

  /** JSON.parse makes `__proto__` an own property, and assigning to an own property changes no prototype. */
  #properties(object: Record<string, unknown>, depth: number): Record<string, unknown> {
    for (const key of Object.keys(object)) {
      const part = object[key];
      if (typeof part === "object" && part !== null) object[key] = this.part(part, depth + 1);
    }
    return object;
  }

  /** Call it before doing what it costs. */
  #spend(cost: number): void {
    this.#costLeft -= cost;
    if (!(this.#costLeft >= 0)) unreadable("reading it would take too long");
  }

  #untagged(tag: unknown, depth: number): unknown {
    this.#spend(TAG_COST);
    if (!Array.isArray(tag)) return NON_JSON.has(tag) ? NON_JSON.get(tag) : unreadable("a tag is unknown");
    const [name, body, flags, lastIndex] = tag as unknown[];
    switch (name) {
      case "bigint":
        this.#spend(bigintCost(text(body).length));
        return bigint(text(body));
      case "Date":
        return rebuild.date(body === null ? NaN : number(body));
      case "sparse":
        return this.#sparse(number(body), array(flags), depth);
      case "Headers":
        this.#spend(headersCost(array(body).length / 2));
        return rebuild.headers(array(body).map(text));
      case "RegExp":
        this.#spend(regexpCost(text(body), text(flags)));
        return rebuild.regexp(text(body), text(flags), number(this.part(lastIndex, depth)));
      case "Map":
        return rebuild.map(this.#items(array(body), depth));
      case "Set":
        return rebuild.set(this.#items(array(body), depth));
      case "bare":
        return rebuild.bare(this.#properties(object(body), depth));
      case "plain":
        return this.#properties(object(body), depth);
      default:
        if (typeof body !== "string") return rebuild.bytes(this.#take(number(body)), name as BytesTag, this);
        this.#spend(textualCost(textKind(name), body));
        return fromText(body, textKind(name));
    }
  }

  #sparse(length: number, flat: unknown[], depth: number): unknown[] {
    this.#spend(sparseCost(length, flat.length / 2));
    const elements: [number, unknown][] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const index = number(flat[i]);
      if (!(Number.isInteger(index) && index >= 0 && index < length)) malformed();
      elements.push([index, this.part(flat[i + 1], depth + 1)]);
    }
    return rebuild.sparse(length, elements) as unknown[];
  }

  #take(length: number): Uint8Array {
    const end = this.#taken + length;
    if (!(Number.isInteger(length) && length >= 0 && end <= this.#contents.length)) unreadable("a length is wrong");
    const taken = this.#contents.subarray(this.#taken, end);
    this.#taken = end;
    return taken;
  }
}

function bigint(hex: string): bigint {
  return hex.startsWith("-") ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`);
}

/** Throws CacheValueError for a value that would not be read back. */
export function assertReadable({ readCost }: TaggedJson): void {
  if (readCost <= MAX_READ_COST) return;
  throw new CacheValueError(
    "Cannot keep a value: reading its dates, URLs, regular expressions and the like would take too long; keep fewer of them",
  );
}

const textKind = (name: unknown): TextTag => isTextTag(name) ? name : unreadable("a tag is unknown");
const text = (node: unknown): string => typeof node === "string" ? node : malformed();
const number = (node: unknown): number => typeof node === "number" ? node : malformed();
const array = (node: unknown): unknown[] => Array.isArray(node) ? node : malformed();
const object = (node: unknown): Record<string, unknown> =>
  typeof node === "object" && node !== null && !Array.isArray(node) ? node as Record<string, unknown> : malformed();
const malformed = (): never => unreadable("a tag is malformed");

function unreadable(reason: string): never {
  throw new CacheValueError(`Cannot read a kept value: ${reason}`);
}
