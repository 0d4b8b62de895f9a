/** The counters of groups, whose values are the generations that entries are stamped with. */

import type { Keys } from "../key/key.ts";
import type { Groups } from "./backend.ts";
import { distinctGroups } from "./entry_options.ts";

/** A group's counter. */
export interface Counter {
  /** As kept in the store. */
  readonly key: string;
  /** The group's name. */
  readonly group: string;
}

/** So many counters are remembered: they take a few megabytes. */
const MAX_CACHED = 10_000;

const NO_COUNTERS: readonly Counter[] = [];

/** The counters of one backend's groups. Cached, since to make a key of a group's name takes longer than to look it up. */
export class Counters {
  readonly #keys: Keys;
  readonly #groupsOfAll: readonly string[];
  readonly #cached = new Map<string, Counter>();

  /** `groupsOfAll`: the groups that every entry belongs to. */
  constructor(keys: Keys, groupsOfAll: readonly string[]) {
    this.#keys = keys;
    this.#groupsOfAll = groupsOfAll;
  }

  /** A call's counters, in the order of its distinct, sorted groups. Throws a TypeError for what is no group's name. */
  of(group: Groups | undefined): readonly Counter[] {
    const groups = distinctGroups(group, this.#groupsOfAll);
    return groups.length === 0 ? NO_COUNTERS : groups.map((group) => this.#of(group));
  }

  /** The first ones stay cached: to drop some and make them again would cost more than it spares. */
  #of(group: string): Counter {
    const cached = this.#cached.get(group);
    if (cached !== undefined) return cached;
    const key = this.#keys.counter(group);
    if (this.#cached.size >= MAX_CACHED || !key.endsWith(group)) return { key, group };
    // A slice of the key, since the caller's text may itself be a slice, which would keep a large text alive.
    const own = key.slice(key.length - group.length), counter = { key, group: own };
    this.#cached.set(own, counter);
    return counter;
  }
}
