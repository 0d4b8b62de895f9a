/** `begin`: look now, keep later. A, B: processes over one server, under one clock. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import type { Begun, Ticket } from "../../src/backend/backend.ts";
import { CacheError, CacheTimeoutError, CacheValueError } from "../../src/errors.ts";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { KeyValueStore } from "../../src/store/key_value/store.ts";
import { PlainBackend } from "../../src/backend/plain_backend.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { GroupBackend } from "./_mod.ts";
import { Fleet, isOpen } from "./_fleet.ts";

const GROUP = { group: "cities" };
const MINT_MS = 30_000;

/** What `begin` gave is a ticket. */
function ticketOf<T>(begun: Begun<T>): Ticket<T> {
  assert(!begun.hit, "a value was found");
  return begun;
}

/** What `begin` gave is a value. */
function valueOf<T>(begun: Begun<T>): { value: T; outcome: string } {
  assert(begun.hit, "a ticket was given");
  return { value: begun.value, outcome: begun.outcome };
}

async function warnings(work: () => Promise<void>): Promise<string[]> {
  const { warn } = console;
  const lines: string[] = [];
  console.warn = (line: string) => lines.push(line);
  try {
    await work();
  } finally {
    console.warn = warn;
  }
  return lines;
}

const clocked = (store: (clock: FakeClock) => ConstructorParameters<typeof GroupBackend>[0]) => () => {
  const clock = new FakeClock(1_800_000_000_000);
  return { clock, backend: new GroupBackend({ clock, ttl: 60, stale: 0, ...store(clock) }) };
};
const BACKENDS = {
  "a MemoryStore": clocked((clock) => ({ store: new MemoryStore({ clock }) })),
  "a KeyValueStore": clocked((clock) => ({ store: new KeyValueStore(new Map(), { clock }) })),
  "a PlainBackend": () => {
    const clock = new FakeClock(1_800_000_000_000);
    return { clock, backend: new PlainBackend(new Map(), { clock, ttl: 60 }) };
  },
};
for (const [name, make] of Object.entries(BACKENDS)) {
  test(`${name}: a ticket, then what was kept by it, for its ttl`, async () => {
    const { clock, backend } = make();
    const given = { city: "oslo" };
    assertEquals(await ticketOf(await backend.begin("k")).keep(given), true);
    const found = await backend.begin<typeof given>("k");
    assertEquals(valueOf(found), { value: { city: "oslo" }, outcome: "hit" });
    assert(found.hit && found.value !== given, "a copy");
    await found[Symbol.asyncDispose](); // does nothing
    assertEquals(await backend.fetch("k", () => "never"), { city: "oslo" } as unknown as string);
    await clock.advance(60_000);
    await ticketOf(await backend.begin("k", { ttl: "5s" })).keep(given, { ttl: "10s", stale: "1h" });
    await clock.advance(9_999);
    assertEquals(valueOf(await backend.begin("k")).outcome, "hit");
    await clock.advance(1);
    if (name === "a PlainBackend") await ticketOf(await backend.begin("k")).drop(); // never stale
    await backend.close();
  });

  test(`${name}: what is given is kept, null and undefined included`, async () => {
    const { backend } = make();
    for (const given of [null, undefined, 0, ""]) {
      assertEquals(await ticketOf(await backend.begin(`k${given}`)).keep(given), true);
      assertEquals(valueOf(await backend.begin(`k${given}`)), { value: given, outcome: "hit" });
    }
    await backend.close();
  });
}

