/**
 * Keeps the house standing: an import (of a type, too) only ever goes down or stays on its floor, and what runs is
 * imported in no ring. Types may name each other.
 *
 *     deno run --allow-read tools/check_floors.ts [root]
 */

/** From the ground up: a folder stands with all that is in it, unless a longer line names a folder of its own for that. */
export const floors: readonly (readonly string[])[] = [
  ["src/errors.ts", "src/util/"],
  ["src/data/", "src/socket/", "src/memcached/protocol/"],
  ["src/codec/", "src/key/", "src/memcached/connection/"],
  ["src/memcached/cluster/"],
  ["src/memcached/"],
  ["src/store/"],
  ["src/backend/"],
  ["mod.ts", "src/cached/", "src/testing/"],
];

/** Modules of the runtime that may be loaded by name: they cost Deno 4 ms, where `builtin()` costs 14 to 19. */
const byName: readonly string[] = ["node:diagnostics_channel", "node:async_hooks"];

/** What a statement imports. `isType`: it is gone when the program runs. */
export interface Import {
  readonly specifier: string;
  readonly isType: boolean;
}

/** What is wrong with these files (path from the root -> text), one sentence each; empty: nothing. */
export function faults(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const imports = new Map<string, string[]>();
  for (const [path, text] of files) {
    const floor = floorOf(path);
    if (floor === undefined) {
      found.push(`${path} stands on no floor: name it in \`floors\` of tools/check_floors.ts`);
    }
    const targets: string[] = [];
    for (const { specifier, isType } of importsIn(text)) {
      if (!specifier.startsWith("./") && !specifier.startsWith("../")) {
        if (!byName.includes(specifier)) {
          found.push(
            `${path} imports "${specifier}": import by relative path, or load it by builtin() of src/util/builtin.ts`,
          );
        }
        continue;
      }
      const target = resolve(path, specifier);
      if (!isType) targets.push(target);
      if (path.startsWith("src/") && /(^|\/)mod\.ts$/.test(target)) {
        found.push(`${path} imports ${target}, a face: import the file that has what you need`);
      }
      const below = floorOf(target);
      if (below === undefined) {
        if (!files.has(target)) found.push(`${path} imports ${target}, which stands on no floor`);
      } else if (floor !== undefined && below > floor) {
        found.push(`${path} (floor ${floor}) imports ${target} (floor ${below}): an import never goes up`);
      }
    }
    imports.set(path, targets);
  }
  for (const ring of ringsIn(imports)) {
    found.push(`${ring.join(" -> ")} is a ring: move what they share to its own file`);
  }
  return found;
}

/** Which floor a file stands on: that of the longest line which it begins with. */
export function floorOf(path: string): number | undefined {
  let floor: number | undefined, longest = 0;
  floors.forEach((lines, n) => {
    for (const line of lines) {
      if (line.length > longest && (line.endsWith("/") ? path.startsWith(line) : path === line)) {
        [floor, longest] = [n, line.length];
      }
    }
  });
  return floor;
}

/**
 * What a file imports: `import`, `export … from`, and `import("…")` in code and in types. It reads text, not a syntax
 * tree: that is enough for formatted files, where a statement begins in column 0. An `import(…)` of anything but a
 * literal is given as its text, which no rule allows.
 */
export function importsIn(text: string): Import[] {
  const code = text.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, "").replace(/(^|\s)\/\/.*$/gm, "$1");
  const found: Import[] = [];
  for (const [, type, from] of code.matchAll(/^(?:import|export)\b( type\b)?[^"';=]*?\bfrom\s*["']([^"'\n]+)["']/gm)) {
    found.push({ specifier: from!, isType: type !== undefined });
  }
  for (const [, specifier] of code.matchAll(/^import\s*["']([^"'\n]+)["']/gm)) {
    found.push({ specifier: specifier!, isType: false });
  }
  for (const [, literal, other] of code.matchAll(/\bimport\(\s*(?:["']([^"'\n]+)["']|([^)]*))/g)) {
    found.push({ specifier: literal ?? `${other!.trim()} (no literal)`, isType: false });
  }
  return found;
}

function resolve(from: string, specifier: string): string {
  // The host is never seen: what counts is the path. One level too far up stays at the root, as in every URL.
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** Each ring once, beginning and ending with the same file. */
function ringsIn(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const rings: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (file: string): void => {
    const at = path.indexOf(file);
    if (at !== -1) {
      rings.push([...path.slice(at), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const target of imports.get(file) ?? []) walk(target);
    path.pop();
    done.add(file);
  };
  for (const file of imports.keys()) walk(file);
  return rings;
}

async function filesUnder(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const read = async (path: string): Promise<void> => {
    files.set(path, await Deno.readTextFile(`${root}/${path}`));
  };
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(`${root}/${folder}`)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else if (entry.name.endsWith(".ts")) await read(path);
    }
  };
  await read("mod.ts");
  await walk("src");
  return files;
}

if (import.meta.main) {
  const files = await filesUnder(Deno.args[0] ?? ".");
  const found = faults(files).sort();
  for (const fault of found) console.error(fault);
  console.log(`floors: ${files.size} files, ${found.length} faults`);
  if (found.length > 0) Deno.exit(1);
}
