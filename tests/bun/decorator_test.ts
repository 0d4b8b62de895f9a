import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const path = (name: string): string => fileURLToPath(new URL(`./legacy/${name}`, import.meta.url));

test("@cached works under experimentalDecorators", () => {
  const args = [`--tsconfig-override=${path("tsconfig.json")}`, path("cities.ts")];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout.trim().split("\n")).toEqual([
    "decorated with 3 arguments",
    "bare",
    'City(7).bare("hot") hot of 7 undefined undefined',
    'City(7).timed("hot") hot of 7 60 cities',
    'City(7).optioned("hot") hot of 7 300 hot',
    "City.all(1) 11 undefined undefined",
    'City(7).timed("hot") City(7).optioned("hot")',
  ]);
});