test("those who come meanwhile wait for the ticket: keep answers each with a copy, here and elsewhere", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const ticket = ticketOf(await a.backend.begin<{ n: number }>("k"));
  const begins = Array.from({ length: 20 }, () => a.backend.begin<{ n: number }>("k"));
  const fetches = Array.from({ length: 20 }, () => a.read());
  const elsewhere = b.backend.begin("k");
  assert(await isOpen(Promise.race([...begins, ...fetches, elsewhere]), fleet));
  const given = { n: 1 };
  assertEquals(await ticket.keep(given), true);
  const values = [...(await Promise.all(begins)).map((begun) => valueOf(begun).value), ...await Promise.all(fetches)];
  await fleet.clock.advance(100);
  values.push(valueOf(await elsewhere).value);
  assertEquals(values.every((value) => (value as { n: number }).n === 1), true);
  assertEquals(new Set([given, ...values]).size, 42, "each its own");
  assertEquals(a.computations, 0);
  assertEquals(valueOf(await b.backend.begin("k")).outcome, "hit");
});

test("a dropped ticket gives its lease back at once: those who wait read again, and nobody else waits", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const ticket = ticketOf(await a.backend.begin("k"));
  const waiting = a.read();
  await fleet.settle();
  await ticket.drop();
  assertEquals(await waiting, 1);
  assertEquals(a.computations, 1);
  await fleet.settle();
  await a.backend.delete("k");
  await ticketOf(await a.backend.begin("k"))[Symbol.asyncDispose](); // drops it
  assertEquals(fleet.server.at("::k"), undefined);
  await ticketOf(await b.backend.begin("k")).drop();
});

test("a ticket that is dropped with an error gives it to those who wait: a failing function of 50 runs once", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const ticket = ticketOf(await a.backend.begin("k"));
  const waiting = Array.from({ length: 50 }, (_, n) => n % 2 ? a.read() : a.backend.begin("k"));
  const failed = Promise.allSettled(waiting);
  await fleet.settle();
  const error = new Error("no database");
  await ticket.drop(error);
  for (const one of await failed) assertEquals(one.status === "rejected" && one.reason, error);
  assertEquals(a.computations, 0);
  assertEquals(await a.read(), 1, "and is not kept");
});

test("a stale value: one caller of the fleet gets the ticket with the old value, the others get that value", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ stale: "1h" }), b = fleet.process({ stale: "1h" });
  await a.read();
  await fleet.clock.advance(61_000);
  const ticket = ticketOf(await a.backend.begin<number>("k"));
  assertEquals(ticket.stale, { value: 1 });
  const stale = { value: 1, outcome: "stale" };
  assertEquals(valueOf(await a.backend.begin("k")), stale);
  assertEquals(valueOf(await b.backend.begin("k")), stale);
  assertEquals([await a.read(), await b.read()], [1, 1]);
  await fleet.settle();
  assertEquals([a.computations, b.computations], [1, 0]);
  assertEquals(await ticket.keep(2), true);
  assertEquals(valueOf(await b.backend.begin("k")), { value: 2, outcome: "hit" });
  await fleet.settle();
  assertEquals(fleet.server.at(":%mint::k"), undefined, "its lock is released");
  assertEquals(a.backend.stats, { hit: 0, stale: 3, miss: 1, wait: 0, error: 0 });
});

for (const error of [undefined, new Error("no database")]) {
  test(`a stale ticket dropped with ${error}: its lock runs out, the fleet's pause before the next try`, async () => {
    const fleet = new Fleet();
    const a = fleet.process({ stale: "1h" }), b = fleet.process({ stale: "1h" });
    await a.read();
    await fleet.clock.advance(61_000);
    await ticketOf(await a.backend.begin("k")).drop(error);
    await fleet.clock.advance(3_900);
    assertEquals(valueOf(await a.backend.begin("k")).outcome, "stale");
    assertEquals(valueOf(await b.backend.begin("k")).outcome, "stale");
    await fleet.clock.advance(2_200);
    await ticketOf(await b.backend.begin("k")).keep(2);
    assertEquals(valueOf(await a.backend.begin("k")).value, 2);
  });
}

