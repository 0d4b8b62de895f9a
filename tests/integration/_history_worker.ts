/**
 * One real process whose history is checked. A ticket, drawn by `incr` from a server that stays undisturbed, orders what
 * different processes do, without any clock. The "database" is there, too: a counter a key, its version.
 *
 *     in   {"reads": 1000}      out  ["read", key, ticket before, version]  ["invalidated", key, ticket after, version]  "done"
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { systemClock } from "../../src/util/clock.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";

/** How a process of the history works. */
export interface Course {
  readonly cache: string;
  readonly tickets: string;
  readonly protocol: "binary" | "meta";
  /** "plain": get, compute, set, as everybody writes it, for the control. */
  readonly kind: "ours" | "plain";
  readonly seed: number;
  /** How wrong this process's clock is. */
  readonly skewMs: number;
  readonly keys: number;
  readonly callers: number;
}

interface Cache {
  fetch(key: string, group: string, compute: () => Promise<number>): Promise<number>;
  invalidate(key: string, group: string, whole: boolean): Promise<void>;
}

const GROUPS = 3;
const TTL_SECONDS = 1;

function ours({ cache, protocol, skewMs }: Course): Cache {
  const backend = new GroupBackend({
    store: new MemcachedStore(cache, { protocol, timeout: "300ms" }),
    project: "history",
    ttl: "300ms",
    stale: "300ms",
    clock: { ...systemClock, now: () => Date.now() + skewMs },
  });
  return {
    fetch: (key, group, compute) => backend.fetch(key, compute, { group }),
    invalidate: (key, group, whole) => whole ? backend.invalidateGroup(group) : backend.delete(key),
  };
}

function plain({ cache, protocol }: Course): Cache {
  const client = new Memcached(cache, { protocol, timeout: "300ms" });
  return {
    fetch: async (key, _, compute) => {
      const found = await client.get(key).catch(() => undefined);
      if (found !== undefined) return Number(found.text());
      const value = await compute();
      await client.set(key, String(value), { ttl: TTL_SECONDS }).catch(() => {});
      return value;
    },
    invalidate: async (key) => void await client.delete(key),
  };
}

async function caller(course: Course, cache: Cache, tickets: Memcached, random: SeededRandom, reads: number) {
  const ticket = async () => Number(await tickets.incr("ticket"));
  const pick = (most: number) => Math.floor(random.fraction() * most);
  const lines: string[] = [];
  const flush = () => {
    if (lines.length > 0) process.stdout.write(lines.splice(0).join("\n") + "\n");
  };
  for (let n = 0; n < reads;) {
    const number = pick(course.keys);
    const key = `k${number}`, group = `g${number % GROUPS}`;
    if (random.fraction() < 0.9) {
      const began = await ticket();
      const delay = pick(4) === 0 ? pick(30) : 0;
      const version = await cache.fetch(key, group, async () => {
        const seen = Number((await tickets.get(`db:${key}`))!.text());
        await sleep(delay); // what was read grows old before it is returned
        return seen;
      });
      lines.push(JSON.stringify(["read", number, began, version]));
      n++;
    } else {
      const whole = pick(3) === 0;
      const version = Number(await tickets.incr(`db:${key}`));
      const done = await cache.invalidate(key, group, whole).then(() => true, () => false);
      if (done) lines.push(JSON.stringify(["invalidated", number, await ticket(), version]));
    }
    if (lines.length >= 50) flush();
  }
  flush();
}

const course = JSON.parse(process.argv[2]!) as Course;
const tickets = new Memcached(course.tickets);
const cache = course.kind === "ours" ? ours(course) : plain(course);
const random = new SeededRandom(course.seed);
for await (const line of createInterface({ input: process.stdin })) {
  const { reads } = JSON.parse(line) as { reads: number };
  const share = Math.ceil(reads / course.callers);
  await Promise.all(Array.from({ length: course.callers }, () => caller(course, cache, tickets, random, share)));
  process.stdout.write('"done"\n');
}
