/** Keeps a list of servers as configuration endpoints tell it. */

import { ticks } from "../clock.ts";
import { asError } from "../socket/socket.ts";
import type { AskSettings } from "./endpoint.ts";
import type { ServerPlace } from "./servers.ts";

/** How often to ask. */
export interface DiscoverySettings extends AskSettings {
  readonly intervalMs: number;
}

/** It is asked no more often, whoever wants to know. */
const PAUSE_MS = 1000;

/** What is done with a list. */
export interface ListUser {
  /** Nobody of the present list answers. */
  isLost(): boolean;
  /** From now on these; resolves once they are. */
  use(places: readonly ServerPlace[]): Promise<void>;
}

/** Keeps a list of servers as the endpoints tell it. */
export class Discovery {
  readonly #endpoints: readonly ServerPlace[];
  readonly #settings: DiscoverySettings;
  readonly #user: ListUser;
  #version = -1;
  #listed = false;
  #asking: Promise<void> | undefined;
  #failed: { readonly error: Error; readonly until: number } | undefined;
  #askedAt = -Infinity;
  /** The next ask is to come as soon as it may. */
  #hurries = false;
  #timer: unknown;
  #closed = false;

  /** `user` is given each new list. */
  constructor(endpoints: readonly ServerPlace[], settings: DiscoverySettings, user: ListUser) {
    this.#endpoints = endpoints;
    this.#settings = settings;
    this.#user = user;
  }

  /** Resolves once there is a list, which is kept up from then on. */
  async list(): Promise<void> {
    if (this.#listed) return;
    if (this.#failed !== undefined && ticks(this.#settings.clock) < this.#failed.until) throw this.#failed.error;
    await (this.#asking ??= this.#ask());
    if (!this.#listed) throw this.#failed!.error;
  }

  /** A server has died, or was tried in vain: another list may be there. */
  hurry(): void {
    this.#hurries = true;
    if (this.#listed && this.#asking === undefined) this.#askLater();
  }

  /** Asks no more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#settings.clock.clearTimeout(this.#timer);
    await this.#asking;
  }

  /** Asks one endpoint after the other, until one answers. Never rejects. */
  async #ask(): Promise<void> {
    const { clock } = this.#settings;
    this.#hurries = false;
    this.#askedAt = ticks(clock);
    for (const endpoint of this.#endpoints) {
      try {
        const { askForServers } = await import("./endpoint.ts");
        const { version, places } = await askForServers(endpoint, this.#settings);
        if (this.#closed) break;
        // An older one comes from an endpoint that lags behind, or of a cluster that was made anew.
        if (version > this.#version || version !== this.#version && this.#user.isLost()) {
          await this.#user.use(places);
          this.#version = version;
        }
        this.#listed = true;
        this.#failed = undefined;
        break;
      } catch (error) {
        this.#failed = { error: asError(error), until: ticks(clock) + PAUSE_MS };
      }
    }
    this.#asking = undefined;
    // Without a list the next call asks again, as long as there are calls.
    if (this.#listed) this.#askLater();
  }

  #askLater(): void {
    if (this.#closed) return;
    const { clock, intervalMs } = this.#settings;
    const pauseMs = this.#hurries ? Math.min(PAUSE_MS, intervalMs) : intervalMs;
    clock.clearTimeout(this.#timer);
    const ms = Math.max(0, this.#askedAt + pauseMs - ticks(clock));
    this.#timer = clock.setTimeout(() => void (this.#asking ??= this.#ask()), ms);
    clock.unref?.(this.#timer);
  }
}
