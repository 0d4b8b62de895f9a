/** What built-in objects hold, as bytes or as text, and back. */
import { type BytesTag, type TextTag, typeTagOf, type View, viewOf } from "./type_tags.ts";

/** The part of Temporal that we use. Node has it from 26 on. */
interface Temporal {
  readonly [name: string]: { from(text: string): object };
}
const DURATION = [
  "years",
  "months",
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds",
] as const;

/** The text that says all of an object. Throws for one that has only the prototype of its type. */
export function textOf(object: object, tag: TextTag): string {
  switch (tag) {
    case "URL":
      return (object as URL).href;
    case "URLSearchParams":
      return (object as URLSearchParams).toString();
    case "Temporal.Duration": // toString() folds milliseconds into seconds.
      return DURATION.map((unit) => (object as Record<typeof unit, number>)[unit]).join();
    default:
      return (object as { toString(options: object): string }).toString({ calendarName: "always" });
  }
}

/** Like `fromText`, but throws where the object has another text than this one. */
export function fromExactText(text: string, tag: TextTag): object {
  const read = fromText(text, tag);
  if (textOf(read, tag) !== text) throw new TypeError(`the text of a ${tag} would be read as another one`);
  return read;
}

/** The object that a text says. Throws for what is no such text, or where the runtime has no such type. */
export function fromText(text: string, tag: TextTag): object {
  if (tag === "URL") return new URL(text);
  // The constructor takes a leading `?` off.
  if (tag === "URLSearchParams") return new URLSearchParams(text.startsWith("?") ? `?${text}` : text);
  const { Temporal } = globalThis as unknown as { Temporal?: Temporal };
  if (Temporal === undefined) throw new TypeError("there is no Temporal in this runtime");
  const from = Temporal[tag.slice("Temporal.".length)]!;
  if (tag !== "Temporal.Duration") return from.from(text);
  const parts = text.split(",").map(Number);
  return from.from(Object.fromEntries(DURATION.map((unit, i) => [unit, parts[i]])) as unknown as string);
}

/** The bytes of an object, not copied. `undefined` if its memory is shared, or can change its size. */
export function bytesOf(object: ArrayBuffer | ArrayBufferView, tag: BytesTag): Uint8Array | undefined {
  if (tag === "ArrayBuffer") return isFixed(object as ArrayBuffer) ? new Uint8Array(object as ArrayBuffer) : undefined;
  const { buffer, byteOffset, byteLength } = object as View;
  if (typeTagOf(buffer) !== "ArrayBuffer" || !isFixed(buffer)) return undefined;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const isFixed = (buffer: ArrayBuffer & { readonly resizable?: boolean }): boolean => buffer.resizable !== true;

/** An object over a copy of these bytes, in a buffer of its own. Throws where the runtime has no such type, and for bytes that are no whole number of its elements. */
export function fromBytes(bytes: Uint8Array, tag: BytesTag): unknown {
  // Not `slice`, which for a Buffer is a view on the same memory.
  const copy = new Uint8Array(bytes);
  switch (tag) {
    case "Uint8Array":
      return copy;
    case "ArrayBuffer":
      return copy.buffer;
    case "Buffer": {
      const { Buffer } = globalThis as { Buffer?: { from(buffer: ArrayBuffer): unknown } };
      if (Buffer === undefined) throw new TypeError("there is no Buffer in this runtime");
      return Buffer.from(copy.buffer);
    }
    default: {
      const view = viewOf.get(tag);
      if (view === undefined) throw new TypeError("there is no such array in this runtime");
      return new view(copy.buffer);
    }
  }
}
