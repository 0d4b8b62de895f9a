/** A hit in this process: one call of a cached async function, an object of about 1 KB. */

import { cached, GroupBackend, MemoryStore } from "@x/cache-utils";
import type { Bench } from "../case.ts";
import { type Contender, OURS } from "../measure.ts";
import { whoever } from "../packages.ts";
import { copyingIn, sharingIn, type Wrapper } from "../wrappers.ts";

/** So many different calls, taken in turn. */
const CALLS = 100;

interface City {
  readonly id: number;
  readonly name: string;
  readonly tags: readonly string[];
  readonly near: readonly { readonly id: number; readonly km: number }[];
}

/** 1,005 to 1,025 bytes of JSON. */
function cityOf(id: number): City {
  return {
    id,
    name: `City ${id} on the river`,
    tags: Array.from({ length: 20 }, (_, at) => `a tag, the ${at}th`),
    near: Array.from({ length: 23 }, (_, at) => ({ id: at, km: at * 1.5 })),
  };
}

export async function memory(bench: Bench): Promise<void> {
  const read = (id: number): Promise<City> => Promise.resolve(cityOf(id));
  const wrapped = (store: MemoryStore, name: string) =>
    cached(read, { name, ttl: "1h", backend: new GroupBackend({ store }) });

  const map = new Map<string, City>();
  const floor = contender("floor", {
    name: "function and Map",
    gives: "nothing",
    async call(id) {
      const key = `city:${id}`;
      let city = map.get(key);
      if (city === undefined) map.set(key, city = await read(id));
      return city;
    },
  });

  const gives = "ttl, stale, one call at a time, groups";
  const ours: Wrapper = { name: OURS, gives: `copies, ${gives}`, call: wrapped(new MemoryStore(), "copies") };
  await assertHit(ours, "a copy");
  const copying = await whoever(copyingIn(bench.peers, read), (wrapper) => assertHit(wrapper, "a copy"));
  await bench.race("a hit in memory, 1 KB object, a fresh copy each time (the floor gives none)", "ns", [
    floor,
    contender("ours", ours),
    ...copying.here.map((wrapper) => contender("peer", wrapper)),
  ], copying.missing);

  const same: Wrapper = {
    name: `${OURS}, copy: false`,
    gives,
    call: wrapped(new MemoryStore({ copy: false }), "same"),
  };
  await assertHit(same, "the same");
  const sharing = await whoever(sharingIn(bench.peers, read), (wrapper) => assertHit(wrapper, "the same"));
  await bench.race("a hit in memory, 1 KB object, no copies", "ns", [
    floor,
    contender("ours", same),
    ...sharing.here.map((wrapper) => contender(wrapper.bare ? "bare" : "peer", wrapper)),
  ], sharing.missing);
}

/** Nobody wins by giving something else than the table says. */
async function assertHit({ name, call }: Wrapper, expected: "a copy" | "the same"): Promise<void> {
  await call(7);
  const [first, second] = [await call(7), await call(7)];
  if (JSON.stringify(second) !== JSON.stringify(cityOf(7))) throw new Error(`${name} answers something else`);
  const given = first === second ? "the same" : "a copy";
  if (given !== expected) throw new Error(`${name} gives ${given}, not ${expected}`);
}

function contender(kind: Contender["kind"], { name, gives, call }: Wrapper): Contender {
  return {
    name,
    kind,
    gives,
    async run(count) {
      for (let index = 0; index < count; index++) await call(index % CALLS);
    },
  };
}
