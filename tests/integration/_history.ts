/** Several real processes on one memcached under chaos, and a check of everything that they saw. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Memcached } from "@x/cache-utils/memcached";
import { SeededRandom } from "../../src/testing/seeded_random.ts";
import { freshServer, type Server } from "../_memcached.ts";
import { LastWords } from "./_last_words.ts";
import { commandOf } from "./_processes.ts";
import type { Course } from "./_history_worker.ts";

/** What is run. */
export interface Plan {
  readonly protocol: "binary" | "meta";
  readonly kind: "ours" | "plain";
  /** By all processes together. */
  readonly reads: number;
  readonly seed: number;
  /** Stop, kill and restart the server, evict from it, kill processes. */
  readonly chaos: boolean;
}

/** What came of it. */
export interface History {
  readonly reads: number;
  readonly invalidations: number;
  /** Reads that began after an invalidation had resolved and returned an older version, as text. */
  readonly stale: readonly string[];
  /** What was done to them, by kind. */
  readonly blows: ReadonlyMap<string, number>;
}

const KEYS = 24;
const CALLERS = 8;
/** Two of four clocks are wrong. */
const SKEWS = [0, -3000, 0, 7000];
const RUNTIMES = ["deno", "bun", "deno", "bun"] as const;
const WORKER = fileURLToPath(new URL("./_history_worker.ts", import.meta.url));

type Line = "done" | readonly [kind: "read" | "invalidated", key: number, ticket: number, version: number];

/** Runs a plan and checks what was seen. Ends its servers and processes. */
export async function runHistory(plan: Plan): Promise<History> {
  await using cache = await freshServer();
  await using quiet = await freshServer();
  await using tickets = new Memcached(quiet.address);
  await tickets.incr("ticket", 0, { initial: 0 });
  for (let n = 0; n < KEYS; n++) await tickets.incr(`db:k${n}`, 0, { initial: 1 });
  const lines: Line[] = [];
  const blows = new Map<string, number>();
  const random = new SeededRandom(plan.seed);
  const share = Math.ceil(plan.reads / RUNTIMES.length);
  const running = RUNTIMES.map((runtime, n) => {
    const course = { cache: cache.address, tickets: quiet.address, protocol: plan.protocol, kind: plan.kind };
    return new Runner(
      runtime,
      { ...course, seed: plan.seed + n, skewMs: SKEWS[n]!, keys: KEYS, callers: CALLERS },
      lines,
    );
  });
  try {
    const ended = Promise.all(running.map((runner) => runner.run(share)));
    let over = false;
    ended.finally(() => over = true).catch(() => {});
    if (plan.chaos) await strike(cache, running, random, blows, () => over);
    await ended;
  } finally {
    for (const runner of running) runner.stop();
  }
  return { ...check(lines), blows };
}

/** A process, started again where it was killed, until its reads are done. */
class Runner {
  readonly #runtime: "deno" | "bun";
  readonly #course: Course;
  readonly #lines: Line[];
  #child: ChildProcess | undefined;
  #left = 0;
  #generation = 0;
  #killed = false;

  constructor(runtime: "deno" | "bun", course: Course, lines: Line[]) {
    this.#runtime = runtime;
    this.#course = course;
    this.#lines = lines;
  }

  async run(reads: number): Promise<void> {
    this.#left = reads;
    while (this.#left > 0) await this.#life();
  }

  /** SIGKILL; what it had in mind is lost, and another one takes over. */
  kill(): void {
    if (this.#child?.pid === undefined || this.#child.exitCode !== null) return;
    this.#killed = true;
    process.kill(this.#child.pid, "SIGKILL");
  }

  /** The same, and no process takes its place. */
  stop(): void {
    this.#left = 0;
    this.kill();
  }

  async #life(): Promise<void> {
    const { path, args } = commandOf(this.#runtime, WORKER);
    const course = { ...this.#course, seed: this.#course.seed + 100 * this.#generation++ };
    this.#killed = false;
    const child = this.#child = spawn(path, [...args, JSON.stringify(course)], { stdio: "pipe" });
    const { ended } = new LastWords(this.#runtime, child);
    child.stdin!.on("error", () => {}); // it was killed
    child.stdin!.write(`${JSON.stringify({ reads: this.#left })}\n`);
    for await (const text of createInterface({ input: child.stdout! })) {
      const line = parsed(text);
      if (line === "done") {
        this.#left = 0;
        child.stdin!.end();
      } else if (line !== undefined) {
        this.#lines.push(line);
        if (line[0] === "read") this.#left--;
      }
    }
    const why = await ended;
    if (this.#left > 0 && !this.#killed) throw new Error(why);
  }
}

/** `undefined`: a line that a kill has cut. */
function parsed(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}

/** One blow after the other, until all is over. */
async function strike(
  cache: Server,
  runners: readonly Runner[],
  random: SeededRandom,
  blows: Map<string, number>,
  isOver: () => boolean,
): Promise<void> {
  await using client = new Memcached(cache.address, { timeout: "200ms" });
  const pick = (most: number) => Math.floor(random.fraction() * most);
  const kinds: Record<string, () => Promise<unknown>> = {
    "server stopped": async () => {
      await cache.stop();
      await sleep(50 + pick(700));
      cache.resume();
    },
    "server killed and started again": () => cache.restart(),
    "everything evicted": () => client.flushAll(),
    "a counter evicted": () => client.delete(`history:%group:g${pick(3)}`),
    "an entry evicted": () => client.delete(`history::k${pick(KEYS)}`),
    "a mint lock evicted": () => client.delete(`history:%mint::k${pick(KEYS)}`),
    "a process killed": () => Promise.resolve(runners[pick(runners.length)]!.kill()),
  };
  const names = Object.keys(kinds);
  while (!isOver()) {
    await sleep(20 + pick(150));
    // What is cheap comes more often.
    const name = names[pick(4) === 0 ? pick(names.length) : 2 + pick(4)]!;
    await kinds[name]!().catch(() => {});
    blows.set(name, (blows.get(name) ?? 0) + 1);
  }
}

/** A call that began after a resolved invalidation never returns an older version. */
function check(lines: readonly Line[]): Omit<History, "blows"> {
  /** Of each key, by ticket: the newest version that an invalidation up to there has vouched for. */
  const vouched = new Map<number, { readonly ticket: number; version: number }[]>();
  const events = lines.filter((line) => line !== "done");
  for (const [kind, key, ticket, version] of events) {
    if (kind === "invalidated") vouched.set(key, [...vouched.get(key) ?? [], { ticket, version }]);
  }
  for (const list of vouched.values()) {
    list.sort((a, b) => a.ticket - b.ticket);
    for (let n = 1; n < list.length; n++) list[n]!.version = Math.max(list[n]!.version, list[n - 1]!.version);
  }
  const stale: string[] = [];
  let reads = 0;
  for (const [kind, key, ticket, version] of events) {
    if (kind !== "read") continue;
    reads++;
    const before = vouched.get(key)?.findLast((one) => one.ticket < ticket);
    if (before !== undefined && version < before.version) {
      stale.push(`k${key}: version ${version} to a call of ticket ${ticket}; ${before.version} since ${before.ticket}`);
    }
  }
  return { reads, invalidations: events.length - reads, stale };
}
