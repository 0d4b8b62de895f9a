import { expect, test } from "bun:test";

test("@cached works under experimentalDecorators", () => {
  const { stdout, stderr } = Bun.spawnSync([
    process.execPath,
    `--tsconfig-override=${import.meta.dir}/legacy/tsconfig.json`,
    `${import.meta.dir}/legacy/cities.ts`,
  ]);
  expect(stderr.toString()).toBe("");
  expect(stdout.toString().trim().split("\n")).toEqual([
    "decorated with 3 arguments",
    "bare",
    'City(7).bare("hot") hot of 7 undefined undefined',
    'City(7).timed("hot") hot of 7 60 cities',
    'City(7).optioned("hot") hot of 7 300 hot',
    "City.all(1) 11 undefined undefined",
    'City(7).timed("hot") City(7).optioned("hot")',
  ]);
});
