/**
 * The herd, costed: 8 processes with 200 callers each ask for one key, or ten, at one moment. What it costs a database
 * that serves four queries at a time, first come, first served, and what the callers wait. This process is the database;
 * each of the eight runs `herdProcess`, asks it by messages, and is ordered by messages.
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { median, type Row, type Table } from "../measure.ts";
import { cacheOf, type Read } from "../peers.ts";
import type { Bench } from "../worker.ts";

const PROCESSES = 8;
/** In each process. */
const CALLERS = 200;
/** The database: queries at a time, and what each takes. */
const AT_ONCE = 4, SERVICE_MS = 25;
/** How long a value is fresh, and how long it may be served after that: the same for all that can. */
const TTL_S = 1, STALE_S = 30;
/** 1,600 queries take 10 s in each round: after this time no further round begins. */
const ENOUGH_MS = 5_000;
/** From the order to the common moment. */
const LEAD_MS = 80;
/** A refresh behind the answers has begun by then. */
const REFRESH_MS = 60;
const WARM_BURSTS = 10;

/**
 * cold: nothing is kept. expired: a value was kept, in every process that keeps one, and its ttl has just run out.
 * ten cold: ten keys of which nothing is kept, and a tenth of the callers for each.
 */
const SCENES = { cold: "a cold key", expired: "a key that has just expired", "ten cold": "ten cold keys" } as const;
type Scene = keyof typeof SCENES;
const ALL = Object.keys(SCENES) as Scene[];

/** Where a library keeps values, and the scenes in which it is measured. */
const contenders: Readonly<Record<string, { readonly keptIn: "memcached" | "memory"; readonly scenes: Scene[] }>> = {
  ours: { keptIn: "memcached", scenes: ALL },
  "ours, stale: 0": { keptIn: "memcached", scenes: ["expired"] },
  // Every caller asks the database: ten seconds a round, with one key as with ten.
  "get, compute, set on memjs": { keptIn: "memcached", scenes: ["cold", "expired"] },
  "cacheable over @keyv/memcache": { keptIn: "memcached", scenes: ALL },
  "cachified over memjs": { keptIn: "memcached", scenes: ALL },
  "cachified over memjs, swr": { keptIn: "memcached", scenes: ["expired"] },
  "cache-manager over @keyv/memcache": { keptIn: "memcached", scenes: ALL },
  "p-memoize, a Map with expiry": { keptIn: "memory", scenes: ALL },
  "bentocache getOrSet": { keptIn: "memory", scenes: ALL },
  "async-cache-dedupe": { keptIn: "memory", scenes: ALL },
};

/** An order to a process: one call of each key, one after the other; or all callers at that moment of the machine's clock. */
type Order = { readonly prime: readonly string[] } | Burst;
interface Burst {
  readonly key: string;
  readonly at: number;
  /** Its number. What the database serves carries the number of the burst in which it is served. */
  readonly burst: number;
  /** So many different keys are asked for. */
  readonly keys: number;
}

/** What one process saw of a burst. */
interface Seen {
  /** What each caller waited, in ms, from the common moment on. */
  readonly waits: readonly number[];
  /** Callers that got a value from before the burst, and those that got an error. */
  readonly old: number;
  readonly failed: number;
}

/** What the database serves: about 1 KB. */
interface Entry {
  readonly key: number | string;
  readonly burst: number;
  readonly note: string;
}

export async function herd(bench: Bench): Promise<void> {
  // The whole run's keys are new, also on a memcached that has seen another run.
  const run = Date.now().toString(36);
  const rows: Record<Scene, Row[]> = { cold: [], expired: [], "ten cold": [] };
  for (const [at, [name, { keptIn, scenes }]] of Object.entries(contenders).entries()) {
    if (bench.quick && (keptIn === "memory" || name.startsWith("get,"))) continue;
    await using fleet = new Fleet(bench, name);
    await fleet.order();
    for (const scene of scenes) {
      const keys = Array.from(
        { length: bench.quick ? 3 : 7 },
        (_, n) => `${run}-${scene.replace(" ", "-")}-${at}-${n}`,
      );
      rows[scene].push({ name, cells: [keptIn, ...await meet(fleet, scene, keys)] });
    }
  }
  for (const scene of ALL) bench.keep(tableOf(scene, rows[scene]));
}

/** A round for each key. The figures of a row. */
async function meet(fleet: Fleet, scene: Scene, keys: readonly string[]): Promise<number[]> {
  if (scene === "expired") {
    await fleet.order({ prime: keys });
    await sleep(TTL_S * 1000 + 200);
  }
  const database = fleet.database;
  const rounds: number[][] = [];
  const began = performance.now();
  for (const key of keys) {
    if (performance.now() - began > ENOUGH_MS) break;
    const burst = database.begin();
    const seen = await fleet.order({ key, at: Date.now() + LEAD_MS, burst, keys: scene === "ten cold" ? 10 : 1 });
    do await sleep(REFRESH_MS); while (database.busy);
    const waits = seen.flatMap(({ waits }) => waits);
    const sum = (of: "old" | "failed") => seen.reduce((sum, one) => sum + one[of], 0);
    const { queries, most, busyMs } = database;
    rounds.push([queries, most, busyMs, median(waits), Math.max(...waits), sum("old"), sum("failed")]);
  }
  return [rounds.length, ...rounds[0]!.map((_, column) => median(rounds.map((round) => round[column]!)))];
}

