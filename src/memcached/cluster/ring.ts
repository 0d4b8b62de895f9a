/**
 * Which server a key lives on: libmemcached's weighted ketama, so that PHP, Python, C and Node clients of the same
 * servers agree.
 *
 * Each server puts points on a circle of 2^32, about 160 at equal weights; a key belongs to the first point at or after its
 * own hash. When a server comes or goes, the keys of its own points move, and a few more where the number of
 * points a server changes.
 *
 * libmemcached counts the points in single precision, so equal weights give 156 of them, not 160, for 25, 47, 50, 55 ...
 * servers. Every step is rounded here as it is there; a shorter formula puts keys on other servers.
 */

import { md5 } from "../../util/builtin.ts";

/** A server as the ring sees it. */
export interface RingServer {
  /** What is hashed: `host` at port 11211, else `host:port`; IPv6 without brackets; a socket's path and `:0`. */
  readonly name: string;
  readonly weight: number;
}

/** MEMCACHED_POINTS_PER_SERVER_KETAMA. */
const POINTS_PER_SERVER = 160;
/** Points that one md5 gives: 16 bytes, 4 each. */
const POINTS_PER_HASH = 4;
/** A point's value, of 32 bits, times this is a safe integer, with its server beside it. */
const MOST_SERVERS = 2 ** 21;
/** libmemcached's guard against a product just below a whole number. */
const EPSILON = 1e-10;

const f = Math.fround;

/** How many points a server gets, of `live` servers with this total weight. */
function pointsOf(weight: number, total: number, live: number): number {
  const share = f(f(weight) / f(total));
  return Math.floor(f(f(f(share * POINTS_PER_SERVER) / POINTS_PER_HASH) * live) + EPSILON) * POINTS_PER_HASH;
}

/** The 32 bits at `at`, little endian. */
const word = (hash: Uint8Array, at: number): number =>
  (hash[at]! | hash[at + 1]! << 8 | hash[at + 2]! << 16 | hash[at + 3]! << 24) >>> 0;

/** How many hashes each of these servers has on the circle. */
function countsOf(servers: readonly RingServer[]): readonly number[] {
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  return servers.map(({ weight }) => pointsOf(weight, total, servers.length) / POINTS_PER_HASH);
}

/** Hashes of servers, by name: most of what a ring costs. They are kept, since a ring is built anew with each change. */
export class Hashes {
  /** Four words a hash, in their order. */
  readonly #words = new Map<string, Uint32Array>();

  /** The words of a server's first hashes, so many of them. */
  wordsOf(name: string, count: number): Uint32Array {
    const known = this.#words.get(name);
    const size = count * POINTS_PER_HASH;
    if (known !== undefined && known.length >= size) return known.subarray(0, size);
    const words = new Uint32Array(size);
    for (let n = 0, at = 0; n < count; n++) {
      const hash = md5(`${name}-${n}`);
      for (let byte = 0; byte < 16; byte += 4) words[at++] = word(hash, byte);
    }
    this.#words.set(name, words);
    return words;
  }

  /** Hashes what a ring of these needs; yields after about so many hashes. */
  *inSteps(servers: readonly RingServer[], step: number): Generator<void> {
    const counts = countsOf(servers);
    let done = 0;
    for (const [n, { name }] of servers.entries()) {
      this.wordsOf(name, counts[n]!);
      done += counts[n]!;
      if (done < step) continue;
      done = 0;
      yield;
    }
  }

  /** Forgets all others. */
  keepOnly(servers: readonly RingServer[]): void {
    const names = new Set(servers.map(({ name }) => name));
    for (const name of this.#words.keys()) if (!names.has(name)) this.#words.delete(name);
  }
}

/** The circle of some servers. Crypto is loaded when there is more than one of them. */
export class Ring {
  /** Sorted by value, then by server. Both are in one number: pairs took as long to sort as all the md5. */
  readonly #points: Float64Array;

  /** `hashes`: those that are known already; the others are added. */
  constructor(servers: readonly RingServer[], hashes: Hashes = new Hashes()) {
    const counts = countsOf(servers);
    const count = servers.length > 1 ? counts.reduce((sum, own) => sum + own, 0) * POINTS_PER_HASH : 0;
    const points = new Float64Array(count);
    for (let server = 0, at = 0; at < count; server++) {
      for (const value of hashes.wordsOf(servers[server]!.name, counts[server]!)) {
        points[at++] = value * MOST_SERVERS + server;
      }
    }
    this.#points = points.sort();
  }

  /** How many points there are; 0 for a single server, which needs none. */
  get points(): number {
    return this.#points.length;
  }

  /** The index of the server that a key lives on. */
  serverOf(key: string): number {
    const points = this.#points;
    if (points.length === 0) return 0;
    const hash = word(md5(key), 0) * MOST_SERVERS;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (points[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return points[low === points.length ? 0 : low]! % MOST_SERVERS;
  }
}
