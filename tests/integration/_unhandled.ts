/** Unhandled rejections while a test runs. */

import process from "node:process";
import { setImmediate as turn } from "node:timers/promises";

/** Calls `run`; throws if a rejection was not handled by then, with the first one as `cause`. */
export async function nothingUnhandled(run: () => Promise<void>): Promise<void> {
  const seen: unknown[] = [];
  const note = (reason: unknown) => void seen.push(reason);
  process.on("unhandledRejection", note);
  try {
    await run();
    // Runtimes report them once the microtasks of a turn are done.
    await turn();
    await turn();
  } finally {
    process.off("unhandledRejection", note);
  }
  if (seen.length > 0) throw new Error(`${seen.length} rejections were not handled`, { cause: seen[0] });
}

/** Rejects with an error that says what did not come, unless it comes in time. Keeps the process alive meanwhile. */
export async function within<T>(ms: number, what: string, awaited: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}
