/** What the conductor and the processes of the herd know of each other. */

/** In each process. */
export const CALLERS = 200;

/** What a process is told when it is started. */
export interface Order {
  readonly contender: string;
  readonly server: string;
  readonly database: number;
  readonly folder: string;
}

/** What one process saw of a burst. */
export interface Seen {
  /** What each caller waited, in ms, from the common moment on. */
  readonly waits: readonly number[];
  /** Callers that got a value from before the burst. */
  readonly old: number;
  /** Callers that got an error. */
  readonly failed: number;
}
