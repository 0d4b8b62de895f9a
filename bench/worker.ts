/** One case in one runtime: `worker.ts NAME SETTING`. Prints each table as a line of JSON. */

import process from "node:process";
import type { Case, Setting } from "./case.ts";
import { race } from "./measure.ts";

const cases: Record<string, () => Promise<Case>> = {
  driver: async () => (await import("./cases/driver.ts")).driver,
  memory: async () => (await import("./cases/memory.ts")).memory,
  grouped: async () => (await import("./cases/grouped.ts")).grouped,
  "grouped-meta": async () => (await import("./cases/grouped.ts")).groupedMeta,
  heap: async () => (await import("./cases/heap.ts")).heap,
  kept: async () => (await import("./cases/kept.ts")).kept,
  pair: async () => (await import("./cases/pair.ts")).pair,
  scale: async () => (await import("./cases/scale.ts")).scale,
};

const [name, text] = process.argv.slice(2);
const setting = JSON.parse(text!) as Setting;
const run = await cases[name!]!();
const wants = (title: string) => setting.only === undefined || title.includes(setting.only);
const tell = (table: object) => console.log(JSON.stringify(table));
await run({
  ...setting,
  wants,
  tell,
  async race(title, unit, contenders, missing = []) {
    if (!wants(title)) return;
    tell({ ...await race(title, unit, contenders, setting.pace), ...(missing.length === 0 ? {} : { missing }) });
  },
});
// Some of the others keep a timer or a socket for ever.
process.exit(0);
