/** Frames as a server reads and writes them, for tests that play one. */

/** A request as a server sees it. */
export interface Frame {
  readonly opcode: number;
  readonly opaque: number;
  readonly cas: bigint;
  readonly extras: Uint8Array;
  readonly key: string;
  readonly value: string;
}

/** What a reply says besides what it copies from the request. */
export interface Said {
  readonly opcode?: number;
  readonly opaque?: number;
  readonly status?: number;
  readonly cas?: bigint;
  readonly flags?: number;
  readonly key?: string;
  readonly value?: string | Uint8Array;
  /** What the header claims, whatever follows. */
  readonly bodyLength?: number;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The requests in what was written. */
export function framesIn(bytes: Uint8Array): Frame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const [keyBytes, extras, body] = [view.getUint16(at + 2), view.getUint8(at + 4), view.getUint32(at + 8)];
    const start = at + 24;
    frames.push({
      opcode: view.getUint8(at + 1),
      opaque: view.getUint32(at + 12),
      cas: view.getBigUint64(at + 16),
      extras: bytes.slice(start, start + extras),
      key: decoder.decode(bytes.subarray(start + extras, start + extras + keyBytes)),
      value: decoder.decode(bytes.subarray(start + extras + keyBytes, start + body)),
    });
    at = start + body;
  }
  return frames;
}

/** A reply to a request, or one that lies about it. */
export function replyTo(request: { readonly opcode: number; readonly opaque: number }, said: Said = {}): Uint8Array {
  const key = encoder.encode(said.key ?? "");
  const value = typeof said.value === "string" ? encoder.encode(said.value) : said.value ?? new Uint8Array(0);
  const extras = said.flags === undefined ? 0 : 4;
  const bytes = new Uint8Array(24 + extras + key.length + value.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x81);
  view.setUint8(1, said.opcode ?? request.opcode);
  view.setUint16(2, key.length);
  view.setUint8(4, extras);
  view.setUint16(6, said.status ?? 0);
  view.setUint32(8, said.bodyLength ?? extras + key.length + value.length);
  view.setUint32(12, said.opaque ?? request.opaque);
  view.setBigUint64(16, said.cas ?? 0n);
  if (said.flags !== undefined) view.setUint32(24, said.flags);
  bytes.set(key, 24 + extras);
  bytes.set(value, 24 + extras + key.length);
  return bytes;
}

/** A hit. */
export const hit = (request: Frame, value: string | Uint8Array, cas = 1n): Uint8Array =>
  replyTo(request, { flags: 0, value, cas });

/** Pieces, one behind the other. */
export function join(...pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
