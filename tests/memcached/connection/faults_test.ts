/** A real server behind a proxy that breaks connections at every place there is. */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { Memcached } from "../../../src/memcached/mod.ts";
import { freshServer } from "../../_memcached.ts";
import { SeededRandom } from "../../../src/testing/seeded_random.ts";
import { answers, faultsByChance } from "../_faults.ts";
import { Load } from "../_load.ts";
import { openProxy, type Step } from "../_proxy.ts";

/** All that one read's answers come to: a hit, a miss, and the hits of a multi-get. */
async function reads(client: Memcached): Promise<unknown[]> {
  const [hit, miss, several] = await Promise.all([
    client.get("alice"),
    client.get("nobody"),
    client.getMulti(["alice", "nobody", "bob"]),
  ]);
  return [hit?.text(), miss, ...[...several].map(([key, item]) => `${key}: ${item.text()}`)];
}
const RIGHT = ["value of alice", undefined, "alice: value of alice", "bob: value of bob"];

for (const how of ["end", "reset", "half-close"] as const) {
  test(`${how} at every offset of the replies: the next connection gives every caller its own answer`, {
    timeout: 60_000,
  }, async () => {
    await using server = await freshServer();
    await using proxy = await openProxy(server.port);
    await using client = new Memcached(proxy.address, { timeout: "5s", connectTimeout: "5s" });
    await Promise.all(["alice", "bob"].map((key) => client.set(key, `value of ${key}`)));
    assertEquals(await reads(client), RIGHT);
    // The probe's answer, then two replies and the two hits and the end of a multi-get, on a binary connection.
    const length = 24 + (24 + 4 + 14) + 24 + 9 + (24 + 4 + 5 + 14) + (24 + 4 + 3 + 12) + 24;
    for (let at = 0; at < length; at++) {
      await proxy.drop();
      const cut: Step = { at, how };
      const first = proxy.accepted + 1;
      proxy.plan = (n) => n === first ? { replies: [cut] } : {};
      if (at < 24) {
        // The probe is not answered, so nothing was sent: one failure, and the callers are told.
        await Promise.allSettled([client.get("alice")]);
        assertEquals(await reads(client), RIGHT, `at ${at}`);
      } else {
        assertEquals(await reads(client), RIGHT, `at ${at}`);
        // Whoever read all that it wanted has no need of another connection.
        assert(proxy.accepted >= first, `at ${at}`);
      }
    }
    assert((proxy.taken.get(how) ?? 0) >= length - 30, `${proxy.taken.get(how)} cuts`);
  });
}

test("a connection cut at every offset of a request leaves no half-written value behind", async () => {
  await using server = await freshServer();
  await using proxy = await openProxy(server.port);
  await using client = new Memcached(proxy.address, { protocol: "binary", timeout: "5s", connectTimeout: "5s" });
  await using straight = new Memcached(server.address);
  await straight.set("alice", "before");
  const length = 24 + (24 + 8 + 5 + 5);
  for (let at = 24; at < length; at++) {
    await proxy.drop();
    const first = proxy.accepted + 1;
    proxy.plan = (n) => n === first ? { requests: [{ at, how: "end" }] } : {};
    const [set] = await Promise.allSettled([client.set("alice", "after")]);
    assertEquals(set.status, "rejected", `at ${at}`);
    assertEquals((await client.get("alice"))!.text(), "before", `at ${at}`);
  }
});

test("replies of one byte a packet are put together, whatever they are", async () => {
  await using server = await freshServer();
  await using proxy = await openProxy(server.port, () => ({ replies: [{ at: 0, how: "slice", bytes: Infinity }] }));
  await using client = new Memcached(proxy.address, { timeout: "20s", connectTimeout: "20s" });
  const value = Uint8Array.from({ length: 1000 }, (_, n) => n);
  await client.set("a", value);
  assertEquals((await client.get("a"))!.bytes, value);
  assertEquals(await client.incr("n", 1, { initial: 2n ** 64n - 1n }), 2n ** 64n - 1n);
  assert((await client.stats()).get(proxy.address)!.size > 20);
});

test(
  "1,000 faults by chance: no wrong answer, nothing unsettled, everything right afterwards",
  { timeout: 60_000 },
  async () => {
    await using server = await freshServer();
    const tally = await faultsByChance({ port: server.port, count: 1000, seed: 1, protocol: "binary" });
    assertEquals([tally.wrong, tally.unsettled, tally.complaint], [0, 0, undefined]);
    assert(tally.faults >= 1000 && tally.answered > 1000 && tally.rejected > 100, JSON.stringify(tally));
    assertEquals([...tally.taken.keys()].sort(), ["end", "half-close", "half-open", "hold", "reset", "slice"]);
  },
);

test("a server killed and restarted under load: every call settles, no wrong answer, everything right afterwards", {
  timeout: 60_000,
}, async () => {
  await using server = await freshServer();
  await using client = new Memcached(server.address, { connections: 2, timeout: "5s" });
  const load = new Load(client, "kill", new SeededRandom(1), { forgets: true });
  await load.fill(client);
  for (let n = 0; n < 2; n++) {
    const under = load.wave(500);
    await Promise.resolve();
    await Promise.all([server.restart(), under]);
    await answers(client);
  }
  await load.fill(client);
  await load.all();
  const { wrong, unsettled, complaint } = load.tally;
  assertEquals([wrong, unsettled, complaint], [0, 0, undefined]);
});