function tableOf(scene: Scene, rows: readonly Row[]): Table {
  return {
    title: `the herd: ${PROCESSES} processes with ${CALLERS} callers each of ${SCENES[scene]}; ` +
      `a database of ${AT_ONCE} at a time, ${SERVICE_MS} ms each`,
    columns: [
      "kept in",
      "rounds",
      "queries",
      "at once",
      "busy, ms",
      "median wait",
      "slowest, ms",
      "old answers",
      "errors",
    ],
    rows,
  };
}

/** Serves queries, and counts them since the burst began. */
class Database {
  queries = 0;
  most = 0;
  busyMs = 0;
  #burst = 0;
  #serving = 0;
  readonly #waiting: (() => void)[] = [];

  begin(): number {
    this.queries = this.most = this.busyMs = 0;
    return ++this.#burst;
  }

  get busy(): boolean {
    return this.#serving > 0;
  }

  /** Resolves to the number of the burst in which it was served. */
  async query(): Promise<number> {
    this.queries++;
    this.most = Math.max(this.most, this.#serving + this.#waiting.length + 1);
    if (this.#serving === AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#serving++;
    const start = performance.now();
    await sleep(SERVICE_MS);
    this.busyMs += performance.now() - start;
    const next = this.#waiting.shift();
    if (next === undefined) this.#serving--;
    else next();
    return this.#burst;
  }
}

/** The processes of one contender, and their database. */
class Fleet implements AsyncDisposable {
  readonly database: Database = new Database();
  readonly #children: readonly ChildProcess[];
  /** Rejects once one of them has ended. */
  readonly #ended: Promise<never>;
  /** What each process says next that is no query. */
  #next: ((seen: Seen) => void)[] = [];

  constructor({ worker: [command, ...args], ...setting }: Bench, contender: string) {
    const text = JSON.stringify({ ...setting, worker: [], contender });
    this.#children = Array.from({ length: PROCESSES }, (_, at) => {
      const stdio = ["ignore", "ignore", "inherit", "ipc"] as const;
      const child = spawn(command!, [...args, "herd-process", text], { stdio: [...stdio] });
      child.on("message", async (message: { readonly query: number } | Seen) => {
        if ("query" in message) child.send({ answer: message.query, burst: await this.database.query() });
        else this.#next[at]!(message);
      });
      return child;
    });
    this.#ended = new Promise((_, reject) => {
      for (const child of this.#children) {
        child.once("exit", (code) => reject(new Error(`a process of ${contender} has ended with code ${code}`)));
      }
    });
    this.#ended.catch(() => {});
  }

  /** Gives the order to all of them, and resolves once all have done it. Without one: once all have warmed up. */
  async order(order?: Order): Promise<Seen[]> {
    const answers = this.#children.map((child, at) => {
      if (order !== undefined) child.send(order);
      return new Promise<Seen>((resolve) => this.#next[at] = resolve);
    });
    return await Promise.race([Promise.all(answers), this.#ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#children.map((child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(ended);
  }
}

/** One of the eight. It is killed once it has done its work. */
export async function herdProcess(bench: Bench): Promise<void> {
  const send = (message: object) => process.send!(message);
  const queries: ((burst: number) => void)[] = [];
  const note = "x".repeat(1000);
  const call = await open(bench, async (key): Promise<Entry> => {
    const burst = await new Promise<number>((resolve) => send({ query: queries.push(resolve) - 1 }));
    return { key, burst, note };
  });
  process.on("message", async (message: Order | { readonly answer: number; readonly burst: number }) => {
    if ("answer" in message) return queries[message.answer]!(message.burst);
    if ("at" in message) return send(await callAll(call, message));
    for (const key of message.prime) await call(key);
    send({});
  });
  // Processes of a fleet have run for a while: sockets are open and the code is warm before anything is measured.
  for (let n = 0; n < WARM_BURSTS; n++) {
    await callAll(call, { key: `warm-${process.pid}-${n}`, at: 0, burst: 0, keys: 1 });
  }
  send({});
  await new Promise(() => {});
}

async function open({ hostname, port, peers, contender }: Bench, read: Read<Entry>): Promise<Read<Entry>> {
  const server = `${hostname}:${port}`;
  if (!contender!.startsWith("ours")) {
    return await cacheOf(contender!).open({ folder: peers, read, server, ttlS: TTL_S, staleS: STALE_S });
  }
  const backend = new GroupBackend({ store: new MemcachedStore(server), project: "herd" });
  const stale = contender === "ours" ? STALE_S : 0;
  return cached(read, { name: "row", ttl: TTL_S, stale, group: "rows", backend });
}

async function callAll(call: Read<Entry>, { key: name, at, burst, keys }: Burst): Promise<Seen> {
  const now = () => performance.timeOrigin + performance.now();
  await sleep(Math.max(0, at - now()));
  const waits: number[] = [];
  let old = 0, failed = 0;
  await Promise.all(Array.from({ length: CALLERS }, async (_, n) => {
    const key = keys === 1 ? name : `${name}-${n % keys}`;
    const entry = await call(key).catch(() => undefined);
    if (entry === undefined) return failed++;
    waits.push(now() - at);
    if (entry.key !== key) throw new Error(`a call of ${key} got the value of ${entry.key}`);
    if (entry.burst < burst) old++;
  }));
  return { waits, old, failed };
}
