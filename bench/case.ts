import type { Pace, Table } from "./measure.ts";

/** What a case is given. */
export interface Setting {
  readonly hostname: string;
  readonly port: number;
  /** The folder with the other libraries. */
  readonly peers: string;
  readonly pace: Pace;
  /** Leave out what takes long. */
  readonly quick: boolean;
  /** Told of each table when it is measured. */
  readonly tell: (table: Table) => void;
}

export type Case = (setting: Setting) => Promise<void>;
