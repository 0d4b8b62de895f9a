/**
 * One real process of a fleet, ordered by lines of JSON on stdin. Its function computes until an order ends it,
 * so that no test needs to know how long anything takes.
 *
 *     in   {id, verb, key?, groups?, value?}    out  {id, value?, error?}  and  {computing: key}
 *
 * Its argument says what its backend is like, as JSON: {server, protocol, mintDelay, timeout}.
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { GroupBackend, MemcachedStore } from "@x/cache-utils";

interface Order {
  readonly id: number;
  readonly verb:
    | "fetch"
    | "refresh"
    | "get"
    | "set"
    | "setStale"
    | "delete"
    | "invalidateGroup"
    | "end"
    | "stats"
    | "close";
  readonly key: string;
  readonly groups?: string[];
  readonly value?: unknown;
  readonly callers?: number;
}

const { server, protocol, mintDelay, timeout } = JSON.parse(process.argv[2]!);
const store = new MemcachedStore(server, { timeout, connectTimeout: timeout, protocol });
const backend = new GroupBackend({
  store,
  project: "fleet",
  version: 7,
  ttl: 300,
  stale: 60,
  mintDelay,
  storeTimeout: timeout,
});
const ends = new Map<string, (value: unknown) => void>();
const say = (line: unknown): void => void process.stdout.write(JSON.stringify(line) + "\n");

const compute = (key: string) => (): Promise<unknown> => {
  say({ computing: key });
  return new Promise((resolve) => ends.set(key, resolve));
};

async function obey({ verb, key, groups, value, callers = 1 }: Order): Promise<unknown> {
  const group = groups ?? [];
  switch (verb) {
    case "fetch":
      return await Promise.all(Array.from({ length: callers }, () => backend.fetch(key, compute(key), { group })));
    case "refresh":
      return await backend.fetch(key, compute(key), { group, force: true });
    case "get":
      return await backend.get(key, { group }) ?? null;
    case "set":
      return await backend.set(key, value, { group });
    case "setStale":
      await backend.set(key, value, { group, ttl: "1ms" });
      // It was kept before this moment, so it is stale once the clock has gone on by as much.
      for (const kept = Date.now(); Date.now() <= kept + 1;) await sleep(1);
      return;
    case "delete":
      return await backend.delete(key);
    case "invalidateGroup":
      return await backend.invalidateGroup(...group);
    case "end":
      ends.get(key)?.(value);
      return ends.delete(key);
    case "stats":
      return backend.stats;
    case "close":
      return await backend.close();
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line) as Order;
  obey(order).then(
    (value) => say({ id: order.id, value }),
    (error) => say({ id: order.id, error: String(error) }),
  );
}).on("close", () => process.exit(0));
say({ ready: true });
