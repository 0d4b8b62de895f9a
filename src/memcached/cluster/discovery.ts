/** Keeps the list of servers that configuration endpoints give. */

import { monotonicMs } from "../../util/clock.ts";
import type { ServerAddress } from "./addresses.ts";
import { askForServers, type EndpointOptions } from "./endpoint.ts";

/** The endpoints are asked no more often, whoever wants to know. */
const PAUSE_MS = 1000;

/** Asks the endpoints again and again. */
export class Discovery {
  readonly #endpoints: readonly ServerAddress[];
  readonly #options: EndpointOptions;
  readonly #intervalMs: number;
  readonly #use: (addresses: readonly ServerAddress[]) => unknown;
  readonly #isLost: () => boolean;
  #version = -1;
  #listed = false;
  #asking: Promise<void> | undefined;
  #failed: { readonly error: Error; readonly until: number } | undefined;
  #askedAt = -Infinity;
  /** The endpoints are to be asked as soon as the pause allows. */
  #hurries = false;
  #timer: unknown;
  /** Nobody uses the servers. */
  #paused = false;
  #closed = false;

  /** `use` is given each new list, and resolves once that is used. `isLost`: nobody of the present one answers. */
  constructor(
    endpoints: readonly ServerAddress[],
    options: EndpointOptions,
    intervalMs: number,
    use: (addresses: readonly ServerAddress[]) => unknown,
    isLost: () => boolean = () => false,
  ) {
    this.#endpoints = endpoints;
    this.#options = options;
    this.#intervalMs = intervalMs;
    this.#use = use;
    this.#isLost = isLost;
  }

  /** Resolves once there is a list, which is kept up from then on. */
  async list(): Promise<void> {
    if (this.#listed) return;
    if (this.#failed !== undefined && monotonicMs(this.#options.clock) < this.#failed.until) throw this.#failed.error;
    await (this.#asking ??= this.#ask());
    if (!this.#listed) throw this.#failed!.error;
  }

  /** A server has died, or was tried in vain: another list may be there. */
  hurry(): void {
    this.#hurries = true;
    this.#paused = false;
    if (this.#listed && this.#asking === undefined) this.#askLater();
  }

  /** Asks no more until `goOn`, or until a server is missed. */
  pause(): void {
    this.#paused = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  /** Asks as soon as it may, if it was paused: the list may be old. */
  goOn(): void {
    if (this.#paused) this.hurry();
  }

  /** Asks no more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#options.clock.clearTimeout(this.#timer);
    await this.#asking;
  }

  /** Asks one endpoint after the other, until one answers. Never rejects. */
  async #ask(): Promise<void> {
    const { clock } = this.#options;
    this.#hurries = false;
    this.#askedAt = monotonicMs(clock);
    for (const endpoint of this.#endpoints) {
      try {
        const { version, addresses } = await askForServers(endpoint, this.#options);
        // An older version comes from an endpoint that lags behind, or of a cluster that was made anew.
        if (!this.#closed && (version > this.#version || this.#isLost())) {
          await this.#use(addresses);
          this.#version = version;
        }
        this.#listed = true;
        this.#failed = undefined;
        break;
      } catch (error) {
        this.#failed = { error: error as Error, until: monotonicMs(clock) + PAUSE_MS };
      }
    }
    this.#asking = undefined;
    // Without a list the next call asks again, as long as there are calls.
    if (this.#listed) this.#askLater();
  }

  #askLater(): void {
    if (this.#closed || this.#paused) return;
    const { clock } = this.#options;
    const pauseMs = this.#hurries ? Math.min(PAUSE_MS, this.#intervalMs) : this.#intervalMs;
    clock.clearTimeout(this.#timer);
    const ms = Math.max(0, this.#askedAt + pauseMs - monotonicMs(clock));
    this.#timer = clock.setTimeout(() => void (this.#asking ??= this.#ask()), ms);
    clock.unref?.(this.#timer);
  }
}
