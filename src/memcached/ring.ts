/**
 * Which server a key lives on: libmemcached's weighted ketama, so that PHP, Python, C and Node clients of the same
 * servers agree.
 *
 * Each server puts points on a circle of 2^32 places, about 160 at equal weights; a key belongs to the first point at or
 * after its own place. When a server comes or goes, the keys of its own points move, and a few more where the number of
 * points a server changes.
 *
 * libmemcached counts the points in single precision, so equal weights give 156 of them, not 160, for 25, 47, 50, 55 ...
 * servers. Every step is rounded here as it is there; a shorter formula puts keys on other servers.
 */

import { md5 } from "../hash.ts";

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

/** The circle of some servers. Crypto is loaded when there is more than one of them. */
export class Ring {
  readonly #values: Uint32Array;
  readonly #servers: Uint32Array;

  constructor(servers: readonly RingServer[]) {
    const total = servers.reduce((sum, { weight }) => sum + weight, 0);
    const hashes = servers.map(({ weight }) => pointsOf(weight, total, servers.length) / POINTS_PER_HASH);
    const count = servers.length > 1 ? hashes.reduce((sum, own) => sum + own, 0) * POINTS_PER_HASH : 0;
    // Sorted as numbers, by value, then by server: an object and a comparison for each took as long as all the md5.
    const points = new Float64Array(count);
    for (let server = 0, at = 0; at < count; server++) {
      for (let n = 0; n < hashes[server]!; n++) {
        const hash = md5(`${servers[server]!.name}-${n}`);
        for (let byte = 0; byte < 16; byte += 4) points[at++] = word(hash, byte) * MOST_SERVERS + server;
      }
    }
    points.sort();
    this.#values = Uint32Array.from(points, (point) => Math.floor(point / MOST_SERVERS));
    this.#servers = Uint32Array.from(points, (point) => point % MOST_SERVERS);
  }

  /** How many points there are; 0 for a single server, which needs none. */
  get points(): number {
    return this.#values.length;
  }

  /** The index of the server that a key lives on. */
  serverOf(key: string): number {
    const values = this.#values;
    if (values.length === 0) return 0;
    const place = word(md5(key), 0);
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (values[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return this.#servers[low === values.length ? 0 : low]!;
  }
}
