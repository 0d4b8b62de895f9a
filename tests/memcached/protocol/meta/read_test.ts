import {
  assert,
  assertEquals,
  assertMatch,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { MetaWire } from "../../../../src/memcached/protocol/meta/wire.ts";
import { KeyList } from "../../../../src/memcached/protocol/keys.ts";
import { Request, VERB } from "../../../../src/memcached/protocol/request.ts";
import { type Reply, uint64, Unreadable } from "../../../../src/memcached/protocol/wire.ts";
import { join } from "../../_frames.ts";

const MOST = 1000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const O7 = "O00000007";

function asked(verb: Request["verb"] = VERB.get, opaque = 7): Request {
  const request = new Request(verb, "k", 1, undefined);
  request.opaque = opaque;
  return request;
}

function multi(keys: readonly string[], opaque: number): Request {
  const request = new Request(VERB.getMulti, "", 0, { list: new KeyList(keys) });
  request.opaque = opaque;
  return request;
}

function readerOf(...chunks: readonly (string | Uint8Array)[]): MetaWire {
  const reader = new MetaWire(MOST);
  for (const chunk of chunks) reader.push(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
  return reader;
}

const unreadable = (said: string | Uint8Array, request: Request | undefined = asked()): Unreadable =>
  assertThrows(() => readerOf(said).next(request), Unreadable);

const valueOf = ({ chunk, valueStart, valueEnd }: Reply): string =>
  decoder.decode(chunk.subarray(valueStart, valueEnd));
const keyOf = ({ chunk, keyStart, keyEnd }: Reply): string => decoder.decode(chunk.subarray(keyStart, keyEnd));

test("MetaWire gives out views of the chunk", () => {
  const chunk = encoder.encode(`VA 3 ${O7} f0\r\none\r\nVA 3 O00000008 f0\r\ntwo\r\nEN O00000009\r\n`);
  const reader = readerOf(chunk);
  for (const [opaque, value] of [[7, "one"], [8, "two"], [9, ""]] as const) {
    const reply = reader.next(asked(VERB.get, opaque))!;
    assertStrictEquals(reply.chunk, chunk);
    assertEquals(valueOf(reply), value);
  }
  assertEquals(reader.next(undefined), undefined);
});

test("MetaWire copies nothing when a socket reads on into the same slab", () => {
  const slab = new Uint8Array(4096);
  const said = encoder.encode(`VA 5 ${O7} f4\r\nhello\r\n`);
  // Cut in the code, the size, the opaque, the flags, the line's end, the value, and the value's end.
  for (let cut = 1; cut < said.length; cut++) {
    slab.set(said, 100);
    const reader = readerOf(slab.subarray(100, 100 + cut));
    assertEquals(reader.next(asked()), undefined);
    reader.push(slab.subarray(100 + cut, 100 + said.length));
    const reply = reader.next(asked())!;
    assertStrictEquals(reply.chunk.buffer, slab.buffer);
    assertEquals([valueOf(reply), reply.flags], ["hello", 4]);
  }
});

test("MetaWire joins a value that was cut once, into a buffer of its frame's length", () => {
  const line = encoder.encode(`VA 900 ${O7} f0\r\n`);
  const value = Uint8Array.from({ length: 900 }, (_, n) => n);
  const behind = encoder.encode("EN O00000008\r\n");
  const stream = join(line, value, encoder.encode("\r\n"), behind);
  const frame = line.length + 902;
  const reader = readerOf(stream.slice(0, line.length + 10));
  assertEquals(reader.next(asked()), undefined);
  reader.push(stream.slice(line.length + 10, 400));
  assertEquals(reader.next(asked()), undefined);
  const joined = reader.chunk;
  assertEquals(joined.length, frame);
  for (let at = 400; at < stream.length; at += 100) {
    reader.push(stream.slice(at, at + 100));
    if (at + 100 >= frame) break;
    assertEquals(reader.next(asked()), undefined);
    assertStrictEquals(reader.chunk, joined);
  }
  const reply = reader.next(asked())!;
  assertStrictEquals(reply.chunk, joined);
  assertEquals(reply.chunk.slice(reply.valueStart, reply.valueEnd), value);
  // What came behind it in one chunk is no part of the buffer.
  const next = reader.next(asked(VERB.get, 8))!;
  assertNotStrictEquals(next.chunk, joined);
  assertEquals(next.status, 1);
});

test("MetaWire reads flags in any order, and passes over those that it does not know", () => {
  const flags = [
    O7,
    "f4294967295",
    "c18446744073709551615",
    "kkey",
    "t-1",
    "s5",
    "h0",
    "l12",
    "W",
    "X",
    "Z",
    "b",
    "?",
    "-",
  ];
  for (let turn = 0; turn < flags.length; turn++) {
    const turned = [...flags.slice(turn), ...flags.slice(0, turn)];
    for (const order of [turned, turned.toReversed()]) {
      const reply = readerOf(`VA 5 ${order.join(" ")}\r\nhello\r\n`).next(asked())!;
      assertEquals(
        [valueOf(reply), keyOf(reply), reply.flags, uint64(reply.casHigh, reply.casLow)],
        ["hello", "key", 0xffffffff, 2n ** 64n - 1n],
      );
    }
  }
});

test("MetaWire forgets the flags of the reply before", () => {
  const reader = readerOf(`VA 1 ${O7} f9 c9 kk\r\nx\r\nVA 1 ${O7}\r\nx\r\nHD ${O7}\r\n`);
  reader.next(asked());
  for (const verb of [VERB.get, VERB.set]) {
    const { flags, casHigh, casLow, keyStart, keyEnd } = reader.next(asked(verb))!;
    assertEquals([flags, casHigh, casLow, keyEnd - keyStart], [0, 0, 0, 0]);
  }
});

test("MetaWire tells flags over 32 bits, as a server built for 64 may have, and reads on", () => {
  const reader = readerOf(`VA 1 ${O7} f4294967296\r\nx\r\nVA 1 ${O7} f4294967295\r\nx\r\n`);
  assertEquals(reader.next(asked())!.flaw, "flags of more than 32 bits");
  const { flaw, flags } = reader.next(asked())!;
  assertEquals([flaw, flags], [undefined, 4294967295]);
});

test("MetaWire refuses a cas over 64 bits, and numbers that are none", () => {
  for (
    const flag of ["f", "f-1", "fx", "f18446744073709551616", "c", "c-1", "c18446744073709551616", `c${"1".repeat(99)}`]
  ) {
    assertMatch(unreadable(`VA 1 ${O7} ${flag}\r\nx\r\n`).message, /a flag that is no number/, flag);
  }
  for (const flag of ["f1x", "c1,"]) {
    assertMatch(unreadable(`VA 1 ${O7} ${flag}\r\nx\r\n`).message, /within a line of flags/);
  }
});

test("MetaWire refuses a size that is no number", () => {
  for (const size of ["x", "-1", "", " 1", "18446744073709551616", "9".repeat(500)]) {
    assertMatch(unreadable(`VA ${size} ${O7}\r\nx\r\n`).message, /size is no number/, size);
  }
  assertMatch(unreadable("VA\r\nx\r\n").message, /size is no number/);
  for (const size of ["1x", "1.5", "0x1"]) {
    assertMatch(unreadable(`VA ${size} ${O7}\r\nx\r\n`).message, /within a line of flags/, size);
  }
});

test("MetaWire refuses a value that does not end where its size says", () => {
  for (
    const said of [
      "VA 1 O\r\nxy\r\n",
      "VA 3 O\r\nx\r\nEN\r\n",
      "VA 1 O\r\nx\n\r",
      "VA 1 O\r\nx\rx",
      "VA 1 O\r\nxx\n",
      "VA 0 O\r\nx\r\n",
      "VA 2 O\r\nx\r\n\r\n",
    ]
  ) {
    assertMatch(unreadable(said.replace("O", O7)).message, /a value that is not \d bytes long/, said);
  }
});

test("MetaWire takes a value with line ends, and one that looks like a reply", () => {
  const value = `\r\nEN ${O7}\r\nMN\r\n`;
  for (const size of [1, 2, 7, Infinity]) {
    const stream = encoder.encode(`VA ${value.length} ${O7}\r\n${value}\r\nMN\r\n`);
    const reader = readerOf();
    const read: [string, number][] = [];
    const due = [asked(), asked(VERB.noop)];
    for (let at = 0; at < stream.length; at += size) {
      reader.push(stream.slice(at, at + size));
      for (let reply; (reply = reader.next(due[read.length])) !== undefined;) read.push([valueOf(reply), reply.status]);
    }
    assertEquals(read, [[value, 0], ["", 0]]);
  }
});

test("MetaWire refuses a line over 8 KiB, whole or not, and of whatever it consists", () => {
  const long = "x".repeat(8 * 1024);
  for (const end of ["", "\r\n"]) {
    assertMatch(unreadable(`HD ${O7} ${long}${end}`, asked(VERB.set)).message, /a line over 8192 bytes/);
    assertMatch(unreadable(`VA 5 ${O7} k${long}${end}`).message, /a line over 8192 bytes/);
    assertMatch(unreadable(`CLIENT_ERROR ${long}${end}`).message, /a line of text over 8192 bytes/);
    assertMatch(unreadable(`STAT name ${long}${end}`, asked(VERB.stats)).message, /a line of text over 8192 bytes/);
    assertMatch(unreadable(`${long}xx${end}`).message, /a line of text over 8192 bytes/);
  }
  assertMatch(unreadable(`VA ${"1".repeat(9000)}`).message, /no number/);
  assertMatch(unreadable(`HD ${O7}${" ".repeat(9000)}`, asked(VERB.set)).message, /a line over 8192 bytes/);
  // Just as long as it may be.
  const longest = `HD ${O7} ${"x".repeat(8 * 1024 - `HD ${O7} \r\n`.length)}\r\n`;
  assertEquals(readerOf(longest).next(asked(VERB.set))?.status, 0);
});

test("MetaWire passes over a value that is too long as soon as its line is whole, and allocates nothing for it", () => {
  const reader = readerOf(`VA ${1024 ** 3} ${O7}\r`);
  assertEquals(reader.next(asked()), undefined);
  reader.push(encoder.encode("\n"));
  const { status, flaw, last } = reader.next(asked())!;
  assertEquals([status, flaw, last], [3, "1073741824 bytes are more than `maxValueBytes` lets in", true]);
  assert(reader.chunk.length < 100);
  reader.push(new Uint8Array(100_000));
  assertEquals([reader.next(asked()), reader.next(undefined), reader.chunk.length], [undefined, undefined, 0]);
  assertMatch(unreadable(`VA 4294967295 ${O7}\r\n`).message, /a value of 4294967295 bytes/);
  assertMatch(unreadable(`VA 18446744073709551615 ${O7}\r\n`).message, /a value of/);
  assertMatch(unreadable(`VA 1001 ${O7}\r\n`, asked(VERB.incr)).message, /a value of 1001 bytes/);
  assertEquals(valueOf(readerOf(`VA 1000 ${O7}\r\n${"x".repeat(1000)}\r\n`).next(asked())!), "x".repeat(1000));
});

test("MetaWire reads on behind a value that it passed over, wherever the chunks end", () => {
  const text = `VA 1001 ${O7} f4294967296 c1\r\n${"x".repeat(1001)}\r\nVA 4 ${O7} f0\r\nnext\r\nEN\r\n`;
  const bytes = encoder.encode(text);
  for (const piece of [1, 7, 500, bytes.indexOf(0x0a) + 1, bytes.lastIndexOf(0x78) + 2, bytes.length]) {
    const reader = readerOf();
    const seen: string[] = [];
    for (let at = 0; at < bytes.length; at += piece) {
      reader.push(bytes.slice(at, at + piece));
      for (let reply = reader.next(asked()); reply !== undefined; reply = reader.next(asked())) {
        seen.push(reply.flaw ?? `${reply.status} ${valueOf(reply)}`);
      }
    }
    assertEquals(seen, ["1001 bytes are more than `maxValueBytes` lets in", "0 next", "1 "], `pieces of ${piece}`);
  }
  const wrong = readerOf(`VA 1001 ${O7}\r\n${"x".repeat(1002)}\r\n`);
  wrong.next(asked());
  assertThrows(() => wrong.next(undefined), Unreadable, "not as long as was said");
});

test("MetaWire refuses a hit or a success without the opaque that was sent", () => {
  for (
    const [said, verb] of [["VA 1 f0\r\nx\r\n", VERB.get], ["HD c1\r\n", VERB.set], ["HD\r\n", VERB.delete]] as const
  ) {
    assertMatch(unreadable(said, asked(verb)).message, /without an opaque/);
  }
  for (const opaque of ["", "7", "0000007", "000000007", "0000000A", "0000000g", "abc", "-0000007"]) {
    assertMatch(unreadable(`VA 1 O${opaque}\r\nx\r\n`).message, /with an opaque of no request/, opaque);
  }
  assertMatch(unreadable("VA 1 O00000008\r\nx\r\n").message, /opaque 8 where 7 was due/);
  // Not a byte of the value is waited for.
  assertMatch(unreadable("VA 999 O00000008\r\n").message, /opaque 8 where 7 was due/);
});

test("MetaWire takes a refusal without an opaque, but none with another one", () => {
  for (
    const [code, verb, status] of [["EN", VERB.get, 1], ["NF", VERB.delete, 1], ["NS", VERB.add, 2], [
      "EX",
      VERB.set,
      2,
    ]] as const
  ) {
    assertEquals(readerOf(`${code}\r\n`).next(asked(verb))?.status, status);
    assertEquals(readerOf(`${code} ${O7}\r\n`).next(asked(verb))?.status, status);
    assertMatch(unreadable(`${code} O00000006\r\n`, asked(verb)).message, /opaque 6 where 7 was due/);
    assertMatch(unreadable(`${code} Oabc\r\n`, asked(verb)).message, /an opaque of no request/);
  }
});

test("MetaWire knows the opaque of 2^32 - 1", () => {
  assertEquals(valueOf(readerOf("VA 1 Offffffff\r\nx\r\n").next(asked(VERB.get, 0xffffffff))!), "x");
  assertMatch(
    unreadable("VA 1 O00000000\r\nx\r\n", asked(VERB.get, 0xffffffff)).message,
    /opaque 0 where 4294967295 was due/,
  );
});

test("MetaWire reads a multi-get's hits by their opaques, up to the MN", () => {
  const reader = readerOf("VA 1 Offfffffe ka f1\r\n1\r\nVA 1 O00000000 f3 kc\r\n3\r\nMN\r\n");
  const request = multi(["a", "b", "c"], 0xfffffffe);
  const read = [0, 1, 2].map(() => {
    const reply = reader.next(request)!;
    return [reply.index, reply.last, reply.flags, valueOf(reply)];
  });
  assertEquals(read, [[0, false, 1, "1"], [2, false, 3, "3"], [3, true, 0, ""]]);
  // The next run begins at its own first key.
  reader.push(encoder.encode("VA 1 O00000009 ka\r\n1\r\nMN\r\n"));
  const next = multi(["a"], 9);
  assertEquals([reader.next(next)!.index, reader.next(next)!.last], [0, true]);
});

test("MetaWire refuses a multi-get's hit that comes twice, backwards, or from elsewhere", () => {
  for (const opaques of [[5, 5], [6, 5], [9], [4], [8]]) {
    const reader = readerOf(
      opaques.map((opaque) => `VA 1 O0000000${opaque} k${"abc"[opaque - 5] ?? "d"}\r\n1\r\n`).join(""),
    );
    const request = multi(["a", "b", "c"], 5);
    assertThrows(
      () => {
        for (const _ of opaques) reader.next(request);
      },
      Unreadable,
      "where another was due",
    );
  }
});

test("MetaWire refuses a multi-get's hit that comes under another key's opaque, or under none", () => {
  for (const [keys, key] of [["ab", "b"], ["ab", ""], ["ab", "aa"], ["æb", "ø"], ["æb", "b"]] as const) {
    const reader = readerOf(`VA 1 ${O7} k${key}\r\n1\r\n`);
    assertThrows(() => reader.next(multi([...keys], 7)), Unreadable, "another key than the opaque's");
  }
  const reader = readerOf(`VA 1 ${O7}\r\n1\r\n`);
  assertThrows(() => reader.next(multi(["a"], 7)), Unreadable, "another key than the opaque's");
  assertThrows(() => readerOf("VA 1 ka\r\n1\r\n").next(multi(["a"], 7)), Unreadable, "without an opaque");
  // In UTF-8, and as long as a key may be.
  for (const own of ["æ", "漢".repeat(83), "k".repeat(250)]) {
    assertEquals(readerOf(`VA 1 ${O7} k${own}\r\n1\r\n`).next(multi([own], 7))!.index, 0);
  }
});

test("MetaWire refuses codes that are no answer to what was asked", () => {
  for (
    const [code, verbs] of [
      ["HD", [
        VERB.get,
        VERB.getMulti,
        VERB.getAndTouch,
        VERB.incr,
        VERB.noop,
        VERB.version,
        VERB.stats,
        VERB.flushAll,
      ]],
      ["EN", [VERB.set, VERB.add, VERB.delete, VERB.incr, VERB.getMulti, VERB.noop]],
      ["NF", [VERB.get, VERB.getMulti, VERB.noop]],
      ["NS", [VERB.get, VERB.delete, VERB.touch]],
      ["EX", [VERB.get, VERB.touch, VERB.getMulti]],
      ["MN", [VERB.get, VERB.set, VERB.stats]],
      ["OK", [VERB.get, VERB.set, VERB.noop]],
    ] as const
  ) {
    for (const verb of verbs) {
      assertMatch(unreadable(`${code} ${O7}\r\n`, asked(verb)).message, new RegExp(`${code} where it is no answer`));
    }
  }
  for (const verb of [VERB.set, VERB.delete, VERB.touch, VERB.noop, VERB.stats]) {
    assertMatch(unreadable(`VA 1 ${O7}\r\nx\r\n`, asked(verb)).message, /VA where it is no answer/);
  }
});

test("MetaWire refuses a reply where nothing was asked", () => {
  for (const said of [`VA 1 ${O7}\r\nx\r\n`, "HD\r\n", "MN\r\n", "ERROR\r\n", "STAT a b\r\n"]) {
    const reader = readerOf(said);
    const error = assertThrows(() => reader.next(undefined), Unreadable);
    assertEquals(error.text, said.slice(0, said.indexOf("\r\n")));
  }
  assertThrows(() => readerOf(Uint8Array.of(0x81, 0x00)).next(undefined), Unreadable, "byte 0x81");
});

test("MetaWire tells a counter that is not 64 bits, and reads on", () => {
  for (const value of ["", "x", "1x", "-1", "18446744073709551616", "1 "]) {
    const reader = readerOf(`VA ${value.length} ${O7}\r\n${value}\r\nVA 1 ${O7}\r\n5\r\n`);
    assertEquals(reader.next(asked(VERB.incr))!.flaw, "a counter that is no number of 64 bits");
    assertEquals(reader.next(asked(VERB.incr))!.flaw, undefined);
  }
  for (const value of ["0", "9007199254740993", "18446744073709551615"]) {
    assertEquals(readerOf(`VA ${value.length} ${O7}\r\n${value}\r\n`).next(asked(VERB.decr))!.counter(), BigInt(value));
  }
});

test("MetaWire knows an error by what it says", () => {
  const errors: [string, number][] = [
    ["SERVER_ERROR object too large for cache", 0x03],
    ["SERVER_ERROR out of memory storing object", 0x82],
    ["SERVER_ERROR Out of memory during read", 0x82],
    ["CLIENT_ERROR cannot increment or decrement non-numeric value", 0x06],
    ["CLIENT_ERROR unauthenticated", 0x20],
    ["CLIENT_ERROR authentication failure", 0x20],
    ["CLIENT_ERROR bad command line format", 0x04],
    ["SERVER_ERROR something else", 0x04],
    ["ERROR", 0x81],
    ["ERROR unknown command", 0x81],
  ];
  for (const [said, status] of errors) {
    const reply = readerOf(`${said}\r\n`).next(asked())!;
    assertEquals([reply.status, valueOf(reply), reply.last], [status, said, true]);
    // Of one key only: its run goes on.
    assertEquals(readerOf(`${said}\r\n`).next(multi(["a"], 7))!.last, false);
  }
  assertEquals(unreadable("ERROR Too many open connections\r\n").text, "ERROR Too many open connections");
  for (const said of ["ERRORS", "CLIENT_ERRORx", "error", "HDx", "VAX 5", "HD5", "EN\tO1"]) {
    assertEquals(unreadable(`${said}\r\n`).text, said.replace("\t", "?"));
  }
  assertEquals(unreadable("HTTP/1.1 400 Bad Request\r\nX: y\r\n").text, "HTTP/1.1 400 Bad Request");
  // A line feed alone ends no line of this protocol.
  for (const said of ["HD\n", "EN \n", "ERROR\n"]) assert(unreadable(said, asked(VERB.delete)).message.length > 0);
});

test("MetaWire ends statistics with END, RESET or an error", () => {
  const reader = readerOf("STAT pid 1\r\nSTAT empty \r\nSTAT bare\r\nSTAT words a b c\r\nEND\r\nRESET\r\nERROR\r\n");
  const request = asked(VERB.stats);
  const read = Array.from({ length: 7 }, () => {
    const reply = reader.next(request)!;
    return [reply.status, reply.last, keyOf(reply), valueOf(reply)];
  });
  assertEquals(read, [
    [0, false, "pid", "1"],
    [0, false, "empty", ""],
    [0, false, "bare", ""],
    [0, false, "words", "a b c"],
    [0, true, "", ""],
    [0, true, "", ""],
    [1, true, "", "ERROR"],
  ]);
});

test("MetaWire takes an OK for the whole answer of a topic that is an order", () => {
  const reply = readerOf("OK\r\n").next(asked(VERB.stats))!;
  assertEquals([reply.status, reply.last, keyOf(reply), valueOf(reply)], [0, true, "", ""]);
});

test("MetaWire takes the name of a statistic from its own line alone", () => {
  const request = asked(VERB.stats);
  const reader = readerOf("STAT\r\nSTAT\r\nPREFIX\r\nSTAT  x\r\nEND\r\n");
  const names = Array.from({ length: 5 }, () => {
    const reply = reader.next(request)!;
    return `${keyOf(reply)}=${valueOf(reply)}`;
  });
  assertEquals(names, ["=", "=", "=", "=x", "="]);
  const bare = readerOf("STAT\r\nSTAT\r\n");
  for (let n = 0; n < 2; n++) assertEquals(keyOf(bare.next(request)!), "");
});

test("MetaWire passes over statistics once all of them are longer than may be gathered, and knows their end", () => {
  const request = asked(VERB.stats);
  const statistic = `STAT name ${"x".repeat(5000 - "STAT name \r\n".length)}\r\n`;
  const reader = readerOf();
  // Each run has its own count.
  for (const [end, count, flaws] of [["END", 13, 0], ["ERROR", 13, 0], ["RESET", 13, 0], ["END", 15, 3]] as const) {
    reader.push(encoder.encode(`${statistic.repeat(count)}${end}\r\n`));
    const replies = Array.from({ length: count + 1 }, () => {
      const { last, flaw } = reader.next(request)!;
      return { last, flaw };
    });
    assertEquals(replies.filter(({ flaw }) => flaw !== undefined).length, flaws);
    assertEquals(replies.map(({ last }) => last), [...new Array<boolean>(count).fill(false), true]);
  }
});

test("MetaWire says what was left when the connection ends", () => {
  assertEquals(readerOf().end(), undefined);
  assertEquals(readerOf("ERROR Too many").end()!.text, "ERROR Too many");
  assertEquals(readerOf("HTTP/1.1 4").end()!.text, "HTTP/1.1 4");
  const reply = `VA 5 ${O7} f0 c12\r\nhello\r\n`;
  for (let length = 2; length < reply.length; length++) {
    const cut = readerOf(reply.slice(0, length));
    assertEquals(cut.next(asked()), undefined);
    assertMatch(cut.end()!.message, /the connection ended within a reply/, `${length}`);
  }
  for (
    const [said, verb] of [["HD", VERB.set], [`EN ${O7}\r`, VERB.get], ["MN", VERB.noop], ["STAT pi", VERB.stats], [
      "EN",
      VERB.stats,
    ], ["VERSION 1.", VERB.version]] as const
  ) {
    const cut = readerOf(said);
    assertEquals(cut.next(asked(verb)), undefined);
    assertMatch(cut.end()!.message, /the connection ended within a reply/, said);
  }
  // What only looks like the beginning of an answer.
  for (const said of ["HDx", "VAL", "ENDE", "STATS x"]) assertEquals(readerOf(said).end()!.text, said);
  for (const said of ["ST", "STA", "V", "VERS", "PREF", "RES"]) {
    assertMatch(readerOf(said).end()!.message, /the connection ended within a reply/, said);
  }
  // In the middle of a value that is being joined.
  const joined = readerOf(`VA 5 ${O7}\r\nhe`);
  assertEquals(joined.next(asked()), undefined);
  joined.push(encoder.encode("ll"));
  assertEquals(joined.next(asked()), undefined);
  assertMatch(joined.end()!.message, /the connection ended within a reply/);
  const whole = readerOf(reply);
  whole.next(asked());
  assertEquals(whole.end(), undefined);
});
