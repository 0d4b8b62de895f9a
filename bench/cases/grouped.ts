/** A hit on memcached of a function in no, one and three groups, against the driver fetching as many keys. */

import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import type { Setting } from "../case.ts";
import { type Contender, inFlight, OURS, race } from "../measure.ts";

const LANES = 128;
/** More than are in flight, so that no two calls in flight ask for one key and share its look. */
const CALLS = 1000;

export async function grouped({ hostname, port, pace, tell }: Setting): Promise<void> {
  await using client = new Memcached(`${hostname}:${port}`, { timeout: "30s" });
  // Its store does not own the client, so closing the client is enough.
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "bench", storeTimeout: "30s" });
  for (const groups of [0, 1, 3]) {
    const names = (id: number) => Array.from({ length: groups }, (_, at) => `group-${at}-of-${id}`);
    const city = cached((id: number) => Promise.resolve({ id, name: `city ${id}`, note: "x".repeat(60) }), {
      name: `city${groups}`,
      ttl: "1h",
      backend,
      ...(groups === 0 ? {} : { group: names }),
    });
    const keys: string[][] = [];
    for (let id = 0; id < CALLS; id++) {
      await city(id);
      // Counters of our own, as long as the real ones, whose keys are nobody's business.
      const counters = names(id).map((name) => `bench:counter:${name}`);
      for (const counter of counters) await client.incr(counter, 0n, { initial: 2n ** 62n });
      keys.push([city.key(id), ...counters]);
    }
    const fetchAll: Contender = {
      name: "driver, the same keys",
      run: (count) =>
        inFlight(LANES, count, (index) => {
          const [first, ...others] = keys[index % CALLS]!;
          if (others.length === 0) return client.get(first!);
          return Promise.all([client.get(first!), ...others.map((key) => client.get(key))]);
        }),
    };
    const call: Contender = {
      name: `${OURS}, cached`,
      run: (count) => inFlight(LANES, count, (index) => city(index % CALLS)),
    };
    const before = backend.stats.miss;
    tell(
      await race(
        `a cached hit on memcached, ${groups} groups, ${LANES} in flight`,
        "per second",
        [fetchAll, call],
        pace,
      ),
    );
    if (backend.stats.miss > before) throw new Error(`${backend.stats.miss - before} of the calls were no hits`);
  }
}
