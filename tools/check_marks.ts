/**
 * Each rule of docs/ARCHITECTURE.md has a mark in `src`, a test that carries its number, and a mutant that takes it out;
 * and nothing names a rule that is not in the list.
 *
 *     deno run --allow-read tools/check_marks.ts
 */

import { marksIn, type Rule, rulesIn } from "./marks.ts";
import { MUTANTS } from "./mutants.ts";

/** What names rules: marks by their texts, tests by their names, mutants by the marks they stand on. */
export interface Named {
  readonly rules: readonly Rule[];
  /** Per text of a mark: how often it stands in `src`. */
  readonly marks: readonly string[];
  readonly tests: readonly string[];
  readonly mutants: readonly { readonly name: string; readonly marks: readonly string[] }[];
}

/** The names of a file's tests that carry a rule. */
export const testsIn = (text: string): string[] =>
  [...text.matchAll(/\btest\(\s*["'`]([^"'`\n]*\b(?:rule \d+|duty [a-e])\b[^\n]*?)["'`],/g)].map(([, name]) => name!);

const NUMBERED = /\b(rule \d+|duty [a-e])\b/g;

/** What is wrong, one sentence each; empty: nothing. */
export function faultsOf({ rules, marks, tests, mutants }: Named): string[] {
  const found: string[] = [];
  const named = (text: string): string[] => [...text.matchAll(NUMBERED)].map(([rule]) => rule);
  const check = (what: string, texts: readonly string[]) => {
    for (const rule of rules) {
      if (!texts.some((text) => named(text).includes(rule))) found.push(`${rule} has no ${what}`);
    }
    for (const text of texts) {
      for (const rule of named(text)) {
        if (!(rules as readonly string[]).includes(rule)) {
          found.push(`the ${what} "${text}" names ${rule}, which is not in the list`);
        }
      }
    }
  };
  check("mark", marks);
  check("test", tests);
  check("mutant", mutants.flatMap(({ marks }) => marks));
  for (const text of new Set(marks.filter((text, n) => marks.indexOf(text) !== n))) {
    found.push(`two marks say "${text}": each says what its own statement does`);
  }
  for (const mutant of mutants) {
    for (const text of mutant.marks) {
      if (!marks.includes(text)) found.push(`the mutant "${mutant.name}" stands on "${text}", which is no mark`);
    }
  }
  return found;
}

async function textsUnder(folder: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) texts.push(...await textsUnder(`${folder}/${name}`));
    else if (name.endsWith(".ts")) texts.push(await Deno.readTextFile(`${folder}/${name}`));
  }
  return texts;
}

if (import.meta.main) {
  const named: Named = {
    rules: rulesIn(await Deno.readTextFile("docs/ARCHITECTURE.md")),
    marks: (await textsUnder("src")).flatMap(marksIn).map(({ text }) => text),
    tests: (await textsUnder("tests")).flatMap(testsIn),
    mutants: MUTANTS.map(({ name, patches }) => ({ name, marks: patches.map(({ at }) => at) })),
  };
  const found = faultsOf(named);
  for (const fault of found) console.error(fault);
  console.log(`rules: ${named.rules.length}, ${named.marks.length} marks, ${found.length} faults`);
  if (found.length > 0) Deno.exit(1);
}
