/**
 * A legal memcached key: at most 250 bytes, none of them a space or a control.
 *
 *   project:version:key          an entry; a missing project or version is the empty text
 *   project:%group:name          a group's counter: without the version, an invalidation reaches every release
 *   project:%mint:version:key    the mint lock of an entry
 *
 * Escaped: 0x00-0x20, 0x7f and `%` as `%XX`; as `%uXXXX` a lone surrogate, which UTF-8 would fold into U+FFFD, and what
 * makes a text look like another one where it is shown (C1 controls, line and paragraph separators, bidirectional
 * controls); in project and version `:` as well. No escape begins with `%g` or `%m`, so no user's key reaches a counter
 * or a lock.
 */
import { md5Hex, sha256Hex } from "../util/builtin.ts";
import { isSpoofingUnit } from "../util/checks.ts";

/** Where an entry is kept. */
export interface StoreKey {
  /** The key as kept in the store. */
  readonly key: string;
  /** What tells the entry from others whose keys are truncated alike: the full key, or above 1 KB its sha-256 in hex. Only where `key` is a truncation. */
  readonly fullKey?: string | undefined;
}

/** memcached's KEY_MAX_LENGTH. */
const MAX_BYTES = 250;
/** "~" and an md5 in hex. */
const TAIL_BYTES = 33;
/** A longer full key is kept as its sha-256, so that a large argument does not decide whether a value fits. */
const LONGEST_KEPT_WHOLE = 1024;

/** The keys of one project and version. */
export class Keys {
  readonly #project: string;
  /** `project:version:` */
  readonly #head: string;

  /** Throws a TypeError for a project or a version that is empty, or no text. */
  constructor(project?: string, version?: string | number) {
    this.#project = escapedPart(project, "project") + ":";
    this.#head = this.#project + escapedPart(version, "version") + ":";
  }

  /** Where the entry of a user's key is kept. */
  entry(key: string): StoreKey {
    assertText(key, "key", "key");
    const plain = this.#head + key;
    const full = isPlain(plain, this.#head.length) ? plain : this.#head + escaped(key);
    const kept = bounded(full);
    if (kept === full) return { key: full };
    return { key: kept, fullKey: full.length > LONGEST_KEPT_WHOLE ? sha256Hex(full) : full };
  }

  /** The key of a group's counter. Two groups under one truncated key would share invalidations, and nothing else. */
  counter(group: string): string {
    assertText(group, "group", "group's name");
    return bounded(`${this.#project}%group:${isPlain(group, 0) ? group : escaped(group)}`);
  }

  /** The key of an entry's mint lock. */
  mintLock(entry: StoreKey): string {
    const full = entry.fullKey ?? entry.key;
    // A sha-256 stands without its project, and no key without a colon is a full one.
    const rest = full.startsWith(this.#project) ? full.slice(this.#project.length) : full;
    return bounded(`${this.#project}%mint:${rest}`);
  }
}

/** Nothing to escape: all of it, from a place on, from 0x21 to 0x7e, without `%`. To look at a text makes it flat. */
function isPlain(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x20 || unit >= 0x7f || unit === 0x25) return false;
  }
  return true;
}

/** In one pass, however much there is to escape. */
function escaped(text: string): string {
  let made = "", from = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x25 && unit < 0x7f) continue;
    if (unit >= 0xd800 && unit < 0xdc00 && isLow(text.charCodeAt(i + 1))) {
      i++; // A pair is one character, and stays.
      continue;
    }
    const digits = unit <= 0x20 || unit === 0x25 || unit === 0x7f ? 2 : unit >= 0xd800 && unit < 0xe000 ? 4 : 0;
    if (digits === 0 && !isSpoofingUnit(unit)) continue;
    if (from < i) made += text.slice(from, i);
    made += digits === 2 ? BYTES[unit]! : `%u${unit.toString(16).toUpperCase().padStart(4, "0")}`;
    from = i + 1;
  }
  return from === 0 ? text : made + text.slice(from);
}

const isLow = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;

const BYTES = Array.from({ length: 0x80 }, (_, unit) => `%${unit.toString(16).toUpperCase().padStart(2, "0")}`);

function escapedPart(part: unknown, argument: string): string {
  if (part === undefined) return "";
  const usable = typeof part === "string" ? part !== "" : typeof part === "number" && !Number.isNaN(part);
  if (!usable) throw new TypeError(`Cannot use ${shown(part)} as ${argument}: give a non-empty text, or leave it out`);
  return escaped(String(part)).replaceAll(":", "%3A");
}

function assertText(value: unknown, argument: string, what: string): void {
  if (typeof value === "string" && value !== "") return;
  throw new TypeError(`Cannot use ${shown(value)} as ${argument}: a ${what} is a non-empty string`);
}

const shown = (value: unknown): string =>
  value === "" ? '""' : value === null || typeof value === "number" ? String(value) : `a value of type ${typeof value}`;

/** The longest head of whole characters that fits, "~", and the md5 of it all; or all of it, if that fits. */
function bounded(full: string): string {
  // A UTF-16 unit is at most three bytes.
  if (full.length * 3 <= MAX_BYTES || headThatFits(full, MAX_BYTES) === full.length) return full;
  let end = headThatFits(full, MAX_BYTES - TAIL_BYTES);
  // An escape counts as one character.
  const escape = full.lastIndexOf("%", end - 1);
  if (escape !== -1 && end < escape + (full[escape + 1] === "u" ? 6 : 3)) end = escape;
  return `${full.slice(0, end)}~${md5Hex(full)}`;
}

/** How many UTF-16 units fit into so many bytes of UTF-8; a surrogate pair, four bytes, goes whole or not at all. */
function headThatFits(text: string, bytes: number): number {
  let end = 0;
  while (end < text.length) {
    const point = text.codePointAt(end)!;
    bytes -= point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (bytes < 0) break;
    end += point < 0x10000 ? 1 : 2;
  }
  return end;
}
