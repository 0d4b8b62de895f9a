/** Everything that is published, emitted or logged while something runs, as one text in which to search for secrets. */

import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { inspect } from "node:util";
import type { GroupBackend } from "@x/cache-utils";
import type { Memcached } from "@x/cache-utils/memcached";

const CHANNELS = [
  ...["call", "refresh", "invalidate", "store-error"].map((name) => `cache-utils:${name}`),
  ...["connect", "dead", "alive", "operation"].map((name) => `memcached:${name}`),
];

/** What was collected. */
export class Evidence implements Disposable {
  readonly #texts: string[] = [];
  readonly #channels = new Set<string>();
  readonly #undo: (() => void)[] = [];
  #errors = 0;

  /** Listens to the diagnostics channels and to the console until it is disposed of. */
  constructor() {
    for (const name of CHANNELS) {
      const note = (event: unknown) => {
        this.#channels.add(name);
        this.add(event);
      };
      channel(name);
      subscribe(name, note);
      this.#undo.push(() => void unsubscribe(name, note));
    }
    for (const method of ["log", "info", "warn", "error", "debug"] as const) {
      const own = console[method];
      console[method] = (...words: unknown[]) => words.forEach((word) => this.add(word));
      this.#undo.push(() => console[method] = own);
    }
  }

  /** How many errors are in it; which channels have published something; all of it. */
  get errors(): number {
    return this.#errors;
  }
  get channels(): readonly string[] {
    return [...this.#channels].sort();
  }
  get text(): string {
    return this.#texts.join("\n");
  }

  /** Takes part of whatever this backend and this client say from now on. */
  listen(backend: GroupBackend, client: Memcached): void {
    for (const event of ["call", "refresh", "invalidate", "storeError"] as const) {
      backend.on(event, (value) => this.add(value));
    }
    for (const event of ["connect", "dead", "alive", "operation"] as const) {
      client.on(event, (value) => this.add(value));
    }
  }

  /** Waits for it, and takes what it throws. What it returns is the server's, or the caller's own. */
  async settle(work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.add(error);
    }
  }

  add(thing: unknown): void {
    this.#add(thing, new Set());
  }

  #add(thing: unknown, seen: Set<unknown>): void {
    if (typeof thing !== "object" && typeof thing !== "function" || thing === null) {
      return void this.#texts.push(String(thing));
    }
    if (seen.has(thing)) return;
    seen.add(thing);
    this.#texts.push(inspect(thing, { depth: 20, showHidden: true, getters: true, maxArrayLength: null }));
    const { Deno } = globalThis as { Deno?: { inspect(thing: unknown, options: object): string } };
    if (Deno !== undefined) {
      this.#texts.push(Deno.inspect(thing, { depth: 20, showHidden: true, getters: true, iterableLimit: 10_000 }));
    }
    try {
      this.#texts.push(String(thing), JSON.stringify(thing) ?? "");
    } catch {
      // A bigint, or a cycle: inspected all the same.
    }
    if (thing instanceof Error) {
      this.#errors++;
      this.#texts.push(thing.name, thing.message, thing.stack ?? "");
    }
    // Causes, an AggregateError's errors, and whatever else hangs on it, hidden or not.
    for (const key of Reflect.ownKeys(thing)) {
      const own = Object.getOwnPropertyDescriptor(thing, key);
      if (own !== undefined && "value" in own) this.#add(own.value, seen);
    }
    if (thing instanceof Map) { for (const part of thing) this.#add(part, seen); }
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo.splice(0)) undo();
  }
}
