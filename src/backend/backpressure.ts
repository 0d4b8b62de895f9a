/**
 * Backpressure: while a server's connection is nine tenths full, reads and requests for leases wait in order. So a burst of
 * calls becomes slower instead of being refused and computed, and the last tenth stays free for what must pass: renewals,
 * sets of values, releases, invalidations.
 */

import { responsiveTime } from "../util/deadline.ts";
import type { Clock } from "../util/clock.ts";
import type { Store } from "../store/store.ts";

/** How full reads and requests for leases may make a connection; 1: it refuses requests. */
const MAX_LOAD = 0.9;
/**
 * How often the load is read while requests wait: it falls with answers to other users of the client as well. It is not
 * read as soon as an answer comes:
 *
 *   1. thousands of leases are answered in one step      2. as many others that wait are sent in their place
 *   3. the functions, which were quick, have ended, and their values' sets find the store full
 */
const PAUSE_MS = 1;
interface Waiting {
  readonly key: string;
  readonly since: number;
  readonly send: () => void;
  readonly giveUp: () => void;
}

/** The name of the server that a key's requests go to, as the store's `lane` says it; "" where the store does not say. */
export function serverOf(store: Store, key: string): string {
  try {
    const lane = store.lane?.(key);
    return typeof lane === "string" ? lane : "";
  } catch {
    return "";
  }
}

/** Holds back requests of one backend. Several backends may share a client, and so its connections. */
export class Backpressure {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** The requests that wait, in order, by server. A server that none waits for is not in it. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  #timer: unknown;
  /** How many requests passed in this tick. */
  #passed = 0;
  /** How many more may pass before the load is read again: to read it for each would cost a hit a tenth of its time. */
  #unread = 0;

  /** `timeoutMs`: how long a request may wait. */
  constructor(store: Store, clock: Clock, timeoutMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The requests of another tick begin: how much others have sent meanwhile is not known. */
  beginTick(): void {
    this.#unread = this.#passed = 0;
  }

  /** May a request for this key be sent now? Not while others wait for the same server: they came first. */
  canSend(key: string): boolean {
    if (this.#store.load === undefined) return true;
    if (this.#waiting.size === 0) {
      if (this.#unread-- > 0) return this.#pass();
      // The load of the fullest connection first: to find out which one is the key's takes longer.
      const load = this.#loadOf();
      // All that passed fills less than a quarter of the limit, so as many again may pass unread, even if thrice as large.
      this.#unread = load < MAX_LOAD / 4 ? this.#passed : 0;
      if (load < MAX_LOAD) return this.#pass();
    }
    return !this.#waiting.has(serverOf(this.#store, key)) && this.#loadOf(key) < MAX_LOAD;
  }

  #pass(): true {
    this.#passed++;
    return true;
  }

  /** Calls `send` once the load allows it, or `giveUp` if it did not for the whole timeout. */
  wait(key: string, send: () => void, giveUp: () => void): void {
    const server = serverOf(this.#store, key);
    let waiting = this.#waiting.get(server);
    if (waiting === undefined) this.#waiting.set(server, waiting = new Set());
    waiting.add({ key, since: responsiveTime(this.#clock), send, giveUp });
    this.#timer ??= this.#clock.setTimeout(this.#sendWaiting, PAUSE_MS);
  }

  readonly #sendWaiting = (): void => {
    const tooOld = responsiveTime(this.#clock) - this.#timeoutMs;
    for (const [server, waiting] of this.#waiting) {
      for (const one of waiting) {
        if (this.#loadOf(one.key) < MAX_LOAD) one.send();
        else if (one.since <= tooOld) one.giveUp();
        else break;
        waiting.delete(one);
      }
      if (waiting.size === 0) this.#waiting.delete(server);
    }
    this.#timer = this.#waiting.size > 0 ? this.#clock.setTimeout(this.#sendWaiting, PAUSE_MS) : undefined;
  };

  #loadOf(key?: string): number {
    try {
      const load = this.#store.load!(key);
      return load >= 0 ? load : 0;
    } catch {
      return 0;
    }
  }
}
