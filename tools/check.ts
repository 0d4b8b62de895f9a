/**
 * Everything that must hold and is no test. Each step runs, also after one that failed.
 *
 *     deno run -A tools/check.ts
 */

import { run } from "./command.ts";
import { filesUnder } from "./node_suite.ts";

const deno = Deno.execPath();
const { exports } = JSON.parse(await Deno.readTextFile("deno.json")) as { exports: Record<string, string> };
const faces = Object.values(exports);
const folders = await Promise.all(["src", "tests", "examples", "bench", "compare", "tools"].map(filesUnder));
const sources = folders.flat().filter((path) => path.endsWith(".ts"));

const steps: readonly (readonly [name: string, args: readonly string[]])[] = [
  ["format", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["types", ["check", ...faces, ...sources]],
  ["documentation", ["doc", "--lint", ...faces]],
  // Alone, since what one face exports counts as public in another.
  ...faces.map((face) => [`documentation of ${face}`, ["doc", "--lint", face]] as const),
  ["floors", ["run", "--allow-read", "tools/check_floors.ts"]],
  ["rules", ["run", "--allow-read", "tools/check_marks.ts"]],
  ["publishing", ["publish", "--dry-run", "--allow-dirty"]],
];

const failed: string[] = [];
for (const [name, args] of steps) {
  console.log(`== ${name}`);
  const { code } = await run(deno, args, { show: true, minutes: 5 });
  if (code !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "check: all is well" : `check: failed at ${failed.join(", ")}`);
if (failed.length > 0) Deno.exit(1);
