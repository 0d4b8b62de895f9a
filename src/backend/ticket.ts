/**
 * `begin`: look now, keep later. A ticket is a call of `fetch` whose function is outside: the loop of `fetch` runs as
 * ever, and where it would run a function it hands a ticket out and waits for what is kept by it. So a value that is kept
 * later is written by the same right, and answers the same waiters, as one that a function returns.
 */
import { type AbortListener, offAbort, onAbort } from "../util/abort.ts";
import { assertKnown } from "../util/checks.ts";
import { isPromise } from "../util/callbacks.ts";
import { toMs, toMsFromZero } from "../util/duration.ts";
import { CacheError } from "../errors.ts";
import type { BeginOptions, Begun, FetchOptions, KeepOptions, Kept } from "./backend.ts";
import type { Call } from "./call.ts";
import type { Computation } from "./computations.ts";
import type { Why } from "./events.ts";
import type { Fetcher } from "./fetch.ts";
import type { Parts } from "./group_backend.ts";
import type { Written } from "./guarded_store.ts";

const BEGIN_OPTIONS: Readonly<Record<keyof BeginOptions, true>> = {
  ttl: true,
  stale: true,
  group: true,
  source: true,
  name: true,
  strictSource: true,
  timeout: true,
  mintDelay: true,
  signal: true,
  wait: true,
};
const KEEP_OPTIONS: Readonly<Record<keyof KeepOptions, true>> = { ttl: true, stale: true };

/** The tickets of one backend. */
export class Tickets {
  readonly #fetcher: Fetcher;
  readonly #parts: Parts;
  readonly #handedOut = new Set<PendingTicket>();

  constructor(fetcher: Fetcher, parts: Parts) {
    this.#fetcher = fetcher;
    this.#parts = parts;
  }

  /** Rejects with what `fetch` would reject with while it waits: a timeout, the signal's reason, another's error. */
  async begin<T>(key: string, options: BeginOptions, bypass: Why | undefined): Promise<Begun<T>> {
    const ticket = new PendingTicket(options, this.#parts, this.#handedOut);
    const ended = this.#fetcher.fetch(key, unused, ticket.options, bypass, ticket);
    return await ticket.first(ended) as Begun<T>;
  }

  /** Tells the holders of tickets that the backend closes: their leases are given back, so nothing can be kept. */
  close(): void {
    for (const ticket of this.#handedOut) ticket.close();
  }
}

/** Stands where `fetch` has a function: the ticket takes its place. */
const unused = (): void => {};

/** One call of `begin`, from its look until its ticket has ended. */
export class PendingTicket implements AbortListener {
  /** Of the call. `keep` names the ttl and the stale window of its value here, before that is written. */
  readonly options: FetchOptions;
  /** The option `wait`, in ms. Absent: as long as `fetch` waits. */
  readonly waitMs: number | undefined;
  /** The value to refresh, if this ticket holds a refresh lock. */
  stale: { readonly value: unknown } | undefined = undefined;
  /** Does its caller hold it? Then the call is over when its computation is: it starts nothing over. */
  isHandedOut = false;
  readonly #parts: Parts;
  readonly #all: Set<PendingTicket>;
  #call!: Call;
  #computation!: Computation;
  readonly #begun: Promise<Begun<unknown>>;
  #handOut!: (begun: Begun<unknown>) => void;
  #fail!: (error: unknown) => void;
  /** Settle the computation with what came from outside. */
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  /** Resolves when those who wait were answered; by then the last write is known. */
  #settled!: Promise<void>;
  /** What its right was used for: the write of the kept value, or a release. Absent: there was no right, or no use of it. */
  #lastWrite: Promise<unknown> | undefined;
  #isEnded = false;
  #timer: unknown;

  /** Throws a TypeError or RangeError for options that can never be right. */
  constructor(options: BeginOptions, parts: Parts, all: Set<PendingTicket>) {
    assertKnown(options, BEGIN_OPTIONS);
    const { ttl, stale, group, source, name, strictSource, timeout, mintDelay, signal, wait } = options;
    if (ttl !== undefined) toMs(ttl, "ttl");
    this.waitMs = wait === undefined ? undefined : toMsFromZero(wait, "wait");
    this.options = { ttl, stale, group, source, name, strictSource, timeout, mintDelay, signal, when: keepsAll };
    this.#parts = parts;
    this.#all = all;
    this.#begun = new Promise((resolve, reject) => {
      this.#handOut = resolve;
      this.#fail = reject;
    });
  }

  /** This is the ticket of a call. */
  attach(call: Call): void {
    this.#call = call;
  }

