/** Keeps a list of servers as configuration endpoints tell it, and calls waiting until there is one. */

import { ticks } from "../clock.ts";
import { QueueFullError, TimeoutError } from "../errors.ts";
import { asError } from "../socket/socket.ts";
import { askForServers, type AskSettings } from "./endpoint.ts";
import { heed, type Heeding, ignore } from "./heed.ts";
import type { ServerPlace } from "./servers.ts";

/** How often to ask, and for how long and how many calls wait for the first list. */
export interface DiscoverySettings extends AskSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
}

/** How long a failed first ask is not repeated. */
const PAUSE_MS = 1000;

/** Keeps a list of servers as the endpoints tell it. */
export class Discovery {
  /** There is a list. */
  listed = false;
  readonly #endpoints: readonly ServerPlace[];
  readonly #settings: DiscoverySettings;
  readonly #use: (places: readonly ServerPlace[]) => void;
  #version = -1;
  #asking: Promise<void> | undefined;
  #failed: { readonly error: Error; readonly until: number } | undefined;
  #timer: unknown;
  #closed = false;
  /** Calls that wait for the first list. */
  readonly #waiting = new Set<Promise<unknown>>();

  /** `use` is given each new list. */
  constructor(
    endpoints: readonly ServerPlace[],
    settings: DiscoverySettings,
    use: (places: readonly ServerPlace[]) => void,
  ) {
    this.#endpoints = endpoints;
    this.#settings = settings;
    this.#use = use;
  }

  /** Calls `ask` once there is a list. Rejects when there is none in time, or the signal fires. */
  async whenListed<T>(signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    if (this.#waiting.size >= this.#settings.maxInFlight) {
      const name = this.#endpoints[0]!.name;
      throw new QueueFullError(`Cannot ask: ${this.#waiting.size} calls wait for the list of servers`, name);
    }
    const asked = this.#list(signal).then(() => ({ answer: ask() }));
    this.#waiting.add(asked);
    try {
      return await (await asked).answer;
    } finally {
      this.#waiting.delete(asked);
    }
  }

  /** Asks no more. Resolves when every call that waited has been sent on, or rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#settings.clock.clearTimeout(this.#timer);
    await Promise.allSettled(this.#waiting);
    await this.#asking;
  }

  #list(signal: AbortSignal | undefined): Promise<void> {
    const { clock, timeoutMs } = this.#settings;
    const now = ticks(clock);
    if (this.#failed !== undefined && now < this.#failed.until) return Promise.reject(this.#failed.error);
    this.#asking ??= this.#ask();
    return new Promise((resolve, reject) => {
      const caller: Heeding = { leave: (reason) => end(() => reject(reason)) };
      const name = this.#endpoints[0]!.name;
      const state = `no list of servers within ${timeoutMs} ms; nothing was sent`;
      const timer = clock.setTimeout(() => end(() => reject(new TimeoutError(state, name))), timeoutMs);
      const end = (settle: () => void) => {
        clock.clearTimeout(timer);
        if (signal !== undefined) ignore(signal, caller);
        settle();
      };
      if (signal !== undefined) heed(signal, caller);
      this.#asking!.then(() => end(this.listed ? resolve : () => reject(this.#failed!.error)));
    });
  }

  /** Asks one endpoint after the other, until one answers. Never rejects. */
  async #ask(): Promise<void> {
    const { clock } = this.#settings;
    for (const endpoint of this.#endpoints) {
      try {
        const { version, places } = await askForServers(endpoint, this.#settings);
        if (version > this.#version && !(this.#closed && this.listed)) this.#use(places);
        this.#version = Math.max(version, this.#version);
        this.listed = true;
        this.#failed = undefined;
        break;
      } catch (error) {
        this.#failed = { error: asError(error), until: ticks(clock) + PAUSE_MS };
      }
    }
    this.#asking = undefined;
    // Without a list the next call asks again, as long as there are calls.
    if (this.#closed || !this.listed) return;
    this.#timer = clock.setTimeout(() => void (this.#asking ??= this.#ask()), this.#settings.intervalMs);
    clock.unref?.(this.#timer);
  }
}
