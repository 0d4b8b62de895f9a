/**
 * `--against PATH`: this tree and another checkout, in turn within one process of each runtime. Printed are the medians,
 * and the ratio new/old of each round: its median, and its quartiles. Below 1 this tree is the quicker one.
 */

import type { Setting, Tree } from "./case.ts";
import { type Grid, printGrid } from "./grid.ts";
import { median, quantile, turns } from "./measure.ts";
import { facesIn, pack, root, type Runtime } from "./runtimes.ts";

/** One work's rounds in ms, of one process or of several. */
interface Rounds {
  readonly title: string;
  readonly old: readonly number[];
  readonly new: readonly number[];
}

/** Runs a case in a process of its own, and gives each of its lines. */
type Measure = (setting: Setting, keep: (rounds: Rounds) => void) => Promise<void>;

export async function against(
  other: string,
  runtime: Runtime,
  setting: Setting,
  folder: string,
  measure: Measure,
): Promise<Grid> {
  const old: Tree = { name: "old", faces: runtime.name === "node" ? await packed(other, folder) : sources(other) };
  const trees: readonly Tree[] = [old, { name: "new", faces: runtime.faces }];
  const all = new Map<string, Rounds>();
  // What is compiled, and how well, differs from process to process and with who was loaded first: so there are several.
  for (let n = 0; n < (setting.quick ? 2 : 4); n++) {
    await measure({ ...setting, trees: n % 2 === 0 ? trees : trees.toReversed() }, (rounds) => {
      const before = all.get(rounds.title) ?? { old: [], new: [] };
      all.set(rounds.title, {
        title: rounds.title,
        old: [...before.old, ...rounds.old],
        new: [...before.new, ...rounds.new],
      });
    });
  }
  const rows = [...all.values()].map((rounds) => rowOf(rounds, 1e6));
  const title = "import";
  if (title.includes(setting.only ?? "")) rows.push(await imports(runtime, trees, folder, setting.quick ? 12 : 40));
  const grid: Grid = {
    title: `new/old on ${runtime.name}, ns of processor time a call; the import: ms beyond an empty program`,
    columns: ["old", "new", "new/old", "quartiles", ""],
    rows,
  };
  console.log(printGrid(grid));
  return grid;
}

function rowOf({ title, old, new: ours }: Rounds, unit: number): Grid["rows"][number] {
  const ratios = ours.map((ms, round) => ms / old[round]!);
  const cells = [
    median(old) * unit,
    median(ours) * unit,
    median(ratios),
    quantile(ratios, 0.25),
    quantile(ratios, 0.75),
  ];
  return { name: title, cells };
}

function sources(tree: string): Tree["faces"] {
  return [`${tree}/mod.ts`, `${tree}/src/memcached/mod.ts`];
}

async function packed(tree: string, folder: string): Promise<Tree["faces"]> {
  const home = `${folder}/old`;
  await Deno.mkdir(home, { recursive: true });
  await pack(home, tree);
  return facesIn(home);
}

/**
 * The time that passes from the start of a program that imports all of a tree to its end, beyond that of an empty one.
 * What else the machine does only adds to it, so the lower quartiles are compared.
 */
async function imports(runtime: Runtime, trees: readonly Tree[], folder: string, rounds: number) {
  const programs = [
    { name: "empty", code: "" },
    ...trees.map(({ name, faces }) => ({ name, code: `import "${faces[0]}";` })),
  ];
  const took: number[][] = programs.map(() => []);
  for (const { name, code } of programs) await Deno.writeTextFile(`${folder}/import-${name}.mjs`, code);
  // The first two rounds fill the runtime's caches.
  for (let round = -2; round < rounds; round++) {
    for (const at of turns(programs.length, round + 2)) {
      const args = [...runtime.before, `${folder}/import-${programs[at]!.name}.mjs`];
      const start = performance.now();
      const { success } = await new Deno.Command(runtime.command, { args, cwd: root, stdout: "null" }).output();
      if (!success) throw new Error(`Cannot import the ${programs[at]!.name} tree`);
      if (round >= 0) took[at]!.push(performance.now() - start);
    }
  }
  const quick = took.map((ms) => quantile(ms, 0.25));
  const [old, ours] = [quick[1]! - quick[0]!, quick[2]! - quick[0]!];
  return { name: "import of mod.ts, ms", cells: [old, ours, ours / old] };
}
