import { deadline } from "../util/deadline.ts";
import { type Clock, elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import type { Random } from "../util/random.ts";
import { type GuardedStore, type Label, UNANSWERED } from "./guarded_store.ts";
import type { LeaseEntry } from "../store/store.ts";
import { Holders } from "./holders.ts";

/** Polled too early, most computations still run; polled too late, every waiter is late. So pauses begin short and double. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;
/** Pauses are as much longer as there are more leases than this to wait for, or more processes than that. */
const MANY_LEASES = 100, MANY_PROCESSES = 10;
/** However many leases and processes there are, each lease is asked for at least so often. */
const ULTIMATE_PAUSE_MS = 2000;
/** A lease is renewed every 1.7 s, or runs out within 6: the holder of one that is there unrenewed for longer is gone. */
const UNRENEWED_MS = 7000;

/** One caller's wait. */
export interface LeaseWait {
  /** Resolves with the lease if it was there all the time, and nobody has renewed it; else with `undefined`. */
  readonly woken: Promise<LeaseEntry | undefined>;
  leave(): void;
}

/**
 * Waits for leases of other processes: each key and nonce is asked for once, whoever waits, and all that are due about
 * the same time in one tick. It only wakes its waiters, and each of them then takes a snapshot of its own. A lease is
 * known by its nonce, not by its token, since cas values repeat after a server restart and the waiter would wait for ever.
 *
 * Pauses grow with the time waited, with the number of leases, and with the number of processes that are seen to hold
 * some: as many may be polling as well. Three thousand leases cost a thousand gets a second, not thirty thousand.
 */
export class Pollers {
  readonly #store: GuardedStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pollers = new Map<string, Poller>();
  readonly #holders: Holders;
  /** ms that have passed while somebody waited. */
  #time = 0;
  #readAt: Moment | undefined;
  #timer: unknown;
  #firesAt = Infinity;
  /** By this factor each pause is shortened at random. */
  #jitter: number;

  constructor(store: GuardedStore, clock: Clock, random: Random) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#holders = new Holders(clock);
    this.#jitter = this.#drawJitter();
  }

  /** Wakes once the key holds another nonce or no lease, the store does not answer, or nobody renews the lease. */
  wait(label: Label, lease: LeaseEntry): LeaseWait {
    const id = `${lease.nonce} ${label.key}`;
    this.#pass(0);
    let poller = this.#pollers.get(id);
    if (poller === undefined) {
      this.#holders.saw(lease.nonce);
      this.#pollers.set(id, poller = new Poller(label, lease, momentOf(this.#clock)));
      this.#pause(poller);
    }
    return poller.join(() => this.#end(id));
  }

  /** Wakes everybody, since the backend closes. */
  close(): void {
    for (const [id, poller] of [...this.#pollers]) {
      this.#end(id);
      poller.wake(undefined);
    }
  }

  #end(id: string): void {
    this.#pollers.delete(id);
    if (this.#pollers.size > 0) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#readAt = undefined;
    this.#firesAt = Infinity;
  }

  /** Adds the time that has passed since the last call: at least so much, as a clock may be set back or stand still. */
  #pass(atLeastMs: number): void {
    const before = this.#readAt;
    this.#readAt = momentOf(this.#clock);
    if (before !== undefined) this.#time += Math.max(atLeastMs, elapsedMs(this.#clock, before));
  }

  #pause(poller: Poller): void {
    const crowd = (1 + this.#pollers.size / MANY_LEASES) * (1 + this.#holders.count / MANY_PROCESSES);
    const ms = Math.min(poller.pauseMs * crowd, ULTIMATE_PAUSE_MS) * this.#jitter;
    poller.pauseMs = Math.min(LONGEST_PAUSE_MS, poller.pauseMs * 2);
    poller.due = this.#time + ms;
    // It may be asked a third of its pause early, together with others that are due, so that few ticks ask for many.
    poller.dueFrom = this.#time + ms * 2 / 3;
    if (poller.due < this.#firesAt) this.#fire(poller.due);
  }

  #fire(due: number): void {
    this.#clock.clearTimeout(this.#timer);
    this.#firesAt = due;
    const ms = due - this.#time;
    this.#timer = due === Infinity ? undefined : this.#clock.setTimeout(() => this.#poll(ms), ms);
  }

  /** Between half and all of each pause, so that processes that began to wait together do not poll together. */
  #drawJitter(): number {
    return 0.5 + this.#random.fraction() / 2;
  }

  #poll(passedMs: number): void {
    this.#pass(passedMs);
    this.#jitter = this.#drawJitter();
    const round = [...this.#pollers].filter(([, { askedAt, dueFrom }]) =>
      askedAt === undefined && dueFrom <= this.#time
    );
    const sentAt = momentOf(this.#clock);
    let open = round.length;
    // A store that does not answer in time wakes the waiters: their own snapshots find out what is wrong.
    if (open === 0) return this.#fire(this.#nextDue());
    const cancel = this.#store.immediate ? () => {} : deadline(this.#clock, this.#store.timeoutMs, () => {
      for (const [id, poller] of round) if (poller.askedAt === sentAt) this.#wake(id, poller, undefined);
    });
    for (const [id, poller] of round) {
      poller.askedAt = sentAt;
      void this.#store.get(poller.label).then((found) => {
        if (--open === 0) cancel();
        const entry = found === UNANSWERED ? undefined : found?.entry;
        if (poller.askedAt === sentAt) this.#answered(id, poller, entry?.kind === "lease" ? entry : undefined);
      });
    }
    this.#fire(this.#nextDue());
  }

  #nextDue(): number {
    let next = Infinity;
    for (const { askedAt, due } of this.#pollers.values()) if (askedAt === undefined && due < next) next = due;
    return next;
  }

  #answered(id: string, poller: Poller, entry: LeaseEntry | undefined): void {
    const { askedAt: sentAt, lease } = poller;
    poller.askedAt = undefined;
    // Everybody may have left while the answer was on its way.
    if (this.#pollers.get(id) !== poller) return;
    // rule 6: known by its nonce
    if (entry === undefined || entry.nonce !== lease.nonce) return this.#wake(id, poller, undefined);
    if (entry.beat !== lease.beat) poller.renewed(entry, sentAt!);
    else if (poller.unrenewedMs(sentAt!) >= UNRENEWED_MS) return this.#wake(id, poller, entry);
    this.#pass(0);
    this.#pause(poller);
  }

  #wake(id: string, poller: Poller, unrenewed: LeaseEntry | undefined): void {
    if (this.#pollers.get(id) === poller) this.#end(id);
    poller.askedAt = undefined;
    poller.wake(unrenewed);
  }
}

