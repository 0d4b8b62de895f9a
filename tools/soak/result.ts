/** What a fault class came to, and how it is printed. */

import process from "node:process";
import type { Tally } from "../../tests/memcached/_load.ts";

/** One line of the table. */
export interface FaultResult {
  readonly fault: string;
  readonly count: number;
  readonly wrong: number;
  readonly unsettled: number;
  /** Real ms, the longest from a call to its answer. */
  readonly worstMs: number;
  /** Figures besides. */
  readonly notes: string;
  /** What was expected and was not so; empty: all is well. */
  readonly failures: readonly string[];
}

/** What every class of faults is given. */
export interface SoakOptions {
  readonly seed: number;
  readonly protocol: "binary" | "meta";
  /** A share of the full count: 1, or less with --quick. */
  readonly share: number;
  /** Instead of the case's own count. */
  readonly count: number | undefined;
}

/** What the callers' tally comes to. */
export function resultOf(fault: string, count: number, tally: Tally, notes: string, more: string[] = []): FaultResult {
  const { wrong, unsettled, worstMs, complaint } = tally;
  const failures = [...more];
  if (wrong > 0) failures.push(`${wrong} wrong: ${complaint}`);
  if (unsettled > 0) failures.push(`${unsettled} unsettled`);
  return { fault, count, wrong, unsettled, worstMs, notes, failures };
}

/** A limit that is checked, in words if it does not hold. */
export const expectAtMost = (name: string, value: number, most: number): string[] =>
  value <= most ? [] : [`${name} is ${Math.round(value * 10) / 10}, at most ${most} was expected`];

export const heading: string = `${"fault".padEnd(34)} ${"count".padStart(10)} ${"wrong".padStart(5)} ${
  "open".padStart(5)
} ${"worst ms".padStart(9)}  result`;

export function lineOf({ fault, count, wrong, unsettled, worstMs, notes, failures }: FaultResult): string {
  const numbers = [
    fault.padEnd(34),
    count.toLocaleString("en").padStart(10),
    String(wrong).padStart(5),
    String(unsettled).padStart(5),
    worstMs.toFixed(1).padStart(9),
  ];
  const end = failures.length === 0 ? "ok" : `FAILED: ${failures.join("; ")}`;
  return `${numbers.join(" ")}  ${end}${notes === "" ? "" : `  (${notes})`}`;
}

/** Bytes in use, after a collection where the runtime lets one ask for it. */
export function memory(): { readonly heap: number; readonly rss: number } {
  const { gc, Bun } = globalThis as { gc?(): void; Bun?: { gc(synchronous: boolean): void } };
  gc?.();
  Bun?.gc(true);
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}

export const mb = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

/** The longest that the event loop was kept from a 5 ms interval since it was begun. */
export class LoopWatch {
  longestMs = 0;
  #last = performance.now();
  readonly #timer = setInterval(() => this.#measure(), 5);

  #measure(): void {
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.#last - 5);
    this.#last = now;
  }

  /** From here on, as if nothing had been before. */
  restart(): void {
    this.longestMs = 0;
    this.#last = performance.now();
  }

  end(): number {
    clearInterval(this.#timer);
    return this.longestMs;
  }
}
