/** Faults of the bytes: broken connections, lies, changed replies. */

import { BinaryWire } from "../../src/memcached/protocol/binary/wire.ts";
import { MetaWire } from "../../src/memcached/protocol/meta/wire.ts";
import { freshServer } from "../../tests/_memcached.ts";
import { abortByChance } from "../../tests/memcached/_aborts.ts";
import { faultsByChance } from "../../tests/memcached/_faults.ts";
import { hostileByChance } from "../../tests/memcached/_hostile.ts";
import { emptyTally } from "../../tests/memcached/_load.ts";
import { mutateClient, mutateWire, record } from "../../tests/memcached/_mutations.ts";
import { expectAtMost, type FaultResult, mb, memory, resultOf, type SoakOptions } from "./result.ts";

const counted = (map: ReadonlyMap<string, number>): string => [...map].map(([how, n]) => `${how} ${n}`).join(", ");

/** 10,000 faults of a proxy in front of a real server. */
export async function proxyFaults(
  { seed, protocol, share, count = 10_000 * share }: SoakOptions,
): Promise<FaultResult> {
  await using server = await freshServer();
  const tally = await faultsByChance({ port: server.port, count, seed, protocol, clients: 24 });
  const notes = `${tally.answered} answered, ${tally.rejected} rejected; ${counted(tally.taken)}`;
  return resultOf("proxy faults", tally.faults, tally, notes);
}

/** 2,000 connections to servers that lie. */
export async function hostileServers({ seed, share, count = 2000 * share }: SoakOptions): Promise<FaultResult> {
  const before = memory().rss;
  let most = before;
  let connections = 0;
  const look = () => {
    if (++connections % 50 === 0) most = Math.max(most, memory().rss);
  };
  const tally = await hostileByChance({ count, seed, look });
  const notes = `${tally.answered} answered, ${tally.rejected} rejected; at most ${mb(most - before)} more`;
  return resultOf("hostile servers", count, tally, notes, expectAtMost("more MB", (most - before) / 2 ** 20, 200));
}

/** 1,000,000 changed replies to the wire alone. */
export async function mutatedFrames(
  { seed, protocol, share, count = 1_000_000 * share }: SoakOptions,
): Promise<FaultResult> {
  await using server = await freshServer();
  const tape = await record(server.address, protocol);
  const before = memory().rss;
  const began = performance.now();
  const { refused } = mutateWire(
    tape,
    (longest) => protocol === "meta" ? new MetaWire(longest) : new BinaryWire(longest),
    count,
    seed,
  );
  const notes = `${refused} refused, ${Math.round((performance.now() - began) / 1000)} s`;
  const more = (memory().rss - before) / 2 ** 20;
  return resultOf("mutated frames, wire", count, emptyTally(), notes, expectAtMost("more MB", more, 200));
}

/** 200,000 changed replies to a whole client. */
export async function mutatedClient(
  { seed, protocol, share, count = 200_000 * share }: SoakOptions,
): Promise<FaultResult> {
  await using server = await freshServer();
  const tape = await record(server.address, protocol);
  const before = memory();
  const { refused } = await mutateClient(tape, count, seed);
  const more = (memory().heap - before.heap) / 2 ** 20;
  const notes = `${refused} calls refused, heap ${more.toFixed(1)} MB more`;
  return resultOf("mutated frames, client", count, emptyTally(), notes, expectAtMost("more MB", more, 20));
}

/** Half of 100,000 requests aborted. */
export async function aborts({ seed, protocol, share, count = 100_000 * share }: SoakOptions): Promise<FaultResult> {
  await using server = await freshServer();
  const tally = await abortByChance({ address: server.address, count, seed, protocol });
  const notes = `${tally.aborted} aborted, ${tally.answered} answered, ${tally.connects} connection`;
  return resultOf("aborts", count, tally, notes, expectAtMost("connections", tally.connects, 1));
}
