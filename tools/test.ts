/**
 * Runs the tests on every runtime, one after another, and fetches what the machine lacks.
 *
 *     deno run -A tools/test.ts [deno] [bun] [node]      none named: all three
 *
 * The last line is `N passed, N failed`, for machines to read.
 */

import { bun, defaultServer, type Ended, memcached, node, type Program, run } from "./machine.ts";
import { build } from "./node_suite.ts";

/** What came of one runtime: its own closing lines and what they say, or why it was not run. */
export interface Result {
  readonly runtime: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly closing: readonly string[];
  readonly notRun?: string;
}

/** The counts in a runtime's closing lines, and those lines as they are. */
export function read(runtime: string, { code, output }: Ended): Result {
  // deno-lint-ignore no-control-regex
  const lines = output.split("\n").map((line) => line.replace(/\x1b\[[0-9;]*m/g, ""));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const closing: string[] = [];
  const take = (pattern: RegExp, name: keyof typeof counts) => {
    const at = lines.findLastIndex((line) => pattern.test(line));
    if (at === -1) return;
    counts[name] += Number(pattern.exec(lines[at]!)![1]);
    if (!closing.includes(lines[at]!)) closing.push(lines[at]!);
  };
  if (runtime === "deno") {
    take(/^(?:ok|FAILED) \| (\d+) passed/, "passed");
    take(/^(?:ok|FAILED) \|.* (\d+) failed/, "failed");
    take(/^(?:ok|FAILED) \|.* (\d+) ignored/, "skipped");
  } else if (runtime === "bun") {
    take(/^ *(\d+) pass$/, "passed");
    take(/^ *(\d+) skip$/, "skipped");
    take(/^ *(\d+) fail$/, "failed");
    closing.push(...lines.filter((line) => /^Ran \d+ tests? across/.test(line)));
  } else {
    take(/^[ℹ#] pass (\d+)$/, "passed");
    take(/^[ℹ#] fail (\d+)$/, "failed");
    take(/^[ℹ#] cancelled (\d+)$/, "failed");
    take(/^[ℹ#] skipped (\d+)$/, "skipped");
  }
  if (closing.length === 0) closing.push(`${runtime} ended with code ${code} before its closing line`);
  // A file that does not load, or a rejection nobody caught, may fail a run without being counted.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return { runtime, ...counts, closing };
}

/** Several runs of one runtime as one. */
export function sum(results: readonly Result[]): Result {
  return results.reduce((one, other) => ({
    runtime: one.runtime,
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
    closing: [...one.closing, ...other.closing],
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
  return { runtime, passed: 0, failed: 0, skipped: 0, closing: [], notRun: why };
}

function heading(words: string): void {
  console.log(`\n== ${words}`);
}

async function onDeno(server: Program, missing: string[]): Promise<Result> {
  heading("Deno: tests");
  const show = { show: true, minutes: 10 };
  const results = [read("deno", await run(Deno.execPath(), ["test", "-A", "tests"], show))];
  heading("Deno: the examples of README.md and of the documentation");
  const running = await defaultServer(server);
  if ("missing" in running) {
    missing.push(`documentation: not run (${running.missing})`);
    return sum(results);
  }
  await using _server = running;
  const readable = await Deno.stat("README.md").then(() => ["README.md"], () => []);
  const documentation = ["test", "-A", "--doc", ...readable, "mod.ts", "src"];
  results.push(read("deno", await run(Deno.execPath(), documentation, show)));
  return sum(results);
}

async function onBun(): Promise<Result> {
  const program = await bun();
  if ("missing" in program) return notRun("bun", program.missing);
  heading("Bun: tests");
  // Bun's own limit of 5 s a test cannot be set in bunfig.toml.
  return read("bun", await run(program.path, ["test", "--timeout", "60000"], { show: true, minutes: 10 }));
}

async function onNode(): Promise<Result> {
  const program = await node();
  if ("missing" in program) return notRun("node", program.missing);
  heading("Node: the packed build");
  const folder = await Deno.makeTempDir({ prefix: "x-cache-utils-node-" });
  try {
    const built = await build(folder);
    // One file at a time: the tests' servers would crowd a small machine.
    const args = ["--test", "--test-reporter=spec", "--test-concurrency=1", ...built.files];
    const result = read("node", await run(program.path, args, { cwd: folder, show: true, minutes: 10 }));
    return { ...result, closing: [...result.closing, built.remark] };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return read("node", { code: 1, output: "" });
  } finally {
    await Deno.remove(folder, { recursive: true });
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
  const missing: string[] = [];
  const server = await memcached();
  if ("missing" in server && !Deno.env.get("MEMCACHED")) missing.push(`memcached: none (${server.missing})`);
  const results: Result[] = [];
  if (wanted.includes("deno")) results.push(await onDeno(server, missing));
  if (wanted.includes("bun")) results.push(await onBun());
  if (wanted.includes("node")) results.push(await onNode());

  heading("Together");
  for (const result of results) console.log(result.closing.join("\n"));
  const ci = !["", "0", "false"].includes(Deno.env.get("CI") ?? "");
  const [runtimes, counts] = closingLines(results, missing, ci);
  console.log(`\n${runtimes}\n${counts}`);
  if (!counts.endsWith(", 0 failed")) Deno.exit(1);
}
