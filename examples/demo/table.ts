/** The cities in SQLite. Nothing here knows of a cache: this is what the cache stands in front of. */
import { readFileSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";

export interface City {
  readonly id: number;
  readonly country: string;
  readonly name: string;
  readonly population: number;
}
export interface Neighbour {
  readonly name: string;
  readonly country: string;
  readonly km: number;
}
export interface Remote {
  readonly name: string;
  readonly nearest: string;
  readonly km: number;
}

export class NoSuchCity extends Error {
  constructor(id: number) {
    super(`No city has the id ${id}`);
    this.name = "NoSuchCity";
  }
}

/** Great-circle distance in km (haversine, mean radius of the earth). Deno's SQLite has no sin or cos of its own. */
function distance(latitude1: number, longitude1: number, latitude2: number, longitude2: number): number {
  const rad = Math.PI / 180;
  const a = Math.sin((latitude2 - latitude1) * rad / 2);
  const b = Math.sin((longitude2 - longitude1) * rad / 2);
  const h = a * a + Math.cos(latitude1 * rad) * Math.cos(latitude2 * rad) * b * b;
  return 2 * 6371 * Math.asin(Math.min(1, Math.sqrt(h)));
}

export class CityTable {
  readonly #db: DatabaseSync;
  readonly #city: StatementSync;
  readonly #nearest: StatementSync;
  readonly #ofCountry: StatementSync;
  readonly #compatriot: StatementSync;
  readonly #population: StatementSync;
  readonly #change: StatementSync;

  /** `file`: ":memory:", or a database file that `fill` has filled before, in this process or another. */
  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    this.#db.exec("PRAGMA busy_timeout = 5000");
    this.#db.function("distance", { deterministic: true }, distance as (...args: unknown[]) => number);
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS city (
        id INTEGER PRIMARY KEY, country TEXT NOT NULL, name TEXT NOT NULL,
        latitude REAL NOT NULL, longitude REAL NOT NULL, population INTEGER NOT NULL);
      CREATE INDEX IF NOT EXISTS city_country ON city (country);`);
    this.#city = this.#db.prepare("SELECT id, country, name, population FROM city WHERE id = ?");
    this.#nearest = this.#db.prepare(`
      SELECT b.name, b.country, round(distance(a.latitude, a.longitude, b.latitude, b.longitude), 1) AS km
      FROM city a JOIN city b ON b.id <> a.id WHERE a.id = ? ORDER BY km, b.id LIMIT ?`);
    this.#ofCountry = this.#db.prepare("SELECT id FROM city WHERE country = ? ORDER BY id");
    this.#compatriot = this.#db.prepare(`
      SELECT a.name, b.name AS nearest, round(distance(a.latitude, a.longitude, b.latitude, b.longitude), 1) AS km
      FROM city a JOIN city b ON b.country = a.country AND b.id <> a.id WHERE a.id = ? ORDER BY km LIMIT 1`);
    this.#population = this.#db.prepare("SELECT sum(population) AS people FROM city");
    this.#change = this.#db.prepare(
      "UPDATE city SET name = coalesce(?, name), population = coalesce(?, population) WHERE id = ?",
    );
  }

  /** Reads the data file into the table. Returns how many cities there are. */
  fill(tsv: URL): number {
    const insert = this.#db.prepare("INSERT INTO city VALUES (?, ?, ?, ?, ?, ?)");
    const lines = readFileSync(tsv, "utf8").trimEnd().split("\n");
    this.#db.exec("BEGIN");
    for (const line of lines) insert.run(...line.split("\t")); // the columns' types turn text into numbers
    this.#db.exec("COMMIT");
    return lines.length;
  }

  city(id: number): City {
    const row = this.#city.get(id);
    if (row === undefined) throw new NoSuchCity(id);
    return { ...row } as unknown as City; // a copy with a prototype: SQLite's rows have none
  }

  /** The cities nearest to this one: a distance for every row of the table. */
  nearest(id: number, limit: number): Neighbour[] {
    this.city(id);
    return this.#nearest.all(id, limit).map((row) => ({ ...row }) as unknown as Neighbour);
  }

  /**
   * The five cities of a country that are farthest from their nearest compatriot: a distance for every pair, 180,000
   * for Brazil. SQLite blocks the event loop while it works, so every twenty cities the loop gets a turn.
   */
  async remote(country: string): Promise<Remote[]> {
    const found: Remote[] = [];
    let done = 0;
    for (const { id } of this.#ofCountry.all(country)) {
      const row = this.#compatriot.get(id as number);
      if (row !== undefined) found.push({ ...row } as unknown as Remote);
      if (++done % 20 === 0) await setImmediate();
    }
    return found.sort((a, b) => b.km - a.km).slice(0, 5);
  }

  /** How many people live in all of them. */
  population(): number {
    return this.#population.get()!.people as number;
  }

  /** Returns the city as it is when the change is committed (a statement of its own is a transaction of its own). */
  change(id: number, change: { name?: string | undefined; population?: number | undefined }): City {
    this.#change.run(change.name ?? null, change.population ?? null, id);
    return this.city(id);
  }

  close(): void {
    this.#db.close();
  }
}
