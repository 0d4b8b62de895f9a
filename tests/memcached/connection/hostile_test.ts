/** Servers that misbehave on purpose. What each single lie comes to is in protocol/binary/read_test.ts. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { Memcached, MemcachedError, ValueTooLargeError } from "../../../src/memcached/mod.ts";
import { attacks, honest, hostile, hostileByChance, onRequests } from "../_hostile.ts";
import { join, replyTo } from "../_frames.ts";
import { SeededRandom } from "../../../src/testing/seeded_random.ts";
import { valueOf } from "../_load.ts";

for (const [name, attack] of Object.entries(attacks)) {
  test(`a server that says ${name} costs its own callers at most an error, and nobody else anything`, {
    timeout: 60_000,
  }, async () => {
    let attacking = false;
    await using server = await hostile((socket) => {
      let silent = false;
      onRequests(socket, (frames) => {
        if (silent) return;
        silent = attacking;
        if (attacking) attack(socket, frames, new SeededRandom(1));
        else socket.write(join(...frames.map(honest)));
      });
    });
    await using client = new Memcached(server.address, { timeout: "1s", connectTimeout: "1s" });
    assertEquals((await client.get("alice"))!.text(), valueOf("alice"));
    const names = ["alice", "nothing", "bob"];
    const calls = [...names.map((name) => client.get(name)), client.getMulti(names)];
    attacking = true;
    const fates = await Promise.allSettled(calls);
    attacking = false;
    fates.forEach((fate, n) => {
      if (fate.status === "rejected") return assert(fate.reason instanceof MemcachedError, `${fate.reason}`);
      const items = n < 3 ? new Map([[names[n]!, fate.value as { text(): string } | undefined]]) : fate.value as never;
      for (const [key, item] of items as Map<string, { text(): string } | undefined>) {
        const text = item?.text();
        // Under a length that lies a value may be cut, or have a piece of the next reply: it is its own all the same.
        assert(text === undefined || text.startsWith(valueOf(key).slice(0, text.length - 60)), `"${text}" of ${key}`);
      }
    });
    // A server that hangs is dead for a while; then, or at once, everything is right again.
    const hold = setInterval(() => {}, 1000);
    const began = performance.now();
    let text: string | undefined;
    while (text === undefined && performance.now() - began < 10_000) {
      text = await client.get("bob").then((item) => item?.text(), () => undefined);
      if (text === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    clearInterval(hold);
    assertEquals(text, valueOf("bob"));
  });
}

test("a server whose every connection lies is dead after two, and says why", async () => {
  await using server = await hostile((socket) =>
    onRequests(socket, (frames) => attacks["no magic"]!(socket, frames, new SeededRandom(1)))
  );
  await using client = new Memcached(server.address);
  await assertRejects(() => client.get("a"), MemcachedError);
  await assertRejects(() => client.get("a"), MemcachedError);
  const error = await assertRejects(() => client.get("a"), MemcachedError);
  assertMatch(error.message, /is dead \(.* sent byte 0x00 where a reply was due\)/);
  assertEquals(server.sockets.length, 2);
});

test("statistics without an end are not gathered without an end, and cost their connection, not the server", async () => {
  await using server = await hostile((socket) =>
    onRequests(socket, (frames) => {
      const asked = frames.find(({ opcode }) => opcode === 0x10);
      if (asked === undefined) return void socket.write(join(...frames.map(honest)));
      for (let n = 0; n < 2000 && !socket.destroyed; n++) {
        socket.write(replyTo(asked, { key: `name ${n}`, value: "x".repeat(5000) }));
      }
    })
  );
  await using client = new Memcached(server.address, { timeout: "400ms" });
  const dead: unknown[] = [];
  client.on("dead", (event) => dead.push(event));
  await assertRejects(() => client.stats(), ValueTooLargeError, "more than `maxValueBytes` lets in");
  let text: string | undefined;
  for (let n = 0; n < 10 && text === undefined; n++) {
    text = await client.get("b").then((item) => item!.text(), () => undefined);
  }
  assertEquals([text, dead], [valueOf("b"), []]);
});

test("300 lies by chance: no wrong answer, nothing unsettled, everything right afterwards, little memory", {
  timeout: 60_000,
}, async () => {
  let most = 0;
  const before = process.memoryUsage().rss;
  const look = () => most = Math.max(most, process.memoryUsage().rss);
  const tally = await hostileByChance({ count: 300, seed: 1, look });
  assertEquals([tally.wrong, tally.unsettled, tally.complaint], [0, 0, undefined]);
  assert(tally.answered > 300 && tally.rejected > 300 && tally.met.size > 20, JSON.stringify(tally));
  assert(most - before < 200 * 2 ** 20, `${most - before} bytes more`);
});
