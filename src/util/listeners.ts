import { channel } from "node:diagnostics_channel";
import { isPromise } from "./callbacks.ts";
import { quoted } from "./checks.ts";
import { warn } from "./warnings.ts";

/** The part of a diagnostics channel that we use. */
interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

/** Functions that listen to events, and the subscribers of each event's diagnostics channel. */
export class Listeners<Events extends object> {
  readonly #added = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #channels = {} as { [K in keyof Events]: Channel };

  /** `channelNames`: of each event, the name of its diagnostics channel. */
  constructor(channelNames: { readonly [K in keyof Events]: string }) {
    for (const event of Object.keys(channelNames) as (keyof Events)[]) {
      this.#channels[event] = channel(channelNames[event]);
    }
  }

  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof Events>(event: K, listener: (event: Events[K]) => void): () => void {
    if (!Object.hasOwn(this.#channels, event)) {
      const known = Object.keys(this.#channels).join(", ");
      throw new TypeError(`Cannot listen to ${quoted(String(event))}: the events are ${known}`);
    }
    if (typeof listener !== "function") throw new TypeError("Cannot listen: `listener` must be a function");
    let warned = false;
    const failed = (error: unknown) => {
      if (!warned) {
        warn("listeners", `a listener of ${quoted(String(event))} threw (warned of once per listener)`, { error });
      }
      warned = true;
    };
    // A function of its own for each call, so that one function added twice is two listeners.
    const added = (details: Events[K]) => {
      try {
        isPromise(listener(details), failed);
      } catch (error) {
        failed(error);
      }
    };
    const set = this.#added.get(event) ?? new Set();
    this.#added.set(event, set.add(added));
    return () => void set.delete(added);
  }

  /** Whether an event would reach anybody. Ask before building an event on a hot path. */
  hasListeners(event: keyof Events): boolean {
    return (this.#added.get(event)?.size ?? 0) > 0 || this.#channels[event].hasSubscribers;
  }

  /** Calls every listener and subscriber. The first error of a listener, thrown or rejected, is a warning; others go on. */
  emit<K extends keyof Events>(event: K, details: Events[K]): void {
    const listeners = [...this.#added.get(event) ?? []] as ((event: Events[K]) => void)[];
    for (const listener of listeners) listener(details);
    if (this.#channels[event].hasSubscribers) this.#channels[event].publish(details);
  }
}