test("rule 8: a value that is stale no longer once the lock is taken is a hit, not a ticket", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ stale: "1h" }), b = fleet.process({ stale: "1h" });
  await a.read();
  await fleet.clock.advance(61_000);
  const lock = a.store.gate("add", "hold", ":%mint::k");
  const begun = a.backend.begin("k");
  await lock.reached;
  await ticketOf(await b.backend.begin("k")).keep(2); // B refreshes, and drops the lock
  await fleet.settle();
  lock.through();
  assertEquals(valueOf(await begun), { value: 2, outcome: "hit" });
  await fleet.settle();
  assertEquals(fleet.server.at(":%mint::k"), undefined, "the lock is dropped");
});

test("rule 17, once: a second keep, one after drop, and a drop after keep do nothing", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const kept = ticketOf(await a.backend.begin("k"));
  const both = [kept.keep(1), kept.keep(2)];
  assertEquals(await Promise.all(both), [true, false]);
  assertEquals(await kept.keep(3), false);
  await kept.drop(new Error("too late"));
  assertEquals(valueOf(await a.backend.begin("k")).value, 1);
  const dropped = ticketOf(await a.backend.begin("other"));
  await Promise.all([dropped.drop(), dropped.drop()]);
  assertEquals(await dropped.keep(1), false);
  assertEquals(await a.backend.get("other"), undefined);
});

test("rule 17, by its right: what was begun before an invalidation is not kept after it", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const first = ticketOf(await a.backend.begin("k", GROUP));
  await b.backend.delete("k");
  assertEquals(await first.keep(1), false);
  assertEquals(await b.backend.get("k", GROUP), undefined);
  const second = ticketOf(await a.backend.begin("k", GROUP));
  await b.backend.invalidateGroup("cities"); // its lease stands, and what is kept carries the generation before
  await second.keep(1);
  assertEquals(await b.backend.get("k", GROUP), undefined);
  await ticketOf(await b.backend.begin("k", GROUP)).keep(2, { stale: "1h" });
  await fleet.clock.advance(61_000);
  const stale = ticketOf(await a.backend.begin("k", GROUP));
  assertEquals(stale.stale, { value: 2 });
  await b.backend.delete("k");
  assertEquals(await stale.keep(3), false);
  assertEquals(await b.backend.get("k", GROUP), undefined);
});

test("rule 17, ends: a ticket that nobody ends drops itself at mintDelay, with one warning that says what to do", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const warned = await warnings(async () => {
    for (let n = 0; n < 2; n++) {
      const ticket = ticketOf(await a.backend.begin("k"));
      const waiting = a.read();
      await fleet.clock.advance(MINT_MS - 1);
      assertEquals([ticket.signal.aborted, a.computations], [false, n]);
      await fleet.clock.advance(1);
      assertEquals(await waiting, 1);
      assertEquals([ticket.signal.aborted, (ticket.signal.reason as Error).name], [true, "TimeoutError"]);
      assertEquals(await ticket.keep(7), false);
      assertEquals(await b.read(), 1);
      await a.backend.delete("k");
    }
  });
  assertEquals(warned.length, 1);
  assert(/ticket of ::k .*30000 ms.*await using.*mintDelay/.test(warned[0]!), warned[0]);
});

test("rule 17, ends: a stale ticket that nobody ends leaves the key to others after mintDelay", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ stale: "1h" }), b = fleet.process({ stale: "1h" });
  await a.read();
  await fleet.clock.advance(61_000);
  await warnings(async () => {
    const ticket = ticketOf(await a.backend.begin("k"));
    await fleet.clock.advance(MINT_MS + 6_000);
    assertEquals(await ticket.keep(7), false);
    await ticketOf(await b.backend.begin("k")).keep(2);
  });
  assertEquals(valueOf(await a.backend.begin("k")).value, 2);
});

