/** Work whose every answer tells whom it is for, so that a wrong answer is always seen. */

import { type Clock, systemClock } from "../../src/util/clock.ts";
import { type Item, type Memcached, MemcachedError } from "../../src/memcached/mod.ts";
import type { Random } from "../../src/util/random.ts";

/** What came of it. */
export interface Tally {
  asked: number;
  answered: number;
  /** Told that it failed, as things are while a server misbehaves. */
  rejected: number;
  /** Another caller's answer, or an error that is none of the driver's. Must be 0. */
  wrong: number;
  /** Never settled, or not within the bound. Must be 0. */
  unsettled: number;
  /** The longest time from a call to its answer, in real ms. */
  worstMs: number;
  /** What was wrong first, in words. */
  complaint: string | undefined;
}

export const emptyTally = (): Tally => ({
  asked: 0,
  answered: 0,
  rejected: 0,
  wrong: 0,
  unsettled: 0,
  worstMs: 0,
  complaint: undefined,
});

/** Several as one. */
export function sumOf(tallies: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const one of tallies) {
    for (const count of ["asked", "answered", "rejected", "wrong", "unsettled"] as const) sum[count] += one[count];
    sum.worstMs = Math.max(sum.worstMs, one.worstMs);
    sum.complaint ??= one.complaint;
  }
  return sum;
}

/** A clock that runs so many times as fast as the runtime's: pauses of a second pass in a fraction of one. */
export function quickClock(factor: number): Clock {
  const [began, origin] = [performance.now(), systemClock.now()];
  return {
    ...systemClock,
    now: () => origin + (performance.now() - began) * factor,
    setTimeout: (wake, ms) => systemClock.setTimeout(wake, ms / factor),
  };
}

/** How many of these do not settle within so many real ms. */
export async function unsettledWithin(promises: readonly Promise<unknown>[], ms: number): Promise<number> {
  let left = promises.length;
  await new Promise<void>((resolve) => {
    if (left === 0) return resolve();
    const timer = setTimeout(resolve, ms);
    const settled = () => {
      if (--left > 0) return;
      clearTimeout(timer);
      resolve();
    };
    for (const promise of promises) promise.then(settled, settled);
  });
  return left;
}

/** The longest that anything may take, in real ms: far beyond every timeout here. */
const BOUND_MS = 20_000;
const KEYS = 200;
const COUNTERS = 8;
/** Counters are so far from each other that each answer names its own. */
const APART = 10n ** 12n;

const values = new Map<string, string>();

/** The value of a key: it begins with it, is full of it, and is as long as the key says: from a few bytes to 100 KB. */
export function valueOf(key: string): string {
  let value = values.get(key);
  if (value === undefined) {
    let hash = 7;
    for (let n = 0; n < key.length; n++) hash = (hash * 31 + key.charCodeAt(n)) % 1_000_003;
    const length = key.length + 1 + (hash % 50 === 0 ? hash % 100_000 : hash % 7 === 0 ? hash % 3000 : hash % 60);
    value = `${key}|`.repeat(Math.ceil(length / (key.length + 1)));
    values.set(key, value);
  }
  return value;
}

/** Work for one client, under names of its own. */
export class Load {
  readonly tally: Tally = emptyTally();
  readonly #client: Memcached;
  readonly #name: string;
  readonly #random: Random;
  readonly #counted = new Set<bigint>();
  /** A server that forgets: nothing found is no wrong answer. */
  readonly #forgets: boolean;

  constructor(client: Memcached, name: string, random: Random, options: { readonly forgets?: boolean } = {}) {
    this.#client = client;
    this.#name = name;
    this.#random = random;
    this.#forgets = options.forgets ?? false;
  }

