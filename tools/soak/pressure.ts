/** Much at once, and much for long. */

import { type Clock, systemClock } from "../../src/util/clock.ts";
import { Memcached, QueueFullError } from "../../src/memcached/mod.ts";
import { freshServer } from "../../tests/_memcached.ts";
import { CountedSignal } from "../../tests/memcached/_aborts.ts";
import { emptyTally, valueOf } from "../../tests/memcached/_load.ts";
import { expectAtMost, type FaultResult, LoopWatch, mb, memory, resultOf, type SoakOptions } from "./result.ts";

/** No step of ours may keep the event loop longer. */
const LONGEST_STEP_MS = 50;

/** What so many rounds took in ms: the whole, the caller's own tick, and the longest step after it. */
async function watched<T>(rounds: number, ask: () => Promise<T>, check: (answer: T) => void) {
  const steps: number[] = [], whole: number[] = [], own: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const watch = new LoopWatch();
    const began = performance.now();
    const asked = ask();
    own.push(performance.now() - began);
    // The caller's own tick ends here.
    queueMicrotask(() => watch.restart());
    const answer = await asked;
    steps.push(watch.end());
    whole.push(performance.now() - began);
    check(answer);
  }
  const text = (numbers: number[]) => numbers.map((ms) => ms.toFixed(1)).join(", ");
  const notes = `longest steps ${text(steps)} ms, the call itself ${text(own)} ms, rounds ${text(whole)} ms`;
  // The first round is the compiler's.
  const failures = expectAtMost("a step (ms)", Math.max(...steps.slice(1)), LONGEST_STEP_MS);
  return { worstMs: Math.max(...whole), notes, failures };
}

/** 100,000 calls of one tick. */
export async function burst({ protocol, share, count = 100_000 * share }: SoakOptions): Promise<FaultResult> {
  await using server = await freshServer();
  const options = { protocol, maxInFlight: count + 1, maxBytesInFlight: Infinity, timeout: "60s" } as const;
  await using client = new Memcached(server.address, options);
  await Promise.all(Array.from({ length: 1000 }, (_, n) => client.set(`k${n}`, valueOf(`k${n}`))));
  const tally = emptyTally();
  const ask = () => Promise.all(Array.from({ length: count }, (_, n) => client.get(`k${n % 1000}`)));
  const { worstMs, notes, failures } = await watched(3, ask, (items) => {
    tally.asked += count;
    items.forEach((item, n) => {
      if (item?.text() !== valueOf(`k${n % 1000}`)) tally.wrong++;
      else tally.answered++;
    });
  });
  return resultOf("calls of one tick", count, { ...tally, worstMs }, notes, failures);
}

/** A multi-get of 10,000 keys over three servers. */
export async function largeMulti({ protocol, share, count = 10_000 * share }: SoakOptions): Promise<FaultResult> {
  await using one = await freshServer();
  await using two = await freshServer();
  await using three = await freshServer();
  await using client = new Memcached([one, two, three].map(({ address }) => address), { protocol, timeout: "20s" });
  const keys = Array.from({ length: count }, (_, n) => `multi:${n}`);
  await Promise.all(keys.map((key) =>
    client.set(key, valueOf(key)).catch((error) => {
      if (!(error instanceof QueueFullError)) throw error;
    })
  ));
  const tally = emptyTally();
  const { worstMs, notes, failures } = await watched(5, () => client.getMulti(keys), (items) => {
    tally.asked++;
    if (items.failed.size > 0) tally.wrong++;
    for (const [key, item] of items) if (item.text() !== valueOf(key)) tally.wrong++;
  });
  return resultOf("getMulti over 3 servers", count, { ...tally, worstMs }, notes, failures);
}

/** The runtime's clock, with its timers counted. */
class CountedClock implements Clock {
  readonly #timers = new Set<unknown>();

