/**
 * Takes out the protocol's rules, one at a time, in a copy of the tree, and runs the rule's tests: they must FAIL.
 *
 *     deno run -A tools/check_rules.ts
 *
 * A patch that no longer applies fails the run.
 */

import { Copy, MUTANTS } from "./mutants.ts";

const TESTS = ["test", "-A", "--no-check", "--quiet", "tests/backend/rules_test.ts", "tests/backend/waits_test.ts"];
await using copy = await Copy.make(new URL("..", import.meta.url).pathname);
const named = MUTANTS.filter(({ rule }) => rule !== undefined);
let wrong = 0;
if (!await succeeds(TESTS)) throw new Error("The rules' tests fail before anything is taken out");
for (const mutant of named) {
  const { applied, putBack } = await copy.take(mutant);
  const caught = applied && !await succeeds([...TESTS, "--filter", mutant.rule!]);
  await putBack();
  if (!caught) wrong++;
  console.log(`${caught ? "caught" : applied ? "SURVIVED" : "DOES NOT APPLY"}  ${mutant.rule} ${mutant.name}`);
}
console.log(`${named.length - wrong} caught, ${wrong} not`);
if (wrong > 0) Deno.exitCode = 1;

/** One that hangs for 60 s does not. */
async function succeeds(args: string[]): Promise<boolean> {
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
