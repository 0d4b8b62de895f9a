/** What cannot be copied is given to the one who computed it; everybody else computes. */
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { cached, GroupBackend, MemoryStore, PlainBackend } from "@x/cache-utils";
import { warnings } from "../cached/_fake_backend.ts";

class Session {
  readonly of: number;
  constructor(of: number) {
    this.of = of;
  }
}
const RESULTS: Readonly<Record<string, (n: number) => unknown>> = {
  "an instance of a class": (n) => new Session(n),
  "a Response": (n) => new Response(`${n}`),
  "a stream": (n) => new Blob([`${n}`]).stream(),
  "a generator": function* (n) {
    yield n;
  },
  "an async generator": async function* (n) {
    yield await Promise.resolve(n);
  },
  "a function": (n) => () => n,
  "a cycle": (n) => {
    const cycle: { n: number; self?: unknown } = { n };
    cycle.self = cycle;
    return cycle;
  },
};

for (const [what, make] of Object.entries(RESULTS)) {
  for (const where of ["memory", "a PlainBackend", "a store that is away"]) {
    test(`${what} is given to one caller, and computed for every other one: ${where}`, async () => {
      const store = new MemoryStore();
      if (where === "a store that is away") await store.close();
      const backend = where === "a PlainBackend" ? new PlainBackend(new Map()) : new GroupBackend({ store });
      let computations = 0;
      const fn = cached(async (_id: number) => (await null, make(computations++)), { name: "f", backend });
      await warnings(async () => {
        for (let round = 1; round <= 2; round++) {
          const given = await Promise.all(Array.from({ length: 5 }, () => fn(1)));
          given.push(await fn(1), await fn.refresh(1));
          assertEquals(new Set(given).size, 7, "nobody is given another one's");
          assertEquals(computations, 7 * round);
        }
      });
    });
  }
}

test("with `copy: false` the very object is shared, as it says", async () => {
  const backend = new GroupBackend({ store: new MemoryStore({ copy: false }) });
  const fn = cached(async (n: number) => (await null, new Session(n)), { name: "f", backend });
  const [one, other] = await Promise.all([fn(1), fn(1)]);
  assert(one === other);
});
