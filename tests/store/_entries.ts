/** What the tests of stores keep. */
import type { ValueEntry } from "../../src/store/store.ts";

export const LONG_MS = 600_000;
export const valued = (value: unknown): ValueEntry => ({
  kind: "value",
  value,
  freshUntil: 1,
  staleUntil: Infinity,
  generations: [],
});
