/** Copies of the library, as two versions in one tree of dependencies are. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Configure from "../../src/cached/configure.ts";
import type * as Library from "../../mod.ts";

const mod = fileURLToPath(new URL("../../mod.ts", import.meta.url));
const configure = fileURLToPath(new URL("../../src/cached/configure.ts", import.meta.url));
const PLACE = Symbol.for("@x/cache-utils.shared");

/**
 * Loads another copy of the library's files. `beside`: what copies share in the realm while it is loaded; `null`:
 * nothing.
 */
export async function copy(
  beside: object | null = Reflect.get(globalThis, PLACE) ?? null,
): Promise<typeof Library & Pick<typeof Configure, "knownDefault" | "defaultBackend">> {
  const folder = await mkdtemp(join(tmpdir(), "x-cache-utils-copy-"));
  const own = Object.getOwnPropertyDescriptor(globalThis, PLACE);
  try {
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await cp(join(dirname(mod), "src"), join(folder, "src"), { recursive: true });
    await cp(mod, join(folder, basename(mod)));
    Reflect.deleteProperty(globalThis, PLACE);
    if (beside !== null) Object.defineProperty(globalThis, PLACE, { value: beside, configurable: true });
    const path = (name: string) => pathToFileURL(join(folder, name)).href;
    return {
      ...await import(path(basename(mod))) as typeof Library,
      ...await import(path(join("src/cached", basename(configure)))) as typeof Configure,
    };
  } finally {
    Reflect.deleteProperty(globalThis, PLACE);
    if (own !== undefined) Object.defineProperty(globalThis, PLACE, own);
    await rm(folder, { recursive: true });
  }
}
