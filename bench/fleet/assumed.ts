/** What is assumed, and not measured. */

/** The ring and the load on it. */
export const LOAD = {
  servers: 1000,
  keys: 1e8,
  /** Of Zipf's law. The middle one is what the fleets' tables take. */
  s: [0.8, 1, 1.2],
  /** So many ranks are put on the ring one by one; the others by each server's part of the circle. */
  hashed: 1_000_000,
  /** Groups of tenants, under Zipf's law with s = 1 as well, all of them put on the ring. */
  tenants: 100_000,
  shards: 16,
  /** A second. */
  callsPerProcess: 2000,
} as const;

export const HARDWARE = {
  /** memcached -c: from everybody. */
  connections: 1024,
  /** Of a server's network. */
  gbits: 10,
} as const;

export const serverNames: readonly string[] = Array.from(
  { length: LOAD.servers },
  (_, n) => `10.0.${Math.floor(n / 250)}.${n % 250}`,
);
export const keyOf = (rank: number): string => `shop:42:offers(${rank})`;
export const counterOf = (group: string): string => `shop:%group:${group}`;