  /** What its right was used for is on its way. */
  wrote(write: Promise<unknown>): void {
    this.#lastWrite = write;
  }

  /** A ticket as soon as the call may compute, or the value that it was given. `ended`: the call. */
  first(ended: Promise<unknown>): Promise<Begun<unknown>> {
    const answered = (value: unknown) => {
      const outcome = this.#call.outcome as Kept<unknown>["outcome"];
      this.#handOut({ hit: true, value, outcome, [Symbol.asyncDispose]: nothingToDrop });
    };
    this.#settled = ended.then(answered, this.#fail).then(() => this.#end());
    return this.#begun;
  }

  /**
   * Stands for the function: hands the ticket out, and gives what is kept by it. Nothing is handed out to a caller who
   * has left; its right is given back.
   */
  lead(computation: Computation, signal: AbortSignal): Promise<unknown> {
    const call = this.#call;
    return new Promise((resolve, reject) => {
      // rule 17: nobody is there to take it
      if (call.timeout?.hasLeft === true) return computation.abandon();
      const { clock } = this.#parts.settings;
      // The timeout bounds the wait for the ticket. The signal is that of its holder.
      call.timeout?.end();
      if (this.options.signal !== undefined) onAbort(this.options.signal, this);
      this.isHandedOut = true;
      this.#computation = computation;
      this.#resolve = resolve;
      this.#reject = reject;
      this.#all.add(this);
      // rule 17: drops itself at mintDelay
      this.#timer = clock.setTimeout(() => this.#expire(), call.mintDelayMs);
      clock.unref?.(this.#timer);
      this.#handOut({
        hit: false,
        stale: this.stale,
        signal,
        keep: (value, options) => this.#keep(value, options),
        drop: (error) => this.#drop(error),
        [Symbol.asyncDispose]: () => this.#drop(undefined),
      });
    });
  }

  /** Its holder's signal has fired: it counts no longer among those who wait. */
  aborted(): void {
    this.#computation.loseInterest();
  }

  close(): void {
    this.#computation.fireSignal(new CacheError("backend is closed"));
  }

  async #keep(value: unknown, options: KeepOptions = {}): Promise<boolean> {
    assertKnown(options, KEEP_OPTIONS);
    const { ttl, stale } = options;
    if (ttl !== undefined) toMs(ttl, "ttl");
    if (stale !== undefined) toMsFromZero(stale, "stale");
    if (isPromise(value)) throw new TypeError("Cannot keep a promise: await it, and keep what it gives");
    // rule 17: kept or dropped, and once
    if (this.#isEnded) return false;
    this.#isEnded = true;
    if (ttl !== undefined) this.options.ttl = ttl;
    if (stale !== undefined) this.options.stale = stale;
    // rule 17: the value as it is now
    const taken = this.#taken(value);
    this.#resolve(taken);
    await this.#settled;
    // rule 17: kept by its right, or not at all
    return ((await this.#lastWrite) as Written | undefined)?.kind === "stored";
  }

  /** What its holder does to the value after `keep` is not kept. What cannot be copied is refused when it is written. */
  #taken(value: unknown): unknown {
    try {
      return this.#parts.store.copy(value);
    } catch {
      return value;
    }
  }

  async #drop(error: unknown): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#giveBack(error);
    await this.#settled;
    await this.#lastWrite;
  }

  /**
   * Without an error those who wait look again. Nobody waits for the refresh of a stale value: its lock is left to run
   * out, as after a function that failed.
   */
  #giveBack(error: unknown): void {
    const { key } = this.#call.label;
    if (error !== undefined) this.#reject(error);
    else if (this.stale !== undefined) this.#reject(new CacheError(`Cannot refresh ${key}: its ticket was dropped`));
    else this.#computation.abandon();
  }

  /** Its lease is renewed no longer, so nobody may wait for what it cannot keep. */
  #expire(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { label, mintDelayMs } = this.#call;
    this.#parts.warnings.ticketLeftOpen(label, mintDelayMs);
    this.#computation.fireSignal(new DOMException("the ticket was held longer than mintDelay", "TimeoutError"));
    this.#giveBack(undefined);
  }

  #end(): void {
    this.#isEnded = true;
    this.#all.delete(this);
    if (this.#timer !== undefined) this.#parts.settings.clock.clearTimeout(this.#timer);
    if (this.options.signal !== undefined) offAbort(this.options.signal, this);
  }
}

const keepsAll = (): boolean => true;

const nothingToDrop = (): Promise<void> => Promise.resolve();
