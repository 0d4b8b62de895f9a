/** Answers and entries as the schedule shows them to a person. */
import type { Connection } from "./_server.ts";

const decoder = new TextDecoder();
export const textIn = (bytes: Uint8Array): string => decoder.decode(bytes);

/** What was found or written; good on the connection that gave it. */
export class Seen {
  readonly stored = true;
  readonly flags = 0;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly cas: bigint;
  readonly origin: Connection;

  constructor(key: string, bytes: Uint8Array, cas: bigint, origin: Connection) {
    this.key = key;
    this.bytes = bytes;
    this.cas = cas;
    this.origin = origin;
  }

  text(): string {
    return textIn(this.bytes);
  }
}

/** A token's number. */
export const casOf = (token: Seen | bigint | undefined): bigint | undefined =>
  token instanceof Seen ? token.cas : token;

/** What a write may replace. */
export const over = ({ cas }: { readonly cas?: Seen | bigint }): string =>
  cas === undefined ? " over anything" : ` over cas ${casOf(cas)}`;

export function shown(answer: unknown): string {
  if (answer instanceof Seen) return `${shownBytes(answer.bytes)}, cas ${answer.cas}`;
  if (answer instanceof Error) return answer.message;
  if (typeof answer === "object" && answer !== null) return `not stored (${(answer as { reason: string }).reason})`;
  return answer === undefined ? "nothing" : String(answer);
}

export function shownBytes(bytes: Uint8Array): string {
  if (bytes[0] !== 0xc1) return textIn(bytes);
  const generations = (bytes[4]! << 8) + bytes[5]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const counts = Array.from({ length: generations }, (_, i) => String(view.getBigUint64(24 + 8 * i)));
  const rest = textIn(bytes.subarray(24 + 8 * generations)).replace(/[^\x20-\x7e]/g, "");
  return `${["value", "lease", "mark"][bytes[3]!]} ${rest.slice(0, 80)}${counts.length > 0 ? ` [${counts}]` : ""}`;
}
