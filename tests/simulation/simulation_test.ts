/** The promise, under whatever a seed makes of a fleet. A seed that fails here: `deno task simulate --seed S --trace`. */
import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { seedsFrom } from "./_seeds.ts";
import { simulate } from "./_simulation.ts";

/** Everywhere the same seeds; Deno runs them all, the others as many as show that nothing depends on the runtime. */
const SEEDS = "Deno" in globalThis ? 20_000 : 1000;

/** Warnings of results that cannot be kept. */
async function silently<T>(work: () => Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = () => {};
  try {
    return await work();
  } finally {
    console.warn = warn;
  }
}

test(`${SEEDS} seeds: no call is given what was invalidated before it began, and everything comes to an end`, {
  timeout: 600_000,
}, async () => {
  const failures: string[] = [];
  await silently(async () => {
    for (const seed of seedsFrom(1, SEEDS)) {
      if (failures.length === 5) break;
      const { broken } = await simulate(seed);
      if (broken !== undefined) failures.push(`deno task simulate --seed ${seed} --trace: ${broken}`);
    }
  });
  assertEquals(failures, []);
});

test("a seed is the same schedule every time, as a numbered list", async () => {
  await silently(async () => {
    for (const seed of [1, 2, 3]) {
      const lines: string[][] = [[], []];
      const runs = [await simulate(seed, lines[0]), await simulate(seed, lines[1]), await simulate(seed)];
      assertEquals(lines[0], lines[1]);
      assertEquals(runs[0]!.events, runs[2]!.events, "and nothing depends on whether it is written down");
      lines[0]!.forEach((line, i) => assertEquals(Number(line.slice(0, 4)), i + 1));
    }
  });
});

test(
  "the simulation meets what it is for: every kind of plan, every fault, every verb",
  { timeout: 60_000 },
  async () => {
    const met = new Set<string>();
    await silently(async () => {
      for (let seed = 1; seed <= 200; seed++) {
        const { plan: { kind, faults, verbs } } = await simulate(seed);
        for (
          const one of [
            kind,
            ...faults,
            ...Object.entries(verbs).flatMap(([verb, often]) => often > 0 ? verb : []),
          ]
        ) {
          met.add(one);
        }
      }
    });
    const kinds = ["calm", "contested", "expiry", "faulty", "parade"];
    const faults = [
      "crash",
      "cutOff",
      "evict",
      "evictCounter",
      "junk",
      "lose",
      "pause",
      "plant",
      "restart",
      "setClock",
    ];
    const verbs = ["add", "begin", "call", "invalidate", "invalidateGroup", "peek", "peekMany", "refresh", "set"];
    assertEquals([...met].sort(), [...kinds, ...faults, ...verbs].sort());
  },
);
