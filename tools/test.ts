/**
 * Runs the tests on every runtime, one after another, and fetches what the machine lacks.
 *
 *     deno run -A tools/test.ts [deno] [bun] [node]      none named: all three
 *
 * The last line is `N passed, N failed`, for machines to read.
 */

import { bun, lacking, memcached, node, onCi } from "../tests/_install.ts";
import { freshServer } from "../tests/_memcached.ts";
import { type Ended, run } from "./command.ts";
import { build } from "./node_suite.ts";

/** What came of one runtime: its own closing lines and what they say, or why it was not run. */
export interface Result {
  readonly runtime: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly closing: readonly string[];
  /** What the runtime called the tests that failed. */
  readonly failures: readonly string[];
  readonly notRun?: string;
}

/** Whose tests are run. */
export type Runtime = "deno" | "bun" | "node";

interface Closing {
  /** The first and the last of a runtime's closing lines. */
  readonly from: RegExp;
  readonly to: RegExp;
  /** A failed test, among all lines. */
  readonly failure: RegExp;
  /** The counts in them. */
  readonly passed: readonly RegExp[];
  readonly failed: readonly RegExp[];
  readonly skipped: readonly RegExp[];
}

const closings: Record<Runtime, Closing> = {
  deno: {
    from: /^(ok|FAILED) \| \d+ passed/,
    to: /^(ok|FAILED) \|/,
    failure: /^(.+) \.\.\. FAILED/,
    passed: [/ (\d+) passed/],
    failed: [/ (\d+) failed/],
    skipped: [/ (\d+) ignored/],
  },
  bun: {
    from: /^ *\d+ pass$/,
    to: /^Ran \d/,
    failure: /^\(fail\) (.+?)(?: \[[\d.]+m?s\])?$/,
    passed: [/ (\d+) pass$/m],
    failed: [/ (\d+) fail$/m],
    skipped: [/ (\d+) skip$/m],
  },
  node: {
    from: /^[ℹ#] tests \d/,
    to: /^[ℹ#] duration_ms/,
    failure: /^✖ (.+) \([\d.]+ms\)$/,
    passed: [/ pass (\d+)$/m],
    failed: [/ fail (\d+)$/m, / cancelled (\d+)$/m],
    skipped: [/ skipped (\d+)$/m, / todo (\d+)$/m],
  },
};

/** The counts in a runtime's closing lines, and those lines as they are. */
export function read(runtime: Runtime, { code, output }: Ended): Result {
  const closing = closings[runtime];
  // deno-lint-ignore no-control-regex
  const lines = output.replace(/\x1b\[[0-9;]*m/g, "").split("\n").map((line) => line.trimEnd());
  const from = lines.findLastIndex((line) => closing.from.test(line));
  const length = from === -1 ? 0 : lines.slice(from).findIndex((line) => closing.to.test(line)) + 1;
  const last = lines.slice(from, from + length);
  const count = (patterns: readonly RegExp[]) =>
    patterns.reduce((sum, pattern) => sum + Number(pattern.exec(last.join("\n"))?.[1] ?? 0), 0);
  const failed = count(closing.failed);
  return {
    runtime,
    passed: count(closing.passed),
    // A file that does not load, or a rejection nobody caught, may fail a run without being counted.
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: count(closing.skipped),
    closing: length > 0 ? last : [`${runtime} ended with code ${code} before its closing line`],
    failures: [...new Set(lines.flatMap((line) => closing.failure.exec(line)?.[1] ?? []))],
  };
}

/** Several runs of one runtime as one. */
export function sum(results: readonly Result[]): Result {
  return results.reduce((one, other) => ({
    runtime: one.runtime,
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
    closing: [...one.closing, ...other.closing],
    failures: [...one.failures, ...other.failures],
  }));
}

/** The two lines at the end. On a CI machine what did not run has failed. */
export function closingLines(results: readonly Result[], missing: readonly string[], ci: boolean): [string, string] {
  let [passed, failed] = [0, 0];
  const parts = results.map((result) => {
    passed += result.passed;
    failed += result.failed;
    if (result.notRun !== undefined) {
      if (ci) failed++;
      return `${result.runtime}: not run (${result.notRun})`;
    }
    const rest = [
      ...(result.failed > 0 ? [`${result.failed} failed`] : []),
      ...(result.skipped > 0 ? [`${result.skipped} skipped`] : []),
    ];
    return `${result.runtime}: ${[`${result.passed} passed`, ...rest].join(" and ")}`;
  });
  if (ci) failed += missing.length;
  return [[...parts, ...missing].join(", "), `${passed} passed, ${failed} failed`];
}

function notRun(runtime: string, why: string): Result {
  return { runtime, passed: 0, failed: 0, skipped: 0, closing: [], failures: [], notRun: why };
}

function heading(words: string): void {
  console.log(`\n== ${words}`);
}

async function onDeno(env: Record<string, string>, missing: string[]): Promise<Result> {
  heading("Deno: tests");
  const options = { env, show: true, minutes: 10 };
  const results = [read("deno", await run(Deno.execPath(), ["test", "-A", "tests"], options))];
  heading("Deno: the examples of README.md and of the documentation");
  try {
    await using _server = await defaultServer();
    const documentation = ["README.md", "docs/MIGRATING.md", "docs/DRIVER.md", "mod.ts", "src"];
    results.push(read("deno", await run(Deno.execPath(), ["test", "-A", "--doc", ...documentation], options)));
  } catch (error) {
    missing.push(`documentation: not run (${(error as Error).message})`);
  }
  return sum(results);
}

/** The examples name memcached's own port: the server that is there, else one of our own. */
async function defaultServer(): Promise<AsyncDisposable> {
  const port = 11211;
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  } catch {
    return await freshServer([], { port });
  }
}

async function onBun(env: Record<string, string>, program: string): Promise<Result> {
  heading("Bun: tests");
  // Tests that need longer than Bun's 5 s say so themselves, for a bare `bun test`; a busy machine may be slower still.
  return read("bun", await run(program, ["test", "--timeout", "60000"], { env, show: true, minutes: 10 }));
}

async function onNode(env: Record<string, string>, program: string): Promise<Result> {
  heading("Node: tests, on the packed build");
  const folder = await Deno.makeTempDir({ prefix: "x-cache-utils-node-" });
  const remove = () => Deno.removeSync(folder, { recursive: true });
  globalThis.addEventListener("unload", remove); // a run that is stopped passes no `finally`
  try {
    const built = await build(folder);
    // One file at a time: the tests' servers would crowd a small machine.
    const args = ["--test", "--test-reporter=spec", "--test-concurrency=1", "--test-timeout=120000", ...built.files];
    const result = read("node", await run(program, args, { env, cwd: folder, show: true, minutes: 10 }));
    return { ...result, closing: [...result.closing, built.remark] };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return read("node", { code: 1, output: "" });
  } finally {
    globalThis.removeEventListener("unload", remove);
    remove();
  }
}

if (import.meta.main) {
  const known = ["deno", "bun", "node"];
  const wanted = Deno.args.length > 0 ? Deno.args : known;
  const unknown = wanted.find((runtime) => !known.includes(runtime));
  if (unknown !== undefined) {
    console.error(`Cannot test on "${unknown}": name some of ${known.join(", ")}, or none for all`);
    Deno.exit(2);
  }
  const lacks = await lacking(wanted);
  if (lacks.length > 0) console.log(["This machine lacks, so it is fetched now:", ...lacks].join("\n  "));
  const missing: string[] = [];
  await memcached().catch((error: Error) => {
    if (!Deno.env.get("MEMCACHED")) missing.push(`memcached: none (${error.message})`);
  });
  const withBun = await bun().catch((error: Error) => error);
  // Tests that start processes of both need to know where the runtimes are.
  const env = { DENO: Deno.execPath(), ...withBun instanceof Error ? {} : { BUN: withBun } };
  const results: Result[] = [];
  if (wanted.includes("deno")) results.push(await onDeno(env, missing));
  if (wanted.includes("bun")) {
    results.push(withBun instanceof Error ? notRun("bun", withBun.message) : await onBun(env, withBun));
  }
  if (wanted.includes("node")) {
    const program = await node().catch((error: Error) => error);
    results.push(program instanceof Error ? notRun("node", program.message) : await onNode(env, program));
  }

  heading("Together");
  for (const { runtime, closing, failures } of results) {
    console.log(closing.join("\n"));
    if (failures.length > 0) console.log([`failed on ${runtime}:`, ...failures].join("\n  "));
  }
  const [runtimes, counts] = closingLines(results, missing, onCi());
  console.log(`\n${runtimes}\n${counts}`);
  if (!counts.endsWith(", 0 failed")) Deno.exit(1);
}
