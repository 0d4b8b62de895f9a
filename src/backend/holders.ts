import { type Clock, elapsedMs, type Moment, momentOf } from "../util/clock.ts";

/** One that was not seen for so long may be gone. */
const REMEMBERED_MS = 60_000;
const MOST = 1000;

/** How many processes there are, as far as leases of theirs were met. */
export class Holders {
  readonly #clock: Clock;
  /** Since when `#now` is filled; then it becomes `#before`, and what that held is forgotten. */
  #since: Moment;
  #now = new Set<string>();
  #before = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = momentOf(clock);
  }

  get count(): number {
    return Math.max(this.#now.size, this.#before.size);
  }

  /** A lease of another process was met. Its nonce begins with what its holder is known by. */
  saw(nonce: string): void {
    if (elapsedMs(this.#clock, this.#since) > REMEMBERED_MS) {
      this.#before = this.#now;
      this.#now = new Set();
      this.#since = momentOf(this.#clock);
    }
    const dot = nonce.indexOf(".");
    if (this.#now.size < MOST) this.#now.add(dot === -1 ? nonce : nonce.slice(0, dot));
  }
}
