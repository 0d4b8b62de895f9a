/** Keeps a list of servers as configuration endpoints tell it. */

import { ticks } from "../clock.ts";
import { asError } from "../socket/socket.ts";
import type { AskSettings } from "./endpoint.ts";
import type { ServerPlace } from "./servers.ts";

/** How often to ask. */
export interface DiscoverySettings extends AskSettings {
  readonly intervalMs: number;
}

/** How long a failed first ask is not repeated. */
const PAUSE_MS = 1000;

/** Keeps a list of servers as the endpoints tell it. */
export class Discovery {
  readonly #endpoints: readonly ServerPlace[];
  readonly #settings: DiscoverySettings;
  readonly #use: (places: readonly ServerPlace[]) => void;
  #version = -1;
  #listed = false;
  #asking: Promise<void> | undefined;
  #failed: { readonly error: Error; readonly until: number } | undefined;
  #timer: unknown;
  #closed = false;

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

  /** Resolves once there is a list, which is kept up from then on. */
  async list(): Promise<void> {
    if (this.#listed) return;
    if (this.#failed !== undefined && ticks(this.#settings.clock) < this.#failed.until) throw this.#failed.error;
    await (this.#asking ??= this.#ask());
    if (!this.#listed) throw this.#failed!.error;
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
    for (const endpoint of this.#endpoints) {
      try {
        const { askForServers } = await import("./endpoint.ts");
        const { version, places } = await askForServers(endpoint, this.#settings);
        if (version > this.#version && !this.#closed) this.#use(places);
        this.#version = Math.max(version, this.#version);
        this.#listed = true;
        this.#failed = undefined;
        break;
      } catch (error) {
        this.#failed = { error: asError(error), until: ticks(clock) + PAUSE_MS };
      }
    }
    this.#asking = undefined;
    // Without a list the next call asks again, as long as there are calls.
    if (this.#closed || !this.#listed) return;
    this.#timer = clock.setTimeout(() => void (this.#asking ??= this.#ask()), this.#settings.intervalMs);
    clock.unref?.(this.#timer);
  }
}
