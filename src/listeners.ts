import { type Channel, channel } from "node:diagnostics_channel";

/** Who listens to what: functions added here, and subscribers of the diagnostics channel of the same event. */
export class Listeners<Events extends object> {
  readonly #added = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #channels: { readonly [K in keyof Events]: Channel };

  /** `channels`: the diagnostics channel's name of each event. */
  constructor(channels: { readonly [K in keyof Events]: string }) {
    const opened = {} as { [K in keyof Events]: Channel };
    for (const event of Object.keys(channels) as (keyof Events)[]) opened[event] = channel(channels[event]);
    this.#channels = opened;
  }

  /** Adds a listener; returns the way to stop listening. */
  on<K extends keyof Events>(event: K, listener: (event: Events[K]) => void): () => void {
    if (!Object.hasOwn(this.#channels, event)) {
      const known = Object.keys(this.#channels).join(", ");
      throw new TypeError(`Cannot listen to ${JSON.stringify(event)}: the events are ${known}`);
    }
    if (typeof listener !== "function") throw new TypeError("Cannot listen: `listener` must be a function");
    // Wrapped, so that one function added twice is two listeners.
    const own = (told: Events[K]) => listener(told);
    const set = this.#added.get(event) ?? new Set();
    this.#added.set(event, set.add(own));
    return () => void set.delete(own);
  }

  /** Would anybody hear it? Ask before building an event on a hot path. */
  heard(event: keyof Events): boolean {
    return (this.#added.get(event)?.size ?? 0) > 0 || this.#channels[event].hasSubscribers;
  }

  /** Tells everybody. A listener that throws is reported and harms nobody. */
  tell<K extends keyof Events>(event: K, told: Events[K]): void {
    const set = this.#added.get(event);
    if (set !== undefined) {
      for (const listener of [...set] as ((event: Events[K]) => void)[]) {
        try {
          listener(told);
        } catch (error) {
          console.warn(`cache-utils: a listener of ${JSON.stringify(event)} threw`, error);
        }
      }
    }
    const open = this.#channels[event];
    if (open.hasSubscribers) open.publish(told);
  }
}
