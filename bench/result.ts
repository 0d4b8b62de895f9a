/** What one run found, as it is kept in bench/results. */

import type { Missing, Pace, Table } from "./measure.ts";

export interface Measured {
  readonly runtime: string;
  readonly version: string;
  readonly tables: readonly Table[];
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
  /** Runtimes that could not be had. */
  readonly missing: readonly Missing[];
}
