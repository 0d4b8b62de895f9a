import { assertEquals, assertThrows } from "@std/assert";
import { connect } from "node:net";
import { test } from "node:test";
import { MetaWire } from "../../../../src/memcached/protocol/meta/wire.ts";
import { KeyList } from "../../../../src/memcached/protocol/keys.ts";
import { type Details, Request, VERB, type Verb } from "../../../../src/memcached/protocol/request.ts";
import { Unreadable } from "../../../../src/memcached/protocol/wire.ts";
import { freshServer } from "../../../_memcached.ts";

const decoder = new TextDecoder();
const asked = (verb: Verb, key = "", details?: Details) =>
  new Request(verb, key, new TextEncoder().encode(key).length, details);

function written(wire: MetaWire, request: Request): Uint8Array {
  const into = new Uint8Array(wire.room(request)).fill(0xff);
  return into.slice(0, wire.write(request, into, 0));
}

test("MetaWire asks a real memcached and reads its answers, whole and byte by byte", async () => {
  await using server = await freshServer();
  const value = (text: string, more: Details = {}): Details => ({
    value: text,
    flags: 0,
    exptime: 0,
    cas: 0n,
    ...more,
  });
  const count = (delta: bigint, initial: bigint, exptime: number): Details => ({ delta, initial, exptime });
  const steps: [Request, ...unknown[]][] = [
    [asked(VERB.noop), "0 "],
    [asked(VERB.get, "a"), "1 "],
    [asked(VERB.set, "a", value("é\r\n日本🙂", { flags: 4294967295, exptime: 60 })), "0 "],
    [asked(VERB.get, "a"), "0 é\r\n日本🙂 4294967295"],
    [asked(VERB.add, "a", value("x")), "2 "],
    [asked(VERB.replace, "no", value("x")), "1 "],
    [asked(VERB.append, "no", value("x")), "5 "],
    [asked(VERB.append, "a", value("!")), "0 "],
    [asked(VERB.prepend, "a", value("<")), "0 "],
    [asked(VERB.getAndTouch, "a", { exptime: 0 }), "0 <é\r\n日本🙂! 4294967295"],
    [asked(VERB.touch, "a", { exptime: 9 }), "0 "],
    [asked(VERB.touch, "no", { exptime: 9 }), "1 "],
    [asked(VERB.set, "a", value("x", { cas: 99n })), "2 "],
    [asked(VERB.set, "no", value("x", { cas: 99n })), "1 "],
    [asked(VERB.set, "é", value("")), "0 "],
    [
      asked(VERB.getMulti, "", { list: new KeyList(["no", "é", "a"]) }),
      "0 ",
      "0 <é\r\n日本🙂! 4294967295",
      "0 ",
    ],
    [asked(VERB.incr, "n", count(1n, 0n, 0xffffffff)), "1 "],
    [asked(VERB.incr, "n", count(1n, 2n ** 64n - 1n, 0)), "0 18446744073709551615"],
    [asked(VERB.incr, "n", count(1n, 0n, 0)), "0 0"],
    [asked(VERB.decr, "n", count(5n, 0n, 0)), "0 0"],
    [asked(VERB.incr, "a", count(1n, 0n, 0)), "6 CLIENT_ERROR cannot increment or decrement non-numeric value"],
    [asked(VERB.set, "a", value("x".repeat(2_000_000))), "3 SERVER_ERROR object too large for cache"],
    [asked(VERB.delete, "é"), "0 "],
    [asked(VERB.delete, "é"), "1 "],
    [asked(VERB.stats, "bogus"), "1 ERROR"],
    [asked(VERB.flushAll, "", { exptime: 100 }), "0 "],
    [asked(VERB.flushAll), "0 "],
  ];
  for (const size of [Infinity, 1]) {
    const wire = new MetaWire(1_200_000, 0xfffffff0);
    const socket = connect(server.port, "127.0.0.1");
    try {
      for (const [request, ...wanted] of steps) {
        socket.write(written(wire, request));
        for (let last = false; !last;) {
          let reply = wire.next(request);
          while (reply === undefined) {
            const chunk = await new Promise<Uint8Array>((resolve) => socket.once("data", resolve));
            socket.pause();
            for (let at = 0; at < chunk.length; at += size) {
              wire.push(chunk.slice(at, at + size));
              reply ??= wire.next(request);
            }
            socket.resume();
          }
          last = reply.last;
          const counts = (request.verb === VERB.incr || request.verb === VERB.decr) && reply.status === 0;
          const text = counts
            ? `${reply.counter()}`
            : decoder.decode(reply.chunk.subarray(reply.valueStart, reply.valueEnd));
          const got = `${reply.status} ${text}${reply.flags === 0 ? "" : ` ${reply.flags}`}`;
          const due = wanted.shift();
          assertEquals(got, due, `${request.verb} ${request.key}`);
        }
        assertEquals(wanted.length, 0);
      }
    } finally {
      socket.destroy();
    }
  }
});

test("MetaWire refuses an answer that does not fit", () => {
  for (
    const [verb, answer] of [
      [VERB.get, "HD O00000001\r\n"],
      [VERB.delete, "VA 1 O00000001\r\nx\r\n"],
      [VERB.get, "VA 1 O00000002\r\nx\r\n"],
      [VERB.get, "VA 1\r\nx\r\n"],
      [VERB.get, "VA 1073741825 O00000001\r\n"],
      [VERB.get, "VA x O00000001\r\n"],
      [VERB.get, "VA 1 O00000001\r\nxyz"],
      [VERB.get, "ERROR Too many open connections\r\n"],
    ] as const
  ) {
    const wire = new MetaWire(1000);
    const request = asked(verb, "k", { delta: 1n, initial: 0n, exptime: 0 });
    written(wire, request);
    wire.push(new TextEncoder().encode(answer));
    assertThrows(() => wire.next(request), Unreadable);
  }
});
