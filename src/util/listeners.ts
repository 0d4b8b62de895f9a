import { isPromise } from "./callbacks.ts";
import { quoted } from "./checks.ts";
import { warn } from "./warnings.ts";

/** Who listens to what: functions added here, and subscribers of the diagnostics channel of the same event. */
export class Listeners<Events extends object> {
  readonly #added = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #names: { readonly [K in keyof Events]: string };
  /** `undefined` while the runtime loads them. */
  #channels: { readonly [K in keyof Events]: Channel } | undefined;
  /** What was told meanwhile: somebody may have subscribed, and is owed the first events, too. */
  #waiting: [keyof Events, unknown][] = [];

  /** `channels`: the diagnostics channel's name of each event. */
  constructor(channels: { readonly [K in keyof Events]: string }) {
    this.#names = channels;
    if (openChannel() === undefined) void loadChannels().then(() => this.#open());
    else this.#open();
  }

  /** Adds a listener; returns the way to stop listening. */
  on<K extends keyof Events>(event: K, listener: (event: Events[K]) => void): () => void {
    if (!Object.hasOwn(this.#names, event)) {
      const known = Object.keys(this.#names).join(", ");
      throw new TypeError(`Cannot listen to ${quoted(String(event))}: the events are ${known}`);
    }
    if (typeof listener !== "function") throw new TypeError("Cannot listen: `listener` must be a function");
    let warned = false;
    const failed = (error: unknown) => {
      if (!warned) warn("listeners", `a listener of ${quoted(String(event))} threw (told once a listener)`, { error });
      warned = true;
    };
    // Wrapped, so that one function added twice is two listeners.
    const own = (told: Events[K]) => {
      try {
        isPromise(listener(told), failed);
      } catch (error) {
        failed(error);
      }
    };
    const set = this.#added.get(event) ?? new Set();
    this.#added.set(event, set.add(own));
    return () => void set.delete(own);
  }

  /** Would anybody hear it? Ask before building an event on a hot path. */
  hasListeners(event: keyof Events): boolean {
    return (this.#added.get(event)?.size ?? 0) > 0 || this.#channels === undefined ||
      this.#channels[event].hasSubscribers;
  }

  /** Tells everybody. A listener that throws or rejects is warned of, once, and harms nobody. */
  emit<K extends keyof Events>(event: K, told: Events[K]): void {
    const set = this.#added.get(event);
    if (set !== undefined) { for (const listener of [...set] as ((event: Events[K]) => void)[]) listener(told); }
    this.#publish(event, told);
  }

  #publish(event: keyof Events, told: unknown): void {
    if (this.#channels === undefined) this.#waiting.push([event, told]);
    else if (this.#channels[event].hasSubscribers) this.#channels[event].publish(told);
  }

  #open(): void {
    const open = openChannel()!;
    const channels = {} as { [K in keyof Events]: Channel };
    for (const event of Object.keys(this.#names) as (keyof Events)[]) channels[event] = open(this.#names[event]);
    // What is told meanwhile, by a subscriber that hears one of these, waits behind them.
    for (let n = 0; n < this.#waiting.length; n++) {
      const [event, told] = this.#waiting[n]!;
      if (channels[event].hasSubscribers) channels[event].publish(told);
    }
    this.#channels = channels;
    this.#waiting = [];
  }
}

/** The part of a diagnostics channel that we use. */
interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}
type Open = (name: string) => Channel;

let opened: Open | undefined;
let loading: Promise<void> | undefined;

/**
 * Loads the runtime's diagnostics channels, once. Imported at the top they would cost every program 4 ms in Deno, also
 * the one that only imports us; `builtin()` would cost 14-19.
 */
export function loadChannels(): Promise<void> {
  return loading ??= import("node:diagnostics_channel").then(({ channel }) => void (opened = channel), () => {
    opened = () => ({ hasSubscribers: false, publish() {} }); // a runtime without them has no subscriber either
  });
}

/** How to open a channel; `undefined` until `loadChannels()` has settled. */
const openChannel = (): Open | undefined => opened;
