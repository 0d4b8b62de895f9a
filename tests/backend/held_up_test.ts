/** A function that computes for a second holds up the event loop: what came in time lies unread, behind timers that are due. */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { type Clock, GroupBackend, MemoryStore, type Store } from "@x/cache-utils";

/** A clock whose timers fire when they are told to, however late that is. */
class HeldUpClock implements Clock {
  time = 0;
  readonly timers = new Map<number, { readonly due: number; readonly wake: () => void }>();
  #last = 0;

  now(): number {
    return this.time;
  }
  setTimeout(wake: () => void, ms: number): unknown {
    this.timers.set(++this.#last, { due: this.time + ms, wake });
    return this.#last;
  }
  clearTimeout(timer: unknown): void {
    this.timers.delete(timer as number);
  }

  /** The event loop goes on after so many ms: first of all come the timers. */
  heldUp(ms: number): void {
    this.time += ms;
    for (const [id, { due, wake }] of [...this.timers]) {
      if (due > this.time) continue;
      this.timers.delete(id);
      wake();
    }
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A store that answers these verbs when it is told to. */
function slow(inner: MemoryStore, held: readonly string[]): { store: Store; answer: () => void } {
  const waiting: (() => void)[] = [];
  const verb = (name: "get" | "add") => (...args: unknown[]) =>
    held.includes(name)
      ? new Promise((resolve) => waiting.push(resolve as () => void)).then(() =>
        Reflect.apply(inner[name], inner, args)
      )
      : Reflect.apply(inner[name], inner, args);
  const store = {
    get: verb("get"),
    add: verb("add"),
    set: inner.set.bind(inner),
    delete: inner.delete.bind(inner),
    counter: inner.counter.bind(inner),
    increment: inner.increment.bind(inner),
    close: inner.close.bind(inner),
  } as Store;
  return { store, answer: () => waiting.splice(0).forEach((wake) => wake()) };
}

/** A call that waits for this verb, while the event loop is held up for a second, so often. */
async function heldUpCall(verb: string, times = 1) {
  const clock = new HeldUpClock();
  const { store, answer } = slow(new MemoryStore({ clock }), [verb]);
  const backend = new GroupBackend({ store, clock, storeTimeout: "250ms" });
  const told: string[] = [];
  backend.on("storeError", ({ error }) => told.push(String(error)));
  const call = backend.fetch("k", () => Promise.resolve("v"), { ttl: "1h" });
  await settle();
  for (let n = 0; n < times; n++) {
    clock.heldUp(1000);
    clock.heldUp(1); // the sockets are not read yet
  }
  return { clock, answer, told, call };
}

for (const [verb, what] of [["get", "a look"], ["add", "a lease"]] as const) {
  for (const times of [1, 2]) {
    test(`${what} that was answered while the event loop was held up, ${times} times, counts as answered`, async () => {
      const { answer, told, call } = await heldUpCall(verb, times);
      answer();
      for (let n = 0; n < 5; n++) await settle();
      answer(); // the second look, of the one who took the lease
      assertEquals([await call, told], ["v", []]);
    });
  }

  test(`${what} that was answered as its last piece of time was held up counts as answered`, async () => {
    const { clock, answer, told, call } = await heldUpCall(verb, 0);
    for (let ms = 0; ms < 240; ms += 5) clock.heldUp(5);
    clock.heldUp(500);
    clock.heldUp(500); // a second stretch, in the turn that the sockets were given
    answer();
    for (let n = 0; n < 5; n++) await settle();
    answer();
    assertEquals([await call, told], ["v", []]);
  });

  test(`${what} that is not answered is given up all the same, once the event loop was there for storeTimeout`, async () => {
    const { clock, told, call } = await heldUpCall(verb);
    await settle();
    // What was held up counts for a tenth of a second and a half, a late timer's turn for 5 ms.
    for (let ms = 0; ms < 160; ms += 5) clock.heldUp(5);
    assertEquals([await call, told.length], ["v", 1]);
  });
}
