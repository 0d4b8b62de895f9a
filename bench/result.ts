/** What one run found, as it is kept in bench/results. */

import type { Missing, Pace, Table } from "./measure.ts";
import type { Judged } from "./targets.ts";

export interface Measured {
  readonly runtime: string;
  readonly version: string;
  readonly tables: readonly Table[];
  /** The targets that these tables have a row for. */
  readonly judged: readonly Judged[];
  /** Cases that ended with an error. */
  readonly failed: readonly Missing[];
}

export interface Result {
  readonly date: string;
  readonly commit: string;
  /** How long the run took, without the fetching of packages. */
  readonly seconds: number;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly os: string };
  readonly versions: Readonly<Record<string, string>>;
  readonly pace: Pace;
  readonly measured: readonly Measured[];
  /** What is the same on every runtime: the bytes of an import. */
  readonly everywhere: Pick<Measured, "tables" | "judged" | "failed">;
  /** Runtimes that could not be had. */
  readonly missing: readonly Missing[];
}
