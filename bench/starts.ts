/** What an import costs: programs started in turn, each a whole process, against an empty program. */

import { type Kind, median, type Missing, type Row, spreadOf, type Table, turns } from "./measure.ts";

/** A program that imports one thing. */
export interface Program {
  readonly name: string;
  readonly kind: Kind;
  readonly command: string;
  readonly args: readonly string[];
}

/** How much longer than `empty` each of the others runs. */
export async function starts(
  title: string,
  empty: Program,
  others: readonly Program[],
  rounds: number,
): Promise<Table> {
  const programs = [empty];
  const missing: Missing[] = [];
  // The first start fills the runtime's caches, and shows who does not start at all.
  for (const program of [empty, ...others]) {
    try {
      await start(program);
      if (program !== empty) programs.push(program);
    } catch (error) {
      if (program.kind !== "peer") throw error;
      missing.push({ name: program.name, why: (error as Error).message });
    }
  }
  const took: number[][] = programs.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const at of turns(programs.length, round)) took[at]!.push(await start(programs[at]!));
  }
  const over = took.map((own) => own.map((ms, round) => ms - took[0]![round]!));
  const ours = over[programs.findIndex(({ kind }) => kind === "ours")]!;
  const rows = programs.map(({ name, kind }, at): Row => {
    if (at === 0) return { name, kind, value: median(took[0]!), spread: spreadOf(took[0]!) };
    const row = { name, kind, value: median(over[at]!), spread: spreadOf(over[at]!) };
    if (over[at] === ours) return row;
    // Of the medians: in a single round the difference of two starts may be next to nothing.
    return { ...row, ours: row.value / median(ours), oursSpread: Math.hypot(row.spread, spreadOf(ours)) };
  });
  return { title, unit: "ms", rows, ...(missing.length === 0 ? {} : { missing }) };
}

async function start({ name, command, args }: Program): Promise<number> {
  const begin = performance.now();
  const { success, stderr } = await new Deno.Command(command, { args: [...args], stdout: "null" }).output();
  const ms = performance.now() - begin;
  if (success) return ms;
  throw new Error(`Cannot run the program that imports ${name}: ${new TextDecoder().decode(stderr).slice(0, 300)}`);
}
