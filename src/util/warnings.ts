/**
 * Everything that this library says on `console.warn`, for whoever runs the program: one line each, that names the
 * function, the reason and what to do. However much goes wrong, the lines are few.
 */
import { printable } from "./checks.ts";

/** What a warning is about, in words that end "more warnings about …". */
export type WarningTopic =
  | "results that cannot be kept"
  | "results of another source"
  | "results whose call has changed"
  | "calls that would wait for themselves"
  | "callbacks"
  | "listeners"
  | "functions that share a name"
  | "receivers that share results"
  | "classes of one name"
  | "servers without cas"
  | "stores that fail";

/** So many lines of one kind are written for one backend, and in the whole process. */
const MOST_OF_ONE = 20, MOST_IN_ALL = 80;
/** Names and texts of others are cut here. */
const LONGEST = 300;
/** So many lines of an error's stack are shown: what it says, and where it was thrown. */
const STACK_LINES = 5;

const written = new Map<WarningTopic, number>();

/** Writes a line, unless there were enough of its kind. `thrown`: what somebody's callback threw, shown below it. */
export function warn(kind: WarningTopic, text: string, thrown?: { readonly error: unknown }): void {
  const count = (written.get(kind) ?? 0) + 1;
  if (count > MOST_IN_ALL + 1) return;
  written.set(kind, count);
  write(
    count > MOST_IN_ALL ? lastLine(kind) : printable(text) + (thrown === undefined ? "" : errorStack(thrown.error)),
  );
}

/** As if nothing had been written yet, for tests that share a process. */
export const resetWarnings = (): void => written.clear();

/** The warnings of one backend. */
export class Warnings {
  readonly #told = new Map<WarningTopic, Set<string>>();

  /** Writes a line once for each `about`: a function's name, or a key. */
  once(kind: WarningTopic, about: string, text: string, thrown?: { readonly error: unknown }): void {
    let told = this.#told.get(kind);
    if (told === undefined) this.#told.set(kind, told = new Set());
    const id = short(about);
    if (told.size > MOST_OF_ONE || told.has(id)) return;
    told.add(id);
    if (told.size > MOST_OF_ONE) warn(kind, lastLine(kind));
    else warn(kind, text, thrown);
  }
}

const short = (text: string): string => text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;

const lastLine = (kind: WarningTopic): string => `more warnings about ${kind} are not shown`;

/** A test runner may have put a function there that throws; nothing of ours is to fail by that. */
function write(text: string): void {
  try {
    console.warn(`cache-utils: ${text}`);
  } catch {
    // It was for people to read, and cannot be shown.
  }
}

/** What somebody threw, in one line for a text of ours. */
export const errorLine = (error: unknown): string => printable(short(textOf(error, "message")));

/** The same in lines of its own, and where it was thrown: nothing in it is to look like another warning. */
function errorStack(error: unknown): string {
  const lines = textOf(error, "stack").split("\n", STACK_LINES);
  return lines.map((line) => `\n    ${printable(short(line.trim()))}`).join("");
}

function textOf(error: unknown, of: "message" | "stack"): string {
  try {
    return String(of === "stack" && error instanceof Error && error.stack || error);
  } catch {
    return "something that has no text";
  }
}
