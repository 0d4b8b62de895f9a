/** A multi-get's keys by the server they live on. */

import { checkKey } from "./request.ts";

/** A longer one goes out as several runs, so that none keeps a connection for itself. */
const KEYS_A_RUN = 1000;

/** What one run asks for. */
export interface Run {
  readonly keys: string[];
  /** Their UTF-8 lengths. */
  readonly keysBytes: number[];
}

/** Each key once, in the order in which it was given. Throws a TypeError for what is no key. */
export function runsOf<Server>(
  keys: readonly string[],
  serverOf: (key: string) => Server,
): readonly (readonly [Server, Run])[] {
  const runs: [Server, Run][] = [];
  const open = new Map<Server, Run>();
  for (const key of new Set(keys)) {
    const bytes = checkKey(key);
    const server = serverOf(key);
    let run = open.get(server);
    if (run === undefined || run.keys.length === KEYS_A_RUN) {
      open.set(server, run = { keys: [], keysBytes: [] });
      runs.push([server, run]);
    }
    run.keys.push(key);
    run.keysBytes.push(bytes);
  }
  return runs;
}
