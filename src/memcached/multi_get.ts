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

/**
 * Gathers the answer of one call: the items are set as they come, and it resolves once every one of its `runs` has ended.
 * When the signal has fired, the first run to fail rejects all of it. Returns the callback of a server's run, which
 * resolves with what was wrong with one of its items, if anything was.
 */
export function gather(
  items: ItemsByKey,
  runs: number,
  signal: AbortSignal | undefined,
  resolve: (result: MultiResult) => void,
  reject: (reason: unknown) => void,
): (server: string, list: KeyList) => ReplyCallback<unknown> {
  const failed = new Map<string, Error>();
  const runEnded = (server: string, failure: Error | undefined) => {
    if (failure !== undefined) failed.set(server, failure);
    if (--runs === 0) settle();
  };
  const settle = () => {
    // Looking first is quicker: mostly every item is there.
    if (hasMissing(items)) items.forEach((item, key) => item === undefined && items.delete(key));
    // Not enumerable: compared with another Map, the items are what counts.
    resolve(Object.defineProperty(items, "failed", { value: failed }) as MultiResult);
  };
  if (runs === 0) settle();
  return (server, { keys }) => ({
    resolve: (failure) => runEnded(server, failure as Error | undefined),
    reject: (error) => {
      if (signal?.aborted) return reject(signal.reason);
      // A server that could not be asked has answered nothing, whatever came before it failed.
      for (const key of keys) items.set(key, undefined);
      runEnded(server, error as Error);
    },
  });
}

function hasMissing(items: ItemsByKey): boolean {
  for (const item of items.values()) if (item === undefined) return true;
  return false;
}
