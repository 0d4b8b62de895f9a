import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { type AbortListener, offAbort, onAbort } from "../../src/util/abort.ts";

/** A signal whose listeners are counted. */
function counted() {
  const controller = new AbortController();
  const { signal } = controller;
  const counts = { added: 0, removed: 0 };
  const add = signal.addEventListener.bind(signal), remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (counts.added++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (counts.removed++, remove(...args));
  return { controller, signal, counts };
}

test("a thousand that onAbort one signal are one listener, which goes with the last of them", () => {
  const { controller, signal, counts } = counted();
  const left: unknown[] = [];
  const all = Array.from({ length: 1000 }, (_, n): AbortListener => ({ aborted: (reason) => left.push([n, reason]) }));
  for (const one of all) onAbort(signal, one);
  assertEquals(counts, { added: 1, removed: 0 });
  for (const one of all.slice(1)) offAbort(signal, one);
  assertEquals(counts, { added: 1, removed: 0 });
  offAbort(signal, all[0]!);
  offAbort(signal, all[0]!);
  assertEquals(counts, { added: 1, removed: 1 });
  controller.abort("late");
  assertEquals(left, []);
});

test("when the signal fires each one leaves once, with its reason, and the listener goes", () => {
  const { controller, signal, counts } = counted();
  const left: unknown[] = [];
  const all = Array.from({ length: 3 }, (_, n): AbortListener => {
    const one: AbortListener = {
      aborted(reason) {
        left.push([n, reason]);
        offAbort(signal, one);
      },
    };
    return one;
  });
  for (const one of all) onAbort(signal, one);
  offAbort(signal, all[1]!);
  controller.abort("enough");
  assertEquals(left, [[0, "enough"], [2, "enough"]]);
  assertEquals(counts, { added: 1, removed: 1 });
});
