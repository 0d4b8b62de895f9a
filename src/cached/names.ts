/**
 * Who holds a name on which backend. Two functions under one name would be given each other's results.
 */
import type { Backend } from "../backend/backend.ts";
import type { AnyFunction } from "./types.ts";

/** So many keys of a method are watched for a second receiver. */
const WATCHED_KEYS = 100;

/** What the options say of which function it is. */
export type Distinguished = "by key" | "by name" | "not at all";

const NATIVE = /\{\s*\[native code\]\s*\}$/;

/** A name that is taken on a backend. */
export class Holder {
  readonly #name: string;
  readonly #first: WeakRef<AnyFunction>;
  readonly #source: string;
  /** Which receiver asked for which key first; `undefined` once that was warned about. */
  #receivers: Map<string, WeakRef<object>> | undefined = new Map();
  #warned = false;

  /** Takes the name for its first function. */
  constructor(name: string, fn: AnyFunction) {
    this.#name = name;
    this.#first = new WeakRef(fn);
    this.#source = sourceOf(fn);
  }

  /** Another function wants the name as well. Throws a TypeError if it is another one indeed. */
  admit(fn: AnyFunction, distinguished: Distinguished): void {
    if (this.#first.deref() === fn) return;
    if (sourceOf(fn) !== this.#source) {
      throw new TypeError(
        `Cannot cache ${JSON.stringify(this.#name)}: another function of this name is cached on the same backend, ` +
          "and they would share results; pass the option `name`",
      );
    }
    if (distinguished === "by key" || this.#warned) return;
    // All bound functions have one source, so a name alone does not say that these two are one function.
    if (distinguished === "by name" && !NATIVE.test(this.#source)) return;
    this.#warned = true;
    console.warn(
      `cache-utils: ${JSON.stringify(this.#name)} was wrapped more than once. Closures of one source share their ` +
        "results: wrap it once, outside; or pass the option `name` or `key`, to say what tells them apart.",
    );
  }

  /** A receiver that has no identity asks for a key. A second one that does is told what the first one was. */
  meet(key: string, receiver: object): void {
    if (this.#receivers === undefined) return;
    const first = this.#receivers.get(key);
    const known = first?.deref();
    if (known === receiver) return;
    if (known !== undefined) {
      this.#receivers = undefined;
      console.warn(
        `cache-utils: two instances or classes share the results of ${
          JSON.stringify(this.#name)
        }, since \`this\` is not part of ` +
          "its key. Give their class a [cacheKey]() method; or pass the option `key`, if they are to share.",
      );
    } else if (first !== undefined || this.#receivers.size < WATCHED_KEYS) {
      this.#receivers.set(key, refTo(receiver));
    }
  }
}

const held = new WeakMap<Backend, Map<string, Holder>>();

/** Takes a name on a backend. `distinguished`: by the options `key` or `name`. Throws a TypeError if another function has it. */
export function claim(backend: Backend, name: string, fn: AnyFunction, distinguished: Distinguished): Holder {
  let names = held.get(backend);
  if (names === undefined) held.set(backend, names = new Map());
  const holder = names.get(name);
  if (holder !== undefined) {
    holder.admit(fn, distinguished);
    return holder;
  }
  const first = new Holder(name, fn);
  names.set(name, first);
  return first;
}

/** A function's text: what tells it from another of the same name. */
export const sourceOf = (fn: unknown): string => Function.prototype.toString.call(fn);

/** One reference an object, however many keys it asks for. */
const refs = new WeakMap<object, WeakRef<object>>();
function refTo(object: object): WeakRef<object> {
  let ref = refs.get(object);
  if (ref === undefined) refs.set(object, ref = new WeakRef(object));
  return ref;
}
