/**
 * Room for looks and requests for leases: where they would fill more than nine tenths of what a store takes at once, they
 * wait in order, so that a burst of calls is slower instead of computed, and what must pass (a renewal, a value's set, a
 * release, an invalidation) is not refused.
 */

import { responsiveTime } from "../util/deadline.ts";
import type { Clock } from "../util/clock.ts";
import type { Store } from "../store/store.ts";

/** So much of a bound they may fill. */
const MOST = 0.9;
/**
 * Room is looked for so often while anybody waits: answers to others, who share the client, make some as well. Not as
 * soon as something is answered:
 *
 *   1. thousands of leases are answered in one step      2. as many others that wait are sent in their place
 *   3. the functions, which were quick, have ended, and their values' sets find the store full
 */
const PAUSE_MS = 1;

/** A question may be so many times as long as those before it. */
const CAUTION = 16;

interface Waiting {
  readonly key: string;
  readonly since: number;
  readonly send: () => void;
  readonly lack: () => void;
}

/** A queue whose front is taken off without moving the rest. */
interface Lane {
  waiting: Waiting[];
  first: number;
}

/** The questions that wait for room in one backend. Several backends may share the client that gives it. */
export class Room {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #lanes = new Map<string, Lane>();
  #timer: unknown;
  /** What the load was when it was read last in this tick, and how many were asked since. */
  #read = 0;
  #asked = 0;
  /** The most that one question was seen to fill; 0: none was seen yet. */
  #share = 0;
  /** So many more may be asked without reading. */
  #free = 0;

  /** `timeoutMs`: nobody waits for longer. */
  constructor(store: Store, clock: Clock, timeoutMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Questions of another tick begin: what others have asked meanwhile is not known. */
  begin(): void {
    this.#free = this.#asked = 0;
  }

  /** May it be asked now? Not where others wait for the same room: they came first. */
  has(key: string): boolean {
    if (this.#store.load === undefined) return true;
    if (this.#lanes.size === 0) {
      this.#asked++;
      if (this.#free > 0) {
        this.#free--;
        return true;
      }
      // Of all that the store has the fullest, first: which of them is the key's takes longer to tell.
      if (this.#readFullest() < MOST) return true;
    }
    return !this.#lanes.has(this.#laneOf(key)) && this.#load(key) < MOST;
  }

  /** To read the load for each of a hundred questions would cost a hit a tenth of its time. */
  #readFullest(): number {
    const load = this.#load(), asked = this.#asked - 1;
    if (asked > 0) this.#share = Math.max(this.#share, (load - this.#read) / asked);
    this.#free = this.#share > 0 ? Math.floor((MOST - load) / (CAUTION * this.#share)) : 0;
    this.#read = load;
    this.#asked = 1;
    return load;
  }

  /** Calls `send` once there is room, or `lack` when there was none for the whole timeout. */
  wait(key: string, send: () => void, lack: () => void): void {
    const name = this.#laneOf(key);
    const lane = this.#lanes.get(name);
    const waiting = { key, since: responsiveTime(this.#clock), send, lack };
    if (lane === undefined) this.#lanes.set(name, { waiting: [waiting], first: 0 });
    else lane.waiting.push(waiting);
    this.#timer ??= this.#clock.setTimeout(this.#look, PAUSE_MS);
  }

  readonly #look = (): void => {
    this.#pass();
    this.#timer = this.#lanes.size > 0 ? this.#clock.setTimeout(this.#look, PAUSE_MS) : undefined;
  };

  #load(key?: string): number {
    try {
      const load = this.#store.load!(key);
      return load >= 0 ? load : 0;
    } catch {
      return 0;
    }
  }

  #laneOf(key: string): string {
    try {
      const lane = this.#store.lane?.(key);
      return typeof lane === "string" ? lane : "";
    } catch {
      return "";
    }
  }

  #pass(): void {
    const tooOld = responsiveTime(this.#clock) - this.#timeoutMs;
    for (const [name, lane] of this.#lanes) {
      const { waiting } = lane;
      while (lane.first < waiting.length) {
        const { key, since, send, lack } = waiting[lane.first]!;
        if (this.#load(key) < MOST) send();
        else if (since <= tooOld) lack();
        else break;
        lane.first++;
      }
      if (lane.first === waiting.length) this.#lanes.delete(name);
    }
  }
}
