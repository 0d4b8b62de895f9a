/** Servers that are stopped, killed, and come back; and what real processes see meanwhile. */

import { Memcached } from "../../src/memcached/mod.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";
import { freshServer } from "../../tests/_memcached.ts";
import { runHistory } from "../../tests/integration/_history.ts";
import { answers } from "../../tests/memcached/_faults.ts";
import { emptyTally, Load, sumOf, type Tally, unsettledWithin } from "../../tests/memcached/_load.ts";
import { expectAtMost, type FaultResult, resultOf, type SoakOptions } from "./result.ts";

const TIMEOUT_MS = 500;

const timed = async (call: Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await call.catch(() => {});
  return performance.now() - began;
};

/**
 * SIGSTOP: each call ends by timeout + 100 ms. The connection was at rest, so a new one is tried: the server is dead once
 * that was not answered either, connectTimeout + 100 ms later, and calls end in under 10 ms then. SIGCONT: back within 1.5 s.
 */
export async function stops({ protocol, share, count = Math.ceil(5 * share) }: SoakOptions): Promise<FaultResult> {
  await using server = await freshServer();
  await using client = new Memcached(server.address, { protocol, timeout: `${TIMEOUT_MS}ms`, connectTimeout: "500ms" });
  const tally: Tally = emptyTally();
  let [whileStopped, untilDead, whileDead, back] = [0, 0, 0, 0];
  for (let n = 0; n < count; n++) {
    await client.set("a", "1");
    await server.stop();
    const died = new Promise<void>((resolve) => {
      const stop = client.on("dead", () => {
        stop();
        resolve();
      });
    });
    const began = performance.now();
    const calls = Array.from({ length: 100 }, () => timed(client.get("a")));
    tally.asked += 200;
    tally.unsettled += await unsettledWithin(calls, 10_000);
    whileStopped = Math.max(whileStopped, ...await Promise.all(calls));
    await died;
    untilDead = Math.max(untilDead, performance.now() - began);
    // Dead now: each by itself, as a caller sees it.
    for (let n = 0; n < 100; n++) whileDead = Math.max(whileDead, await timed(client.get("a")));
    // The stop lasts under two seconds.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1400 - (performance.now() - began))));
    server.resume();
    back = Math.max(back, await answers(client));
    if ((await client.get("a"))?.text() !== "1") tally.wrong++;
  }
  tally.worstMs = whileStopped;
  const notes = `stopped ${whileStopped.toFixed(0)} ms of a timeout of ${TIMEOUT_MS}, dead after ${
    untilDead.toFixed(0)
  } ms, then ${whileDead.toFixed(2)} ms, back ${back.toFixed(0)} ms after SIGCONT`;
  return resultOf("SIGSTOP, SIGCONT", count, tally, notes, [
    ...expectAtMost("a call while stopped (ms)", whileStopped, TIMEOUT_MS + 100),
    ...expectAtMost("until it is dead (ms)", untilDead, 2 * TIMEOUT_MS + 100),
    ...expectAtMost("a call while dead (ms)", whileDead, 10),
    ...expectAtMost("the return (ms)", back, 1500),
  ]);
}

/** SIGKILL and restart under load: each call is rejected or answered, and never with another key's value. */
export async function kills(
  { seed, protocol, share, count = Math.ceil(10 * share) }: SoakOptions,
): Promise<FaultResult> {
  await using server = await freshServer();
  const clients = Array.from({ length: 4 }, () => new Memcached(server.address, { protocol, connections: 2 }));
  const loads = clients.map((client, n) => {
    return new Load(client, `kill:${n}`, new SeededRandom(seed * 100 + n), { forgets: true });
  });
  await loads[0]!.fill(clients[0]!);
  let going = true;
  const working = loads.map(async (load) => {
    while (going) {
      await load.wave(200);
      // Not setImmediate: while it calls at once, Deno reads its sockets every sixty-first time only.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
  let back = 0;
  for (let n = 0; n < count; n++) {
    const before = loads[0]!.tally.answered;
    for (const began = performance.now(); loads[0]!.tally.answered === before && performance.now() - began < 5000;) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await server.restart();
    back = Math.max(back, ...await Promise.all(clients.map((client) => answers(client))));
  }
  going = false;
  await Promise.all(working);
  for (const load of loads) await load.all();
  await Promise.all(clients.map((client) => client.close()));
  const tally = sumOf(loads.map((load) => load.tally));
  const notes = `${tally.answered} answered, ${tally.rejected} rejected, back within ${back.toFixed(0)} ms`;
  return resultOf("SIGKILL and restart under load", count, tally, notes, expectAtMost("the return (ms)", back, 3000));
}

/** What real processes saw under chaos, and what plain get, compute, set sees without any. */
export async function history(options: SoakOptions): Promise<FaultResult> {
  const reads = options.count ?? Math.ceil(100_000 * options.share);
  const began = performance.now();
  const { protocol, seed } = options;
  const seen = await runHistory({ protocol, kind: "ours", reads, seed, chaos: true });
  const control = await runHistory({ protocol, kind: "plain", reads: 5000, seed, chaos: false });
  const failures = [...seen.stale.slice(0, 5)];
  if (control.stale.length === 0) failures.push("the control shows no stale read, so the check proves nothing");
  const blows = [...seen.blows].map(([name, count]) => `${name} ${count}`).join(", ");
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  return {
    fault: "history of 4 processes, reads",
    count: seen.reads,
    wrong: seen.stale.length,
    unsettled: 0,
    worstMs: 0,
    notes: `${seen.invalidations} invalidations; ${blows}; the control: ${control.stale.length} stale of ` +
      `${control.reads}; ${seconds} s`,
    failures,
  };
}
