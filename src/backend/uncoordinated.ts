import { type Call, longestWaitMs, resultFor } from "./call.ts";
import { TIMED_OUT, withTimeout } from "./caller_timeout.ts";
import { type Computation, type Result, share, sharedWith } from "./computations.ts";
import { ConcurrencyLimit } from "./concurrency_limit.ts";
import type { Parts } from "./group_backend.ts";
import { closesCircle, currentComputation, noteWait } from "./context.ts";

/**
 * Is given the value, if it may be shared, before anybody is answered, to keep it. `call`: whose function made it.
 */
export type MarkerWrite = (call: Call, value: unknown) => void;

interface Running {
  readonly computation: Computation;
  readonly ended: Promise<void>;
}
interface Waiting {
  readonly computation: Computation;
  write: MarkerWrite | undefined;
}

/**
 * Computations without a lease, while none can be had. A call may join only a computation that has not begun yet, so per key
 * one runs and one waits: one that runs may return what was read before an invalidation. Only calls that share a slot may
 * join one that runs, since all of them came before it began.
 */
export class Uncoordinated {
  readonly #parts: Parts;
  /** Absent: as many keys at once as are asked for. */
  readonly #limit: ConcurrencyLimit | undefined;
  readonly #waiting = new Map<string, Waiting>();
  readonly #running = new Map<string, Running>();

  constructor(parts: Parts) {
    this.#parts = parts;
    const { clock, outageConcurrency } = parts.settings;
    this.#limit = outageConcurrency === Infinity ? undefined : new ConcurrencyLimit(clock, outageConcurrency);
  }

  /**
   * Joins the computation that may be joined, or begins one, which waits for the one that runs at most `mintDelay`.
   * `write`: of several callers who bring one the first one's is used. `waitMs`: how long it waits for another's. retry:
   * the result is another caller's alone, the call would wait for itself, or it has waited long enough.
   */
  async compute(call: Call, write?: MarkerWrite, waitMs?: number): Promise<Result> {
    const key = keyOf(call);
    const shared = sharedWith(call, "uncoordinated"),
      waiting = this.#waiting.get(key),
      running = this.#running.get(key);
    const awaited = shared === undefined ? [waiting?.computation, running?.computation] : [shared];
    if (closesCircle(...awaited)) {
      this.#parts.warnings.circle(call.label);
      return { kind: "retry", why: "over" };
    }
    const isLeader = shared === undefined && waiting === undefined;
    call.outcome = isLeader ? "miss" : "wait";
    const computation = shared ?? this.#next(key, call, waiting, running, write);
    const waiter = computation.join();
    if (isLeader || waitMs === undefined) return await resultFor(call, waiter);
    const result = await resultFor(call, waiter, withTimeout(this.#parts.settings.clock, waitMs, waiter.result));
    if (result !== TIMED_OUT) return result;
    waiter.leave("timed out");
    return { kind: "retry", why: "over" };
  }

  /** The computation of this key that has not begun yet, which may be joined; where there is none, one is begun. */
  #next(
    key: string,
    call: Call,
    waiting: Waiting | undefined,
    running: Running | undefined,
    write?: MarkerWrite,
  ): Computation {
    const next = waiting ?? { computation: this.#parts.computations.create(), write };
    next.write ??= write;
    // rule 11: whoever shares the slot called before it was sent
    share(call, "uncoordinated", next.computation);
    if (waiting === undefined) {
      this.#waiting.set(key, next);
      this.#parts.settings.inBackground(this.#lead(key, next, running, call));
    }
    return next.computation;
  }

  async #lead(key: string, next: Waiting, before: Running | undefined, call: Call): Promise<void> {
    // `outageConcurrency` bounds neither calls that saw the hit-for-miss marker, which are no sign of an outage, nor calls
    // from inside a computation, which would wait for a turn that the outer one, waiting for them, never ends.
    const isLimited = next.write === undefined && currentComputation() === undefined;
    if (before !== undefined) {
      const noLonger = noteWait(next.computation, before.computation);
      await withTimeout(this.#parts.settings.clock, longestWaitMs(call), before.ended);
      noLonger();
    } else await undefined; // Calls that read nothing have no slot to join by: those of the same microtask join now.
    const release = isLimited ? await this.#limit?.acquire(call.mintDelayMs) : undefined;
    const running: Running = { computation: next.computation, ended: this.#run(next, call) };
    this.#running.set(key, running);
    // rule 11: joined until it begins
    this.#waiting.delete(key);
    await running.ended;
    release?.();
    if (this.#running.get(key) === running) this.#running.delete(key);
  }

  async #run(next: Waiting, call: Call): Promise<void> {
    const computed = await next.computation.run(call);
    // rule 15: over the marker, too, only for the arguments of its key
    if (computed.kind === "value" && computed.isShared) next.write?.(call, computed.value);
    next.computation.settle(computed);
  }
}

/** Calls of one key and one source share: a function of another source may compute something else under that key. */
function keyOf({ label, fullKey = label.key, source = "" }: Call): string {
  return `${source} ${fullKey}`;
}
