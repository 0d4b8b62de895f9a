/**
 * The simulation, by hand.
 *
 *     deno task simulate [--seeds 20000] [--from 1]     as many seeds as you like, in two processes
 *     deno task simulate --seed 4711 --trace            one seed, and its schedule as a numbered list
 *     deno task simulate --mutants [--only NAME]        each rule taken out in a copy of the tree: a seed must fail
 */

import { parseArgs } from "node:util";
import { simulate } from "../tests/simulation/_simulation.ts";
import { seedsFrom } from "../tests/simulation/_seeds.ts";
import { Copy, type Mutant, MUTANTS } from "./mutants.ts";

const self = new URL(import.meta.url).pathname;
const root = new URL("..", import.meta.url).pathname;
const { values } = parseArgs({
  args: Deno.args,
  options: {
    from: { type: "string", default: "1" },
    seeds: { type: "string", default: "20000" },
    seed: { type: "string" },
    trace: { type: "boolean" },
    mutants: { type: "boolean" },
    only: { type: "string" },
    /** In this process alone: how the processes of a run are started. */
    part: { type: "boolean" },
  },
});
const number = (name: "from" | "seeds" | "seed"): number => {
  if (/^\d+$/.test(values[name]!)) return Number(values[name]);
  console.error(`Cannot use "${values[name]}" as --${name}: it must be a whole number`);
  Deno.exit(2);
};

const [from, seeds] = [number("from"), number("seeds")];
/** One seed. With --trace its schedule is printed. */
async function one(seed: number): Promise<void> {
  console.warn = () => {};
  const lines: string[] = [];
  const { broken, plan } = await simulate(seed, lines);
  if (values.trace) console.log(`${JSON.stringify(plan)}\n\n${lines.join("\n")}\n`);
  console.log(broken === undefined ? `seed ${seed} holds` : `seed ${seed}: ${broken}`);
  if (broken !== undefined) Deno.exitCode = 1;
}

/** In this process, up to the first seed that fails. */
async function part(): Promise<void> {
  console.warn = () => {};
  for (const seed of seedsFrom(from, seeds)) {
    const { broken } = await simulate(seed);
    if (broken === undefined) continue;
    console.log(`seed ${seed}: ${broken}`);
    Deno.exit(1);
  }
}

/** Two processes, half of the seeds each. */
async function all(): Promise<void> {
  const began = performance.now();
  const half = Math.ceil(seeds / 2);
  const failures = (await Promise.all([run(root, from, half), run(root, from + half, seeds - half)]))
    .filter((failure) => failure !== undefined);
  for (const failure of failures) console.log(`${failure}\n  deno task simulate --seed ${seedIn(failure)} --trace`);
  const took = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${seeds} seeds from ${from} in ${took} s: ${failures.length === 0 ? "all hold" : "some FAIL"}`);
  if (failures.length > 0) Deno.exitCode = 1;
}

const seedIn = (failure: string): string => /^seed (\d+)/.exec(failure)?.[1] ?? "?";

/** What the first failing seed broke, or `undefined` if all seeds hold. */
async function run(tree: string, from: number, seeds: number): Promise<string | undefined> {
  const script = `${tree}/${self.slice(root.length)}`;
  const args = ["run", "-A", "--no-check", script, "--part", "--from", `${from}`, "--seeds", `${seeds}`];
  // A mutant may loop for ever.
  const signal = AbortSignal.timeout(60_000 + seeds * 20);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: tree, signal }).output();
  if (code === 0) return undefined;
  const decoder = new TextDecoder();
  return decoder.decode(stdout).trim() || `the process ended with code ${code}: ${decoder.decode(stderr).trim()}`;
}

/** Takes each rule out, in two copies of the tree at once. */
async function mutants(): Promise<void> {
  const began = performance.now();
  const { only } = values;
  const left = MUTANTS.filter(({ name }) => only === undefined || name.includes(only));
  const count = left.length;
  let wrong = 0;
  const work = async () => {
    await using copy = await Copy.make(root);
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const { applied, putBack } = await copy.take(mutant);
      const failure = applied
        ? await run(copy.path, from, mutant.survives === undefined ? seeds : Math.ceil(seeds / 5))
        : undefined;
      await putBack();
      if (!report(mutant, applied, failure)) wrong++;
    }
  };
  await Promise.all([work(), work()]);
  console.log(`${count - wrong} of ${count} as expected, in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  if (wrong > 0 || count === 0) Deno.exitCode = 1;
}

/** Says how it went with a mutant, and answers whether it is as it should be. */
function report({ name, patches, survives }: Mutant, applied: boolean, failure: string | undefined): boolean {
  const whole = `${name} (${patches.map(({ at }) => at).join("; ")})`;
  if (!applied) console.log(`DOES NOT APPLY  ${whole}`);
  else if (failure !== undefined) {
    console.log(`caught    ${whole}\n            ${failure.split("\n")[0]!.slice(0, 160)}`);
  } else console.log(`${survives === undefined ? "SURVIVED" : "survives"}  ${whole}${survives ? `: ${survives}` : ""}`);
  return applied && (failure === undefined) === (survives !== undefined);
}

if (values.mutants) await mutants();
else if (values.seed !== undefined) await one(number("seed"));
else if (values.part) await part();
else await all();
