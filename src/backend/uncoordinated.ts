import type { Clock } from "../util/clock.ts";
import type { Call } from "./call.ts";
import { withTimeout } from "./caller_timeout.ts";
import { BySlot, type Computation, type Computations, type Waiter } from "./computations.ts";
import { ConcurrencyLimit } from "./concurrency_limit.ts";
import { closesCircle, currentComputation, noteWait } from "./context.ts";

/** Told a shared value before anybody is answered, so that it may be kept. */
type Write = (value: unknown) => void;

interface Running {
  readonly computation: Computation;
  readonly ended: Promise<void>;
}
interface Waiting {
  readonly computation: Computation;
  write: Write | undefined;
}

/**
 * Computations without a lease, while there is none to be had, shared by the trailing edge: a call may join only a
 * computation that has not begun yet, so that per key one runs and one waits. To join one that runs could return what was
 * read before an invalidation; only those who share a slot may, since all of them called before it began.
 */
export class Uncoordinated {
  readonly #computations: Computations;
  readonly #clock: Clock;
  /** Absent: as many keys at once as are asked for. */
  readonly #limit: ConcurrencyLimit | undefined;
  readonly #inBackground: (work: Promise<unknown>) => void;
  readonly #bySlot = new BySlot();
  readonly #waiting = new Map<string, Waiting>();
  readonly #running = new Map<string, Running>();

  /** `outageConcurrency`: so many keys are computed at once. */
  constructor(
    computations: Computations,
    clock: Clock,
    outageConcurrency: number,
    inBackground: (work: Promise<unknown>) => void,
  ) {
    this.#computations = computations;
    this.#clock = clock;
    this.#limit = outageConcurrency === Infinity ? undefined : new ConcurrencyLimit(clock, outageConcurrency);
    this.#inBackground = inBackground;
  }

  /**
   * Joins the computation that may be joined, or begins one, which waits for the one that runs at most `mintDelay`.
   * `isLeader`: it is this caller's function that runs. Of several callers who bring a `write` the first one's is used.
   * `undefined`: the call would wait for itself.
   */
  join(call: Call, write?: Write): { readonly waiter: Waiter; readonly isLeader: boolean } | undefined {
    const shared = this.#bySlot.find(call);
    if (shared !== undefined) return closesCircle(shared) ? undefined : { waiter: shared.join(), isLeader: false };
    const key = keyOf(call);
    let next = this.#waiting.get(key);
    const running = this.#running.get(key), isLeader = next === undefined;
    if (closesCircle(...[next, running].flatMap((one) => one === undefined ? [] : one.computation))) return undefined;
    if (next === undefined) this.#waiting.set(key, next = { computation: this.#computations.create(), write });
    else next.write ??= write;
    this.#bySlot.share(call, next.computation);
    const waiter = next.computation.join();
    if (isLeader) this.#inBackground(this.#lead(key, next, running, call));
    return { waiter, isLeader };
  }

  async #lead(key: string, next: Waiting, before: Running | undefined, call: Call): Promise<void> {
    // Who saw the hit-for-miss marker computes because of its result, outage or none. And a call from inside a
    // computation takes no turn: the outer one waits for it, and would never give up its own.
    const isLimited = next.write === undefined && currentComputation() === undefined;
    if (before !== undefined) {
      const noLonger = noteWait(next.computation, before.computation);
      await withTimeout(this.#clock, call.mintDelayMs, before.ended);
      noLonger();
    } else await undefined; // Calls that ask no store are made in one turn, and have no slot: they join by then.
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
    if (computed.kind === "value" && computed.isShared) next.write?.(computed.value);
    next.computation.settle(computed);
  }
}

/** Of one source: what another one computes under this key may not be meant for this caller. */
function keyOf({ about, fullKey = about.key, source = "" }: Call): string {
  return `${source} ${fullKey}`;
}
