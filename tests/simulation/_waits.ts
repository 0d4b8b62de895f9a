/** Is a call answered in time? It may wait for others within bounds, and only for what somebody is working at. */
import type { Call } from "./_oracle.ts";
import type { Process } from "./_process.ts";
import { isLease } from "./_server.ts";
import type { Fleet } from "./_simulation.ts";

/** A call of `fetch` that is not answered yet. */
export interface Waiting extends Call {
  readonly process: Process;
  /** As kept in the store. */
  readonly entry: string;
  readonly refreshes: boolean;
  /** How long it waited though nobody was at work. */
  idleMs: number;
  /** How long it waited for others. */
  othersMs: number;
  /** The stranger's lease that it waits for, and for how long already. */
  stranger: { readonly kept: object; ms: number } | undefined;
  /** How many strangers' leases came and went meanwhile. */
  leases: number;
}

/** Pauses between two polls, after which a waiter sees that nothing is there to wait for: three of 100 ms, and some. */
const LONGEST_IDLE_MS = 500;
/** A lease that nobody renews for so long is nobody's. */
const UNRENEWED_MS = 7000;
/** A call may see three leases go, and one may go while it looks. */
const MOST_LEASES = 4;
/** A call asks for a lease at most so often. */
const MOST_ATTEMPTS = 9;
/** Looks and leases take storeTimeout at most, a call makes about a dozen of each; the driver's timeout is 1 s. */
const STORE_MS = 20_000;
/** The longest computation, mintDelay and 8 s. */
const BEYOND_MS = 8000;

export class Waits {
  readonly #fleet: Fleet;
  readonly #calls = new Set<Waiting>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  get pending(): number {
    return this.#calls.size;
  }

  begin(call: Waiting): void {
    this.#calls.add(call);
    call.process.asked[call.key]!++;
  }

  end(call: Waiting): void {
    this.#calls.delete(call);
  }

  /** So much time passes in which nothing happens. */
  passing(ms: number): void {
    for (const call of this.#calls) {
      const { process, key } = call;
      if (process.crashed) this.#calls.delete(call);
      else if (process.running[key]! === 0 && process.client.inFlight === 0) this.#wait(call, ms);
      else if (this.#fleet.world.now - call.begunMs > this.#longestMs) {
        this.#fleet.oracle.breach(`${call.who}'s call of k${key} has waited longer than any call may`);
      }
    }
  }

  /** Two mintDelays, for others and for the computation that runs alone here, and two computations. */
  get #longestMs(): number {
    return 4 * (this.#fleet.plan.mintDelayMs + BEYOND_MS) + STORE_MS;
  }

  #wait(call: Waiting, ms: number): void {
    const { oracle, plan, world } = this.#fleet;
    call.othersMs += ms;
    const text = () => `${call.who}'s call of k${call.key}, begun at ${call.begunMs.toFixed(1)} ms,`;
    if (call.othersMs > plan.mintDelayMs + 500) {
      oracle.breach(
        `${text()} has waited for others ${call.othersMs.toFixed(0)} ms by ${(world.now + ms).toFixed(1)} ms`,
      );
    }
    if (this.#isAtWork(call, ms)) return;
    call.idleMs += ms;
    if (call.idleMs > LONGEST_IDLE_MS) oracle.breach(`${text()} waits though nobody is at work on it`);
  }

  /** Does anybody compute it, or hold its lease in good faith? */
  #isAtWork(call: Waiting, ms: number): boolean {
    const { key, process, entry } = call;
    for (const other of this.#fleet.processes) {
      if (!other.crashed && other.running[key]! > 0) return true;
    }
    const kept = this.#fleet.serverOf(entry).at(entry);
    if (kept === undefined || !isLease(kept.bytes)) return false;
    const { by } = kept;
    if (by === undefined) {
      // A stranger's, which nobody renews.
      if (call.stranger?.kept !== kept) call.stranger = { kept, ms: 0 };
      return (call.stranger!.ms += ms) <= UNRENEWED_MS;
    }
    if (by === process.client) return false;
    // A holder that died, or does not know that it holds, or could not give it back: the lease runs out.
    return by.crashed || by.inFlight > 0 || !kept.answered || by.failuresOf(entry) > kept.failures;
  }

  /** A stranger's lease that stood for a while under this key is gone, and another there. */
  leaseGone(key: number): void {
    for (const call of this.#calls) {
      if (call.key !== key || call.refreshes || call.process.running[key]! > 0) continue;
      if (++call.leases > MOST_LEASES) {
        this.#fleet.oracle.breach(`${call.who}'s call has waited for ${call.leases} leases`);
      }
    }
  }

  /** Was a lease asked for more often than it may be? */
  over(): void {
    const { servers, processes, oracle } = this.#fleet;
    for (const server of servers) {
      for (const [entry, attempts] of server.contested) {
        for (const process of processes) {
          const calls = process.asked.reduce((sum, count) => sum + count, 0);
          const count = attempts.get(process.client) ?? 0;
          if (count > MOST_ATTEMPTS * calls) {
            oracle.breach(`${process.name} asked ${count} times for the lease of ${entry}`);
          }
        }
      }
    }
  }
}