/** One lease that callers wait for. */
class Poller {
  readonly label: Label;
  lease: LeaseEntry;
  pauseMs = FIRST_PAUSE_MS;
  due = 0;
  dueFrom = 0;
  /** When it was asked for, while that is not answered. */
  askedAt: Moment | undefined = undefined;
  /** When this beat was seen first. */
  #since: Moment;
  readonly #waiters = new Set<(unrenewed: LeaseEntry | undefined) => void>();

  constructor(label: Label, lease: LeaseEntry, now: Moment) {
    this.label = label;
    this.lease = lease;
    this.#since = now;
  }

  /** `ended` is called once nobody waits any more. A waiter's own promise settles when it leaves, so that its timeout ends. */
  join(ended: () => void): LeaseWait {
    let waiter!: (unrenewed: LeaseEntry | undefined) => void;
    const woken = new Promise<LeaseEntry | undefined>((resolve) => waiter = resolve);
    this.#waiters.add(waiter);
    return {
      woken,
      leave: () => {
        if (!this.#waiters.delete(waiter)) return;
        waiter(undefined);
        if (this.#waiters.size === 0) ended();
      },
    };
  }

  renewed(lease: LeaseEntry, at: Moment): void {
    this.lease = lease;
    this.#since = at;
  }

  unrenewedMs(at: Moment): number {
    return Math.max(at.wallMs - this.#since.wallMs, at.monotonicMs - this.#since.monotonicMs);
  }

  wake(unrenewed: LeaseEntry | undefined): void {
    for (const waiter of this.#waiters) waiter(unrenewed);
    this.#waiters.clear();
  }
}
