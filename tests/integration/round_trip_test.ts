/** How many round trips, writes and requests a call costs, counted at the socket of a real memcached. */
import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { type FetchOptions, GroupBackend } from "../backend/_mod.ts";
import { Memcached } from "../../src/memcached/client.ts";
import { type Connect, connect } from "../../src/socket/socket.ts";
import { MemcachedStore } from "../../src/store/memcached.ts";
import { untilKept } from "../_kept.ts";
import { freshServer } from "../_memcached.ts";

/** The opcodes of all whole frames in these bytes (24 bytes of header, the body's length at 8). */
function opcodes(chunks: readonly Uint8Array[]): number[] {
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  chunks.reduce((at, chunk) => (bytes.set(chunk, at), at + chunk.length), 0);
  const view = new DataView(bytes.buffer), found: number[] = [];
  for (let at = 0; at < bytes.length; at += 24 + view.getUint32(at + 8)) found.push(bytes[at + 1]!);
  return found;
}

/** A socket whose writes and replies are counted. */
function counted(server: string) {
  let written: Uint8Array[] = [], received: Uint8Array[] = [];
  const counting: Connect = (address, listener) => {
    const socket = connect(address, {
      opened: () => listener.opened(),
      received: (bytes) => {
        received.push(bytes.slice());
        listener.received(bytes);
      },
      sent: () => listener.sent(),
      closed: (error) => listener.closed(error),
    });
    return {
      write: (bytes) => {
        written.push(bytes.slice());
        socket.write(bytes);
      },
      ref: () => socket.ref(),
      unref: () => socket.unref(),
      close: () => socket.close(),
    };
  };
  const client = new Memcached(server, { connect: counting, timeout: "20s", connectTimeout: "20s" } as object);
  return {
    client,
    /** What went over the wire since the last time. */
    take() {
      const taken = { writes: written.length, requests: opcodes(written), replies: opcodes(received).length };
      written = [];
      received = [];
      return taken;
    },
  };
}

const GET = 0x00, SET = 0x01, ADD = 0x02, DELETE = 0x04, INCR = 0x05;
const GROUPS: FetchOptions = { group: ["a", "b", "c"] };

test("a grouped hit is one write, and its replies one round trip; so are 1,000 of them in one tick", async () => {
  await using server = await freshServer();
  const { client, take } = counted(server.address);
  await using backend = new GroupBackend({ store: new MemcachedStore(client), storeTimeout: "20s" });
  await backend.fetch("k", () => ({ city: "oslo" }), GROUPS);
  await untilKept(() => backend.get("k", GROUPS));
  for (const callers of [1, 1000]) {
    take();
    const calls = Array.from({ length: callers }, () => backend.fetch("k", () => "never", GROUPS));
    assertEquals(
      new Set((await Promise.all(calls)).map((value) => JSON.stringify(value))),
      new Set(['{"city":"oslo"}']),
    );
    assertEquals(take(), { writes: 1, requests: [GET, GET, GET, GET], replies: 4 }, `${callers} callers`);
  }
  await client.close();
});

test("a miss is two trips and the function; the set is not waited for", async () => {
  await using server = await freshServer();
  const { client, take } = counted(server.address);
  await using backend = new GroupBackend({ store: new MemcachedStore(client), storeTimeout: "20s" });
  await backend.get("warm", GROUPS);
  take();
  const calls = Array.from({ length: 1000 }, () => backend.fetch("cold", () => "value", GROUPS));
  await Promise.all(calls);
  const { requests, replies } = take();
  assertEquals([requests.slice(0, 5), replies], [[GET, GET, GET, GET, ADD], 5]);
  assertEquals(requests.slice(5).every((opcode) => opcode === SET), true);
  await client.close();
});

test("the first use of a group ever costs one trip more", async () => {
  await using server = await freshServer();
  const { client, take } = counted(server.address);
  await using backend = new GroupBackend({ store: new MemcachedStore(client), storeTimeout: "20s" });
  await backend.get("warm");
  take();
  await backend.get("k", { group: "new" });
  assertEquals(take(), { writes: 2, requests: [GET, GET, INCR], replies: 3 });
  await client.close();
});

test("an invalidation of a key, or of groups of any size, is one trip", async () => {
  await using server = await freshServer();
  const { client, take } = counted(server.address);
  await using backend = new GroupBackend({ store: new MemcachedStore(client), storeTimeout: "20s" });
  for (let i = 0; i < 100; i++) await backend.set(`k${i}`, i, { group: ["a", "b"] });
  take();
  await backend.delete("k1");
  assertEquals(take(), { writes: 1, requests: [DELETE], replies: 1 });
  await backend.invalidateGroup("a", "b");
  assertEquals(take(), { writes: 1, requests: [INCR, INCR], replies: 2 });
  assertEquals(await backend.get("k2", { group: ["a", "b"] }), undefined);
  await client.close();
});

test("the user's set is two trips, with groups three", async () => {
  await using server = await freshServer();
  const { client, take } = counted(server.address);
  await using backend = new GroupBackend({ store: new MemcachedStore(client), storeTimeout: "20s" });
  await backend.get("warm", GROUPS);
  take();
  await backend.set("k", 1);
  assertEquals(take(), { writes: 2, requests: [SET, SET], replies: 2 });
  await backend.set("k", 1, GROUPS);
  assertEquals(take(), { writes: 3, requests: [GET, GET, GET, SET, SET], replies: 5 });
  await client.close();
});
