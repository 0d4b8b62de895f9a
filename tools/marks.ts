/**
 * Marks: comments in `src` that say which rule of docs/ARCHITECTURE.md a statement keeps, so that nobody moves it
 * without knowing, and mutants find it whatever its code looks like.
 *
 *     return this.#store.set(label, entry, ttlMs, token); // rule 1: a value over its lease
 *
 *     // duty c: what timed out is not called refused
 *     if (error instanceof TimeoutError) throw error;
 *
 * Behind code a mark means that line; on a line of its own it means the whole statement below.
 */

/** A rule of the backend or a duty of stores, as `rule 7` or `duty a`. */
export type Rule = `rule ${number}` | `duty ${string}`;

/** A mark, and the code that it means. */
export interface Mark {
  readonly rules: readonly Rule[];
  /** What the comment says, rules included; no two marks of `src` say the same. */
  readonly text: string;
  /** Where the code begins and ends in the file's text. */
  readonly from: number;
  readonly to: number;
}

const MARK = /\/\/ ((?:(?:rule \d+|duty [a-e])(?:, )?)+: \S.*)$/;

/** The marks in a file's text, in their order. */
export function marksIn(file: string): Mark[] {
  const marks: Mark[] = [];
  const lines = file.split("\n");
  let begins = 0;
  lines.forEach((line, n) => {
    const [comment, text] = MARK.exec(line) ?? [];
    if (comment !== undefined) {
      const code = line.slice(0, line.length - comment.length).trimEnd();
      const rules = text!.slice(0, text!.indexOf(":")).split(", ") as Rule[];
      const [from, to] = code.trim() === "" ? statementBelow(lines, n, begins) : [begins, begins + code.length];
      marks.push({ rules, text: text!, from, to });
    }
    begins += line.length + 1;
  });
  return marks;
}

/** Where the statement below line `n`, which begins at `begins`, begins and ends. Comments between are passed over. */
function statementBelow(lines: readonly string[], n: number, begins: number): [number, number] {
  let at = begins + lines[n]!.length + 1, first = n + 1;
  while (lines[first]?.trimStart().startsWith("//")) at += lines[first++]!.length + 1;
  let depth = 0, to = at;
  for (let last = first; last < lines.length; last++) {
    to += lines[last]!.length;
    depth += bracketsIn(lines[last]!);
    if (depth <= 0 && /[;},]$/.test(lines[last]!)) break;
    to++;
  }
  return [at, to];
}

/** How many more brackets a line opens than it closes. Those in texts and comments do not count. */
function bracketsIn(line: string): number {
  const code = line.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\/\/.*$/g, "");
  return (code.match(/[([{]/g) ?? []).length - (code.match(/[)\]}]/g) ?? []).length;
}

/** The rules and duties that the list in docs/ARCHITECTURE.md has: `7. **Lost…**` and `- a. **…**`. */
export function rulesIn(architecture: string): Rule[] {
  const rules = [...architecture.matchAll(/^(\d+)\. \*\*/gm)].map(([, n]) => `rule ${Number(n)}` as Rule);
  const duties = [...architecture.matchAll(/^- ([a-e])\. \*\*/gm)].map(([, letter]) => `duty ${letter}` as Rule);
  return [...rules, ...duties];
}
