/** The counters of groups: their keys in the store, and what looks ask of them. */

import type { Keys } from "../key/key.ts";
import type { Groups } from "./backend.ts";
import { distinctGroups } from "./entry_options.ts";

/** A group's counter. */
export class Counter {
  /** As kept in the store. */
  readonly key: string;
  /** The group's name. */
  readonly group: string;
  /** The same object for every call that names the group. */
  readonly isRemembered: boolean;
  /** Where the batch of this tick reads it: found here without a look-up. */
  slot: object | undefined = undefined;

  constructor(key: string, group: string, isRemembered: boolean) {
    this.key = key;
    this.group = group;
    this.isRemembered = isRemembered;
  }
}

/** So many counters are remembered: a few megabytes at most. */
const MOST_COUNTERS = 10_000;

const NO_COUNTERS: readonly Counter[] = [];

/** The counters of one backend's groups. A text that is new at each call is made flat and hashed once a call here. */
export class Counters {
  readonly #keys: Keys;
  readonly #besides: readonly string[];
  readonly #known = new Map<string, Counter>();

  /** `besides`: the groups of every entry. */
  constructor(keys: Keys, besides: readonly string[]) {
    this.#keys = keys;
    this.#besides = besides;
  }

  /** Those of a call, in the order of its distinct, sorted groups. Throws a TypeError for what is no group's name. */
  of(group: Groups | undefined): readonly Counter[] {
    const groups = distinctGroups(group, this.#besides);
    return groups.length === 0 ? NO_COUNTERS : groups.map((group) => this.#of(group));
  }

  /** The first ones are remembered for good: to forget and learn again would cost more than it spares. */
  #of(group: string): Counter {
    const known = this.#known.get(group);
    if (known !== undefined) return known;
    const key = this.#keys.counter(group);
    const isRemembered = this.#known.size < MOST_COUNTERS && key.endsWith(group);
    if (!isRemembered) return new Counter(key, group, false);
    // A piece of our own text: the caller's may be cut out of a large one, and would keep it alive.
    const own = key.slice(key.length - group.length), counter = new Counter(key, own, true);
    this.#known.set(own, counter);
    return counter;
  }
}
