import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MemoryStore } from "../../src/store/memory/store.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { type FakeProcess, Fleet } from "./_fleet.ts";
import { type FetchOptions, GroupBackend } from "./_mod.ts";

const KEY = "::k";

/** What the calls of a process were, without their time, in order. */
function heardBy({ backend }: { readonly backend: GroupBackend }): unknown[] {
  const heard: unknown[] = [];
  backend.on("call", ({ ms: _, key: __, ...event }) => heard.push(event));
  return heard;
}

/** The one call's event. */
async function told(process: FakeProcess, options: FetchOptions<unknown> = {}): Promise<unknown> {
  const heard = heardBy(process);
  await process.read(options);
  assertEquals(heard.length, 1);
  return heard[0];
}

test("a first call is a miss since nothing is there, a second one a hit that has no reason", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const heard = heardBy(a);
  await a.read({ name: "cities" });
  await fleet.settle();
  await a.read({ name: "cities" });
  assertEquals(heard, [{ name: "cities", outcome: "miss", reason: "absent" }, { name: "cities", outcome: "hit" }]);
});

test("a call tells all of its groups, sorted, the backend's included", async () => {
  const fleet = new Fleet();
  const a = fleet.process({ group: "z" });
  assertEquals(await told(a, { group: ["b", "a", "b"] }), {
    groups: ["a", "b", "z"],
    outcome: "miss",
    reason: "absent",
  });
  const many = Array.from({ length: 3 }, (_, n) => `${"long ".repeat(80)}${n}`); // truncated in the store, whole here
  assertEquals(await told(a, { group: many }), { groups: [...many, "z"], outcome: "miss", reason: "other groups" });
});

test("a miss tells which group was invalidated, and only that one", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  const group = ["cities", "offers", "shops"];
  await a.read({ group });
  await fleet.settle();
  await b.backend.invalidateGroup("offers");
  assertEquals(await told(a, { group }), { groups: group, outcome: "miss", reason: "group", group: "offers" });
  await fleet.settle();
  await b.backend.invalidateGroup("shops", "cities");
  assertEquals(await told(a, { group }), { groups: group, outcome: "miss", reason: "group", group: "cities" });
});

test("what was kept under another number of groups is no invalidation", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read({ group: "a" });
  await fleet.settle();
  assertEquals(await told(a, { group: ["a", "b"] }), { groups: ["a", "b"], outcome: "miss", reason: "other groups" });
});

test("what was invalidated by its key is absent", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read();
  await fleet.settle();
  await a.backend.delete("k");
  assertEquals(await told(a), { outcome: "miss", reason: "absent" });
});

test("a stale answer is told as expired, and so is a miss past the stale window, while the store has it", async () => {
  const clock = new FakeClock();
  for (const store of [undefined, new MemoryStore({ clock }), new MemoryStore({ clock, copy: false })]) {
    const backend = new GroupBackend({ clock, store, ttl: "1s", stale: "1s" });
    const heard = heardBy({ backend });
    const read = () => backend.fetch("k", () => 1);
    await read();
    await clock.advance(1500);
    await read(); // and refreshes
    await clock.advance(2500);
    await read();
    await clock.advance(1e9);
    await read();
    assertEquals(heard, [
      { outcome: "miss", reason: "absent" },
      { outcome: "stale", reason: "expired" },
      { outcome: "miss", reason: "expired" },
      { outcome: "miss", reason: "absent" },
    ]);
    await backend.close();
  }
});

test("another source, another key of the same truncation, and what is unreadable are told apart", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  await a.read({ source: "s1" });
  await fleet.settle();
  assertEquals(await told(a, { source: "s2", strictSource: true }), { outcome: "miss", reason: "other source" });
  await fleet.settle();
  fleet.server.put(KEY, { kind: "unreadable" }, 60_000);
  assertEquals(await told(a), { outcome: "miss", reason: "unreadable" });
  await fleet.settle();
  const { entry } = fleet.server.at(KEY)!;
  fleet.server.put(KEY, { ...(entry as object), fullKey: "::another" } as typeof entry, 60_000);
  assertEquals(await told(a), { outcome: "miss", reason: "other key" });
});

