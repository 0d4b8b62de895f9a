/**
 * This library and others, each set up as its own README says, in one table.
 *
 *     deno run -A compare/run.ts [--only NAME] [--write]
 *
 * `--write`: the table also goes into README.md, with its date, versions and machine.
 */

import { memcached, packages, redis } from "../tests/_install.ts";
import { run } from "../tools/command.ts";
import { type Contender, contenders } from "./contenders.ts";
import { Member, Source, within } from "./fleet.ts";
import { play, PROCESSES, warmUp } from "./scenarios.ts";
import { startServer } from "./servers.ts";
import { type Column, failures, markdown, table, withText } from "./table.ts";

/** What takes longer has failed. */
const CONTENDER_MS = 60_000;
/** So many play at once: mostly they wait. */
const AT_ONCE = 6;
const README = "README.md";

const at = Deno.args.indexOf("--only");
const only = at === -1 ? "" : Deno.args[at + 1] ?? "";
const isWriting = Deno.args.includes("--write");
if (isWriting && only !== "") throw new Error("--write is for the whole table: leave out --only");
const chosen = contenders.filter(({ name }) => name.startsWith(only));
if (chosen.length === 0) throw new Error(`--only ${only}: there are ${contenders.map(({ name }) => name).join(", ")}`);

/** Where each one's packages lie, or why it cannot be looked at. One after the other, since package managers lock. */
const folders = new Map<Contender, string | Error>();
for (const contender of chosen) {
  folders.set(contender, await fetchFor(contender).catch((error: Error) => error));
}

const began = performance.now();
const columns: Column[] = [];
/** Starting processes costs work, playing hardly any: one contender starts while others play. */
let lastStart: Promise<unknown> = Promise.resolve();
const waiting = chosen.map((contender, n) => ({ contender, n }));
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    columns[next.n] = { name: next.contender.name, findings: await findingsOf(next.contender) };
  }
}));
console.log(`${markdown(table(columns))}\n\n${await circumstances()}`);
console.log(`\nThat took ${((performance.now() - began) / 1000).toFixed(0)} s.`);
if (isWriting) await write();

async function findingsOf(contender: Contender): Promise<Column["findings"]> {
  const folder = folders.get(contender)!;
  if (folder instanceof Error) return folder;
  try {
    await using server = await startServer(contender.server);
    await using members = new AsyncDisposableStack();
    const source = new Source();
    const args = [contender.name, String(server.port), folder];
    const started = lastStart.then(async () => {
      const fleet = Array.from({ length: PROCESSES }, () => members.use(new Member(args, source)));
      await warmUp(contender, fleet);
      return fleet;
    });
    lastStart = started.catch(() => {});
    return await within(play(contender, await started, source, server), contender.name, CONTENDER_MS);
  } catch (error) {
    return error as Error;
  }
}

/** Its server, and its packages: in a folder of its own, since contenders need different versions of the same. */
async function fetchFor({ name, server, packages: wanted }: Contender): Promise<string> {
  await (server === "memcached" ? memcached() : redis());
  return Object.keys(wanted).length === 0 ? "" : await packages(`compare-${name}`, wanted);
}

/** When, where, and with which versions and settings. */
async function circumstances(): Promise<string> {
  const { version } = JSON.parse(await Deno.readTextFile("deno.json")) as { version: string };
  const setups = chosen.map(({ name, packages, setup }) => {
    const pinned = Object.values(packages)[0] ?? (name.startsWith("@x/") ? version : "");
    return `${name} ${pinned} (${setup})`.replace("  ", " ");
  });
  const servers = await Promise.all(["memcached", "redis-server"].map(async (program) => {
    const { output } = await run(program, ["--version"]);
    return `${program} ${/\d+\.[\d.]+/.exec(output)?.[0] ?? "(none)"}`;
  }));
  const machine = `${navigator.hardwareConcurrency} cores of ${Deno.build.arch} ${Deno.build.os}`;
  const versions = `Deno ${Deno.version.deno}, ${servers.join(", ")}`;
  return `${new Date().toISOString().slice(0, 10)}, ${versions}, ${machine}. ${setups.join("; ")}.`;
}

async function write(): Promise<void> {
  const failed = failures(columns);
  if (failed.length > 0) {
    console.error(`${README} stays as it is, since something failed of ${failed.join(", ")}`);
    Deno.exit(1);
  }
  const text = `${markdown(table(columns))}\n\n${await circumstances()}`;
  await Deno.writeTextFile(README, withText(await Deno.readTextFile(README), text));
  const { code, output } = await run(Deno.execPath(), ["fmt", README]);
  if (code !== 0) throw new Error(output);
}
