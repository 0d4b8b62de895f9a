/** What happened in one service: the backend's events, and the computations themselves. */
import type { GroupBackend, Outcome } from "@x/cache-utils";

export interface Happening {
  readonly at: number;
  /** "computed" is written by the service where its SQL runs, so it proves the cache's own count. */
  readonly what: Outcome | "computed" | "refresh" | "invalidate" | "storeError";
  readonly key: string;
  readonly ms?: number | undefined;
  readonly error?: string | undefined;
}

/** The last happenings are kept: enough for the tour, and no leak in a service that runs for days. */
const kept = 1000;

export class Journal {
  #happenings: Happening[] = [];
  #forgotten = 0;
  /** Called with each happening as it happens. */
  watch: ((happening: Happening) => void) | undefined;

  follow(backend: GroupBackend): void {
    backend.on("call", ({ outcome, key, ms }) => this.write({ what: outcome, key, ms }));
    backend.on("refresh", ({ key, ms, error }) => this.write({ what: "refresh", key, ms, error: messageOf(error) }));
    backend.on("invalidate", ({ key, groups }) => this.write({ what: "invalidate", key: key ?? groupsOf(groups) }));
    backend.on(
      "storeError",
      ({ operation, key, error }) => this.write({ what: "storeError", key: key ?? operation, error: messageOf(error) }),
    );
  }

  /** Runs a computation and writes down that it ran. */
  async computing<T>(call: string, compute: () => T | Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await compute();
    } finally {
      this.write({ what: "computed", key: call, ms: performance.now() - began });
    }
  }

  write(happening: Omit<Happening, "at">): void {
    const full = { at: performance.timeOrigin + performance.now(), ...happening };
    this.#happenings.push(full);
    if (this.#happenings.length > kept) {
      this.#happenings.shift();
      this.#forgotten += 1;
    }
    this.watch?.(full);
  }

  /** Everything from the `index`th happening on. */
  since(index: number): { next: number; happenings: Happening[] } {
    const first = Math.max(0, index - this.#forgotten);
    return { next: this.#forgotten + this.#happenings.length, happenings: this.#happenings.slice(first) };
  }
}

function groupsOf(groups: readonly string[] | undefined): string {
  return `group ${(groups ?? []).join(", ")}`;
}

function messageOf(error: unknown): string | undefined {
  return error === undefined ? undefined : error instanceof Error ? error.message : String(error);
}

/** One line: who, what, which key, how long. */
export function lineOf(happening: Happening, who = "", times = 1): string {
  const what = times === 1 ? happening.what : `${happening.what} x ${times}`;
  const ms = happening.ms === undefined ? "" : `${happening.ms.toFixed(1)} ms`;
  const line = `${who.padEnd(who === "" ? 0 : 3)}${what.padEnd(16)}${happening.key.padEnd(42)}${ms.padStart(10)}`;
  return `    ${line.trimEnd()}${happening.error === undefined ? "" : `   ${happening.error}`}`;
}