  get timers(): number {
    return this.#timers.size;
  }
  now(): number {
    return systemClock.now();
  }
  setTimeout(wake: () => void, ms: number): unknown {
    const timer = systemClock.setTimeout(() => {
      this.#timers.delete(timer);
      wake();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }
  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer);
    systemClock.clearTimeout(timer);
  }
  unref(timer: unknown): void {
    systemClock.unref!(timer);
  }
}

const AT_ONCE = 100;
const KEYS = 500;

/** 10,000,000 operations of one client: memory, timers, listeners and sockets stay as they are. */
export async function long({ protocol, share, count = 10_000_000 * share }: SoakOptions): Promise<FaultResult> {
  await using server = await freshServer();
  const clock = new CountedClock();
  const shared = new CountedSignal();
  const aborting = { signal: shared.signal };
  await using client = new Memcached(server.address, { protocol, clock, timeout: "10s" });
  let connects = 0;
  client.on("connect", () => connects++);
  const keys = Array.from({ length: KEYS }, (_, n) => `long:${n}`);
  const values = keys.map((key) => valueOf(key).slice(0, 500));
  await Promise.all(keys.map((key, n) => client.set(key, values[n]!)));
  const tally = emptyTally();
  const heaps: number[] = [];
  const rsses: number[] = [];
  const watch = new LoopWatch();
  const began = performance.now();
  let [timers, listeners] = [0, 0];
  let next = 0;
  const one = async (): Promise<void> => {
    const n = next++;
    const at = n % KEYS;
    const key = keys[at]!;
    const kind = n % 10;
    if (kind < 7) {
      const item = await client.get(key, n % 2 === 0 ? aborting : undefined);
      if (item?.text() !== values[at]) {
        tally.wrong++;
        tally.complaint ??= `not its own under ${key}`;
      }
    } else if (kind < 9) await client.set(key, values[at]!, n % 2 === 0 ? aborting : undefined);
    else if (await client.get("long:nothing") !== undefined) tally.wrong++;
    tally.answered++;
  };
  const step = Math.max(AT_ONCE, Math.floor(count / 10));
  for (let mark = 0; tally.asked < count;) {
    const calls: Promise<void>[] = [];
    for (let n = 0; n < AT_ONCE; n++) calls.push(one());
    tally.asked += AT_ONCE;
    await Promise.all(calls);
    timers = Math.max(timers, clock.timers);
    listeners = Math.max(listeners, shared.listeners);
    if (tally.asked < mark) continue;
    mark += step;
    const { heap, rss } = memory();
    heaps.push(heap);
    rsses.push(rss);
    watch.restart();
  }
  tally.unsettled = tally.asked - tally.answered;
  const seconds = (performance.now() - began) / 1000;
  const longest = watch.end();
  const stats = (await client.stats()).get(server.address)!;
  const [sockets, total] = [Number(stats.get("curr_connections")), Number(stats.get("total_connections"))];
  // The first marks are the compiler's and the heap's own growth.
  const [heap, rss] = [heaps, rsses].map((all) => all.at(-1)! - all[Math.min(2, all.length - 1)]!) as [number, number];
  const notes = [
    `${Math.round(tally.asked / seconds).toLocaleString("en")} op/s`,
    `heap ${mb(heaps[0]!)} to ${mb(heaps.at(-1)!)}`,
    `rss ${mb(rsses[0]!)} to ${mb(rsses.at(-1)!)}`,
    `timers ${timers}`,
    `listeners afterwards ${shared.listeners}`,
    `connections ${connects}`,
    `server: ${sockets} of ${total}`,
    `last step ${longest.toFixed(0)} ms`,
  ].join(", ");
  return resultOf("soak", tally.asked, tally, notes, [
    ...expectAtMost("heap growth (MB)", heap / 2 ** 20, 3),
    ...expectAtMost("rss growth (MB)", rss / 2 ** 20, 40),
    ...expectAtMost("timers", timers, 2),
    ...expectAtMost("listeners left", shared.listeners, 0),
    ...expectAtMost("connections", connects, 1),
  ]);
}
