/** What one memcached gives on this machine, and what one process asks of it for one hot key. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { Floor, gets } from "../floor.ts";
import { inFlight, median } from "../measure.ts";

export interface Rates {
  /** Gets of 100 bytes a second: the driver's, and those of a client that only counts replies. */
  readonly driver: number;
  readonly floor: number;
  /** Of one hot key in one group: calls a second in one process, and requests for the key's entry. */
  readonly calls: number;
  readonly requests: number;
}

const LANES = 1024;
const ROUNDS = 5;

export async function rates(hostname: string, port: number, roundMs: number): Promise<Rates> {
  await using client = new Memcached(`${hostname}:${port}`, { timeout: "30s" });
  const keys = Array.from({ length: 2 * LANES }, (_, n) => `fleet:${n}`);
  for (const key of keys) await client.set(key, "x".repeat(100));
  const frames = gets(keys);
  const floor = await Floor.open(hostname, port);
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "fleet", storeTimeout: "30s" });
  const hot = cached((id: number) => ({ id, text: "x".repeat(100) }), {
    name: "hot",
    group: "hot",
    ttl: "1h",
    backend,
  });
  await hot(1);

  const driver: number[] = [], bare: number[] = [], calls: number[] = [], requests: number[] = [];
  // The first round warms up.
  for (let round = -1; round < ROUNDS; round++) {
    const own = await perSecond(roundMs, (n) => client.get(keys[n % keys.length]!));
    const floors = await perSecond(roundMs, (n) => floor.send(frames[n % frames.length]!));
    const before = await gotten(client);
    const hots = await perSecond(roundMs, () => hot(1));
    const asked = await gotten(client) - before;
    if (round < 0) continue;
    driver.push(own.rate);
    bare.push(floors.rate);
    calls.push(hots.rate);
    // The entry and its group's counter.
    requests.push(asked / 2 / hots.seconds);
  }
  floor.close();
  return { driver: median(driver), floor: median(bare), calls: median(calls), requests: median(requests) };
}

async function perSecond(
  ms: number,
  operation: (index: number) => Promise<unknown>,
): Promise<{ readonly rate: number; readonly seconds: number }> {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < ms) {
    await inFlight(LANES, LANES * 16, operation);
    count += LANES * 16;
  }
  const seconds = (performance.now() - start) / 1000;
  return { rate: count / seconds, seconds };
}

async function gotten(client: Memcached): Promise<number> {
  return Number([...(await client.stats()).values()][0]!.get("cmd_get"));
}
