import { type Clock, elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import { AuthError, CacheError, ConnectionError, ProtocolError, TimeoutError } from "../errors.ts";
import { type StoreFailure, StoreTimeoutError } from "./guarded_store.ts";
import { serverOf } from "./backpressure.ts";
import type { Store } from "../store/store.ts";
import { errorLine, warn } from "../util/warnings.ts";
import type { Events } from "./events.ts";

/** An outage that begins so soon after another one has ended is not warned of again: the store fails now and then. */
const QUIET_MS = 10_000;

/** A time in which one server, or a whole store, does not answer. */
interface Outage {
  readonly began: Moment;
  failures: number;
  isWarned: boolean;
}

/**
 * What is reported of a store that fails, and of one that is back. An outage begins with an operation that could not be
 * sent or was not answered, and ends with the next one that was, on the same server. Failures that a dead server causes
 * are counted, and the first of an outage is an event; where nobody listens, whoever runs the program reads one line when
 * it begins and one when it ends.
 */
export class Outages {
  /** Is there an outage now? */
  any = false;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #open = new Map<string, Outage>();
  #endedAt: Moment | undefined;

  constructor(store: Store, clock: Clock, events: Events) {
    this.#store = store;
    this.#clock = clock;
    this.#events = events;
  }

  failed(failure: StoreFailure): void {
    const { error, key = "" } = failure;
    const isUnanswered = error instanceof ConnectionError || error instanceof TimeoutError ||
      error instanceof AuthError || error instanceof ProtocolError || error instanceof StoreTimeoutError;
    // Nobody knows what an error of another store means, so each is an event.
    if (!isUnanswered) this.#events.emit("storeError", failure);
    if (!isUnanswered && error instanceof CacheError) return;
    const server = serverOf(this.#store, key);
    const outage = this.#open.get(server);
    if (outage !== undefined) return void outage.failures++;
    this.#begin(server, error, isUnanswered ? "does not answer" : "fails");
    if (isUnanswered) this.#events.emit("storeError", failure);
  }

  /** An operation on this key was answered, so its server is back. */
  worked(key: string): void {
    const server = serverOf(this.#store, key);
    const outage = this.#open.get(server);
    if (outage === undefined) return;
    this.#open.delete(server);
    this.any = this.#open.size > 0;
    this.#endedAt = momentOf(this.#clock);
    const { failures, began } = outage;
    const ms = elapsedMs(this.#clock, began);
    this.#events.emit("storeBack", { ...server !== "" && { server }, failures, ms });
    if (!outage.isWarned || this.#events.hasListeners("storeError")) return;
    const after = `after ${(ms / 1000).toFixed(1)} s, in which ${failures} operations failed`;
    warn("stores that fail", `${nameOf(server)} answers again ${after}.`);
  }

  #begin(server: string, error: unknown, how: string): void {
    const outage: Outage = { began: momentOf(this.#clock), failures: 1, isWarned: false };
    this.#open.set(server, outage);
    this.any = true;
    if (this.#endedAt !== undefined && elapsedMs(this.#clock, this.#endedAt) < QUIET_MS) return;
    if (this.#events.hasListeners("storeError")) return;
    outage.isWarned = true;
    warn(
      "stores that fail",
      `${nameOf(server)} ${how} (${errorLine(error)}). Calls compute and keep nothing, invalidations ` +
        'reject, until it is back. Listen to "storeError" to get events instead.',
    );
  }
}

const nameOf = (server: string): string => server === "" ? "the store" : server;
