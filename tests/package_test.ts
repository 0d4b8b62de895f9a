import { assertEquals, assertExists } from "@std/assert";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Record<string, string>;
}

async function text(name: string): Promise<string> {
  return await readFile(new URL(`../${name}`, import.meta.url), "utf8");
}

async function json(name: string): Promise<Package> {
  return JSON.parse(await text(name)) as Package;
}

test("deno.json and jsr.json describe one package", async () => {
  const { name, version, license, exports } = await json("deno.json");
  assertEquals(await json("jsr.json"), { name, version, license, exports });
});

test("the changelog's top version is the package's", async () => {
  const top = /^## (\d+\.\d+\.\d+)/m.exec(await text("CHANGELOG.md"));
  assertExists(top, "CHANGELOG.md needs a heading such as `## 1.0.0`");
  assertEquals(top[1], (await json("deno.json")).version);
});

test("the license's file is the license that is named", async () => {
  assertEquals((await text("LICENSE")).split(" ")[0], (await json("deno.json")).license);
});

test("Bun and editors resolve each entry point to the file that Deno does", async () => {
  const { name, exports } = await json("deno.json");
  // A line comment is all that tsconfig.json has beyond JSON.
  const { compilerOptions } = JSON.parse((await text("tsconfig.json")).replace(/^\s*\/\/.*$/gm, "")) as {
    compilerOptions: { paths: Record<string, string[]> };
  };
  for (const [face, file] of Object.entries(exports)) {
    const specifier = `${name}${face.slice(1)}`;
    assertEquals(compilerOptions.paths[specifier], [file]);
    assertEquals(compilerOptions.paths[`jsr:${specifier}`], [file]);
  }
});
