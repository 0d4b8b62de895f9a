import { type Clock, elapsedMs, type Moment, momentOf } from "../util/clock.ts";

/** A process of which no lease was seen for so long may be gone. */
const REMEMBERED_MS = 60_000;
const MAX_HOLDERS = 1000;

/** How many other processes compute, as far as this one has seen leases of theirs. */
export class Holders {
  readonly #clock: Clock;
  /** When `#recent` was begun. After REMEMBERED_MS it becomes `#earlier`, and the processes in that are forgotten. */
  #since: Moment;
  #recent = new Set<string>();
  #earlier = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = momentOf(clock);
  }

  get count(): number {
    return Math.max(this.#recent.size, this.#earlier.size);
  }

  /** A lease of another process was seen. Its nonce begins with its holder's name, and a dot. */
  saw(nonce: string): void {
    if (elapsedMs(this.#clock, this.#since) > REMEMBERED_MS) {
      this.#earlier = this.#recent;
      this.#recent = new Set();
      this.#since = momentOf(this.#clock);
    }
    const dot = nonce.indexOf(".");
    if (this.#recent.size < MAX_HOLDERS) this.#recent.add(dot === -1 ? nonce : nonce.slice(0, dot));
  }
}
