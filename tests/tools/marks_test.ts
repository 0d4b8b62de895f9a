import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { faultsOf, testsIn } from "../../tools/check_marks.ts";
import { marksIn, rulesIn } from "../../tools/marks.ts";

/** Each mark of a text: what it says, and the code that it means. */
const found = (text: string) =>
  marksIn(text).map(({ rules, text: says, from, to }) => [rules, says, text.slice(from, to)]);

test("marksIn() takes a mark behind code for its line", () => {
  assertEquals(found("  a();\n  return b(token); // rule 1: over the lease\n  c();\n"), [
    [["rule 1"], "rule 1: over the lease", "  return b(token);"],
  ]);
});

test("marksIn() takes a mark on a line of its own for the whole statement below, comments passed over", () => {
  const text = `  // rule 7, duty a: looked for once
  // A socket may have died.
  if (lost && "}") {
    again({
      token,
    });
  }
  next();
`;
  assertEquals(found(text), [
    [
      ["rule 7", "duty a"],
      "rule 7, duty a: looked for once",
      '  if (lost && "}") {\n    again({\n      token,\n    });\n  }',
    ],
  ]);
});

test("marksIn() passes over comments that only speak of a rule", () => {
  assertEquals(found("// As rule 7 says, it is looked for.\na(); // see rule 3\n"), []);
});

test("rulesIn() reads the numbered rules and the lettered duties", () => {
  assertEquals(rulesIn("1. **Fenced.** A\n   more\n13. **Refresh.** B\n- a. **Its own.** C\n- d. no\n"), [
    "rule 1",
    "rule 13",
    "duty a",
  ]);
});

test("testsIn() finds the names of tests that carry a rule", () => {
  assertEquals(testsIn(`test("rule 1, fenced: it holds", () => {});\ntest("other", f);\n`), [
    "rule 1, fenced: it holds",
  ]);
});

test("faultsOf() finds nothing where each rule has a mark, a test and a mutant", () => {
  const mutants = [{ name: "plain", marks: ["rule 1: over the lease"] }];
  assertEquals(
    faultsOf({ rules: ["rule 1"], marks: ["rule 1: over the lease"], tests: ["rule 1: holds"], mutants }),
    [],
  );
});

test("faultsOf() names what a rule lacks, marks said twice, rules that are none, and mutants that stand on no mark", () => {
  assertEquals(faultsOf({ rules: ["rule 1"], marks: [], tests: [], mutants: [] }), [
    "rule 1 has no mark",
    "rule 1 has no test",
    "rule 1 has no mutant",
  ]);
  const mutants = [{ name: "plain", marks: ["rule 1: over the leash"] }];
  const marks = ["rule 1: over the lease", "rule 1: over the lease", "rule 2: once"];
  assertEquals(faultsOf({ rules: ["rule 1"], marks, tests: ["rule 1: holds"], mutants }), [
    'the mark "rule 2: once" names rule 2, which is not in the list',
    'two marks say "rule 1: over the lease": each says what its own statement does',
    'the mutant "plain" stands on "rule 1: over the leash", which is no mark',
  ]);
});
