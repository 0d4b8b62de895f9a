/** Requests of which half are aborted, by chance and at every moment there is. */

import { Memcached } from "../../src/memcached/mod.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";
import { emptyTally, type Tally, unsettledWithin, valueOf } from "./_load.ts";

export interface AbortOptions {
  readonly address: string;
  /** So many requests; about half of them are aborted. */
  readonly count: number;
  readonly seed: number;
  readonly protocol: "binary" | "meta";
}

const WAVE = 1000;
const KEYS = 100;

/** A signal that tells how many listen to it. */
export class CountedSignal {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal = this.#controller.signal;
  listeners = 0;

  constructor() {
    const { signal } = this;
    const add = signal.addEventListener.bind(signal), remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      this.listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      this.listeners--;
      remove(...args);
    };
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }
}

/** Every survivor must be right; who was aborted hears the reason, or had been answered before. */
export async function abortByChance(options: AbortOptions): Promise<Tally & { aborted: number; connects: number }> {
  const { address, count, seed, protocol } = options;
  const random = new SeededRandom(seed);
  const below = (most: number) => Math.floor(random.fraction() * most);
  const tally = emptyTally();
  await using client = new Memcached(address, { protocol, timeout: "20s" });
  let connects = 0;
  client.on("connect", () => connects++);
  const keys = Array.from({ length: KEYS }, (_, n) => `abort:${seed}:${n}`);
  await Promise.all(keys.map((key) => client.set(key, valueOf(key))));
  let aborted = 0;
  const complain = (words: string) => {
    tally.wrong++;
    tally.complaint ??= words;
  };
  while (tally.asked < count) {
    const leaving: (() => void)[] = [];
    const signals: CountedSignal[] = [];
    const calls = Array.from({ length: Math.min(WAVE, count - tally.asked) }, async (_, n) => {
      const key = keys[below(KEYS)]!;
      const leaves = random.fraction() < 0.5;
      const heed = leaves ? new CountedSignal() : undefined;
      const reason = `reason ${n}`;
      if (heed !== undefined) {
        signals.push(heed);
        leaving.push(() => heed.abort(reason));
      }
      const began = performance.now();
      try {
        const kind = below(10);
        const asked = heed === undefined ? {} : { signal: heed.signal };
        if (kind < 6) {
          const text = (await client.get(key, asked))?.text();
          if (text !== valueOf(key)) complain(`"${text?.slice(0, 40)}" under ${key}`);
        } else if (kind < 8) {
          if (!(await client.set(key, valueOf(key), asked)).stored) complain(`a set of ${key} was not done`);
        } else {
          const several = [...new Set([key, keys[below(KEYS)]!, keys[below(KEYS)]!])];
          const items = await client.getMulti(several, asked);
          for (const one of several) if (items.get(one)?.text() !== valueOf(one)) complain(`not its own under ${one}`);
        }
        tally.answered++;
      } catch (error) {
        tally.rejected++;
        if (leaves && error === reason) aborted++;
        else complain(`rejected with ${error}`);
      }
      tally.worstMs = Math.max(tally.worstMs, performance.now() - began);
    });
    tally.asked += calls.length;
    // In this very tick, before anything was sent; while it is on its way; and as the answers come in.
    const share = () => leaving.splice(0, below(leaving.length + 1)).forEach((leave) => leave());
    share();
    for (let turn = 0; turn < below(4); turn++) await Promise.resolve();
    share();
    await new Promise((resolve) => setImmediate(resolve));
    share();
    await Promise.race(calls);
    for (const leave of leaving) leave();
    tally.unsettled += await unsettledWithin(calls, 20_000);
    if (signals.some(({ listeners }) => listeners !== 0)) complain("a listener is left on a signal");
  }
  return { ...tally, aborted, connects };
}
