import type { Contender, Missing, Pace } from "./measure.ts";

/** A tree of this library: the files to import for all of it, and for the driver alone. */
export interface Tree {
  readonly name: "old" | "new";
  readonly faces: readonly [all: string, driver: string];
}

/** What a case is given. */
export interface Setting {
  readonly hostname: string;
  readonly port: number;
  /** The folder with the other libraries. */
  readonly peers: string;
  readonly pace: Pace;
  /** Leave out what takes long. */
  readonly quick: boolean;
  /** Only the tables that have this in their title. */
  readonly only?: string;
  /** What `--against` compares, in the order in which it is loaded. */
  readonly trees?: readonly Tree[];
}

/** The setting, and where a case puts its tables. */
export interface Bench extends Setting {
  /** Whether a table of this title is asked for: what it needs is prepared only then. */
  wants(title: string): boolean;
  /** Lets the contenders race, and keeps their table if it is asked for. */
  race(
    title: string,
    unit: "per second" | "ns",
    contenders: readonly Contender[],
    missing?: readonly Missing[],
  ): Promise<
    void
  >;
  /** Keeps a table that was measured in another way. */
  tell(table: object): void;
}

export type Case = (bench: Bench) => Promise<void>;
