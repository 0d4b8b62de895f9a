/** What is compared: each scenario holds computations back until what it is about has happened, and then looks. */

import type { Contender } from "./contenders.ts";
import { type CacheName, CallError, LateError, type Member, type Source, within } from "./fleet.ts";
import { type Server, sleep } from "./servers.ts";
import type { Findings, Seen, Wait } from "./table.ts";
import { exotic } from "./values.ts";

/** How many processes call one key. */
export const PROCESSES = 8;
/** Eight processes load their modules at once. */
const START_MS = 60_000;
/** A call that is given nothing for so long hangs. */
export const HANG_MS = 3000;
/** How long nothing must have been computed before it counts as nothing more to come. */
const QUIET_MS = 400;
/** For writes behind an answer, and for buses. Who needs longer looks better than it is. */
const SETTLE_MS = 250;

/** Loads the modules and opens the connections, before anything counts. */
export async function warmUp({ renews }: Contender, fleet: readonly Member[]): Promise<void> {
  const caches: CacheName[] = ["shared", ...renews === undefined ? [] : ["short" as const]];
  const calls = fleet.flatMap((member, n) => caches.map((cache) => member.order("call", cache, `warm-${n}`).done));
  await within(Promise.all([fleet[0]!.order("call", "memory", "warm").done, ...calls]), "the first calls", START_MS);
}

/** Plays every scenario with these processes. What went wrong in one is found in its place. */
export async function play(
  { groups, renews }: Contender,
  fleet: readonly Member[],
  source: Source,
  server: Server,
): Promise<Findings> {
  const [first, second, third, ...others] = fleet as [Member, Member, Member, ...Member[]];
  const scene = new Scene(source);
  // Each has keys of its own.
  const [alone, aloneByGroup, shared, sharedByGroup, cold, stale, ...values] = await Promise.all([
    attempt(() => scene.interrupted("memory", false, first, first)),
    groups ? attempt(() => scene.interrupted("memory", true, first, first)) : "none" as const,
    attempt(() => scene.interrupted("shared", false, first, second)),
    groups ? attempt(() => scene.interrupted("shared", true, first, second)) : "none" as const,
    attempt(() => scene.cold(fleet)),
    renews !== undefined ? attempt(() => scene.stale(fleet)) : "none" as const,
    ...exotic.map((kind) => attempt(() => scene.value(kind, first, second))),
  ]);
  await Promise.all(others.map((member) => member[Symbol.asyncDispose]()));
  // What its client throws behind a call ends a process: one that is needed for nothing else.
  const bounded = await attempt(() => third.run("call", "bounded", "warm-bounded"));
  await server.stop();
  const [hang, hangBounded] = await Promise.all([
    attempt(() => scene.hang("shared", first)),
    bounded instanceof Error ? bounded : attempt(() => scene.hang("bounded", third)),
  ]);
  return { alone, aloneByGroup, shared, sharedByGroup, cold, stale, values, hang, hangBounded };
}

/** What went wrong stands in the table instead of a result. */
async function attempt<T>(scenario: () => Promise<T>): Promise<T | Error> {
  return await scenario().catch((error) => error instanceof Error ? error : new Error(String(error)));
}

class Scene {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  /**
   * The computer's function has read the old value and is held; the source changes; the invalidator invalidates, and that
   * resolves; the function ends. What is served from then on, and, of another key, what a call is given meanwhile?
   */
  async interrupted(
    cache: CacheName,
    byGroup: boolean,
    computer: Member,
    invalidator: Member,
  ): Promise<Seen> {
    const seen: { [moment in keyof Seen]: string[] } = { meanwhile: [], afterwards: [] };
    for (const callsMeanwhile of [false, true]) {
      const key = `interrupted-${cache}-${byGroup}-${callsMeanwhile}`;
      this.#source.write(key, "old");
      this.#source.close(key, 1);
      const { begun, done } = computer.order("call", cache, key, { byGroup });
      await within(begun, "the first call");
      // A call that fails does not compute.
      await Promise.race([done, this.#source.quiet(key, 0, 0)]);
      this.#source.write(key, "new");
      await invalidator.run("invalidate", cache, key, { byGroup });
      // A bus tells the other process a moment after the invalidation has resolved.
      await sleep(SETTLE_MS);
      const meanwhile = callsMeanwhile ? invalidator.order("call", cache, key, { byGroup }).done : undefined;
      // It may wait for the held computation, or compute by itself.
      if (meanwhile !== undefined) await Promise.race([meanwhile, sleep(SETTLE_MS)]);
      this.#source.open(key);
      await within(done, "the interrupted call");
      if (meanwhile !== undefined) seen.meanwhile.push((await within(meanwhile, "the call meanwhile")).result);
      await sleep(SETTLE_MS);
      for (const member of new Set([invalidator, computer])) {
        seen.afterwards.push((await member.run("call", cache, key, { byGroup })).result);
      }
      // Who keeps nothing serves nothing old.
      const count = this.#source.count(key);
      await computer.run("call", cache, key, { byGroup });
      if (this.#source.count(key) > count) throw new Error("it keeps nothing");
    }
    return seen;
  }

  /** Every process calls a key that nobody has. */
  async cold(fleet: readonly Member[]): Promise<number> {
    return await this.#computations(fleet, "shared", "cold");
  }

  /** Every process has read the value while it was fresh, and calls when it is no longer. */
  async stale(fleet: readonly Member[]): Promise<number> {
    for (const member of fleet) await member.run("call", "short", "stale");
    await sleep(1500);
    return await this.#computations(fleet, "short", "stale");
  }

  async #computations(fleet: readonly Member[], cache: CacheName, key: string): Promise<number> {
    const before = this.#source.count(key);
    this.#source.close(key, PROCESSES);
    const calls = fleet.map((member) => member.order("call", cache, key));
    await within(Promise.all(calls.map(({ begun }) => begun)), "calls by every process");
    await this.#source.quiet(key, QUIET_MS, before);
    this.#source.open(key);
    await within(Promise.all(calls.map(({ done }) => done)), "answers to every process");
    await this.#source.quiet(key, QUIET_MS, before);
    return this.#source.count(key) - before;
  }

  /** One process computes the value; what is another one given? */
  async value(kind: string, writer: Member, reader: Member): Promise<string> {
    const key = `value-${kind}`;
    this.#source.write(key, kind);
    try {
      await writer.run("call", "shared", key, { expects: kind });
    } catch (error) {
      if (error instanceof CallError) return "throws";
      throw error;
    }
    await sleep(SETTLE_MS);
    this.#source.write(key, "again");
    const { result } = await reader.run("call", "shared", key, { expects: kind });
    return result === "again" ? "not kept" : result;
  }

  /** The server stands still: how long do three calls, each of a new key, take? */
  async hang(cache: CacheName, member: Member): Promise<Wait[]> {
    const waits: Wait[] = [];
    for (const key of ["hang-1", "hang-2", "hang-3"]) {
      try {
        const { ms } = await within(member.order("call", cache, key).done, key, HANG_MS);
        waits.push({ ms, threw: false });
      } catch (error) {
        if (error instanceof CallError) waits.push({ ms: error.ms, threw: true });
        else if (error instanceof LateError) return [...waits, { ms: Infinity, threw: false }];
        else throw error;
      }
    }
    return waits;
  }
}
