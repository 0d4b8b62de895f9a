/** What an import costs: programs started in turn, each a whole process, against an empty program. */

import { median, OURS, type Row, spreadOf, type Table } from "./measure.ts";

/** A program that imports one thing. */
export interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** How much longer than `empty` each of the others runs. */
export async function starts(empty: Program, others: readonly Program[], rounds: number): Promise<Table> {
  const programs = [empty, ...others];
  const took: number[][] = programs.map(() => []);
  // The first rounds fill the runtime's caches.
  for (let round = -2; round < rounds; round++) {
    for (let turn = 0; turn < programs.length; turn++) {
      const at = (turn + Math.max(round, 0)) % programs.length;
      const ms = await start(programs[at]!);
      if (round >= 0) took[at]!.push(ms);
    }
  }
  const over = took.slice(1).map((own) => own.map((ms, round) => ms - took[0]![round]!));
  const ours = over[others.findIndex(({ name }) => name.startsWith(OURS))]!;
  const rows = others.map(({ name }, at): Row => {
    const value = median(over[at]!);
    const row = { name, value, spread: spreadOf(over[at]!) / value };
    return over[at] === ours ? row : { ...row, ours: value / median(ours) };
  });
  return { title: `importing, over an empty program (${median(took[0]!).toFixed(1)} ms)`, unit: "ms", rows };
}

async function start({ name, command, args }: Program): Promise<number> {
  const begin = performance.now();
  const { success, stderr } = await new Deno.Command(command, { args: [...args], stdout: "null" }).output();
  const ms = performance.now() - begin;
  if (!success) throw new Error(`Cannot run the program that imports ${name}: ${new TextDecoder().decode(stderr)}`);
  return ms;
}
