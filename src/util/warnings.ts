/**
 * Everything that this library writes on `console.warn`, for whoever runs the program. A warning is one line that names
 * the function, the reason and what to do. However much goes wrong, the number of lines is bounded.
 */
import { printable } from "./checks.ts";

/** What a warning is about; completes "more warnings about …". */
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

/** Lines on one topic, of one backend and of the whole process. */
const MAX_OF_BACKEND = 20, MAX_OF_PROCESS = 80;
/** In characters: where names and texts from outside are cut. */
const MAX_LENGTH = 300;
/** Lines shown of an error's stack: what it says, and where it was thrown. */
const STACK_LINES = 5;

const written = new Map<WarningTopic, number>();

/** Writes a line, unless there were enough on its topic. `thrown`: the error of somebody's callback, shown below it. */
export function warn(topic: WarningTopic, text: string, thrown?: { readonly error: unknown }): void {
  const count = (written.get(topic) ?? 0) + 1;
  if (count > MAX_OF_PROCESS + 1) return;
  written.set(topic, count);
  const line = count > MAX_OF_PROCESS ? lastLine(topic) : printable(text) + (thrown ? stackOf(thrown.error) : "");
  try {
    console.warn(`cache-utils: ${line}`);
  } catch {
    // A test runner may have put a function there that throws; nothing of ours fails by that.
  }
}

/** As if nothing had been written yet, for tests that share a process. */
export const resetWarnings = (): void => written.clear();

/** The warnings of one backend. */
export class Warnings {
  readonly #labels = new Map<WarningTopic, Set<string>>();

  /** Writes a line once for each `label`: a function's name, or a key. */
  once(topic: WarningTopic, label: string, text: string, thrown?: { readonly error: unknown }): void {
    const labels = this.#labels.get(topic) ?? new Set();
    const short = shortened(label);
    if (labels.size > MAX_OF_BACKEND || labels.has(short)) return;
    this.#labels.set(topic, labels.add(short));
    if (labels.size > MAX_OF_BACKEND) warn(topic, lastLine(topic));
    else warn(topic, text, thrown);
  }
}

const lastLine = (topic: WarningTopic): string => `more warnings about ${topic} are not shown`;

const shortened = (text: string): string => text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;

/** An error's name and message in one line. */
export const errorLine = (error: unknown): string => printable(shortened(textOf(error, "message")));

/** An error's stack, indented, so that nothing in it looks like another warning. */
function stackOf(error: unknown): string {
  const lines = textOf(error, "stack").split("\n", STACK_LINES);
  return lines.map((line) => `\n    ${printable(shortened(line.trim()))}`).join("");
}

function textOf(error: unknown, part: "message" | "stack"): string {
  try {
    return String(part === "stack" && error instanceof Error && error.stack || error);
  } catch {
    return "something that has no text";
  }
}
