import { assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { BinaryWire } from "../../../../src/memcached/protocol/binary/wire.ts";
import { KeyList } from "../../../../src/memcached/protocol/keys.ts";
import { Request, VERB } from "../../../../src/memcached/protocol/request.ts";
import { Unreadable } from "../../../../src/memcached/protocol/wire.ts";
import { join, replyTo } from "../../_frames.ts";

const MOST = 1000;
const encoder = new TextEncoder();

function asked(verb: Request["verb"] = VERB.get, opaque = 7): Request {
  const request = new Request(verb, "k", 1, undefined);
  request.opaque = opaque;
  return request;
}

const multi = (keys: readonly string[], opaque: number): Request => {
  const request = new Request(VERB.getMulti, "", 0, { list: new KeyList(keys) });
  request.opaque = opaque;
  return request;
};

function unreadable(bytes: Uint8Array | string, request: Request | undefined = asked()): Unreadable {
  const reader = new BinaryWire(MOST);
  reader.push(typeof bytes === "string" ? encoder.encode(bytes) : bytes);
  return assertThrows(() => reader.next(request), Unreadable);
}

test("BinaryWire refuses a reply with another opaque", () => {
  assertMatch(unreadable(replyTo({ opcode: 0, opaque: 8 })).message, /opaque 8 where 7 was due/);
});

test("BinaryWire refuses a reply with another opcode", () => {
  assertMatch(unreadable(replyTo({ opcode: 1, opaque: 7 })).message, /opcode 0x01 where 0x00 was due/);
});

test("BinaryWire refuses a reply where nothing was asked", () => {
  const reader = new BinaryWire(MOST);
  reader.push(replyTo({ opcode: 0, opaque: 7 }));
  assertThrows(() => reader.next(undefined), Unreadable, "nothing was asked");
});

test("BinaryWire passes over a value that is too long as soon as it has the header, and allocates nothing for it", () => {
  const header = replyTo({ opcode: 0, opaque: 7 }, { bodyLength: 1024 ** 3 });
  const cut = new BinaryWire(MOST);
  cut.push(header.slice(0, 23));
  assertEquals(cut.next(asked()), undefined);
  cut.push(header.slice(23));
  const { status, flaw, last, valueStart, valueEnd } = cut.next(asked())!;
  assertEquals([status, flaw, last], [3, "1073741824 bytes are more than `maxValueBytes` lets in", true]);
  assertEquals([valueEnd - valueStart, cut.chunk.length], [0, 24]);
  cut.push(new Uint8Array(100_000));
  assertEquals([cut.next(asked()), cut.next(undefined), cut.chunk.length], [undefined, undefined, 0]);
});

test("BinaryWire reads on behind a value that it passed over, wherever the chunks end", () => {
  const long = replyTo({ opcode: 0, opaque: 7 }, { flags: 1, value: new Uint8Array(MOST + 1), cas: 9n });
  const next = replyTo({ opcode: 0, opaque: 8 }, { flags: 0, value: "next" });
  const bytes = join(long, next, next);
  for (const piece of [1, 7, 24, 500, MOST + 29, bytes.length]) {
    const reader = new BinaryWire(MOST);
    const seen: string[] = [];
    let due = asked();
    for (let at = 0; at < bytes.length; at += piece) {
      reader.push(bytes.slice(at, at + piece));
      for (let reply = reader.next(due); reply !== undefined; reply = reader.next(due)) {
        const { chunk, valueStart, valueEnd, flaw } = reply;
        seen.push(flaw ?? new TextDecoder().decode(chunk.subarray(valueStart, valueEnd)));
        due = asked(VERB.get, 8);
      }
    }
    assertEquals(seen, ["1001 bytes are more than `maxValueBytes` lets in", "next", "next"], `pieces of ${piece}`);
  }
  // Just as long as it may be.
  const reader = new BinaryWire(MOST);
  reader.push(replyTo({ opcode: 0, opaque: 7 }, { flags: 1, value: new Uint8Array(MOST) }));
  assertEquals(reader.next(asked())!.flaw, undefined);
});

test("BinaryWire gives the other hits of a multi-get around one that is too long", () => {
  const request = multi(["a", "bc", "d"], 7);
  const reader = new BinaryWire(MOST);
  const hitOf = (opaque: number, key: string, value: string | Uint8Array) =>
    replyTo({ opcode: 0x0d, opaque }, { flags: 0, key, value });
  const bytes = join(
    hitOf(7, "a", "1"),
    hitOf(8, "bc", new Uint8Array(5000)),
    hitOf(9, "d", "3"),
    replyTo({ opcode: 0x0a, opaque: 10 }),
  );
  const seen: unknown[] = [];
  for (const byte of bytes) {
    reader.push(Uint8Array.of(byte));
    const reply = reader.next(request);
    if (reply !== undefined) seen.push([reply.index, reply.status, reply.flaw !== undefined, reply.last]);
  }
  assertEquals(seen, [[0, 0, false, false], [1, 3, true, false], [2, 0, false, false], [3, 0, false, true]]);
  const other = new BinaryWire(MOST);
  other.push(hitOf(7, "b", new Uint8Array(5000)));
  assertThrows(() => other.next(multi(["a", "b"], 7)), Unreadable, "a hit of another key");
});

test("BinaryWire refuses what is no value and as long as one", () => {
  assertMatch(unreadable(replyTo({ opcode: 0, opaque: 7 }, { bodyLength: 0xffffffff })).message, /4294967295 bytes/);
  const long = { bodyLength: 70_000 };
  for (
    const [opcode, verb, said] of [[1, VERB.set, {}], [0, VERB.get, { status: 1 }], [0x0a, VERB.noop, {}]] as const
  ) {
    const reply = replyTo({ opcode, opaque: 7 }, { ...long, ...said });
    assertMatch(unreadable(reply, asked(verb)).message, /a reply of 70000 bytes where at most 65536 were due/);
  }
});

test("BinaryWire refuses a body shorter than its own key and extras", () => {
  assertMatch(
    unreadable(replyTo({ opcode: 0, opaque: 7 }, { key: "abc", flags: 1, bodyLength: 6 })).message,
    /longer than its body/,
  );
});

test("BinaryWire tells a counter that is not 64 bits, and reads on", () => {
  const reader = new BinaryWire(MOST);
  reader.push(replyTo({ opcode: 5, opaque: 7 }, { value: new Uint8Array(4) }));
  reader.push(replyTo({ opcode: 5, opaque: 7 }, { value: new Uint8Array(8) }));
  assertEquals(reader.next(asked(VERB.incr))!.flaw, "a counter of 4 bytes where 8 were due");
  assertEquals(reader.next(asked(VERB.incr))!.flaw, undefined);
});

test("BinaryWire quotes a line of text where a frame should be", () => {
  assertEquals(unreadable("ERROR\r\n").text, "ERROR");
  assertEquals(unreadable("ERROR Too many open connections\r\n").text, "ERROR Too many open connections");
  assertMatch(unreadable("CLIENT_ERROR bad\r\n").message, /the text "CLIENT_ERROR bad"/);
});

test("BinaryWire waits for the end of a line of text, but not for ever", () => {
  const reader = new BinaryWire(MOST);
  for (const byte of encoder.encode("ERROR\r")) {
    reader.push(Uint8Array.of(byte));
    assertEquals(reader.next(asked()), undefined);
  }
  reader.push(Uint8Array.of(0x0a));
  assertEquals(assertThrows(() => reader.next(asked()), Unreadable).text, "ERROR");
  assertMatch(unreadable("x".repeat(8 * 1024 + 1)).message, /over 8192 bytes/);
});

test("BinaryWire quotes at most 200 characters, printable ones", () => {
  assertEquals(unreadable("y".repeat(5000) + "\n").text, "y".repeat(200));
  assertEquals(unreadable("a\tb\r\n").text, "a?b");
  assertEquals(unreadable(Uint8Array.of(0x00, 0x01)).text, undefined);
  assertEquals(unreadable("a\x1b[31m\n").text, undefined);
  assertEquals(unreadable("HTTP/1.1 400 Bad Request\r\nX: y\r\n").text, "HTTP/1.1 400 Bad Request");
});

test("BinaryWire says what was left when the connection ends", () => {
  const reader = new BinaryWire(MOST);
  assertEquals(reader.end(), undefined);
  reader.push(encoder.encode("ERROR Too many"));
  assertEquals(reader.next(asked()), undefined);
  assertEquals(reader.end()!.text, "ERROR Too many");
  const cut = new BinaryWire(MOST);
  cut.push(replyTo({ opcode: 0, opaque: 7 }, { value: "abc" }).slice(0, 26));
  assertEquals(cut.next(asked()), undefined);
  assertMatch(cut.end()!.message, /within a reply/);
});

test("BinaryWire gives out views of the chunk, and joins only what was cut", () => {
  const reader = new BinaryWire(MOST);
  const chunk = join(
    replyTo({ opcode: 0, opaque: 7 }, { flags: 0, value: "one" }),
    replyTo({ opcode: 0, opaque: 8 }, { flags: 0, value: "two" }),
  );
  reader.push(chunk);
  assertStrictEquals(reader.next(asked(VERB.get, 7))!.chunk, chunk);
  assertStrictEquals(reader.next(asked(VERB.get, 8))!.chunk, chunk);
  assertEquals(reader.next(undefined), undefined);

  reader.push(chunk.slice(0, 30));
  assertEquals(reader.next(asked(VERB.get, 7)), undefined);
  reader.push(chunk.slice(30));
  const joined = reader.next(asked(VERB.get, 7))!;
  assertEquals(joined.chunk.length, 31);
  assertEquals(new TextDecoder().decode(joined.chunk.subarray(joined.valueStart, joined.valueEnd)), "one");
  const behind = reader.next(asked(VERB.get, 8))!;
  assertEquals(new TextDecoder().decode(behind.chunk.subarray(behind.valueStart, behind.valueEnd)), "two");
});

test("BinaryWire copies nothing when a socket reads on into the same slab", () => {
  const slab = new Uint8Array(4096);
  const reply = replyTo({ opcode: 0, opaque: 7 }, { flags: 0, value: "hello" });
  slab.set(reply, 100);
  const reader = new BinaryWire(MOST);
  reader.push(slab.subarray(100, 110));
  assertEquals(reader.next(asked()), undefined);
  reader.push(slab.subarray(110, 100 + reply.length));
  const read = reader.next(asked())!;
  assertStrictEquals(read.chunk.buffer, slab.buffer);
  assertEquals(new TextDecoder().decode(read.chunk.subarray(read.valueStart, read.valueEnd)), "hello");
});

test("BinaryWire reads a multi-get's hits by their opaques, up to the NOOP", () => {
  const reader = new BinaryWire(MOST);
  const request = multi(["a", "b", "c"], 0xfffffffe);
  reader.push(join(
    replyTo({ opcode: 0x0d, opaque: 0xfffffffe }, { flags: 0, key: "a", value: "1" }),
    replyTo({ opcode: 0x0d, opaque: 0 }, { flags: 0, key: "c", value: "3" }),
    replyTo({ opcode: 0x0a, opaque: 1 }),
  ));
  const read = () => {
    const { index, last } = reader.next(request)!;
    return [index, last];
  };
  assertEquals([read(), read(), read()], [[0, false], [2, false], [3, true]]);
});

test("BinaryWire refuses a multi-get's hit that comes twice, backwards, or from elsewhere", () => {
  const hitAt = (opaque: number) => {
    return replyTo({ opcode: 0x0d, opaque }, { flags: 0, key: "abc"[opaque - 5] ?? "d", value: "1" });
  };
  for (const opaques of [[5, 5], [6, 5], [9], [4], [8]]) {
    const reader = new BinaryWire(MOST);
    const request = multi(["a", "b", "c"], 5);
    reader.push(join(...opaques.map(hitAt)));
    assertThrows(
      () => {
        for (const _ of opaques) reader.next(request);
      },
      Unreadable,
      "where another was due",
    );
  }
});

test("BinaryWire refuses a multi-get's hit that comes under another key's opaque", () => {
  for (const [keys, key] of [["ab", "b"], ["ab", ""], ["ab", "aa"], ["æb", "ø"]] as const) {
    const reader = new BinaryWire(MOST);
    const request = new Request(VERB.getMulti, "", 0, { list: new KeyList([...keys]) });
    request.opaque = 7;
    // In order, and the opaque of a key that was asked for: only the key tells.
    reader.push(replyTo({ opcode: 0x0d, opaque: 7 }, { flags: 0, key, value: "1" }));
    assertThrows(() => reader.next(request), Unreadable, "a hit of another key");
  }
});

test("BinaryWire ends statistics with the packet without key and body, or with an error", () => {
  const reader = new BinaryWire(MOST);
  const request = asked(VERB.stats);
  reader.push(join(
    replyTo({ opcode: 0x10, opaque: 7 }, { key: "pid", value: "1" }),
    replyTo({ opcode: 0x10, opaque: 7 }, { key: "empty", value: "" }),
    replyTo({ opcode: 0x10, opaque: 7 }),
    replyTo({ opcode: 0x10, opaque: 7 }, { status: 1, value: "Not found" }),
  ));
  assertEquals([0, 1, 2, 3].map(() => reader.next(request)!.last), [false, false, true, true]);
});

test("BinaryWire passes over statistics once all of them are longer than may be gathered, and knows their end", () => {
  const reader = new BinaryWire(MOST);
  const request = asked(VERB.stats);
  const statistic = replyTo({ opcode: 0x10, opaque: 7 }, { key: "name", value: "x".repeat(20_000 - 28) });
  const end = replyTo({ opcode: 0x10, opaque: 7 });
  // Each run has its own count.
  for (const [count, flaws] of [[3, 0], [3, 0], [5, 3], [3, 0]] as const) {
    reader.push(join(...Array.from({ length: count }, () => statistic), end));
    const replies = Array.from({ length: count + 1 }, () => {
      const { last, flaw } = reader.next(request)!;
      return { last, flaw };
    });
    assertEquals(replies.filter(({ flaw }) => flaw !== undefined).length, flaws);
    assertEquals(replies.map(({ last }) => last), [...new Array<boolean>(count).fill(false), true]);
  }
});
