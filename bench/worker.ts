/** One case in one runtime: `worker.ts NAME SETTING`. Prints each table as a line of JSON. */

import process from "node:process";
import type { Case, Setting } from "./case.ts";

const cases: Record<string, () => Promise<Case>> = {
  driver: async () => (await import("./cases/driver.ts")).driver,
  memory: async () => (await import("./cases/memory.ts")).memory,
  scale: async () => (await import("./cases/scale.ts")).scale,
  grouped: async () => (await import("./cases/grouped.ts")).grouped,
};

const [name, setting] = process.argv.slice(2);
const run = await cases[name!]!();
await run({ ...JSON.parse(setting!) as Omit<Setting, "tell">, tell: (table) => console.log(JSON.stringify(table)) });
// Some of the others keep a timer or a socket for ever.
process.exit(0);