test("rule 17, ends: a caller who has left by the time it may compute is handed no ticket, and its lease goes back", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ storeTimeout: "5s" }), b = fleet.process();
  const lease = a.store.gate("add", "answer", "::k");
  const begun = a.backend.begin("k", { timeout: "1s" });
  const failed = assertRejects(() => begun, CacheTimeoutError);
  await lease.reached;
  await fleet.clock.advance(1_000);
  await failed;
  lease.through();
  await fleet.settle();
  assertEquals(fleet.server.at("::k"), undefined);
  await ticketOf(await b.backend.begin("k")).drop();
  // And of a stale value it gives the lock back.
  const c = fleet.process({ stale: "1h", storeTimeout: "5s" });
  await c.read();
  await fleet.clock.advance(61_000);
  const lock = c.store.gate("add", "answer", ":%mint::k");
  const controller = new AbortController();
  const stale = assertRejects(() => c.backend.begin("k", { signal: controller.signal }));
  await lock.reached;
  controller.abort();
  await stale;
  lock.through();
  await fleet.settle();
  assertEquals(fleet.server.at(":%mint::k"), undefined);
});

test("rule 17, as it is: what its holder does to a value after keep is not kept, and nobody is given it", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  for (const store of [undefined, new MemoryStore({ clock: fleet.clock })]) {
    const backend = store === undefined ? a.backend : new GroupBackend({ store, clock: fleet.clock });
    const ticket = ticketOf(await backend.begin<number[]>("k"));
    const waiting = backend.begin<number[]>("k");
    await fleet.settle();
    const rows = [1];
    const kept = ticket.keep(rows);
    rows.push(2);
    assertEquals(await kept, true);
    assertEquals(valueOf(await waiting).value, [1]);
    assertEquals(valueOf(await backend.begin("k")).value, [1]);
  }
});

test("the signal fires when its holder has aborted and nobody else waits, and its lease goes back", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), holder = new AbortController(), other = new AbortController();
  const ticket = ticketOf(await a.backend.begin("k", { signal: holder.signal }));
  holder.abort();
  assertEquals(ticket.signal.aborted, true);
  await fleet.settle();
  assertEquals(fleet.server.at("::k"), undefined);
  assertEquals(await ticket.keep(1), false);

  const second = ticketOf(await a.backend.begin("k", { signal: AbortSignal.any([]) }));
  await second.drop();
  assertEquals(second.signal.aborted, false, "a drop does not end what its holder does");

  const again = new AbortController();
  const shared = ticketOf(await a.backend.begin("k", { signal: again.signal }));
  const waiting = a.backend.begin("k", { signal: other.signal });
  await fleet.settle();
  again.abort();
  assertEquals(shared.signal.aborted, false, "another waits for it");
  assertEquals(await shared.keep(1), true);
  assertEquals(valueOf(await waiting), { value: 1, outcome: "wait" });

  await a.backend.delete("k");
  const both = ticketOf(await a.backend.begin("k", { signal: AbortSignal.any([other.signal]) }));
  const gone = assertRejects(() => a.backend.begin("k", { signal: other.signal }));
  await fleet.settle();
  other.abort();
  await gone;
  assertEquals(both.signal.aborted, true);
  await fleet.settle();
  assertEquals(await both.keep(1), false);
});

test("the timeout bounds the wait for a ticket, not how long it is held", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const ticket = ticketOf(await a.backend.begin("k", { timeout: "1s" }));
  const late = assertRejects(() => a.backend.begin("k", { timeout: "1s" }), CacheTimeoutError);
  await fleet.clock.advance(5_000);
  await late;
  assertEquals(await ticket.keep(1), true);
});

test("wait: 0 gives a ticket without a right, instead of waiting for another's computation", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const held = ticketOf(await a.backend.begin("k"));
  for (const { backend } of [a, b]) {
    assertEquals(await ticketOf(await backend.begin("k", { wait: 0 })).keep(7), false);
  }
  const impatient = b.backend.begin("k", { wait: "2s" });
  await fleet.clock.advance(1_900);
  assert(await isOpen(impatient, fleet));
  await fleet.clock.advance(200);
  await ticketOf(await impatient).drop();
  assertEquals(await held.keep(1), true);
  assertEquals(valueOf(await b.backend.begin("k", { wait: 0 })), { value: 1, outcome: "hit" });
});

