/** A multi-get: its keys by the server they live on, and what the servers answer, until all of them have. */

import type { Item, MultiResult } from "./connection/item.ts";
import type { ReplyCallback } from "./connection/operation.ts";
import { checkKey, KeyList } from "./protocol/keys.ts";

/** Every key that is asked for, in their order; `undefined` until its item has come. */
export type ItemsByKey = Map<string, Item | undefined>;

/** A server is asked for more keys in several runs, so that no multi-get keeps a connection for itself. */
const KEYS_A_RUN = 1000;

/**
 * Each server with the keys that it owns, each key once and in the order in which it was given. Fills `items`, which is
 * empty, with every key. Throws a TypeError for what is no key.
 */
export function runsOf<Server>(
  keys: readonly string[],
  items: ItemsByKey,
  serverOf: (key: string) => Server,
): readonly (readonly [Server, KeyList])[] {
  const runs: [Server, string[]][] = [];
  const open = new Map<Server, string[]>();
  let server: Server | undefined, run: string[] | undefined;
  let count = 0;
  for (const key of keys) {
    if (typeof key !== "string") checkKey(key); // it throws
    items.set(key, undefined);
    if (items.size === count) continue;
    count++;
    const owner = serverOf(key);
    if (owner !== server) run = open.get(server = owner);
    if (run === undefined || run.length === KEYS_A_RUN) {
      open.set(owner, run = []);
      runs.push([owner, run]);
    }
    run.push(key);
  }
  return runs.map(([server, keys]) => [server, new KeyList(keys)]);
}

/** The answer of one call: items are set as they come, and it resolves once every run has ended. */
export class MultiGet {
  readonly #items: ItemsByKey;
  readonly #failed = new Map<string, Error>();
  readonly #resolve: (result: MultiResult) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #signal: AbortSignal | undefined;
  #open: number;

  /** `runs`: how many will end, each once. When the signal has fired, the first to fail rejects all of it. */
  constructor(
    items: ItemsByKey,
    runs: number,
    signal: AbortSignal | undefined,
    resolve: (result: MultiResult) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#items = items;
    this.#open = runs;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    if (runs === 0) this.#settle();
  }

  /** For the run of a server: resolved with what was wrong with one of its items, if anything was. */
  callbackOf(server: string, { keys }: KeyList): ReplyCallback<unknown> {
    return {
      resolve: (failure) => this.#runEnded(server, failure as Error | undefined),
      reject: (error) => {
        if (this.#signal?.aborted) return this.#reject(this.#signal.reason);
        // A server that could not be asked has answered nothing, whatever came before it failed.
        for (const key of keys) this.#items.set(key, undefined);
        this.#runEnded(server, error as Error);
      },
    };
  }

  #runEnded(server: string, failure: Error | undefined): void {
    if (failure !== undefined) this.#failed.set(server, failure);
    if (--this.#open === 0) this.#settle();
  }

  #settle(): void {
    const items = this.#items;
    // Looking first is quicker: mostly every item is there.
    if (hasMissing(items)) items.forEach((item, key) => item === undefined && items.delete(key));
    // Not enumerable: compared with another Map, the items are what counts.
    this.#resolve(Object.defineProperty(items, "failed", { value: this.#failed }) as MultiResult);
  }
}

function hasMissing(items: ItemsByKey): boolean {
  for (const item of items.values()) if (item === undefined) return true;
  return false;
}
