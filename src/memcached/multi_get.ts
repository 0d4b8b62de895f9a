/** A multi-get: its keys by the server they live on, and what the servers answer, until all of them have. */

import type { Item, MultiResult } from "./connection/item.ts";
import type { ReplyCallback } from "./connection/operation.ts";
import { checkKey, KeyList } from "./protocol/keys.ts";

/** A place for each key, in the order in which they were asked for; `undefined`: no item has come. */
export type ItemsByKey = Map<string, Item | undefined>;

/** A longer one goes out as several runs, so that none keeps a connection for itself. */
const KEYS_A_RUN = 1000;

/**
 * Each key once, in the order in which it was given. `places`, which is empty, is given a place for each. Throws a
 * TypeError for what is no key.
 */
export function runsOf<Server>(
  keys: readonly string[],
  places: ItemsByKey,
  serverOf: (key: string) => Server,
): readonly (readonly [Server, KeyList])[] {
  const runs: [Server, string[]][] = [];
  const open = new Map<Server, string[]>();
  let server: Server | undefined, run: string[] | undefined;
  let count = 0;
  for (const key of keys) {
    if (typeof key !== "string") checkKey(key); // it throws
    places.set(key, undefined);
    if (places.size === count) continue;
    count++;
    const home = serverOf(key);
    if (home !== server) run = open.get(server = home);
    if (run === undefined || run.length === KEYS_A_RUN) {
      open.set(home, run = []);
      runs.push([home, run]);
    }
    run.push(key);
  }
  return runs.map(([server, keys]) => [server, new KeyList(keys)]);
}

/** One call's answer. Items go to their places as they come; runs report here that they ended. */
export class MultiGet {
  readonly #places: ItemsByKey;
  readonly #failed = new Map<string, Error>();
  readonly #resolve: (result: MultiResult) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #signal: AbortSignal | undefined;
  #open: number;

  /** `runs`: how many will end, each once. When the signal has fired, the first to fail rejects all of it. */
  constructor(
    places: ItemsByKey,
    runs: number,
    signal: AbortSignal | undefined,
    resolve: (result: MultiResult) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#places = places;
    this.#open = runs;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    if (runs === 0) this.#settle();
  }

  /** Takes the end of a server's run. */
  from(server: string, { keys }: KeyList): ReplyCallback<unknown> {
    return {
      resolve: (failure) => this.#answered(server, failure as Error | undefined),
      reject: (error) => this.#failedAt(server, keys, error as Error),
    };
  }

  /** `failure`: of one of its items; the others are there. */
  #answered(server: string, failure: Error | undefined): void {
    if (failure !== undefined) this.#failed.set(server, failure);
    this.#ended();
  }

  #failedAt(server: string, keys: readonly string[], error: Error): void {
    if (this.#signal?.aborted) return this.#reject(this.#signal.reason);
    this.#failed.set(server, error);
    // A server that could not be asked has answered nothing, whatever came before it failed.
    for (const key of keys) this.#places.set(key, undefined);
    this.#ended();
  }

  #ended(): void {
    if (--this.#open === 0) this.#settle();
  }

  #settle(): void {
    const places = this.#places;
    // Looked for first: it is quicker, and mostly there is none.
    if (hasEmpty(places)) places.forEach((item, key) => item === undefined && places.delete(key));
    // Not enumerable: compared with another Map, the items are what counts.
    this.#resolve(Object.defineProperty(places, "failed", { value: this.#failed }) as MultiResult);
  }
}

function hasEmpty(places: ItemsByKey): boolean {
  for (const item of places.values()) if (item === undefined) return true;
  return false;
}