  /** Writes all values, through a client that nothing happens to. */
  async fill(client: Memcached): Promise<void> {
    const keys = Array.from({ length: KEYS }, (_, n) => this.#key(n));
    await Promise.all(keys.map((key) => client.set(key, valueOf(key))));
  }

  /** Calls of one tick, by chance; resolves when all of them have settled, or will not. */
  async wave(calls: number): Promise<void> {
    const { tally } = this;
    const running = Array.from({ length: calls }, () => this.#one());
    tally.asked += calls;
    tally.unsettled += await unsettledWithin(running, BOUND_MS);
  }

  /** Every value and counter, once: all of it must be right, and nothing may be refused. */
  async all(): Promise<void> {
    const refused = await this.#all();
    if (refused > 0) this.#complain(`${refused} calls were refused though nothing was wrong any more`);
  }

  /** The same of a client whose timeouts are short: on a busy machine one may still run out. */
  async calmed(ready: () => Promise<unknown>): Promise<void> {
    for (let tries = 1; tries < 5; tries++) {
      await ready();
      if (await this.#all() === 0) return;
    }
    await ready();
    await this.all();
  }

  /** How many calls were refused. */
  async #all(): Promise<number> {
    const before = this.tally.rejected;
    const keys = Array.from({ length: KEYS }, (_, n) => this.#key(n));
    const running = [
      ...keys.map((key) => this.#judged(this.#get(key))),
      this.#judged(this.#getMulti(keys)),
      ...Array.from({ length: COUNTERS }, (_, n) => this.#judged(this.#count(n))),
    ];
    this.tally.asked += running.length;
    this.tally.unsettled += await unsettledWithin(running, BOUND_MS);
    return this.tally.rejected - before;
  }

  #key(n: number): string {
    return `${this.#name}:${n}`;
  }

  #below(n: number): number {
    return Math.floor(this.#random.fraction() * n);
  }

  #one(): Promise<void> {
    const key = this.#key(this.#below(KEYS));
    const chance = this.#below(100);
    if (chance < 55) return this.#judged(this.#get(key));
    if (chance < 70) return this.#judged(this.#set(key));
    if (chance < 80) {
      return this.#judged(
        this.#getMulti(Array.from({ length: 1 + this.#below(20) }, () => this.#key(this.#below(KEYS)))),
      );
    }
    if (chance < 88) return this.#judged(this.#count(this.#below(COUNTERS)));
    if (chance < 94) return this.#judged(this.#miss());
    if (chance < 98) return this.#judged(this.#touch(key));
    return this.#judged(this.#version());
  }

  /** `call` resolves to what is wrong with its answer. */
  async #judged(call: Promise<string | undefined>): Promise<void> {
    const began = performance.now();
    try {
      const wrong = await call;
      this.tally.answered++;
      if (wrong !== undefined) this.#complain(wrong);
    } catch (error) {
      this.tally.rejected++;
      if (!(error instanceof MemcachedError)) this.#complain(`rejected with ${error}`);
    }
    this.tally.worstMs = Math.max(this.tally.worstMs, performance.now() - began);
  }

  #complain(words: string): void {
    this.tally.wrong++;
    this.tally.complaint ??= words;
  }

  #wrongItem(key: string, item: Item | undefined): string | undefined {
    if (item === undefined) return this.#forgets ? undefined : `nothing under ${key}`;
    if (item.key !== key) return `an item of ${item.key} for ${key}`;
    const text = item.text();
    return text === valueOf(key) ? undefined : `${text.length} bytes "${text.slice(0, 30)}" under ${key}`;
  }

  async #get(key: string): Promise<string | undefined> {
    return this.#wrongItem(key, await this.#client.get(key));
  }

  async #getMulti(keys: readonly string[]): Promise<string | undefined> {
    const items = await this.#client.getMulti(keys);
    for (const error of items.failed.values()) throw error;
    for (const key of keys) {
      const wrong = this.#wrongItem(key, items.get(key));
      if (wrong !== undefined) return wrong;
    }
    return items.size === new Set(keys).size || this.#forgets
      ? undefined
      : `${items.size} items for ${keys.length} keys`;
  }

  async #set(key: string): Promise<string | undefined> {
    return (await this.#client.set(key, valueOf(key))).stored ? undefined : `a set of ${key} was not done`;
  }

  async #miss(): Promise<string | undefined> {
    const item = await this.#client.get(`${this.#name}:nothing`);
    return item === undefined ? undefined : `"${item.text().slice(0, 30)}" where nothing is`;
  }

  async #touch(key: string): Promise<string | undefined> {
    return await this.#client.touch(key, 0) || this.#forgets ? undefined : `nothing to touch under ${key}`;
  }

  async #version(): Promise<string | undefined> {
    for (const version of (await this.#client.version()).values()) {
      if (!/^\d+\.\d+\.\d+/.test(version)) return `the version "${version.slice(0, 30)}"`;
    }
    return undefined;
  }

  /** Each answer is in its counter's own range, and comes once. */
  async #count(n: number): Promise<string | undefined> {
    const start = BigInt(n + 1) * APART;
    const count = await this.#client.incr(`${this.#name}:count:${n}`, 1, { initial: start });
    if (count === undefined || count < start || count >= start + APART) return `${count} of counter ${n}`;
    if (this.#forgets) return undefined;
    if (this.#counted.has(count)) return `${count} twice of one counter`;
    this.#counted.add(count);
    return undefined;
  }
}
