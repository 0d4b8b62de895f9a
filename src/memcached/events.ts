/** The events of a client. */

import { Listeners } from "../util/listeners.ts";
import type { OperationOutcome } from "./connection/operation.ts";

/** Events of a client, and what each one says. `server` is the server's name, `ms` a time in milliseconds. */
export interface MemcachedEvents {
  /** A connection is ready, so long after it was begun. */
  connect: { server: string; ms: number };
  /** A server does not answer any more: its operations fail at once. It is tried again after `retryMs`. */
  dead: { server: string; error: Error; retryMs: number };
  /** A dead server answers again. */
  alive: { server: string };
  /**
   * An operation has settled. `name`: the method's. "miss": nothing was there. "refused": something was there, or another
   * thing, so it was not written. "error": it was rejected with `error`.
   */
  operation: { name: string; server: string; ms: number; outcome: OperationOutcome; error?: unknown };
}

/** Listeners, and the diagnostics channels of the same events. */
export function memcachedListeners(): Listeners<MemcachedEvents> {
  return new Listeners<MemcachedEvents>({
    connect: "memcached:connect",
    dead: "memcached:dead",
    alive: "memcached:alive",
    operation: "memcached:operation",
  });
}