test("without a store as well: wait bounds the wait for another's ticket, for one that runs and one that waits", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.down = true;
  const held = ticketOf(await a.backend.begin("k"));
  const next = a.backend.begin("k"), impatient = a.backend.begin("k", { wait: "1s" });
  await ticketOf(await a.backend.begin("k", { wait: 0 })).drop();
  await fleet.clock.advance(900);
  assert(await isOpen(Promise.race([next, impatient]), fleet));
  await fleet.clock.advance(200);
  assertEquals(await ticketOf(await impatient).keep(1), false);
  assert(await isOpen(next, fleet), "it waits still");
  await held.keep(2);
  await ticketOf(await next).keep(3);

  const again = ticketOf(await a.backend.begin("k"));
  const first = a.backend.begin("k", { wait: "1s" });
  await fleet.clock.advance(1_100);
  await ticketOf(await first).drop();
  await again.drop();
});

test("two callers of whom each waits for the other's ticket wait mintDelay; with wait: 0 they do not", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await warnings(async () => {
    for (const [wait, ms] of [[undefined, MINT_MS], [0, 0]] as const) {
      const [one, two] = await Promise.all(["x", "y"].map(async (key) => ticketOf(await a.backend.begin(key))));
      const crossed = Promise.all(["y", "x"].map((key) => a.backend.begin(key, { wait })));
      if (ms > 0) assert(await isOpen(crossed, fleet));
      await fleet.clock.advance(ms);
      const [other, another] = (await crossed).map(ticketOf);
      await Promise.all([one, two, other, another].map((ticket) => ticket!.drop()));
    }
  });
});

test("without a store a ticket has no right: keep answers those who wait, and says so", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.down = true;
  const ticket = ticketOf(await a.backend.begin("k"));
  const next = a.backend.begin("k"), waiting = a.backend.begin("k");
  assert(await isOpen(Promise.race([next, waiting]), fleet), "one holds, one waits for it, the others for that one");
  assertEquals(await ticket.keep(1), false);
  const second = ticketOf(await next);
  assertEquals(await second.keep(2), false);
  assertEquals(valueOf(await waiting), { value: 2, outcome: "wait" });
});

test("a store that never answers: begin, keep and drop end all the same", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  (a.store as { bounded: boolean }).bounded = false; // nor does it bound its verbs itself
  const kept = ticketOf(await a.backend.begin("k")), dropped = ticketOf(await a.backend.begin("other"));
  for (const verb of ["set", "delete", "get"] as const) a.store.gate(verb, "hold", undefined, 99);
  const ends = [kept.keep(1), dropped.drop()] as const;
  for (let n = 0; n < 5; n++) await fleet.clock.advance(1_100);
  assertEquals(await Promise.all(ends), [false, undefined]);
  const begun = a.backend.begin("k");
  for (let n = 0; n < 5; n++) await fleet.clock.advance(1_100);
  assertEquals(await ticketOf(await begun).keep(1), false);
});

for (const state of ["disabled", "closed"] as const) {
  test(`a ticket of a ${state} backend: nothing hangs, keep says false`, async () => {
    const fleet = new Fleet();
    const a = fleet.process();
    if (state === "closed") await a.backend.close();
    else a.backend.enabled = false;
    const ticket = ticketOf(await a.backend.begin("k"));
    assertEquals(ticket.signal.aborted, false);
    const waiting = a.read();
    assertEquals(await ticket.keep(1), false);
    assertEquals(await waiting, 1);
    await ticketOf(await a.backend.begin("k", { ttl: 0 })).drop();
  });
}

test("a backend that closes fires the signals of its tickets; keep answers those who wait, and says false", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const ticket = ticketOf(await a.backend.begin("k"));
  const waiting = a.read();
  await fleet.settle();
  await a.backend.close();
  assertEquals(ticket.signal.reason instanceof CacheError, true);
  assertEquals(await ticket.keep(5), false);
  assertEquals(await waiting, 5);
  assertEquals(fleet.server.at("::k"), undefined);
});

