/** Faults by chance between clients and a real server: see `_proxy.ts`. */

import { Memcached, type MemcachedOptions } from "../../src/memcached/mod.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";
import { Load, quickClock, sumOf, type Tally } from "./_load.ts";
import { openProxy, planByChance, type Proxy } from "./_proxy.ts";

export interface FaultOptions {
  /** Where the real server listens on 127.0.0.1. */
  readonly port: number;
  /** So many faults, at least. */
  readonly count: number;
  readonly seed: number;
  readonly protocol: "binary" | "meta";
  /** Clients side by side, each with a proxy of its own. */
  readonly clients?: number;
}

/** What came of them. */
export interface FaultTally extends Tally {
  /** How often each kind of fault was met. */
  readonly taken: ReadonlyMap<string, number>;
  readonly faults: number;
}

/** Ten times as fast: a dead server is tried again after 0.1 s. */
const FACTOR = 10;
/** Real ms. */
const TIMEOUT_MS = 150;

/** What a client needs to be told of this clock's time: "1500ms" pass in 150. */
const options = (protocol: FaultOptions["protocol"]): MemcachedOptions => ({
  protocol,
  clock: quickClock(FACTOR),
  timeout: `${TIMEOUT_MS * FACTOR}ms`,
  connectTimeout: `${TIMEOUT_MS * FACTOR}ms`,
});

/** Works through faults until there were enough, then without any: everything must be right then. */
export async function faultsByChance(asked: FaultOptions): Promise<FaultTally> {
  const { port, count, seed, protocol, clients = 16 } = asked;
  const lanes: { proxy: Proxy; client: Memcached; load: Load }[] = [];
  const met = () => lanes.reduce((sum, { proxy }) => sum + [...proxy.taken.values()].reduce((a, b) => a + b, 0), 0);
  await using straight = new Memcached(`127.0.0.1:${port}`, { protocol, timeout: "20s" });
  try {
    for (let n = 0; n < clients; n++) {
      const chance = new SeededRandom(BigInt(seed) * 1000n + BigInt(n));
      const proxy = await openProxy(port, () => planByChance(chance, TIMEOUT_MS));
      const client = new Memcached(proxy.address, options(protocol));
      const load = new Load(client, `f${seed}:${n}`, new SeededRandom(BigInt(seed) * 1000n + BigInt(n) + 500n));
      lanes.push({ proxy, client, load });
      await load.fill(straight);
    }
    await Promise.all(lanes.map(async ({ client, load }, n) => {
      const chance = new SeededRandom(seed + n);
      const alive = returns(client);
      while (met() < count) {
        await load.wave(1 + Math.floor(chance.fraction() * 12));
        await alive();
      }
    }));
    const faults = met();
    for (const { proxy, client, load } of lanes) {
      proxy.plan = () => ({});
      await proxy.drop();
      await load.calmed(() => answers(client));
    }
    const taken = new Map<string, number>();
    for (const { proxy } of lanes) for (const [how, n] of proxy.taken) taken.set(how, (taken.get(how) ?? 0) + n);
    return { ...sumOf(lanes.map(({ load }) => load.tally)), taken, faults };
  } finally {
    for (const { proxy, client } of lanes) {
      await proxy[Symbol.asyncDispose]();
      await client.close();
    }
  }
}

/** The way to wait until a client's one server is not dead, which its unreferenced timers would not wait for. */
export function returns(client: Memcached): () => Promise<void> {
  let dead = false;
  let tell = () => {};
  client.on("dead", () => dead = true);
  client.on("alive", () => {
    dead = false;
    tell();
  });
  return async () => {
    if (!dead) return;
    const hold = setInterval(() => {}, 1000);
    await new Promise<void>((resolve) => tell = resolve);
    clearInterval(hold);
  };
}

/** Resolves with the first answer; rejects if none comes within so many ms. */
export async function answers(client: Memcached, withinMs = 10_000): Promise<number> {
  const began = performance.now();
  for (;;) {
    try {
      await client.get("anything");
      return performance.now() - began;
    } catch (error) {
      if (performance.now() - began > withinMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
