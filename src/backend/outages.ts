import { type Clock, elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import { AuthError, CacheError, ConnectionError, ProtocolError, TimeoutError } from "../errors.ts";
import { type StoreFailure, StoreTimeoutError } from "./guarded_store.ts";
import type { Store } from "../store/store.ts";
import { errorLine, warn } from "../util/warnings.ts";
import type { Events } from "./events.ts";

/** An outage that begins so soon after another one has ended is not warned of: a store that fails now and then. */
const QUIET_MS = 10_000;

/** One server, or a whole store, that does not answer. */
interface Outage {
  readonly began: Moment;
  failures: number;
  warned: boolean;
}

/**
 * What is told of a store that fails, and of one that is back. An outage begins with an operation that could not be asked
 * or was not answered, and ends with the next one that was, on the same server. What a dead server causes is told once an
 * outage and counted; where nobody listens, whoever runs the program reads one line when it begins and one when it ends.
 */
export class Outages {
  /** Is there any? */
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
    // Of what a store of others throws nobody knows what it means, so that each is told.
    if (!isUnanswered) this.#events.emit("storeError", failure);
    if (!isUnanswered && error instanceof CacheError) return;
    const place = this.#placeOf(key);
    const outage = this.#open.get(place);
    if (outage !== undefined) return void outage.failures++;
    this.#begin(place, error, isUnanswered ? "does not answer" : "fails");
    if (isUnanswered) this.#events.emit("storeError", failure);
  }

  /** What was asked under this key was answered. */
  worked(key: string): void {
    const place = this.#placeOf(key);
    const outage = this.#open.get(place);
    if (outage === undefined) return;
    this.#open.delete(place);
    this.any = this.#open.size > 0;
    this.#endedAt = momentOf(this.#clock);
    const { failures, began } = outage;
    const ms = elapsedMs(this.#clock, began);
    const server = place === "" ? {} : { server: place };
    this.#events.emit("storeBack", { ...server, failures, ms });
    if (!outage.warned || this.#events.hasListeners("storeError")) return;
    const after = `after ${(ms / 1000).toFixed(1)} s, in which ${failures} operations failed`;
    warn("stores that fail", `${nameOf(place)} answers again ${after}.`);
  }

  #begin(place: string, error: unknown, how: string): void {
    const outage: Outage = { began: momentOf(this.#clock), failures: 1, warned: false };
    this.#open.set(place, outage);
    this.any = true;
    if (this.#endedAt !== undefined && elapsedMs(this.#clock, this.#endedAt) < QUIET_MS) return;
    if (this.#events.hasListeners("storeError")) return;
    outage.warned = true;
    warn(
      "stores that fail",
      `${nameOf(place)} ${how} (${errorLine(error)}). Calls compute and keep nothing, invalidations ` +
        'reject, until it is back. Listen to "storeError" to be told instead.',
    );
  }

  #placeOf(key: string): string {
    try {
      const lane = this.#store.lane?.(key);
      return typeof lane === "string" ? lane : "";
    } catch {
      return "";
    }
  }
}

const nameOf = (place: string): string => place === "" ? "the store" : place;
