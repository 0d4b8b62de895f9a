/** Callers are answered while the value is still on its way to the store: a test that reads it there has to wait. */

import { setTimeout as sleep } from "node:timers/promises";

/** Reads until there is something: `await untilKept(() => offers.peek("oslo"))`. Gives up with an error after 20 s. */
export async function untilKept<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (const began = performance.now(); performance.now() - began < 20_000; await sleep(5)) {
    const found = await read();
    if (found !== undefined) return found;
  }
  throw new Error("a value that was answered was not kept within 20 s");
}
