/**
 * The operations of one connection, in the order in which their answers come: sent ones first, then those that wait for
 * the next write. An operation whose caller has left stays as a tombstone, so that its late answer is dropped and the
 * next one matches. One timer watches all of them.
 */

import { deadline, responsiveTime } from "../../util/deadline.ts";
import { type Clock, elapsedMs, type Moment, momentOf } from "../../util/clock.ts";
import type { Operation } from "./operation.ts";

/** No NAT or load balancer on the way to a server forgets a connection that was idle for less. */
const LONG_IDLE_MS = 30_000;

const NONE: readonly Operation[] = [];

/** The queue of one connection. */
export class InFlight {
  /** Operations that count against `maxInFlight`, tombstones included. */
  count = 0;
  /** Their bytes. */
  bytes = 0;
  /** How many at the end of the queue were not sent, cancelled ones included. */
  #unsent = 0;
  #cancelled = 0;
  #ring: (Operation | undefined)[] = new Array(16).fill(undefined);
  #first = 0;
  #length = 0;
  /** Since when the server has had something to answer, and has sent nothing. */
  quietSince = 0;
  /** When the last byte came. */
  lastByteAt: number = -Infinity;
  /** Nothing has come since a request was sent on the idle connection. */
  silentSinceIdle = false;
  #sentBefore = false;
  /** When the last byte came before the first request. By the clock: `responsiveTime` needs a timer, and an idle connection has none. */
  #probedAt: Moment | undefined = undefined;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onTimer: (now: number) => void;
  /** Cancels the timer; `undefined`: there is none. */
  #cancelTimer: (() => void) | undefined = undefined;

  /** `onTimer`: something may be due at `now`: check `overdue`, `hung` and `stuck`. */
  constructor(clock: Clock, timeoutMs: number, onTimer: (now: number) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#onTimer = onTimer;
  }

  /** Somebody waits for an answer: not all of the queue are tombstones. */
  get isAwaited(): boolean {
    return this.#list(0).some(({ settled }) => !settled);
  }

  /** The one whose answer comes next; `undefined`: nothing was sent. */
  get head(): Operation | undefined {
    return this.#length > this.#unsent ? this.#ring[this.#first] : undefined;
  }

  /** Adds one that waits for the next write. */
  push(operation: Operation): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#append(operation);
    this.count++;
    this.bytes += operation.bytes;
    // All have the same timeout, and whatever else the timer waits for is due no later.
    if (this.#cancelTimer === undefined) this.#arm(operation.deadline);
  }

  /** The head is answered. */
  shift(): void {
    const operation = this.#ring[this.#first]!;
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#ring.length - 1);
    this.#length--;
    this.count--;
    this.bytes -= operation.bytes;
  }

  /** The caller of one that was not sent has left: it no longer counts, and is not to be sent. */
  cancel(operation: Operation): void {
    this.count--;
    this.bytes -= operation.bytes;
    this.#cancelled++;
  }

  /** Takes the cancelled ones out of the queue, in its order. */
  takeCancelled(): readonly Operation[] {
    if (this.#cancelled === 0) return NONE;
    this.#cancelled = 0;
    const unsent = this.#list(this.#length - this.#unsent);
    for (; this.#unsent > 0; this.#unsent--) {
      this.#ring[(this.#first + --this.#length) & (this.#ring.length - 1)] = undefined;
    }
    for (const operation of unsent) if (!operation.settled) this.#append(operation);
    return unsent.filter(({ settled }) => settled);
  }

  /** All that waited is being written. */
  sent(now: number): void {
    if (this.#length === this.#unsent) {
      this.quietSince = now;
      // What a connection is sent first shows whether its server answers more than the probe.
      this.silentSinceIdle = this.#sentBefore || this.#probedAt === undefined ||
        elapsedMs(this.#clock, this.#probedAt) > LONG_IDLE_MS;
      this.#sentBefore = true;
    }
    this.#unsent = 0;
  }

  /** A byte has come. */
  received(now: number): void {
    this.quietSince = this.lastByteAt = now;
    this.silentSinceIdle = false;
    if (!this.#sentBefore) this.#probedAt = momentOf(this.#clock);
  }

  /** Everything, sent and unsent, once: the queue is empty then and its timer gone. */
  takeAll(): { readonly sent: readonly Operation[]; readonly unsent: readonly Operation[] } {
    const all = this.#list(0);
    const border = this.#length - this.#unsent;
    this.#ring = [undefined];
    this.#first =
      this.#length =
      this.#unsent =
      this.count =
      this.bytes =
        0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    return { sent: all.slice(0, border), unsent: all.slice(border) };
  }

  /** Those whose time is up and whose callers still wait. */
  overdue(now: number): readonly Operation[] {
    return this.#list(0).filter(({ settled, deadline }) => !settled && deadline <= now);
  }

  /** Has something sent waited a whole timeout in which not a byte came? Whether its caller still waits is no matter. */
  hung(now: number): boolean {
    return this.#length > this.#unsent && now - this.quietSince >= this.#timeoutMs;
  }

  /** Is the head a tombstone whose answer is a whole timeout late? Bytes come, but not that answer. */
  stuck(now: number): boolean {
    const { head } = this;
    return head !== undefined && head.settled && now >= head.deadline + this.#timeoutMs;
  }

  /** Waits for whatever is due next; for nothing, if nothing is there. */
  watchOn(): void {
    let due = Infinity;
    for (const { settled, deadline } of this.#list(0)) if (!settled && deadline < due) due = deadline;
    const { head } = this;
    if (head !== undefined) due = Math.min(due, this.quietSince + this.#timeoutMs);
    if (head?.settled) due = Math.min(due, head.deadline + this.#timeoutMs);
    if (due !== Infinity) this.#arm(due);
  }

  #arm(due: number): void {
    this.#cancelTimer?.();
    // Rounded up: a runtime's timer may fire a fraction of a millisecond early, and would find nothing due.
    const ms = Math.max(1, Math.ceil(due - responsiveTime(this.#clock)));
    // The socket keeps the process alive while anything is in flight.
    this.#cancelTimer = deadline(this.#clock, ms, this.#fired, "unreferenced");
  }

  readonly #fired = (): void => {
    this.#cancelTimer = undefined;
    this.#onTimer(responsiveTime(this.#clock));
  };

  #append(operation: Operation): void {
    this.#ring[(this.#first + this.#length) & (this.#ring.length - 1)] = operation;
    this.#length++;
    this.#unsent++;
  }

  #grow(): void {
    const ring: (Operation | undefined)[] = this.#list(0);
    // A power of two, so that places wrap by a mask.
    for (let n = ring.length, size = 2 * Math.max(n, 8); n < size; n++) ring.push(undefined);
    this.#ring = ring;
    this.#first = 0;
  }

  /** From the nth on, in order. */
  #list(from: number): Operation[] {
    const list: Operation[] = [];
    for (let n = from; n < this.#length; n++) list.push(this.#ring[(this.#first + n) & (this.#ring.length - 1)]!);
    return list;
  }
}
