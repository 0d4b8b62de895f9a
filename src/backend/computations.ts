import { type Call, resultFor, type Target } from "./call.ts";
import { contextOpening, currentComputation, noteWait, runAs } from "./context.ts";

/**
 * What a waiter is given. retry: nothing, so its call reads again, since the lease was refused; since nobody knows whether
 * the lease was stored (unknown); or since the computation is over and its result is not for this waiter.
 */
export type Result =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "retry"; readonly why: "refused" | "unknown" | "over" };

const OVER: Result = { kind: "retry", why: "over" };

/**
 * What a run of the function came to. `isShared`: others may be given it, and it may be kept. abandoned: every caller had
 * aborted before it ended, so its result is dropped.
 */
export type Computed =
  | Value
  | { readonly kind: "error"; readonly error: unknown; readonly isShared: boolean }
  | { readonly kind: "abandoned" };

/** One caller who waits for a computation. */
export interface Waiter {
  readonly result: Promise<Result>;
  /** The caller goes. When all have gone because they aborted, the computation is abandoned. */
  leave(why: "aborted" | "timed out"): void;
}

export interface Value {
  readonly kind: "value";
  readonly value: unknown;
  readonly isShared: boolean;
}

type Answer = (result: Result) => void;

/** One run of a function, for those who wait for it. */
export class Computation {
  /** The computations that calls inside this one wait for, with how many do. */
  readonly waitsFor: Map<Computation, number> = new Map();
  readonly #copy: (value: unknown) => unknown;
  readonly #waiters = new Set<Answer>();
  /** The waiter whose function runs: the one that joined first. A background refresh has none, and is never abandoned. */
  #leader: Answer | undefined;
  /** Callers that did not abort. One that timed out still counts: its computation goes on. */
  #interested = 0;
  #isSettled = false;
  readonly #controller = new AbortController();
  /** Ends the run that is under way. */
  #abandon: (() => void) | undefined;

  /** `copy`: what the second caller and all after it are given. It throws for what cannot be copied. */
  constructor(copy: (value: unknown) => unknown) {
    this.#copy = copy;
  }

  /** Were its waiters answered? A call that joins now waits for the last write, then reads again. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  join(): Waiter {
    let answer!: Answer;
    const noLonger = noteWait(currentComputation(), this);
    const result = new Promise<Result>((resolve) => {
      answer = (result) => {
        noLonger();
        resolve(result);
      };
    });
    this.#waiters.add(answer);
    this.#leader ??= answer;
    this.#interested++;
    return {
      result,
      leave: (why) => {
        if (!this.#waiters.delete(answer)) return;
        // Nobody reads it; but what waits for it, a timer maybe, is done.
        answer(OVER);
        if (why === "aborted" && --this.#interested === 0) this.#abandon?.();
      },
    };
  }

  /**
   * Runs the call's function in its caller's async context, unless all who joined have aborted by now. Never rejects;
   * whatever an abandoned run does is dropped.
   */
  run(call: Call): Promise<Computed> {
    const opening = contextOpening();
    return opening === undefined ? this.#run(call) : opening.then(() => this.#run(call));
  }

  #run({ compute, options: { inputs } }: Call): Promise<Computed> {
    // Where what it read has changed since its key was cut, the result is no answer to that key.
    // rule 15: shared and kept only for the arguments of its key
    const isShared = () => inputs === undefined || inputs.areCurrent();
    return new Promise((resolve) => {
      if (this.#leader !== undefined && this.#interested === 0) return resolve({ kind: "abandoned" });
      this.#abandon = () => {
        this.#controller.abort();
        resolve({ kind: "abandoned" });
      };
      runAs(this, async () => await compute(this.#controller.signal)).then(
        (value) => resolve({ kind: "value", value, isShared: isShared() }),
        (error) => resolve({ kind: "error", error, isShared: isShared() }),
      );
    });
  }

  /** Fires the function's signal, and goes on: a function that ignores it may still end. */
  expire(): void {
    this.#controller.abort(new DOMException("the refresh took longer than mintDelay", "TimeoutError"));
  }

