/** What importing costs: programs started in turn, each a whole process, beside an empty one. */

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Kind, median, OURS, rounds, type Row, spreadOf } from "../measure.ts";
import { available, libraries } from "../peers.ts";
import type { Bench } from "../worker.ts";

export async function imports(bench: Bench): Promise<void> {
  const title = "importing, ms beyond an empty program";
  if (!bench.wants(title)) return;
  const [all, driver] = bench.faces;
  const wanted: [name: string, kind: Kind, code: string][] = [
    ["an empty program", "floor", ""],
    [OURS, "ours", `import "${all}";`],
    ["its driver alone", "variant", `import "${driver}";`],
    ...Object.keys(libraries).map((name): [string, Kind, string] => [name, "peer", `import "${name}";`]),
  ];
  // Packages are found from the folder that they lie in.
  const folder = await mkdtemp(join(bench.peers, "imports-"));
  try {
    // The first start fills the runtime's caches, and shows which package does not start at all.
    const { here, missing } = await available(
      Object.fromEntries(wanted.map(([name, kind, code]) => [name, async () => {
        const start = await program(bench, folder, code);
        await start();
        return { name, kind, start };
      }])),
    );
    const took = await rounds(here.length, { rounds: bench.quick ? 5 : 9 }, (at) => here[at]!.start());
    const over = took.map((own, at) => at === 0 ? own : own.map((ms, round) => ms - took[0]![round]!));
    const ours = median(over[here.findIndex(({ kind }) => kind === "ours")]!);
    const rows = here.map(({ name, kind }, at): Row => {
      const value = median(over[at]!);
      // Of the medians: in a single round the difference of two starts may be next to nothing.
      const times = kind === "peer" || kind === "variant" ? value / ours : null;
      return { name, kind, cells: [value, spreadOf(over[at]!), null, times] };
    });
    bench.keep({ title, columns: ["ms", "spread", "", "of ours"], rows, notes: missing });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** An empty program and one for each of these files, ms from start to end, round by round. */
export async function importsOf(bench: Bench, faces: readonly string[], count: number): Promise<number[][]> {
  const folder = await mkdtemp(join(tmpdir(), "cache-utils-imports-"));
  try {
    const starts: (() => Promise<number>)[] = [];
    for (const code of ["", ...faces.map((face) => `import "${face}";`)]) {
      starts.push(await program(bench, folder, code));
    }
    // Two rounds fill the runtime's caches.
    return await rounds(starts.length, { rounds: count, dropped: 2 }, (at) => starts[at]!());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

let programs = 0;

/** A program in a file of its own: starts it, and answers how many ms that took to its end. */
async function program({ start: [command, ...before] }: Bench, folder: string, code: string) {
  const path = join(folder, `${programs++}.mjs`);
  await writeFile(path, code);
  return async () => {
    const begin = performance.now();
    await promisify(execFile)(command!, [...before, path]);
    return performance.now() - begin;
  };
}
