import { deadline } from "../util/deadline.ts";
import { type Clock, elapsedMs, type Moment, momentOf } from "../util/clock.ts";
import type { Random } from "../util/random.ts";
import { type GuardedStore, type Label, UNANSWERED } from "./guarded_store.ts";
import type { LeaseEntry } from "../store/store.ts";
import { Holders } from "./holders.ts";

/** A poll that comes first finds most computations still running; one that comes late makes every waiter late. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;
/** Pauses are as much longer as there are more leases than this to wait for, or more processes than that. */
const MANY_LEASES = 100, MANY_PROCESSES = 10;
/** Whatever is waited for, it is seen no later than this. */
const ULTIMATE_PAUSE_MS = 2000;
/** A lease is renewed every 1.7 s and runs out after 6: its holder is gone. */
const UNRENEWED_MS = 7000;

/** Why a waiter wakes. `unrenewed`: this lease was there all the time, and nobody has renewed it. */
export interface Woken {
  readonly unrenewed: LeaseEntry | undefined;
}
const GONE: Woken = { unrenewed: undefined };

/** One caller's wait. */
export interface Waiter {
  readonly woken: Promise<Woken>;
  leave(): void;
}

/**
 * Waits for leases of other processes: each key and nonce is asked for once, whoever waits, and all that are due about
 * the same time in one tick. It only wakes; what there is to see then, each waiter sees in a look of its own. A lease is
 * known by its nonce, not by its token, since cas values repeat after a server restart and the waiter would wait for ever.
 *
 * Pauses grow with the time waited, with the number of leases, and with the number of processes that are seen to hold
 * some: so many may wait as well. Three thousand leases cost a thousand gets a second, not thirty thousand.
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
  /** The part of its pause that each lease waits. */
  #part: number;

  constructor(store: GuardedStore, clock: Clock, random: Random) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#holders = new Holders(clock);
    this.#part = this.#draw();
  }

  /** Wakes once another nonce, or none, stands under the key, the store does not answer, or the lease is not renewed. */
  wait(about: Label, lease: LeaseEntry): Waiter {
    const id = `${lease.nonce} ${about.key}`;
    this.#pass(0);
    let poller = this.#pollers.get(id);
    if (poller === undefined) {
      this.#holders.saw(lease.nonce);
      this.#pollers.set(id, poller = new Poller(about, lease, momentOf(this.#clock)));
      this.#pause(poller);
    }
    return poller.join(() => this.#end(id));
  }

  /** Wakes everybody: the backend closes. */
  close(): void {
    for (const [id, poller] of [...this.#pollers]) {
      this.#end(id);
      poller.wake(GONE);
    }
  }

  #end(id: string): void {
    this.#pollers.delete(id);
    if (this.#pollers.size > 0) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#readAt = undefined;
    this.#firesAt = Infinity;
  }

  /** Time has passed, at least so much. */
  #pass(atLeastMs: number): void {
    const before = this.#readAt;
    this.#readAt = momentOf(this.#clock);
    if (before !== undefined) this.#time += Math.max(atLeastMs, elapsedMs(this.#clock, before));
  }

  #pause(poller: Poller): void {
    const crowd = (1 + this.#pollers.size / MANY_LEASES) * (1 + this.#holders.count / MANY_PROCESSES);
    const ms = Math.min(poller.pauseMs * crowd, ULTIMATE_PAUSE_MS) * this.#part;
    poller.pauseMs = Math.min(LONGEST_PAUSE_MS, poller.pauseMs * 2);
    poller.due = this.#time + ms;
    // Asked from then on with others that are due: some sooner, so that all are asked in few ticks.
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
  #draw(): number {
    return 0.5 + this.#random.fraction() / 2;
  }

  #poll(passedMs: number): void {
    this.#pass(passedMs);
    this.#part = this.#draw();
    const round = [...this.#pollers].filter(([, { asked, dueFrom }]) => !asked && dueFrom <= this.#time);
    const sentAt = momentOf(this.#clock);
    let open = round.length;
    // A store that never settles is one that does not answer.
    if (open === 0) return this.#fire(this.#nextDue());
    const cancel = this.#store.immediate ? () => {} : deadline(this.#clock, this.#store.timeoutMs, () => {
      for (const [id, poller] of round) if (poller.asked === sentAt) this.#wake(id, poller, GONE);
    });
    for (const [id, poller] of round) {
      poller.asked = sentAt;
      void this.#store.get(poller.about).then((found) => {
        if (--open === 0) cancel();
        const entry = found === UNANSWERED ? undefined : found?.entry;
        if (poller.asked === sentAt) this.#answered(id, poller, entry?.kind === "lease" ? entry : undefined);
      });
    }
    this.#fire(this.#nextDue());
  }

  #nextDue(): number {
    let next = Infinity;
    for (const { asked, due } of this.#pollers.values()) if (asked === undefined && due < next) next = due;
    return next;
  }

  #answered(id: string, poller: Poller, entry: LeaseEntry | undefined): void {
    const { asked: sentAt, lease } = poller;
    poller.asked = undefined;
    // Everybody may have left in between.
    if (this.#pollers.get(id) !== poller) return;
    // rule 6: known by its nonce
    if (entry === undefined || entry.nonce !== lease.nonce) return this.#wake(id, poller, GONE);
    if (entry.beat !== lease.beat) poller.renewed(entry, sentAt!);
    else if (poller.unrenewedMs(sentAt!) >= UNRENEWED_MS) return this.#wake(id, poller, { unrenewed: entry });
    this.#pass(0);
    this.#pause(poller);
  }

  #wake(id: string, poller: Poller, woken: Woken): void {
    if (this.#pollers.get(id) === poller) this.#end(id);
    poller.asked = undefined;
    poller.wake(woken);
  }
}

/** A key and a nonce that somebody waits for. */
class Poller {
  readonly about: Label;
  lease: LeaseEntry;
  pauseMs = FIRST_PAUSE_MS;
  due = 0;
  dueFrom = 0;
  /** When it was asked for, while that is not answered. */
  asked: Moment | undefined = undefined;
  /** When this beat was seen first. */
  #since: Moment;
  readonly #waiters = new Set<(woken: Woken) => void>();

  constructor(about: Label, lease: LeaseEntry, now: Moment) {
    this.about = about;
    this.lease = lease;
    this.#since = now;
  }

  /** `ended`: nobody waits any more. Each waiter has a promise of its own, so that what waited for it is done when it leaves. */
  join(ended: () => void): Waiter {
    let waiter!: (woken: Woken) => void;
    const woken = new Promise<Woken>((resolve) => waiter = resolve);
    this.#waiters.add(waiter);
    return {
      woken,
      leave: () => {
        if (!this.#waiters.delete(waiter)) return;
        waiter(GONE);
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

  wake(woken: Woken): void {
    for (const waiter of this.#waiters) waiter(woken);
    this.#waiters.clear();
  }
}
