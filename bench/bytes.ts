/** How much an import reads: the files that it names without condition, and the same bundled and minified. */

import { esbuild } from "../tools/node_suite.ts";
import { type Kind, OURS, type Row, type Table } from "./measure.ts";
import { packages } from "./packages.ts";
import { facesIn } from "./runtimes.ts";

interface Import {
  readonly path: string;
  readonly kind: string;
  readonly external?: boolean;
}

/** Of what esbuild tells about a bundle, what is asked here. */
export interface Metafile {
  readonly inputs: Readonly<Record<string, { readonly bytes: number; readonly imports: readonly Import[] }>>;
  readonly outputs: Readonly<
    Record<string, { readonly bytes: number; readonly imports: readonly Import[]; readonly entryPoint?: string }>
  >;
}

export const BYTES_READ = "bytes that an import reads";
export const BYTES_MINIFIED = "bytes of an import, bundled and minified";

/** The same for every runtime: all are taken as npm installs them. */
export async function importBytes(packed: string, peers: string): Promise<Table[]> {
  const [all, driver] = facesIn(packed);
  const entries: { name: string; kind: Kind; path: string }[] = [];
  const entry = async (name: string, kind: Kind, folder: string, target: string) => {
    const path = `${folder}/bytes-${entries.length}.mjs`;
    // All of it is used: a bundler leaves nothing out.
    await Deno.writeTextFile(path, `export * from "${target}";\n`);
    entries.push({ name, kind, path });
  };
  await entry(OURS, "ours", packed, all);
  await entry("its driver alone", "variant", packed, driver);
  for (const name of Object.keys(packages)) await entry(name, "peer", peers, name);

  const told = `${packed}/bytes.json`;
  // Splitting keeps what is imported later, if at all, in files of its own.
  const options = ["--bundle", "--splitting", "--minify", `--outdir=${packed}/bytes`, `--metafile=${told}`];
  await esbuild([...options, ...entries.map(({ path }) => path)]);
  const metafile = JSON.parse(await Deno.readTextFile(told)) as Metafile;

  const table = (title: string, count: (metafile: Metafile, ending: string) => number): Table => {
    const counted = entries.map(({ path }) => count(metafile, path.slice(path.lastIndexOf("/"))));
    const rows = entries.map(({ name, kind }, at): Row => ({
      name,
      kind,
      value: counted[at]!,
      spread: 0,
      ...(at === 0 ? {} : { ours: counted[at]! / counted[0]!, oursSpread: 0 }),
    }));
    return { title, unit: "bytes", rows };
  };
  for (const { path } of entries) if (!path.startsWith(packed)) await Deno.remove(path);
  return [table(BYTES_READ, bytesRead), table(BYTES_MINIFIED, bytesBundled)];
}

/** The sum of the files behind the entry, which itself does not count. */
export function bytesRead({ inputs }: Metafile, ending: string): number {
  const entry = Object.keys(inputs).find((path) => path.endsWith(ending))!;
  return sum(inputs, entry) - inputs[entry]!.bytes;
}

/** The sum of the bundled files that the entry needs at once. */
export function bytesBundled({ outputs }: Metafile, ending: string): number {
  const entry = Object.keys(outputs).find((path) => outputs[path]!.entryPoint?.endsWith(ending))!;
  return sum(outputs, entry);
}

/** A dynamic import is not read by an import. */
const AT_ONCE = ["import-statement", "require-call"];

function sum(
  files: Readonly<Record<string, { readonly bytes: number; readonly imports: readonly Import[] }>>,
  from: string,
): number {
  const seen = new Set([from]);
  let bytes = 0;
  for (const path of seen) {
    const file = files[path];
    if (file === undefined) continue;
    bytes += file.bytes;
    for (const { path, kind, external } of file.imports) if (!external && AT_ONCE.includes(kind)) seen.add(path);
  }
  return bytes;
}
