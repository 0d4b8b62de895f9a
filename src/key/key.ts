/**
 * A legal memcached key: at most 250 bytes, none of them a space or a control.
 *
 *   project:version:key          an entry; a missing project or version is the empty text
 *   project:%group:name          a group's counter: without the version, an invalidation reaches every release
 *   project:%mint:version:key    the refresh lock of an entry
 *
 * Escaped: 0x00-0x20, 0x7f and `%` as `%XX`; as `%uXXXX` a lone surrogate, which UTF-8 would fold into U+FFFD, and what
 * makes a text look like another one where it is shown (C1 controls, line and paragraph separators, bidirectional
 * controls); in project and version `:` as well. No escape begins with `%g` or `%m`, so no user's key reaches a counter
 * or a lock.
 */
import { md5Hex, sha256Hex } from "../util/builtin.ts";
import { describeValue, isSpoofingUnit } from "../util/checks.ts";

/** Where an entry is kept. */
export interface StoreKey {
  /** The key as kept in the store. */
  readonly key: string;
  /**
   * Only where `key` was truncated: the full key, or above 1 KB its sha-256 in hex. It tells the entry from others whose
   * keys are truncated alike.
   */
  readonly fullKey?: string | undefined;
}

/** memcached's KEY_MAX_LENGTH. */
const MAX_BYTES = 250;
/** "~" and an md5 in hex. */
const TAIL_BYTES = 33;
/** A longer full key is kept as its sha-256, so that a large argument does not decide whether a value fits. */
const MAX_FULL_KEY_LENGTH = 1024;

/** The keys of one project and version. */
export class Keys {
  readonly #projectPrefix: string;
  /** `project:version:` */
  readonly #entryPrefix: string;

  /** Throws a TypeError for a project or a version that is empty, or no text. */
  constructor(project?: string, version?: string | number) {
    this.#projectPrefix = escapedPart(project, "project") + ":";
    this.#entryPrefix = this.#projectPrefix + escapedPart(version, "version") + ":";
  }

  /** Where the entry of a user's key is kept. */
  entry(key: string): StoreKey {
    assertText(key, "key", "key");
    const full = escaped(this.#entryPrefix + key, this.#entryPrefix.length);
    const kept = bounded(full);
    if (kept === full) return { key: full };
    return { key: kept, fullKey: full.length > MAX_FULL_KEY_LENGTH ? sha256Hex(full) : full };
  }

  /** The key of a group's counter. Two groups whose keys are truncated alike would share invalidations, and nothing else. */
  counter(group: string): string {
    assertText(group, "group", "group's name");
    return bounded(`${this.#projectPrefix}%group:${escaped(group, 0)}`);
  }

  /** The key of an entry's refresh lock. */
  mintLock(entry: StoreKey): string {
    const full = entry.fullKey ?? entry.key;
    // A sha-256 has no project before it, and cannot be mistaken for a full key, which has a colon.
    const rest = full.startsWith(this.#projectPrefix) ? full.slice(this.#projectPrefix.length) : full;
    return bounded(`${this.#projectPrefix}%mint:${rest}`);
  }
}

/** Escapes a text from an index on, in one pass, however much there is to escape. */
function escaped(text: string, start: number): string {
  let result = "", from = 0;
  for (let i = start; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x20 && unit < 0x7f && unit !== 0x25) continue;
    if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      i++; // A pair is one character, and stays.
      continue;
    }
    const digits = unit <= 0x20 || unit === 0x25 || unit === 0x7f ? 2 : unit >= 0xd800 && unit < 0xe000 ? 4 : 0;
    if (digits === 0 && !isSpoofingUnit(unit)) continue;
    result += text.slice(from, i);
    result += digits === 2 ? BYTES[unit]! : `%u${unit.toString(16).toUpperCase().padStart(4, "0")}`;
    from = i + 1;
  }
  return from === 0 ? text : result + text.slice(from);
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;

const BYTES = Array.from({ length: 0x80 }, (_, unit) => `%${unit.toString(16).toUpperCase().padStart(2, "0")}`);

function escapedPart(part: unknown, argument: string): string {
  if (part === undefined) return "";
  const usable = typeof part === "string" ? part !== "" : typeof part === "number" && !Number.isNaN(part);
  if (usable) return escaped(String(part), 0).replaceAll(":", "%3A");
  throw new TypeError(`Cannot use ${describeValue(part)} as ${argument}: give a non-empty text, or leave it out`);
}

function assertText(value: unknown, argument: string, what: string): void {
  if (typeof value === "string" && value !== "") return;
  throw new TypeError(`Cannot use ${describeValue(value)} as ${argument}: a ${what} is a non-empty string`);
}

/** The full key if it fits; otherwise as many whole characters of it as fit, "~", and the md5 of all of it. */
function bounded(full: string): string {
  // A UTF-16 unit is at most three bytes.
  if (full.length * 3 <= MAX_BYTES || lengthThatFits(full, MAX_BYTES) === full.length) return full;
  let end = lengthThatFits(full, MAX_BYTES - TAIL_BYTES);
  // An escape counts as one character.
  const escape = full.lastIndexOf("%", end - 1);
  if (escape !== -1 && end < escape + (full[escape + 1] === "u" ? 6 : 3)) end = escape;
  return `${full.slice(0, end)}~${md5Hex(full)}`;
}

const encoder = new TextEncoder(), scratch = new Uint8Array(MAX_BYTES);

/** How many UTF-16 units fit into so many bytes of UTF-8, without half of a surrogate pair. */
const lengthThatFits = (text: string, bytes: number): number =>
  encoder.encodeInto(text, scratch.subarray(0, bytes)).read;
