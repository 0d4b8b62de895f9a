/** Draws the plots of a run: `draw.ts RESULT.json FOLDER-OF-VEGA OUTPUT-FOLDER`. */

import { load } from "./packages.ts";
import { plotsOf } from "./plots.ts";
import type { Result } from "./result.ts";

interface VegaLite {
  compile(spec: object): { readonly spec: object };
}

interface Vega {
  parse(spec: object): object;
  readonly View: new (runtime: object, options: { renderer: "none" }) => { toSVG(): Promise<string> };
}

const [path, folder, output] = Deno.args;
const result = JSON.parse(await Deno.readTextFile(path!)) as Result;
const { compile } = await load<VegaLite>(folder!, "vega-lite");
const { parse, View } = await load<Vega>(folder!, "vega");
await Deno.mkdir(output!, { recursive: true });
for (const { name, spec } of plotsOf(result)) {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  await Deno.writeTextFile(`${output}/${name}.svg`, `${await view.toSVG()}\n`);
}
