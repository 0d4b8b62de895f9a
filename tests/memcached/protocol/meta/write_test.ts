import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { MetaWire } from "../../../../src/memcached/protocol/meta/wire.ts";
import { KeyList } from "../../../../src/memcached/protocol/keys.ts";
import { type Details, Request, VERB, type Verb, VERB_NAMES } from "../../../../src/memcached/protocol/request.ts";
import { SeededRandom } from "../../../../src/testing/seeded_random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const random = new SeededRandom(5);
const oneOf = <T>(choices: readonly T[]): T => choices[Math.floor(random.fraction() * choices.length)]!;

const KEYS = ["k", "O00000001", "é", "漢".repeat(83), "k".repeat(64), "k".repeat(65), "k".repeat(250), "🦕".repeat(62)];
/** Of each length at which the digits of the length become more, in characters, in bytes, and in both. */
const LENGTHS = [0, 1, 3, 4, 5, 9, 10, 33, 34, 49, 50, 99, 100, 333, 334, 500, 999, 1000, 3334, 5000, 9999, 10_000];
const VERBS = [
  VERB.get,
  VERB.set,
  VERB.add,
  VERB.replace,
  VERB.append,
  VERB.prepend,
  VERB.delete,
  VERB.incr,
  VERB.decr,
  VERB.touch,
  VERB.getAndTouch,
];
const NUMBERS = [0n, 1n, 9n, 10n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 10n ** 19n, 2n ** 64n - 1n];

function detailsOf(verb: Verb): Details | undefined {
  const cas = oneOf([0n, 0n, ...NUMBERS]);
  const exptime = oneOf([0, 1, 9, 10, 2_592_000, 2 ** 31 - 1, 0xfffffffe]);
  switch (verb) {
    case VERB.get:
      return undefined;
    case VERB.delete:
      return oneOf([undefined, { cas }]);
    case VERB.touch:
    case VERB.getAndTouch:
      return { exptime };
    case VERB.incr:
    case VERB.decr:
      return { delta: oneOf(NUMBERS), initial: oneOf(NUMBERS), exptime: oneOf([exptime, 0xffffffff]), cas };
    default: {
      const text = oneOf(["x", "é", "漢", "\r\n", "\ud800"]).repeat(oneOf(LENGTHS));
      return { value: oneOf([text, encoder.encode(text)]), flags: oneOf([0, 1, 0xffffffff]), exptime, cas };
    }
  }
}

/** A request by chance, and its bytes; behind them nothing is written, and there is room for them. */
function written(wire: MetaWire, request: Request): Uint8Array {
  const room = wire.room(request);
  const into = new Uint8Array(room + 8).fill(0xff);
  const end = wire.write(request, into, 4);
  assert(end <= 4 + room, `${end - 4} bytes, room for ${room}`);
  assertEquals([...into.subarray(0, 4), ...into.subarray(4 + room)], new Array<number>(8).fill(0xff));
  return into.slice(4, end);
}

/** What a request has to be, built plainly. */
function plain({ verb, key, opaque, details = {} }: Request): Uint8Array {
  const { value = "", flags = 0, exptime = 0, cas = 0n, delta, initial } = details;
  const own = `O${opaque.toString(16).padStart(8, "0")}`;
  const given = (letter: string, number: number | bigint) => Number(number) === 0 ? [] : [`${letter}${number}`];
  const line = (...words: readonly (string | readonly string[])[]) => `${words.flat().join(" ")}\r\n`;
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  const mode = { [VERB.add]: ["ME"], [VERB.replace]: ["MR"], [VERB.append]: ["MA"], [VERB.prepend]: ["MP"] };
  switch (verb) {
    case VERB.get:
      return encoder.encode(line("mg", key, own, "f", "c", "v"));
    case VERB.touch:
      return encoder.encode(line("mg", key, own, `T${exptime}`));
    case VERB.getAndTouch:
      return encoder.encode(line("mg", key, own, `T${exptime}`, "f", "c", "v"));
    case VERB.delete:
      return encoder.encode(line("md", key, own, given("C", cas)));
    case VERB.incr:
    case VERB.decr: {
      const create = exptime === 0xffffffff ? [] : [`N${exptime}`, `J${initial}`];
      const down = verb === VERB.decr ? ["MD"] : [];
      return encoder.encode(line("ma", key, own, "v", "c", down, `D${delta}`, create, given("C", cas)));
    }
    default: {
      const keeps = verb === VERB.append || verb === VERB.prepend;
      const terms = keeps ? [] : [...given("F", flags), ...given("T", exptime)];
      const how = (mode as Partial<Record<Verb, string[]>>)[verb] ?? [];
      const head = line("ms", key, `${bytes.length}`, own, "c", how, terms, given("C", cas));
      return Uint8Array.from([...encoder.encode(head), ...bytes, 0x0d, 0x0a]);
    }
  }
}

test("5,000 requests by chance are written as they have to be, within their room", {
  timeout: 60_000,
}, () => {
  for (let n = 0; n < 5000; n++) {
    const verb = oneOf(VERBS);
    const key = oneOf(KEYS);
    const request = new Request(verb, key, encoder.encode(key).length, detailsOf(verb));
    const first = oneOf([0, 1, 0x7fffffff, 0x80000000, 0xffffffff]);
    const frame = written(new MetaWire(1000, first), request);
    assertEquals(request.opaque, first);
    assertEquals(decoder.decode(frame), decoder.decode(plain(request)), VERB_NAMES[verb]!);
    assertEquals(frame.length, plain(request).length);
  }
});

test("a multi-get is a quiet mg for each key under opaques that wrap, and an mn", () => {
  const request = new Request(VERB.getMulti, "", 0, { list: new KeyList(KEYS) });
  const wire = new MetaWire(1000, 0xfffffffd);
  const lines = KEYS.map((key, n) =>
    `mg ${key} O${((0xfffffffd + n) >>> 0).toString(16).padStart(8, "0")} k q f c v\r\n`
  );
  assertEquals(decoder.decode(written(wire, request)), `${lines.join("")}mn\r\n`);
  // Its mn takes one as well, though it shows none.
  const next = new Request(VERB.get, "k", 1, undefined);
  written(wire, next);
  assertEquals(next.opaque, (0xfffffffd + KEYS.length + 1) >>> 0);
});

test("what the classic protocol is asked has no opaque", () => {
  const cases: readonly [verb: Verb, key: string, details: Details | undefined, line: string][] = [
    [VERB.flushAll, "", undefined, "flush_all\r\n"],
    [VERB.flushAll, "", { exptime: 2_592_000 }, "flush_all 2592000\r\n"],
    [VERB.stats, "", undefined, "stats\r\n"],
    [VERB.stats, "detail on", undefined, "stats detail on\r\n"],
    [VERB.version, "", undefined, "version\r\n"],
    [VERB.noop, "", undefined, "mn\r\n"],
    [
      VERB.login,
      "",
      { login: { username: "älice", password: "pass word" } },
      "set %login 0 -1 16\r\nälice pass word\r\n",
    ],
  ];
  for (const [verb, key, details, line] of cases) {
    const request = new Request(verb, key, key.length, details);
    const frame = written(new MetaWire(1000), request);
    assertEquals(decoder.decode(frame), line);
  }
});
