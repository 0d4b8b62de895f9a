/** The objects that can be kept besides plain objects and arrays, told apart by prototype: an instance of a subclass is none of them. */

/** Typed arrays, and what else is nothing but bytes. */
export type BytesKind =
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

export type Kind = BytesKind | "Date" | "Map" | "Set" | "URL" | "RegExp";

interface View extends ArrayBufferView {
  readonly buffer: ArrayBuffer;
}
type ViewOf = new (buffer: ArrayBuffer) => View;

/** What not every runtime has: Node 20 has no Float16Array, a browser no Buffer. */
interface Sometimes {
  readonly Float16Array?: ViewOf;
  readonly Buffer?: ViewOf & { from(buffer: ArrayBuffer): View };
}
const sometimes = globalThis as unknown as Sometimes;

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

const viewOf = new Map<string, ViewOf>();
const kinds = new Map<object, Kind>([
  [Date.prototype, "Date"],
  [Map.prototype, "Map"],
  [Set.prototype, "Set"],
  [URL.prototype, "URL"],
  [RegExp.prototype, "RegExp"],
  [ArrayBuffer.prototype, "ArrayBuffer"],
]);
for (const view of VIEWS) {
  if (view === undefined) continue;
  viewOf.set(view.name, view);
  kinds.set(view.prototype, view.name as BytesKind);
}

/** The kind of the objects with this prototype; `undefined`: such objects cannot be kept. */
export function kindOf(prototype: object): Kind | undefined {
  return kinds.get(prototype) ?? (prototype === sometimes.Buffer?.prototype ? "Buffer" : undefined);
}

/** The bytes of an object of a bytes kind, not copied; `undefined` if they are in memory that others share, or that can change its size. */
export function bytesOf(object: ArrayBuffer | ArrayBufferView, kind: BytesKind): Uint8Array | undefined {
  if (kind === "ArrayBuffer") {
    const buffer = object as ArrayBuffer & { readonly resizable?: boolean };
    return buffer.resizable === true ? undefined : new Uint8Array(buffer);
  }
  const { buffer, byteOffset, byteLength } = object as View;
  if (Object.getPrototypeOf(buffer) !== ArrayBuffer.prototype) return undefined;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** An object of a bytes kind over a copy of these bytes, in a buffer of its own. Throws if there is no such kind here, or the bytes are no whole number of its elements. */
export function fromBytes(bytes: Uint8Array, kind: BytesKind): unknown {
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
