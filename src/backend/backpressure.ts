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
interface Waiting {
  readonly key: string;
  readonly since: number;
  readonly send: () => void;
  readonly giveUp: () => void;
}

/** The name of what bounds a key's requests, its server as a rule; "" where the store does not say. */
export function serverOf(store: Store, key: string): string {
  try {
    const lane = store.lane?.(key);
    return typeof lane === "string" ? lane : "";
  } catch {
    return "";
  }
}

/** The requests of one backend that wait for room. Several backends may share the client that gives it. */
export class Backpressure {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** Who waits, by lane, in order. A lane that nobody waits for is not in it. */
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

  /** May it be sent now? Not where others wait for the same room: they came first. */
  canSend(key: string): boolean {
    if (this.#store.load === undefined) return true;
    if (this.#waiting.size === 0) {
      if (this.#unread-- > 0) return this.#pass();
      // The fullest of all the store has first: which of them is the key's takes longer to tell.
      const load = this.#loadOf();
      // What passed has filled no more than this, so as many more will not fill what is left, be they three times as long.
      this.#unread = load < MAX_LOAD / 4 ? this.#passed : 0;
      if (load < MAX_LOAD) return this.#pass();
    }
    return !this.#waiting.has(serverOf(this.#store, key)) && this.#loadOf(key) < MAX_LOAD;
  }

  #pass(): true {
    this.#passed++;
    return true;
  }

  /** Calls `send` once there is room, or `giveUp` where there was none for the whole timeout. */
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
