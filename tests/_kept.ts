/** Callers are answered while the value is still on its way to the store. Who looks for it there waits for it. */

import { setTimeout as sleep } from "node:timers/promises";

/** Looks until there is something: `await untilKept(() => offers.peek("oslo"))`. Gives up with an error after 20 s. */
export async function untilKept<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const began = performance.now(); performance.now() - began < 20_000; await sleep(5)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("a value that was answered was not kept within 20 s");
}
