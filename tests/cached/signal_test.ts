/** A caller's signal is its own: it alone leaves. The function is handed the computation's. */
import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { cached, GroupBackend, MemoryStore } from "@x/cache-utils";
import { FakeClock } from "@x/cache-utils/testing";

interface Options {
  readonly signal?: AbortSignal;
}

/** A function that ends when it is told to, or when its signal fires. */
function slow(options: object = {}) {
  const signals: AbortSignal[] = [];
  let end!: (value: string) => void;
  const clock = new FakeClock();
  const fn = cached((_id: number, { signal }: Options = {}) => {
    if (signal !== undefined) signals.push(signal);
    return new Promise<string>((resolve, reject) => {
      end = resolve;
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  }, { name: "slow", backend: new GroupBackend({ clock, ...options }) });
  return { fn, signals, clock, end: (value: string) => end(value) };
}
/** Until everything that is not held back has happened: in Deno the first computation waits for a module. */
const settled = async () => {
  await import("node:async_hooks");
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve));
};

test("a caller who aborts leaves, and the others are given the value", async () => {
  const { fn, signals, end } = slow();
  const mine = new AbortController(), other = new AbortController();
  const left = fn(1, { signal: mine.signal });
  await settled();
  const stays = fn(1, { signal: other.signal }), without = fn(1);
  await settled();
  mine.abort(new Error("mine"));
  await assertRejects(() => left, Error, "mine");
  assertEquals([signals.length, signals[0]!.aborted], [1, false]);
  end("value");
  assertEquals(await Promise.all([stays, without]), ["value", "value"]);
});

test("the computation's signal fires when every caller has aborted, and not before", async () => {
  const { fn, signals } = slow();
  const callers = Array.from({ length: 3 }, () => new AbortController());
  const calls = callers.map(({ signal }) => fn(1, { signal }).catch((error: Error) => error.message));
  await settled();
  for (const [n, caller] of callers.entries()) {
    assertEquals(signals[0]!.aborted, false);
    caller.abort(new Error(`${n}`));
  }
  assertEquals([await Promise.all(calls), signals[0]!.aborted], [["0", "1", "2"], true]);
});

test("a timeout is no abort, and no caller without a signal has left", async () => {
  const { fn, signals, clock, end } = slow();
  const aborts = new AbortController();
  const late = fn(1).catch((error: Error) => error.name), leaves = fn(1, { signal: aborts.signal }).catch(() => "left");
  await settled();
  aborts.abort();
  assertEquals(await leaves, "left");
  assertEquals(signals.length === 0 || !signals[0]!.aborted, true);
  await clock.advance(1);
  end("value");
  assertEquals(await late, "value");
});

test("of a refresh in the background the signal fires at mintDelay", async () => {
  const clock = new FakeClock();
  const signals: AbortSignal[] = [];
  let runs = 0;
  const store = new MemoryStore({ clock });
  const backend = new GroupBackend({ clock, store, ttl: 1, stale: 3600, mintDelay: 10 });
  const fn = cached(async (_: number, { signal }: Options = {}) => {
    if (++runs === 1) return "first";
    signals.push(signal!);
    return await new Promise<string>(() => {});
  }, { name: "f", backend });
  const { signal } = new AbortController();
  await fn(1, { signal });
  await clock.advance(2000);
  assertEquals(await fn(1, { signal }), "first");
  await settled();
  assertEquals([runs, signals[0]!.aborted], [2, false]);
  await clock.advance(10_000);
  assertEquals([signals[0]!.aborted, signals[0]!.reason.name], [true, "TimeoutError"]);
});

test("several signals of one call: whichever fires first takes it away", async () => {
  const { fn } = slow();
  const one = new AbortController(), other = new AbortController();
  // deno-lint-ignore no-explicit-any
  const call = (fn as any)(1, one.signal, { signal: other.signal });
  await settled();
  other.abort(new Error("other"));
  await assertRejects(() => call, Error, "other");
});

test("one that has fired before the call takes it away at once, and nothing is computed", async () => {
  let runs = 0;
  const fn = cached((_: number, _o?: Options) => ++runs, { name: "f", backend: new GroupBackend() });
  await assertRejects(() => fn(1, { signal: AbortSignal.abort(new Error("before")) }), Error, "before");
  assertEquals(runs, 0);
});

test("16,000 calls with one signal add one listener, and leave none", { timeout: 60_000 }, async () => {
  const controller = new AbortController(), { signal } = controller;
  let listeners = 0, most = 0;
  const add = signal.addEventListener.bind(signal), remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (most = Math.max(most, ++listeners), add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  const backend = new GroupBackend();
  await Promise.all(Array.from({ length: 16_000 }, (_, i) => backend.fetch(`k${i}`, () => 1, { signal })));
  assert(most <= 1, `${most} listeners`);
  assertEquals(listeners, 0);
});
