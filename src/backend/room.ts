/**
 * Room for reads and requests for leases: where they would fill more than nine tenths of what a store takes at once, they
 * wait in order. So a burst of calls is slower instead of computed, and what must pass (a renewal, a value's set, a
 * release, an invalidation) is not refused.
 */

import { responsiveTime } from "../util/deadline.ts";
import type { Clock } from "../util/clock.ts";
import type { Store } from "../store/store.ts";

/** How much of a store's bound they may fill. */
const MAX_LOAD = 0.9;
/**
 * How often room is looked for while anybody waits: answers to others, who share the client, make some as well. It is not
 * looked for as soon as an answer comes:
 *
 *   1. thousands of leases are answered in one step      2. as many others that wait are sent in their place
 *   3. the functions, which were quick, have ended, and their values' sets find the store full
 */
const PAUSE_MS = 1;
/** A request may fill this many times as much as the largest before it. */
const CAUTION = 16;

interface Waiting {
  readonly key: string;
  readonly since: number;
  readonly send: () => void;
  readonly giveUp: () => void;
}

/** The name of what bounds a key's requests, its server as a rule; "" where the store does not say. */
export function laneOf(store: Store, key: string): string {
  try {
    const lane = store.lane?.(key);
    return typeof lane === "string" ? lane : "";
  } catch {
    return "";
  }
}

/** The requests of one backend that wait for room. Several backends may share the client that gives it. */
export class Room {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** Who waits, by lane, in order. A lane that nobody waits for is not in it. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  #timer: unknown;
  /** The load when it was read last in this tick, and how many requests were let through since. */
  #load = 0;
  #sentSince = 0;
  /** The most that one request was seen to fill; 0: none was seen yet. */
  #share = 0;
  /** How many more may pass before the load is read again. */
  #free = 0;

  /** `timeoutMs`: how long a request may wait. */
  constructor(store: Store, clock: Clock, timeoutMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The requests of another tick begin: how much others have sent meanwhile is not known. */
  begin(): void {
    this.#free = this.#sentSince = 0;
  }

  /** May it be sent now? Not where others wait for the same room: they came first. */
  has(key: string): boolean {
    if (this.#store.load === undefined) return true;
    if (this.#waiting.size === 0) {
      this.#sentSince++;
      if (this.#free > 0) {
        this.#free--;
        return true;
      }
      // The fullest of all the store has first: which of them is the key's takes longer to tell.
      if (this.#readFullest() < MAX_LOAD) return true;
    }
    return !this.#waiting.has(laneOf(this.#store, key)) && this.#loadOf(key) < MAX_LOAD;
  }

  /** To read the load for each of a hundred requests would cost a hit a tenth of its time. */
  #readFullest(): number {
    const load = this.#loadOf(), sent = this.#sentSince - 1;
    if (sent > 0) this.#share = Math.max(this.#share, (load - this.#load) / sent);
    this.#free = this.#share > 0 ? Math.floor((MAX_LOAD - load) / (CAUTION * this.#share)) : 0;
    this.#load = load;
    this.#sentSince = 1;
    return load;
  }

  /** Calls `send` once there is room, or `giveUp` where there was none for the whole timeout. */
  wait(key: string, send: () => void, giveUp: () => void): void {
    const lane = laneOf(this.#store, key);
    let waiting = this.#waiting.get(lane);
    if (waiting === undefined) this.#waiting.set(lane, waiting = new Set());
    waiting.add({ key, since: responsiveTime(this.#clock), send, giveUp });
    this.#timer ??= this.#clock.setTimeout(this.#sendWaiting, PAUSE_MS);
  }

  readonly #sendWaiting = (): void => {
    const tooOld = responsiveTime(this.#clock) - this.#timeoutMs;
    for (const [lane, waiting] of this.#waiting) {
      for (const one of waiting) {
        if (this.#loadOf(one.key) < MAX_LOAD) one.send();
        else if (one.since <= tooOld) one.giveUp();
        else break;
        waiting.delete(one);
      }
      if (waiting.size === 0) this.#waiting.delete(lane);
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
