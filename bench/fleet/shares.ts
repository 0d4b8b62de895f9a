/** What falls on each server of a ring: its part of the circle, and its part of a Zipf load. */

import { md5 } from "../../src/util/builtin.ts";
import { Ring } from "../../src/memcached/cluster/ring.ts";
import type { Zipf } from "./zipf.ts";

const CIRCLE = 2 ** 32;

/** Servers of equal weight by their names, and the ring that the driver makes of them. */
export const ringOf = (names: readonly string[]): Ring => new Ring(names.map((name) => ({ name, weight: 1 })));

/**
 * Each server's part of the circle. The ring keeps its points to itself, so they are made here once more, for servers of
 * equal weight; `check` says whether the ring agrees.
 */
export class Circle {
  readonly shares: Float64Array;
  readonly #values: number[];
  readonly #servers: number[];

  constructor(names: readonly string[], points: number) {
    const made: [value: number, server: number][] = [];
    names.forEach((name, server) => {
      for (let n = 0; n < points / names.length / 4; n++) {
        const hash = md5(`${name}-${n}`);
        const view = new DataView(hash.buffer, hash.byteOffset, hash.length);
        for (let at = 0; at < 16; at += 4) made.push([view.getUint32(at, true), server]);
      }
    });
    made.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    this.#values = made.map(([value]) => value);
    this.#servers = made.map(([, server]) => server);
    this.shares = new Float64Array(names.length);
    // A point owns what lies between the one before it and itself; the first one also what lies behind the last.
    let before = made.at(-1)![0] - CIRCLE;
    for (const [value, server] of made) {
      this.shares[server]! += (value - before) / CIRCLE;
      before = value;
    }
  }

  /** Throws unless the ring puts each of these keys where this circle does. */
  check(ring: Ring, keys: readonly string[]): void {
    for (const key of keys) {
      const hash = md5(key);
      const place = new DataView(hash.buffer, hash.byteOffset, hash.length).getUint32(0, true);
      const at = this.#values.findIndex((value) => value >= place);
      const server = this.#servers[Math.max(at, 0)]!;
      if (server !== ring.serverOf(key)) throw new Error(`The ring has ${key} on another server than its points say`);
    }
  }
}

/** The servers of the keys of the first ranks, as the ring says. */
export function serversOf(ring: Ring, ranks: number, key: (rank: number) => string): Uint16Array {
  const servers = new Uint16Array(ranks);
  for (let rank = 1; rank <= ranks; rank++) servers[rank - 1] = ring.serverOf(key(rank));
  return servers;
}

/** Each server's part of the calls: the first ranks where they really are, all others spread as the circle is. */
export function loads(zipf: Zipf, servers: Uint16Array, shares: Float64Array): Float64Array {
  const tail = 1 - zipf.head(servers.length);
  const load = shares.map((share) => share * tail);
  for (let at = 0; at < servers.length; at++) load[servers[at]!]! += zipf.probability(at + 1);
  return load;
}
