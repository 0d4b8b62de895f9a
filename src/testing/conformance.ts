import type { Store } from "../store/store.ts";
import { counterTests } from "./conformance_counters.ts";
import { entryTests } from "./conformance_entries.ts";
import { lifeTests } from "./conformance_life.ts";
import { valueTests } from "./conformance_values.ts";
import { type ConformanceOptions, Subject } from "./subject.ts";

/** One test: a sentence, and what proves it. */
export interface ConformanceTest {
  /** A sentence about the store. */
  readonly name: string;
  /** Why it cannot be run with the options given; `undefined`: it can. */
  readonly skip?: string | undefined;
  /** Rejects if the store does otherwise. */
  run(): Promise<void>;
}

/**
 * The tests that a store must pass: the whole contract of `Store` that can be seen through the port. Each makes a store of
 * its own and closes it. Keys are new in every run, so a server that many runs share is fine.
 *
 * @example
 * ```ts
 * import { MemoryStore } from "@x/cache-utils";
 * import { storeConformance } from "@x/cache-utils/testing";
 *
 * for (const test of storeConformance(() => new MemoryStore())) {
 *   if (test.skip === undefined) await test.run(); // or give it to your test runner
 * }
 * ```
 */
export function storeConformance(
  makeStore: () => Store | Promise<Store>,
  options: ConformanceOptions = {},
): readonly ConformanceTest[] {
  const run = crypto.randomUUID().slice(0, 8);
  let keys = 0;
  const key = (hint = "key") => `conformance:${run}:${++keys}:${hint}`;
  const left = options.without ?? [];
  const features = (["copies", "groups"] as const).map((name) => left.includes(name) ? `no ${name}` as const : name);
  const drafts = [...entryTests, ...valueTests, ...counterTests, ...lifeTests];
  return drafts.filter((draft) => draft.of === undefined || features.includes(draft.of)).map((draft) => ({
    name: draft.name,
    skip: draft.needs === undefined || options[draft.needs] !== undefined
      ? undefined
      : `no \`${draft.needs}\` was given`,
    run: async () => {
      const store = await makeStore();
      try {
        await draft.run(new Subject(store, options, key));
      } finally {
        await store.close();
      }
    },
  }));
}
