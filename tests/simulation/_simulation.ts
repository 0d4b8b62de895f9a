/** One seed: a world, its servers and processes, what callers do and what breaks, and whether the promise held. */
import { Callers } from "./_callers.ts";
import { Faults } from "./_faults.ts";
import { Oracle } from "./_oracle.ts";
import { type Plan, planOf } from "./_plan.ts";
import { MAX_BYTES, Process } from "./_process.ts";
import { freshUntilOf, isLease, type Network, SimulatedServer } from "./_server.ts";
import { Waits } from "./_waits.ts";
import { World } from "./_world.ts";

/** The longest, in ms; "uneven" has longer ones, now and then. */
const LATENCY = { tight: 0.2, near: 3, far: 60, uneven: 2 };
/** Everything must be over by then. */
const LONGEST_MS = 1_800_000;
const NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** The parts of one simulated fleet. */
export class Fleet {
  readonly world: World;
  readonly plan: Plan;
  readonly oracle: Oracle;
  readonly servers: readonly SimulatedServer[];
  readonly processes: Process[] = [];
  readonly waits: Waits;
  readonly #network: Network;
  readonly #places = new Map<string, SimulatedServer>();
  #named = 0;

  constructor(seed: number, lines: string[] | undefined) {
    const world = this.world = new World(seed, lines);
    const plan = this.plan = planOf(world.chance);
    const { ttlMs, staleMs } = plan;
    const expiry = plan.kind === "calm" || plan.kind === "expiry"
      ? { ttlMs, staleMs, roundMs: 8 * LATENCY[plan.latency] }
      : undefined;
    this.oracle = new Oracle(world, plan.groups.length, expiry);
    this.servers = Array.from({ length: plan.servers }, (_, n) => new SimulatedServer(`s${n}`, world));
    this.#network = {
      latency: () => this.#latency(),
      timeoutMs: 1000,
      connections: plan.connections,
      maxBytes: MAX_BYTES,
      refuser: plan.refuser,
      serverOf: (key) => this.serverOf(key),
      sabotages: (kind) => kind === plan.sabotaged && world.chance.says(0.3),
      replaced: (...what) => this.#replaced(...what),
    };
    this.waits = new Waits(this);
    for (let i = 0; i < plan.processes; i++) this.processes.push(this.start());
  }

  /** A process that has just begun. */
  start(): Process {
    const name = NAMES[this.#named % 26]! + (this.#named < 26 ? "" : Math.floor(this.#named / 26));
    this.#named++;
    return new Process(name, this.world, this.plan, this.#network, this.oracle);
  }

  /** Entries, counters and refresh locks live on servers of their own, if there are so many. */
  serverOf(key: string): SimulatedServer {
    let server = this.#places.get(key);
    if (server === undefined) {
      const kind = key.includes("%group:") ? 1 : key.includes("%mint:") ? this.servers.length - 1 : 0;
      this.#places.set(key, server = this.servers[kind % this.servers.length]!);
    }
    return server;
  }

  /** Nobody but `set` puts a lease in the place of a value that is fresh; clocks agree here, and groups cannot differ. */
  #replaced(who: string, key: string, former: Uint8Array, next: Uint8Array): void {
    const { verbs, skewed, mixedGroups, faults } = this.plan;
    if (skewed || faults.includes("setClock") || mixedGroups || verbs.set > 0 || !isLease(next)) return;
    const freshUntil = freshUntilOf(former);
    if (freshUntil === undefined || freshUntil <= this.processes[0]!.clock.now()) return;
    this.oracle.breach(`${who} has put a lease in the place of a fresh value under ${key}`);
  }

  #latency(): number {
    const { chance } = this.world;
    const { latency } = this.plan;
    const luck = latency === "uneven" ? chance.fraction() : 0;
    if (luck < 0.9) return chance.fraction() * LATENCY[latency];
    return luck < 0.98 ? chance.between(50, 400) : chance.between(400, 3000);
  }
}

/** How one seed went. */
export interface Run {
  readonly seed: number;
  /** What was promised and not kept; absent: all is well. */
  readonly broken: string | undefined;
  readonly events: number;
  readonly plan: Plan;
}

/** Runs one seed to its end. `lines`: is given the schedule. */
export async function simulate(seed: number, lines?: string[]): Promise<Run> {
  const fleet = new Fleet(seed, lines);
  const { world, oracle, waits, plan } = fleet;
  const faults = new Faults(fleet);
  const callers = new Callers(fleet);
  callers.begin();
  faults.begin();
  const end = await world.run(LONGEST_MS, (ms) => waits.passing(ms), () => {
    if (oracle.broken !== undefined) throw new Stop();
    if (callers.active > 0) return faults.strike();
    if (world.busy === 0) leftovers(fleet);
  }).catch((error) => {
    if (!(error instanceof Stop)) throw error;
    return "broken" as const;
  });
  if (end === "endless") oracle.breach(`something goes on for ever: ${callers.active} callers wait still`);
  if (end === "over" && callers.active > 0) {
    oracle.breach(`${callers.active} callers are never answered: ${callers.open()}`);
  }
  waits.over();
  return { seed, broken: oracle.broken, events: world.happened, plan };
}

class Stop extends Error {}

/** Nobody waits and nothing is under way: then no timer is needed either. */
function leftovers({ processes, oracle, waits }: Fleet): void {
  if (waits.pending > 0) return;
  for (const { clock, name, crashed } of processes) {
    if (!crashed && clock.pending > 0) oracle.breach(`${name} has left ${clock.pending} timers behind`);
  }
}
