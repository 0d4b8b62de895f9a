/** What importing costs, here and of the others: time, and the bytes that are read for it. */

import { OURS } from "./measure.ts";
import type { Table } from "./measure.ts";
import { packages } from "./packages.ts";
import type { Runtime } from "./runtimes.ts";
import { type Program, starts } from "./starts.ts";

export const IMPORT_TIME = "importing, beyond an empty program";

/** The time: whole processes. */
export async function importTime(runtime: Runtime, peers: string, folder: string, rounds: number): Promise<Table> {
  const program = async (name: string, kind: Program["kind"], where: string, code: string): Promise<Program> => {
    const path = `${where}/import ${name.replaceAll("/", " ")}.mjs`;
    await Deno.writeTextFile(path, code);
    return { name, kind, command: runtime.command, args: [...runtime.before, path] };
  };
  const [all, driver] = runtime.faces;
  return await starts(IMPORT_TIME, await program("an empty program", "floor", folder, ""), [
    await program(OURS, "ours", folder, `import "${all}";\n`),
    await program("its driver alone", "variant", folder, `import "${driver}";\n`),
    // These lie where their packages are found.
    ...await Promise.all(Object.keys(packages).map((name) => program(name, "peer", peers, `import "${name}";\n`))),
  ], rounds);
}
