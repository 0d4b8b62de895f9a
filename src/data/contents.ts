import { type BytesTag, sometimes, type TextTag, typeTagOf, type View, viewOf } from "./type_tags.ts";

/** The part of Temporal that we use; Node has it from 26 on. */
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

/** What an object of a text kind says. Throws for one that has only the prototype of its kind. */
export function textOf(object: object, kind: TextTag): string {
  switch (kind) {
    case "URL":
      return (object as URL).href;
    case "URLSearchParams":
      return (object as URLSearchParams).toString();
    case "Temporal.Duration": // Its own text folds milliseconds into seconds.
      return DURATION.map((unit) => (object as Record<typeof unit, number>)[unit]).join();
    default:
      return (object as { toString(options: object): string }).toString({ calendarName: "always" });
  }
}

/** The object that a text says. Throws where it says another one than it was taken from. */
export function fromExactText(text: string, kind: TextTag): object {
  const read = fromText(text, kind);
  if (textOf(read, kind) !== text) throw new TypeError(`the text of a ${kind} would be read as another one`);
  return read;
}

/** The object of a text kind that a text says. Throws for what is no such text, or where the runtime has no such kind. */
export function fromText(text: string, kind: TextTag): object {
  if (kind === "URL") return new URL(text);
  // Not `new URLSearchParams(text)` alone, which would take a `?` off.
  if (kind === "URLSearchParams") return new URLSearchParams(text.startsWith("?") ? `?${text}` : text);
  const { Temporal } = globalThis as unknown as { Temporal?: Temporal };
  if (Temporal === undefined) throw new TypeError("there is no Temporal in this runtime");
  const from = Temporal[kind.slice("Temporal.".length)]!;
  if (kind !== "Temporal.Duration") return from.from(text);
  const parts = text.split(",").map(Number);
  return from.from(Object.fromEntries(DURATION.map((unit, i) => [unit, parts[i]])) as unknown as string);
}

/** The bytes of an object of a bytes kind, not copied; `undefined` if they are in memory that others share, or that can change its size. */
export function bytesOf(object: ArrayBuffer | ArrayBufferView, kind: BytesTag): Uint8Array | undefined {
  if (kind === "ArrayBuffer") return isFixed(object as ArrayBuffer) ? new Uint8Array(object as ArrayBuffer) : undefined;
  const { buffer, byteOffset, byteLength } = object as View;
  if (typeTagOf(buffer) !== "ArrayBuffer" || !isFixed(buffer)) return undefined;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const isFixed = (buffer: ArrayBuffer & { readonly resizable?: boolean }): boolean => buffer.resizable !== true;

/** An object of a bytes kind over a copy of these bytes, in a buffer of its own. Throws if there is no such kind here, or the bytes are no whole number of its elements. */
export function fromBytes(bytes: Uint8Array, kind: BytesTag): unknown {
  // Not `slice`, which for a Buffer is a view on the same memory.
  const copy = new Uint8Array(bytes);
  switch (kind) {
    case "Uint8Array":
      return copy;
    case "ArrayBuffer":
      return copy.buffer;
    case "Buffer":
      if (sometimes.Buffer === undefined) throw new TypeError("there is no Buffer in this runtime");
      return sometimes.Buffer.from(copy.buffer);
    default: {
      const view = viewOf.get(kind);
      if (view === undefined) throw new TypeError("there is no such array in this runtime");
      return new view(copy.buffer);
    }
  }
}
