import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { obstacle, redirected } from "../../tools/node_suite.ts";
import { closingLines, read, type Result, sum } from "../../tools/test.ts";

function result(runtime: string, passed: number, failed = 0, skipped = 0): Result {
  return { runtime, passed, failed, skipped, closing: [], failures: [] };
}

test("read() finds Deno's counts, colours or not", () => {
  const output =
    "a ... ok (1ms)\n\n\x1b[0m\x1b[31mFAILED\x1b[0m | 41 passed (2 steps) | 2 failed | 3 ignored (1s)\n\nerror: Test failed\n";
  assertEquals(read("deno", { code: 1, output }), {
    ...result("deno", 41, 2, 3),
    closing: ["FAILED | 41 passed (2 steps) | 2 failed | 3 ignored (1s)"],
  });
  assertEquals(read("deno", { code: 0, output: "ok | 9 passed | 0 failed (19ms)\n" }).passed, 9);
});

test("read() finds Bun's counts", () => {
  const output = "(pass) a\n\n 9 pass\n 1 skip\n 0 fail\n 3 expect() calls\nRan 10 tests across 1 file. [29.00ms]\n";
  assertEquals(read("bun", { code: 0, output }), {
    ...result("bun", 9, 0, 1),
    closing: [" 9 pass", " 1 skip", " 0 fail", " 3 expect() calls", "Ran 10 tests across 1 file. [29.00ms]"],
  });
});

test("read() finds Node's counts, and counts what was cancelled as failed", () => {
  const lines = ["tests 7", "suites 0", "pass 3", "fail 1", "cancelled 2", "skipped 1", "todo 0", "duration_ms 9.5"];
  const closing = lines.map((line) => `ℹ ${line}`);
  const output = `✔ a (1ms)\n${closing.join("\n")}\n\n✖ failing tests:\n`;
  assertEquals(read("node", { code: 1, output }), { ...result("node", 3, 3, 1), closing });
});

test("read() takes a run that ended badly for a failure, whatever it counted", () => {
  assertEquals(read("deno", { code: 1, output: "error: TS2304" }), {
    ...result("deno", 0, 1),
    closing: ["deno ended with code 1 before its closing line"],
  });
  assertEquals(read("deno", { code: 1, output: "ok | 9 passed | 0 failed (1ms)\nerror: Uncaught\n" }).failed, 1);
});

test("read() names the tests that failed, each once", () => {
  const deno =
    "it holds ... \x1b[31mFAILED\x1b[0m (5ms)\n\nit holds => ./tests/a_test.ts:1:1\n\nFAILED | 1 passed | 1 failed (1s)\n";
  assertEquals(read("deno", { code: 1, output: deno }).failures, ["it holds"]);
  const bun =
    "(pass) a [1.00ms]\n(fail) it holds [5000.52ms]\n  ^ this test timed out after 5000ms\n 1 pass\n 1 fail\nRan 2 tests.\n";
  assertEquals(read("bun", { code: 1, output: bun }).failures, ["it holds"]);
  const node = "✖ it holds (5.5ms)\nℹ tests 1\nℹ fail 1\nℹ duration_ms 9.5\n\n✖ failing tests:\n\n✖ it holds (5.5ms)\n";
  assertEquals(read("node", { code: 1, output: node }).failures, ["it holds"]);
});

test("sum() adds up the runs of one runtime", () => {
  assertEquals(sum([result("deno", 1, 2, 3), result("deno", 10, 20, 30)]), result("deno", 11, 22, 33));
});

test("closingLines() says it in one line, then in the line that a machine reads", () => {
  const results = [result("deno", 412), result("bun", 398, 0, 2), result("node", 120, 1)];
  assertEquals(closingLines(results, [], false), [
    "deno: 412 passed, bun: 398 passed and 2 skipped, node: 120 passed and 1 failed",
    "930 passed, 1 failed",
  ]);
});

test("closingLines() names what was not run, and counts it as failed on a CI machine", () => {
  const results = [result("deno", 5), { ...result("bun", 0), notRun: "no network" }];
  const first = "deno: 5 passed, bun: not run (no network), memcached: none (no apt-get)";
  const missing = ["memcached: none (no apt-get)"];
  assertEquals(closingLines(results, missing, false), [first, "5 passed, 0 failed"]);
  assertEquals(closingLines(results, missing, true), [first, "5 passed, 2 failed"]);
});

test("obstacle() follows the tests' shared files to what Node or the package does not have", async () => {
  const files: Record<string, string> = {
    "tests/a_test.ts": 'import { test } from "node:test";\nimport { Memcached } from "@x/cache-utils/memcached";\n',
    "tests/key/b_test.ts": 'import { test } from "node:test";\nimport { it } from "../_it.ts";\n',
    "tests/_it.ts": 'import { key } from "../src/key/key.ts";\n',
    "tests/bun/c_test.ts": 'import { test } from "bun:test";\n',
    "tests/d_test.ts": 'import { test } from "node:test";\nimport { x } from "bun:test";\n',
    "tests/e_test.ts": 'import { test } from "node:test";\nclass A {\n  @cached\n  async f() {}\n}\n',
    "tests/f_test.ts": 'import { test } from "node:test";\nimport "../tools/test.ts";\n',
  };
  const of = (path: string) => obstacle(path, (file) => Promise.resolve(files[file]!));
  assertEquals(await of("tests/a_test.ts"), undefined);
  assertEquals(await of("tests/key/b_test.ts"), undefined);
  assertEquals(await of("tests/bun/c_test.ts"), "not written for node:test");
  assertEquals(await of("tests/d_test.ts"), "needs bun:test");
  assertEquals(await of("tests/e_test.ts"), "Node has no decorators");
  assertEquals(await of("tests/f_test.ts"), "needs tools/test.ts, which is not in the package");
});

test("redirected() points to the package's files, and to the transpiled ones of the tests", () => {
  assertEquals(
    redirected(
      'import "@std/assert";\nimport "../_it.ts";\nimport "../../src/key/key.ts?fresh";\nimport "../../mod.ts";\n',
      "tests/key/b_test.ts",
    ),
    'import "../../tests/_assert.mjs";\nimport "../_it.mjs";\n' +
      'import "../../node_modules/@x/cache-utils/src/key/key.js?fresh";\n' +
      'import "../../node_modules/@x/cache-utils/mod.js";\n',
  );
});
