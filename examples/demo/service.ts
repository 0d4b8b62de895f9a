/** The web service: a repository whose methods are cached, and HTTP in front of it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Cached, cached, type GroupBackend, handle, invalidateGroup } from "@x/cache-utils";
import type { Journal } from "./journal.ts";
import { type City, type CityTable, type Neighbour, NoSuchCity, type Remote } from "./table.ts";

/** The repository. Each method is cached under its own key; the groups say which writes it must not outlive. */
export class Atlas {
  readonly #table: CityTable;
  readonly #journal: Journal;

  constructor(table: CityTable, journal: Journal) {
    this.#table = table;
    this.#journal = journal;
  }

  /** A neighbour may live in any country, so these belong to all cities. */
  @cached({ ttl: "10m", group: "cities" })
  async nearest(id: number, limit: number): Promise<Neighbour[]> {
    return await this.#journal.computing(`nearest(${id}, ${limit})`, () => this.#table.nearest(id, limit));
  }

  /** It depends on the cities of one country alone: a group derived from the argument. */
  @cached({ ttl: "10m", group: (country: string) => `country:${country}` })
  async remote(country: string): Promise<Remote[]> {
    return await this.#journal.computing(`remote("${country}")`, () => this.#table.remote(country));
  }

  /** One row by its id costs less than a read of a cache. */
  city(id: number): City {
    return this.#table.city(id);
  }

  /** Invalidates AFTER the commit: before it, another caller could still read, and keep, what is about to change. */
  async change(id: number, change: { name?: string; population?: number }): Promise<City> {
    const city = this.#table.change(id, change);
    await invalidateGroup("cities", `country:${city.country}`);
    return city;
  }
}

/** How long the number of people is fresh. Short, so that the tour sees it become stale. */
export const populationTtlMs = 2_000;

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}
const json = (body: unknown): Answer => ({ status: 200, body });

export class Service {
  readonly #atlas: Atlas;
  readonly #journal: Journal;
  readonly #backend: GroupBackend;
  /**
   * A plain function, wrapped. No group: it may lag behind a write by its ttl, and is served stale while one caller
   * refreshes it.
   */
  readonly #population: Cached<() => Promise<number>>;
  readonly #server: Server;

  constructor(table: CityTable, journal: Journal, backend: GroupBackend) {
    this.#atlas = new Atlas(table, journal);
    this.#journal = journal;
    this.#backend = backend;
    this.#population = cached(() => journal.computing("population()", () => table.population()), {
      name: "population",
      ttl: `${populationTtlMs}ms`,
      stale: "1m",
    });
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** The URL it listens on. Port 0, or a port that is taken: any free one. */
  async listen(port: number): Promise<string> {
    const server = this.#server;
    const once = (port: number) =>
      new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, "127.0.0.1", () => (server.off("error", reject), resolve()));
      });
    await once(port).catch(() => once(0));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#route(request);
    } catch (error) {
      const status = error instanceof NoSuchCity ? 404 : 500;
      answer = { status, body: { error: error instanceof Error ? error.message : String(error) } };
    }
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body, null, 1) + "\n");
  }

  async #route(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const [kind, id = "", what = ""] = url.pathname.slice(1).split("/").map(decodeURIComponent);
    const route = `${request.method} ${kind}/${what}`;
    if (route === "GET cities/nearest" || route === "DELETE cities/nearest") {
      const limit = Number(url.searchParams.get("limit") ?? 5);
      return await this.#verb(handle(this.#atlas, "nearest"), [Number(id), limit], request);
    }
    if (route === "GET countries/remote" || route === "DELETE countries/remote") {
      return await this.#verb(handle(this.#atlas, "remote"), [id.toUpperCase()], request);
    }
    if (route === "GET population/") return await this.#verb(this.#population, [], request);
    if (route === "GET cities/") return json(this.#atlas.city(Number(id)));
    if (route === "PATCH cities/") return json(await this.#atlas.change(Number(id), JSON.parse(await textOf(request))));
    if (route === "GET stats/") return json(this.#backend.stats);
    if (route === "GET journal/") return json(this.#journal.since(Number(url.searchParams.get("since") ?? 0)));
    return { status: 404, body: { error: `No ${request.method} ${url.pathname} here` } };
  }

  /** HTTP has words for the verbs of a cached function: DELETE invalidates, no-cache refreshes, only-if-cached peeks. */
  async #verb<A extends unknown[], R>(
    fn: Cached<(...args: A) => Promise<R>>,
    args: A,
    request: IncomingMessage,
  ): Promise<Answer> {
    if (request.method === "DELETE") {
      await fn.invalidate(...args);
      return { status: 204 };
    }
    const control = request.headers["cache-control"];
    if (control === "only-if-cached") {
      const kept = await fn.peek(...args);
      return kept === undefined ? { status: 504, body: { error: "Nothing is kept" } } : json(kept);
    }
    return json(control === "no-cache" ? await fn.refresh(...args) : await fn(...args));
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}
