import { assertEquals, assertStringIncludes } from "@std/assert";
import { test } from "node:test";
import { faults, floorOf, importsIn } from "../../tools/check_floors.ts";

/** The only fault of this tree contains each of these. */
function assertFault(files: Record<string, string>, ...said: string[]): void {
  const found = faults(new Map(Object.entries(files)));
  assertEquals(found.length, 1, found.join("\n"));
  for (const words of said) assertStringIncludes(found[0]!, words);
}

function assertSound(files: Record<string, string>): void {
  assertEquals(faults(new Map(Object.entries(files))), []);
}

test("faults() finds nothing in a tree whose imports go down or stay", () => {
  assertSound({
    "mod.ts": 'export { cached } from "./src/cached/cached.ts";\n',
    "src/cached/cached.ts": 'import type { Clock } from "../util/clock.ts";\nimport { names } from "./names.ts";\n',
    "src/cached/names.ts": "export const names = 1;\n",
    "src/util/clock.ts": 'import { channel } from "node:diagnostics_channel";\n',
  });
});

test("faults() refuses an upward import, of a type as well", () => {
  assertFault(
    { "src/store/store.ts": 'import type { Backend } from "../backend/backend.ts";\n', "src/backend/backend.ts": "" },
    "src/store/store.ts (floor 5)",
    "src/backend/backend.ts (floor 6)",
  );
});

test("faults() refuses an upward import inside the driver's own folder", () => {
  assertFault(
    { "src/memcached/protocol/wire.ts": 'export * from "../client.ts";\n', "src/memcached/client.ts": "" },
    "never goes up",
  );
});

test("faults() refuses an upward import that stands in a type or is loaded later", () => {
  const below = { "src/key/key.ts": "" };
  assertFault({ "src/util/clock.ts": 'type K = import("../key/key.ts").Keys;\n', ...below }, "never goes up");
  assertFault({ "src/util/clock.ts": '  const key = await import("../key/key.ts");\n', ...below }, "never goes up");
});

test("faults() refuses a ring on one floor, and shows it", () => {
  assertFault({
    "src/key/a.ts": 'import { b } from "./b.ts";\n',
    "src/key/b.ts": 'import {\n  c,\n} from "./c.ts";\n',
    "src/key/c.ts": 'import { type A, a } from "./a.ts";\n',
  }, "src/key/a.ts -> src/key/b.ts -> src/key/c.ts -> src/key/a.ts");
});

test("faults() lets types on one floor name each other", () => {
  assertSound({
    "src/key/a.ts": 'import { b } from "./b.ts";\n',
    "src/key/b.ts": 'import type { A } from "./a.ts";\n',
  });
});

test("faults() refuses a file that imports itself", () => {
  assertFault({ "src/key/a.ts": 'import { a } from "./a.ts";\n' }, "src/key/a.ts -> src/key/a.ts");
});

test("faults() refuses a file on no floor, and an import of one", () => {
  assertFault({ "src/misc/tools.ts": "" }, "src/misc/tools.ts stands on no floor", "tools/check_floors.ts");
  assertFault({ "src/key/key.ts": 'import { assert } from "../../tests/_assert.ts";\n' }, "tests/_assert.ts");
});

test("faults() refuses packages, URLs, import map names and the runtime's modules", () => {
  for (
    const specifier of ["npm:memjs", "jsr:@std/assert", "@std/assert", "https://a.b/c.ts", "node:net", "/src/a.ts"]
  ) {
    assertFault({ "mod.ts": `import "${specifier}";\n` }, `"${specifier}"`);
    assertFault({ "src/util/clock.ts": `import { a } from "${specifier}";\n` }, `"${specifier}"`);
  }
});

test("faults() refuses to load what no literal names", () => {
  assertFault({ "src/util/clock.ts": "const a = await import(where);\n" }, "no literal");
});

test("faults() refuses a file of src that imports a mod.ts, which the outer mod.ts may", () => {
  assertFault(
    { "src/cached/cached.ts": 'import { Memcached } from "../memcached/mod.ts";\n', "src/memcached/mod.ts": "" },
    "src/memcached/mod.ts, a face",
  );
  assertSound({ "mod.ts": 'export * from "./src/memcached/mod.ts";\n', "src/memcached/mod.ts": "" });
});

test("floorOf() takes the longest line that fits: a folder of the driver stands below the driver", () => {
  assertEquals(floorOf("src/memcached/protocol/meta/read.ts"), 1);
  assertEquals(floorOf("src/memcached/cluster/ring.ts"), 3);
  assertEquals(floorOf("src/memcached/client.ts"), 4);
  assertEquals(floorOf("src/errors.ts"), 0);
  assertEquals(floorOf("src/errors.ts.ts"), undefined);
});

test("importsIn() reads statements and passes over comments", () => {
  assertEquals(
    importsIn(`/**
 * import { a } from "jsr:@x/cache-utils";
import { b } from "./in_a_comment.ts";
 */
import { c } from "./c.ts"; // import("./c_comment.ts")
import type { D } from './d.ts';
import * as e from "./e.ts";
import "./f.ts";
export { g } from "./g.ts";
export const where = "from './nowhere.ts'";
export function from(): void {}
  // import("./also_a_comment.ts")
const url = "memcached://import";
`).map(({ specifier, isType }) => `${specifier}${isType ? " (type)" : ""}`).sort(),
    ["./c.ts", "./d.ts (type)", "./e.ts", "./f.ts", "./g.ts"],
  );
});