test("a marked key: one holds a ticket, one waits; what can be kept is kept over the marker", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const first = ticketOf(await a.backend.begin("k"));
  assertEquals(await first.keep("today", { ttl: 0 }), false, "not to be kept");
  const ticket = ticketOf(await a.backend.begin("k"));
  const next = a.backend.begin("k");
  assert(await isOpen(next, fleet));
  assertEquals(await ticketOf(await a.backend.begin("k", { wait: 0 })).keep(2), true, "over the marker it saw");
  assertEquals(await ticket.keep(3), false, "which is gone");
  await ticketOf(await next).drop();
  assertEquals(valueOf(await a.backend.begin("k")).value, 2);
});

test("a value that can never be kept: those who wait get it, the marker stands, one warning, false", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.refusesValue = (value) => value === "large" ? new CacheValueError("too large") : undefined;
  const warned = await warnings(async () => {
    const ticket = ticketOf(await a.backend.begin("k"));
    const waiting = a.read();
    await fleet.settle();
    assertEquals(await ticket.keep("large"), false);
    assertEquals(await waiting, "large");
    await fleet.settle();
    // What cannot even be copied is its holder's alone: the others compute.
    const other = ticketOf(await a.backend.begin("other"));
    const others = a.read({}, "other");
    await fleet.settle();
    assertEquals(await other.keep(() => {}), false);
    assertEquals(await others, 1);
  });
  assertEquals(warned.length, 2, warned.join("\n"));
  const marker = fleet.server.at("::k")!.entry as { kind: string };
  assertEquals(marker.kind, "uncacheable");
});

test("wrong options are told at once, and end no ticket", async () => {
  const fleet = new Fleet();
  const { backend } = fleet.process();
  // deno-lint-ignore no-explicit-any
  const wrong = (key: any, options?: any) => assertRejects(() => backend.begin(key, options));
  await Promise.all([wrong(7), wrong("k", null), wrong("k", { ttl: () => 5 }), wrong("k", { wait: "soon" })]);
  await Promise.all([wrong("k", { when: () => true }), wrong("k", { group: 7 }), wrong("k", { mintDelay: -1 })]);
  const ticket = ticketOf(await backend.begin("k"));
  // deno-lint-ignore no-explicit-any
  const wrongly = (options: any) => assertRejects(() => ticket.keep(1, options), TypeError);
  await Promise.all([wrongly(null), wrongly({ ttl: "soon" }), wrongly({ stale: {} }), wrongly({ group: "late" })]);
  await assertRejects(() => ticket.keep(Promise.resolve(1)), TypeError, "await it");
  assertEquals(await ticket.keep(1), true);
  const plain = new PlainBackend(new Map());
  await assertRejects(() => plain.begin("k", GROUP), TypeError, "has no groups");
  const other = ticketOf(await plain.begin("k"));
  // deno-lint-ignore no-explicit-any
  await assertRejects(() => other.keep(1, null as any), TypeError);
  await other.drop();
});

test("events: a ticket is told as the call that it is, and a refresh as one", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ stale: "1h" });
  const calls: string[] = [], refreshes: string[] = [];
  a.backend.on("call", ({ outcome, reason }) => calls.push(`${outcome} ${reason}`));
  a.backend.on("refresh", ({ error }) => refreshes.push(String(error)));
  await ticketOf(await a.backend.begin("k")).keep(1);
  await fleet.clock.advance(61_000);
  await ticketOf(await a.backend.begin("k")).drop();
  await fleet.clock.advance(7_000);
  await ticketOf(await a.backend.begin("k")).drop(new Error("no database"));
  await ticketOf(await a.backend.begin("other")).drop();
  await fleet.settle();
  assertEquals(calls, ["miss absent", "stale expired", "stale expired", "miss absent"]);
  assertEquals(refreshes, ["CacheError: Cannot refresh ::k: its ticket was dropped", "Error: no database"]);
});
