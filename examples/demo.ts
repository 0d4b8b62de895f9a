/**
 * A small web service over 8,713 real cities, cached, that shows what it does:
 *
 *     deno task demo                                  everything in this process, no server needed
 *     deno task demo memcached://127.0.0.1:11211      four processes that share a memcached and a database file
 *     deno task demo --once                           end after the tour (exit code 1 if a promise was not kept)
 *     bun examples/demo.ts                            the same under Bun
 *
 * What it may do, in Deno (`deno task demo` runs exactly this, from the project's folder):
 *
 *     deno run --allow-net=127.0.0.1 --allow-read=examples --allow-write=examples/.demo \
 *       --allow-env=NODE_V8_COVERAGE "--allow-run=$(deno eval 'console.log(Deno.execPath())')" examples/demo.ts
 *
 * --allow-net: its own HTTP server, and the memcached. --allow-read: cities.tsv. The other three only for the four
 * processes: --allow-write for the database file they share, --allow-run for the runtime that runs already, and
 * --allow-env for the one variable that Deno's node:child_process reads.
 */
import { mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { configure, type GroupBackend } from "@x/cache-utils";
import { startMember, untilLetGo } from "./demo/fleet.ts";
import { Journal, lineOf } from "./demo/journal.ts";
import { Service } from "./demo/service.ts";
import { CityTable } from "./demo/table.ts";
import { Disappointment, Tour } from "./demo/tour.ts";

const usage = "demo.ts [memory:///... | memcached://host:port/...] [--once]";
const members = 4;

/** One of the others in the fleet: it prints its URL, serves, and ends when its starter lets go of it. */
async function member(url: string, file: string): Promise<void> {
  process.on("SIGINT", () => {}); // Ctrl-C reaches the whole fleet: the first process ends the others
  const table = new CityTable(file);
  const journal = new Journal();
  await using backend = configure(url);
  journal.follow(backend);
  const service = new Service(table, journal, backend);
  console.log(await service.listen(0));
  await untilLetGo();
  await service.close();
  table.close();
}

async function main(given: string, once: boolean): Promise<void> {
  const shared = given.startsWith("memcached");
  const url = shared ? withLongTimeouts(given) : given;
  const folder = new URL("./.demo/", import.meta.url);
  const file = shared ? fileURLToPath(new URL(`cities-${process.pid}.sqlite`, folder)) : ":memory:";
  const stopped = new Promise<"stopped">((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => resolve("stopped"));
  });
  await using stack = new AsyncDisposableStack();

  const backend = stack.use(configured(url));
  if (shared) await reach(backend);
  const journal = new Journal();
  journal.follow(backend);

  if (shared) {
    mkdirSync(folder, { recursive: true });
    stack.defer(() => {
      rmSync(file, { force: true });
      if (readdirSync(folder).length === 0) rmdirSync(folder);
    });
  }
  const table = stack.adopt(new CityTable(file), (table) => table.close());
  const count = table.fill(new URL("./cities.tsv", import.meta.url));
  const service = stack.adopt(new Service(table, journal, backend), (service) => service.close());
  const urls = [await service.listen(once ? 0 : 8000)];
  if (shared) {
    const starting = Array.from(
      { length: members - 1 },
      () => startMember(new URL(import.meta.url), ["--member", url, file], hostsIn(url)),
    );
    const settled = await Promise.allSettled(starting);
    for (const each of settled) if (each.status === "fulfilled") stack.defer(() => each.value.stop());
    for (const each of settled) {
      if (each.status === "rejected") throw each.reason;
      urls.push(each.value.url);
    }
  }
  console.log(
    `${count} cities in SQLite, ${
      shared ? `${members} processes (A to D) on one memcached` : "cached in this process"
    }.`,
  );

  if (await Promise.race([new Tour(urls).run(), stopped]) === "stopped") return;
  console.log("\nEvery promise was kept.");
  if (once) return;

  console.log(`
Serving on ${urls.join(" ")} until you stop it (Ctrl-C). Try:
    curl '${urls[0]}/cities/2950159/nearest?limit=3'
    curl -H 'cache-control: only-if-cached' ${urls[0]}/countries/jp/remote
    curl ${urls[0]}/countries/jp/remote
    curl -X PATCH -d '{"name": "Edo"}' ${urls[0]}/cities/1850147
    curl -X DELETE ${urls[0]}/countries/jp/remote
    curl ${urls[0]}/stats
`);
  journal.watch = (happening) => console.log(lineOf(happening));
  console.log(await stopped);
}

/**
 * Four processes share this machine, and each computes for a while in its own event loop. On a slow machine the store's
 * answers would come later than the default timeouts, and every call would compute as if the store were down: so they
 * wait longer, unless the URL says how long.
 */
function withLongTimeouts(url: string): string {
  const asked = ["storeTimeout=5s", "timeout=10s"].filter((pair) => !url.includes(pair.split("=")[0]!));
  return asked.reduce((url, pair) => `${url}${url.includes("?") ? "&" : "?"}${pair}`, url);
}

/** The backend of a URL; what is wrong with it is shown without a stack. */
function configured(url: string): GroupBackend {
  try {
    return configure(url);
  } catch (error) {
    throw new Disappointment(`${(error as Error).message}\nUsage: ${usage}`);
  }
}

/** Says at once that a server is not there. An invalidation rejects unless it was confirmed, so it is a fine probe. */
async function reach(backend: GroupBackend): Promise<void> {
  try {
    await backend.invalidateGroup("cities");
  } catch (error) {
    const { message, cause } = error as Error;
    throw new Disappointment(
      `Cannot reach the memcached: ${cause instanceof Error ? cause.message : message}\n` +
        "Is one running there? To start one here: memcached -l 127.0.0.1 -p 11211\n" +
        "For one on another machine give the demo its permission: deno run -A examples/demo.ts memcached://host:port",
    );
  }
}

/** "memcached://10.0.0.1:11211,10.0.0.2/?project=shop" -> both hosts, with their ports. */
function hostsIn(url: string): string[] {
  const hosts = /^memcached:\/\/([^/?]*)/.exec(url)?.[1] ?? "";
  return hosts.split(",").filter((host) => host !== "").map((host) => /:\d+$/.test(host) ? host : `${host}:11211`);
}

/** With a project of its own, so that what another run kept on the same server is not found. */
function ofThisRun(url: string): string {
  if (/[?&]project=/.test(url)) return url;
  return `${url}${url.includes("?") ? "&" : "?"}project=demo${process.pid}`;
}

const args = process.argv.slice(2);
try {
  if (args[0] === "--member") await member(args[1]!, args[2]!);
  else {
    const urls = args.filter((arg) => !arg.startsWith("--"));
    if (urls.length > 1 || args.some((arg) => arg.startsWith("--") && arg !== "--once")) {
      throw new Disappointment(`Usage: ${usage}`);
    }
    await main(urls[0] === undefined ? "memory:///?project=demo" : ofThisRun(urls[0]), args.includes("--once"));
  }
} catch (error) {
  console.error(error instanceof Disappointment ? `\n${error.message}` : error);
  process.exitCode = 1;
}
