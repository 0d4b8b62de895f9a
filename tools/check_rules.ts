/**
 * Takes out the protocol's rules, one at a time, in a copy of the tree, and runs the rule's tests: they must FAIL.
 *
 *     deno run -A tools/check_rules.ts
 *
 * A patch that no longer applies fails the run.
 */

import { Copy, MUTANTS } from "./mutants.ts";

const RULES = "tests/backend/rules_test.ts";
await using copy = await Copy.make(new URL("..", import.meta.url).pathname);
const named = MUTANTS.filter(({ test }) => test !== undefined);
let wrong = 0;
const files = [...new Set(named.map(({ in: file = RULES }) => file))];
if (!await succeeds(files, "/^(rule|duty) /")) throw new Error("The rules' tests fail before anything is taken out");
for (const mutant of named) {
  const { applied, putBack } = await copy.take(mutant);
  const caught = applied && !await succeeds([mutant.in ?? RULES], `/^${mutant.test}/`);
  await putBack();
  if (!caught) wrong++;
  console.log(`${caught ? "caught" : applied ? "SURVIVED" : "DOES NOT APPLY"}  ${mutant.test} ${mutant.name}`);
}
console.log(`${named.length - wrong} caught, ${wrong} not`);
if (wrong > 0) Deno.exitCode = 1;

/** One that hangs for 60 s does not. */
async function succeeds(files: readonly string[], filter: string): Promise<boolean> {
  const args = ["test", "-A", "--no-check", "--quiet", "--filter", filter, ...files];
  const signal = AbortSignal.timeout(60_000);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: copy.path,
    signal,
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}
