/** One simulated process: the real GroupBackend over the real MemcachedStore, with a client, a clock and functions of its own. */
import { GroupBackend } from "../../src/backend/group_backend.ts";
import type { Memcached } from "../../src/memcached/client.ts";
import { MemcachedStore } from "../../src/store/memcached.ts";
import { type Answer, type Made, type Oracle, type Right, Thrown } from "./_oracle.ts";
import type { Pace, Plan } from "./_plan.ts";
import { SimulatedClient } from "./_client.ts";
import type { Network } from "./_server.ts";
import type { Waiting } from "./_waits.ts";
import { SimulatedClock, type World } from "./_world.ts";

/** More than the largest value that a simulated server takes. */
const PAD = "x".repeat(1000);
export const MAX_BYTES = 800;

/** A function's result, with what decides whether it can be kept. */
export interface Result extends Answer {
  readonly wanted: boolean;
  readonly pad?: string;
  readonly never?: () => void;
}

export class Process {
  readonly name: string;
  readonly backend: GroupBackend;
  readonly client: SimulatedClient;
  readonly clock: SimulatedClock;
  crashed = false;
  /** Resolves when it crashes. */
  readonly gone: Promise<void>;
  #go!: () => void;
  /** Per key: computations that run here and that somebody waits for. */
  readonly running: number[];
  /** Per key: calls that may ask for a lease. */
  readonly asked: number[];
  readonly #world: World;
  readonly #plan: Plan;
  readonly #network: Network;
  readonly #oracle: Oracle;

  constructor(name: string, world: World, plan: Plan, network: Network, oracle: Oracle) {
    const { chance } = world;
    this.name = name;
    this.#world = world;
    this.#plan = plan;
    this.#network = network;
    this.#oracle = oracle;
    this.gone = new Promise((resolve) => this.#go = resolve);
    this.running = plan.groups.map(() => 0);
    this.asked = plan.groups.map(() => 0);
    this.clock = new SimulatedClock(world, plan.skewed ? chance.pick([-3_600_000, 0, 3_600_000]) : 0);
    this.client = new SimulatedClient(name, world, network);
    this.backend = new GroupBackend({
      store: new MemcachedStore(this.client as unknown as Memcached, { random: chance }),
      clock: this.clock,
      random: chance,
      ttl: `${plan.ttlMs}ms`,
      stale: `${plan.staleMs}ms`,
      mintDelay: `${plan.mintDelayMs}ms`,
      storeTimeout: "250ms", // less than the driver's timeout, so that answers come late
    });
  }

  crash(lateMs: number): void {
    this.crashed = true;
    this.client.crash(lateMs);
    this.clock.stop();
    this.#go();
  }

  /** The function behind a key. It reads the version when it begins, which is the worst case. */
  compute(call: Waiting, kind: "computed" | "refreshed"): (signal: AbortSignal) => Promise<Result> | Result {
    const { key } = call;
    return (signal) => {
      const { chance } = this.#world;
      const made = this.#oracle.begin(key, this.name, kind, this.#right(call.entry), call);
      const pace = chance.weigh(this.#plan.paces);
      const ms = this.#duration(pace);
      this.#world.tell(
        this.name,
        () => `begins ${made.by}: k${key} is at version ${made.version}, ${ms.toFixed(1)} ms`,
      );
      if (pace === "atOnce") return this.#finish(made);
      this.running[key]!++;
      const over = (how: "abandoned" | "ended") => {
        if (made.end !== undefined) return;
        this.running[key]!--;
        if (how === "abandoned") this.#oracle.end(made, "abandoned");
      };
      signal.addEventListener("abort", () => over("abandoned"));
      return new Promise((resolve, reject) => {
        this.#world.after(ms, () => {
          if (this.crashed) return "quiet";
          over("ended");
          try {
            resolve(this.#finish(made));
          } catch (error) {
            reject(error);
          }
        });
      });
    };
  }

  /** Somebody works at a key until this is over: calls of it may wait. Returns how it ends. */
  hold(key: number, signal: AbortSignal): () => void {
    let isOver = false;
    this.running[key]!++;
    const over = () => {
      if (!isOver) this.running[key]!--;
      isOver = true;
    };
    signal.addEventListener("abort", over);
    return over;
  }

  /** The same that comes to nothing. */
  computeInVain(call: Waiting): Made {
    return this.#oracle.begin(call.key, this.name, "computed", this.#right(call.entry), call);
  }

  /** In so many ms, unless it has crashed. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.after(ms, () => {
        if (this.crashed) return "quiet";
        resolve();
      });
    });
  }

  /** A lease's computation begins when its answer comes; a refresh lock's after one more look. */
  #right(entry: string): Right {
    if (this.client.leased.get(entry) === this.#world.happened) return "lease";
    const lock = `:%mint${entry}`;
    return this.#network.serverOf(lock).at(lock)?.by === this.client ? "lease" : "alone";
  }

  #duration(pace: Pace): number {
    const { chance } = this.#world;
    switch (pace) {
      case "atOnce":
        return 0;
      case "quick":
        return chance.between(0, 20);
      case "slow":
        return chance.between(20, 1500);
      case "renewed":
        // Longer than others wait for a lease that nobody renews; mintDelay is longer still where nothing breaks.
        return chance.between(1600, this.#plan.mintDelayMs < 60_000 ? 7000 : 12_000);
      case "lapsing":
        return this.#plan.mintDelayMs + chance.between(-2000, 8000);
    }
  }

  #finish(made: Made): Result {
    const result = this.#world.chance.weigh(this.#plan.results);
    this.#oracle.end(made, result === "throws" ? "threw" : "value");
    this.#world.tell(this.name, () => `ends ${made.by}: ${result}`);
    const answer = { key: made.key, version: made.version, by: made.by };
    switch (result) {
      case "throws":
        throw new Thrown(answer);
      case "value":
        return { ...answer, wanted: true };
      case "unwanted":
        return { ...answer, wanted: false };
      case "unkeepable":
        return { ...answer, wanted: true, never: () => {} };
      case "large":
        return { ...answer, wanted: true, pad: PAD };
    }
  }
}
