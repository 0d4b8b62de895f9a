import { type Call, resultFor, type Target } from "./call.ts";
import { contextOpening, currentComputation, noteWait, runAs } from "./context.ts";

/**
 * How a computation ended for one who waited. retry: nothing came of it for this one; `why`: its lease was refused, its
 * lease had no answer, or it is over, and what it gave is not for this one.
 */
export type Result =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "retry"; readonly why: "refused" | "unknown" | "over" };

const OVER: Result = { kind: "retry", why: "over" };

/**
 * What a function did. `isShared`: may it be given to others, and kept? abandoned: every caller aborted first, so what
 * it returns interests nobody.
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
  /** Whose function runs: who joined first. A refresh in the background has none, and goes on all the same. */
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

  /** Were its waiters answered? Who joins now waits for its last write, then retries. */
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

  /** Answers everybody with what the function did, or with a retry where that is not for them. */
  settle(computed: Computed): void {
    if (computed.kind === "abandoned") return this.retry("over");
    if (computed.kind === "value") this.#resolve(computed.value, computed.isShared ? undefined : this.#leader);
    else this.#reject(computed.error, computed.isShared ? undefined : this.#leader);
  }

  /** Everybody looks again. */
  retry(why: "refused" | "unknown" | "over"): void {
    this.#answer(() => ({ kind: "retry", why }));
  }

  /**
   * The first gets the very value, the others a copy each, all made before anybody runs. Of what cannot be copied (a
   * stream, an instance of a class) there is one: the others retry. `only`: so do all but this one.
   */
  #resolve(value: unknown, only: Answer | undefined): void {
    let isFirst = true;
    this.#answer((waiter) => {
      if (only !== undefined && waiter !== only) return OVER;
      if (!isFirst) return this.#copied(value);
      isFirst = false;
      return { kind: "value", value };
    });
  }

  #copied(value: unknown): Result {
    try {
      return { kind: "value", value: this.#copy(value) };
    } catch {
      return OVER;
    }
  }

  #reject(error: unknown, only: Answer | undefined): void {
    this.#answer((waiter) => only === undefined || waiter === only ? { kind: "error", error } : OVER);
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

  /** The one of this lease under this key: a lease that was copied to another key is nobody's there. */
  find(key: string, nonce: string): Computation | undefined {
    const open = this.#byNonce.get(nonce);
    return open?.key === key ? open.computation : undefined;
  }

  /** Whoever still waits retries. */
  close(nonce: string): void {
    this.#byNonce.get(nonce)?.computation.retry("over");
    this.#byNonce.delete(nonce);
  }
}

/**
 * Computations by the slot of the snapshot that they begin with. All who share a slot called before it was sent, and so
 * before the computation begins: they may join it even if it has begun when they come.
 */
export class BySlot {
  readonly #shared = new WeakMap<object, { readonly target: Target; readonly computation: Computation }>();

  share(call: Call, computation: Computation): void {
    if (call.slot !== undefined) this.#shared.set(call.slot, { target: call, computation });
  }

  /** The one of the call's slot, unless it was answered or is another target's. */
  find(call: Call): Computation | undefined {
    const shared = call.slot === undefined ? undefined : this.#shared.get(call.slot);
    // rule 5: joined for the same groups, key and source
    if (shared === undefined || shared.computation.isSettled || !isSame(shared.target, call)) return undefined;
    return shared.computation;
  }
}

/** Two calls of one key may name different groups, or stand for different full keys or sources. */
const isSame = (one: Target, other: Target): boolean =>
  one.fullKey === other.fullKey && one.source === other.source && one.counters.length === other.counters.length &&
  one.counters.every((counter, i) => counter.key === other.counters[i]!.key);
