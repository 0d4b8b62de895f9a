/** All that must hold, one step after another; the first that fails ends it. `.ci/run` starts it. */

import { bun, memcached } from "../tests/_install.ts";
import { freshServer } from "../tests/_memcached.ts";
import { run } from "./command.ts";

const deno = Deno.execPath();

async function step(...args: string[]): Promise<void> {
  const { code } = await run(deno, args, { show: true, minutes: 40 });
  if (code === 0) return;
  console.error(`ci: deno ${args.join(" ")} ended with code ${code}`);
  Deno.exit(code);
}

/** Without these nothing is proved here. */
const programs = [deno, await bun(), await memcached()];
for (const program of programs) console.log(`ci: ${(await run(program, ["--version"])).output.split("\n")[0]}`);

await step("task", "check");
await step("run", "-A", "tools/check_rules.ts");
await step("task", "simulate", "--mutants");
await step("task", "demo", "--once");
{
  await using server = await freshServer();
  await step("task", "demo", `memcached://${server.address}`, "--once");
}
await step("task", "test");