  /**
   * Answers all waiters. The first is given the value itself, each other one a copy, and all copies are made before any
   * waiter runs. A waiter that cannot be given the result reads again: what cannot be copied (a stream, an instance of a
   * class) goes to one waiter only, and what is not shared to the one whose function ran.
   */
  settle(computed: Computed): void {
    if (computed.kind === "abandoned") return this.retry("over");
    let isTaken = false;
    this.#answer((waiter) => {
      if (!computed.isShared && waiter !== this.#leader) return OVER;
      if (computed.kind === "error") return computed;
      if (isTaken) return this.#copied(computed.value);
      isTaken = true;
      return computed;
    });
  }

  /** Makes every waiter's call read again. */
  retry(why: "refused" | "unknown" | "over"): void {
    this.#answer(() => ({ kind: "retry", why }));
  }

  #copied(value: unknown): Result {
    try {
      return { kind: "value", value: this.#copy(value) };
    } catch {
      return OVER;
    }
  }

  #answer(resultFor: (waiter: Answer) => Result): void {
    this.#isSettled = true;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter(resultFor(waiter));
  }
}

/**
 * The computations of this process that calls may join. Under a lease one is open from before the lease is asked for
 * until its last write is answered; a lease of this process outside an open one is an orphan.
 */
export class Computations {
  readonly #copy: (value: unknown) => unknown;
  readonly #byNonce = new Map<string, { readonly key: string; readonly computation: Computation }>();

  readonly #inBackground: (work: Promise<unknown>) => void;

  constructor(copy: (value: unknown) => unknown, inBackground: (work: Promise<unknown>) => void) {
    this.#copy = copy;
    this.#inBackground = inBackground;
  }

  /** Runs the function for this caller alone. `write`: what becomes of its value before the caller is answered. */
  unshared(call: Call, write?: (value: Value) => Promise<void>): Promise<Result> {
    call.outcome = "miss";
    const computation = this.create();
    const waiter = computation.join();
    const run = async () => {
      const computed = await computation.run(call);
      // rule 13: written before its caller is answered
      if (computed.kind === "value") await write?.(computed);
      computation.settle(computed);
    };
    this.#inBackground(run());
    return resultFor(call, waiter);
  }

  /** One whose result is copied for all but the first of its waiters. */
  create(): Computation {
    return new Computation(this.#copy);
  }

  open(key: string, nonce: string): Computation {
    const computation = this.create();
    // rule 9: open before its lease is asked for
    this.#byNonce.set(nonce, { key, computation });
    return computation;
  }

  /** The open computation of this lease. A lease that somebody copied to another key of the store has none there. */
  find(key: string, nonce: string): Computation | undefined {
    const open = this.#byNonce.get(nonce);
    return open?.key === key ? open.computation : undefined;
  }

  /** Ends an open computation; whoever still waits for it reads again. */
  close(nonce: string): void {
    this.#byNonce.get(nonce)?.computation.retry("over");
    this.#byNonce.delete(nonce);
  }
}

/** A computation that a call has begun, and what it answers. */
interface SharedComputation {
  readonly target: Target;
  readonly computation: Computation;
}

/**
 * The computations that calls have begun who share a read of an entry. All of them called before it was sent, and so
 * before a computation begins: they may join it even if it has begun when they come. Not in a WeakMap: there a value that
 * leads to its own key, as a call does to its slot, stays until a full garbage collection, of which misses then made many.
 */
export interface SharedSlot {
  leased: SharedComputation | undefined;
  uncoordinated: SharedComputation | undefined;
}

/** Lets the calls of this call's slot join the computation. */
export function share(call: Call, kind: keyof SharedSlot, computation: Computation): void {
  if (call.slot !== undefined) call.slot[kind] = { target: call, computation };
}

/** The computation that a call of the same slot has begun, unless it is settled or belongs to another target. */
export function sharedWith(call: Call, kind: keyof SharedSlot): Computation | undefined {
  const shared = call.slot?.[kind];
  // rule 5: joined for the same groups, key and source
  if (shared === undefined || shared.computation.isSettled || !isSame(shared.target, call)) return undefined;
  return shared.computation;
}

/** Two calls of one key in the store may name different groups, or have different sources or (truncated) full keys. */
const isSame = (one: Target, other: Target): boolean =>
  one.fullKey === other.fullKey && one.source === other.source && one.counters.length === other.counters.length &&
  one.counters.every((counter, i) => counter.key === other.counters[i]!.key);