test("what cannot be kept is uncacheable: with a mark, and with a ttl of 0", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.result = () => null;
  assertEquals(await told(a), { outcome: "miss", reason: "absent" });
  await fleet.settle();
  assertEquals(await told(a), { outcome: "miss", reason: "uncacheable" });
  assertEquals(await told(a, { ttl: 0 }), { outcome: "miss", reason: "uncacheable" });
});

test("a store that does not answer, its read or its lease, is told as the store", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.gate("add", "fail");
  assertEquals(await told(a), { outcome: "miss", reason: "store" });
  a.store.gate("counter", "fail");
  assertEquals(await told(a, { group: "g" }), { groups: ["g"], outcome: "miss", reason: "store" });
  a.store.down = true;
  assertEquals(await told(a), { outcome: "miss", reason: "store" });
});

test("a refresh is forced, whatever is there", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  assertEquals(await told(a, { force: true }), { outcome: "miss", reason: "forced" });
  await fleet.settle();
  assertEquals(await told(a, { force: true }), { outcome: "miss", reason: "forced" });
});

test("who joins a computation tells its own reason; who finds another computing has none", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const heard = heardBy(a), other = heardBy(b);
  const together = [a.read(), a.read()];
  await fleet.settle();
  const later = a.read(), elsewhere = b.read();
  await fleet.settle();
  a.computing[0]!.end();
  await Promise.all(together);
  await later;
  await fleet.clock.advance(200);
  await elsewhere;
  assertEquals(heard, [
    { outcome: "miss", reason: "absent" },
    { outcome: "wait", reason: "absent" },
    { outcome: "wait" },
  ]);
  assertEquals(other, [{ outcome: "wait" }]);
});

test("who has waited mintDelay for another's computation is told as busy", async () => {
  const fleet = new Fleet();
  const a = fleet.process(), b = fleet.process();
  a.slow = true;
  const own = a.read();
  await fleet.settle();
  const heard = heardBy(b);
  const waiting = b.read({ mintDelay: "1s" });
  await fleet.clock.advance(1500);
  await waiting;
  assertEquals(heard, [{ outcome: "miss", reason: "busy" }]);
  a.computing[0]!.end();
  await own;
});

test("a lease of a call that has gone is no reason: nothing was there", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.store.gate("add", "lost"); // the lease is there, and its call knows of nothing
  await a.read();
  await fleet.settle();
  assertEquals(await told(a), { outcome: "miss", reason: "absent" });
});

test("a call whose function throws tells why it was called", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  a.result = () => {
    throw new Error("no database");
  };
  const heard = heardBy(a);
  await assertRejects(() => a.read(), Error, "no database");
  assertEquals(heard, [{ outcome: "error", reason: "absent" }]);
});

test("an invalidation that failed is told with its error; of several groups, which ones", async () => {
  const fleet = new Fleet();
  const a = fleet.process();
  const heard: { key?: string; name?: string; groups?: readonly string[]; error?: unknown }[] = [];
  a.backend.on("invalidate", (event) => heard.push(event));
  a.store.gate("delete", "fail", undefined, 2);
  const byKey = await assertRejects(() => a.backend.delete("k", { name: "cities" }));
  a.store.gate("increment", "fail", "%group:b".padStart(9, ":"), 2);
  const byGroup = await assertRejects(() => a.backend.invalidateGroup("a", "b", "c"));
  assertEquals(heard, [
    { name: "cities", key: KEY, error: byKey },
    { groups: ["a", "c"] },
    { groups: ["b"], error: byGroup },
  ]);
  await a.backend.set("k", 1, { ttl: 0, name: "cities" });
  assertEquals(heard.slice(3), [{ name: "cities", key: KEY }]);
});

test("reasons and groups are on the diagnostics channel, too", async () => {
  const { channel } = await import("node:diagnostics_channel");
  const fleet = new Fleet();
  const a = fleet.process({ project: "reasons" });
  await a.backend.fetch("other", () => 1); // the channels are open
  await fleet.settle();
  const heard: { key: string; ms: number }[] = [];
  const listen = (event: unknown) => heard.push(event as { key: string; ms: number });
  channel("cache-utils:call").subscribe(listen);
  await a.read({ group: "g", name: "cities" });
  channel("cache-utils:call").unsubscribe(listen);
  const { ms, ...event } = heard.find(({ key }) => key === "reasons::k")!;
  assert(ms >= 0);
  assertEquals(event, { name: "cities", key: "reasons::k", groups: ["g"], outcome: "miss", reason: "absent" } as never);
});
