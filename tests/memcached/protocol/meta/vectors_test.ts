/**
 * What a real memcached was asked and answered in meta, line for line. The vectors do not carry our opaque, so each of
 * their commands becomes the request that the driver would have sent, and the answers get its opaque. What the driver
 * never sends (`me`, N, R, I, base64, quiet writes, lines that are wrong) is read as the answer to the nearest verb.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { MetaWire } from "../../../../src/memcached/protocol/meta/wire.ts";
import { KeyList } from "../../../../src/memcached/protocol/keys.ts";
import { type Details, Request, VERB, type Verb, VERB_NAMES } from "../../../../src/memcached/protocol/request.ts";
import { type Reply, uint64, Unreadable } from "../../../../src/memcached/protocol/wire.ts";
import file from "../../../vectors/meta_vectors.json" with { type: "json" };

interface Vector {
  readonly name: string;
  readonly setup?: readonly string[];
  readonly setupResponses?: readonly string[];
  readonly request: string;
  readonly response: string;
  readonly response1645?: string;
}

/** A line and its data block. */
interface Command {
  readonly name: string;
  readonly key: string;
  /** What stands where the length does; only `ms` and the classic writes have one. */
  readonly size: number | undefined;
  readonly value: string | undefined;
  /** The letter first. */
  readonly flags: readonly string[];
}

/** One answer as it was recorded: its line, and the value behind a VA. */
interface Recorded {
  readonly line: string;
  readonly value: string | undefined;
}

/** One answer as the driver is to get it. */
interface Due extends Recorded {
  /** What it answers. */
  readonly expected: Request;
  readonly bytes: Uint8Array;
}

const vectors = file.vectors as readonly Vector[];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Near the end of the opaques: they wrap on the way. */
const FIRST_OPAQUE = 0xfffffffe;
const MAX_BODY_BYTES = 1_200_000;

/** A request that the file shortened: the line, a block of one letter, and the noop behind it. */
function whole(request: string): string {
  const cut = /^(ms \S+ (\d+)\r\n)a+…\((\d+)\)$/.exec(request);
  if (cut === null) return request;
  const text = `${cut[1]}${"a".repeat(Number(cut[2]))}\r\nmn\r\n`;
  assertEquals(text.length, Number(cut[3]));
  return text;
}

/** Commands as the server reads them: a block that does not end where its length says is a line of its own. */
function commandsIn(text: string): Command[] {
  const commands: Command[] = [];
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\r\n", at);
    const [name = "", key = "", ...flags] = text.slice(at, end).split(" ");
    at = end + 2;
    const length = name === "ms" ? flags.shift() : name === "add" ? flags.splice(0, 3)[2] : undefined;
    const size = length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined;
    const hasBlock = size !== undefined && text.startsWith("\r\n", at + size);
    commands.push({ name, key, size, value: hasBlock ? text.slice(at, at + size) : undefined, flags });
    if (hasBlock) at += size + 2;
  }
  return commands;
}

function recordedIn(text: string): Recorded[] {
  const recorded: Recorded[] = [];
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\r\n", at);
    const line = text.slice(at, end);
    at = end + 2;
    const bytes = /^VA (\d+)/.exec(line)?.[1];
    if (bytes === undefined) recorded.push({ line, value: undefined });
    else {
      recorded.push({ line, value: text.slice(at, at + Number(bytes)) });
      at += Number(bytes) + 2;
    }
  }
  return recorded;
}

/** What stands behind a flag's letter; `undefined`: the flag is not there. */
const flagOf = (flags: readonly string[], letter: string): string | undefined =>
  flags.find((flag) => flag.startsWith(letter))?.slice(1);
const numberOf = (flags: readonly string[], letter: string): number => {
  const digits = flagOf(flags, letter) ?? "";
  return /^\d+$/.test(digits) ? Number(digits) : 0;
};

const MODES: Readonly<Record<string, Verb>> = {
  E: VERB.add,
  R: VERB.replace,
  A: VERB.append,
  P: VERB.prepend,
};

/** The verb that sends this, or the nearest one. */
function verbOf({ name, flags }: Command): Verb {
  switch (name) {
    case "mg":
      if (flagOf(flags, "v") === undefined) return VERB.touch;
      return flagOf(flags, "T") === undefined ? VERB.get : VERB.getAndTouch;
    case "me":
    case "get":
      return VERB.get;
    case "ms":
      return MODES[flagOf(flags, "M") ?? ""] ?? VERB.set;
    case "add":
      return VERB.add;
    case "md":
      return VERB.delete;
    case "ma":
      return flagOf(flags, "M") === "D" ? VERB.decr : VERB.incr;
    case "version":
      return VERB.version;
    case "flush_all":
    case "verbosity":
      return VERB.flushAll;
    default:
      return VERB.noop;
  }
}

const keyBytesOf = (key: string): number => encoder.encode(key).length;

/** The driver's request for a command. */
function requestOf(command: Command): Request {
  const { key, flags, value } = command;
  const verb = verbOf(command);
  const exptime = numberOf(flags, "T");
  const cas = BigInt(numberOf(flags, "C"));
  const details: Details | undefined = command.name === "ms" || command.name === "add"
    ? { value: value ?? "", flags: numberOf(flags, "F"), exptime, cas }
    : verb === VERB.incr || verb === VERB.decr
    ? {
      delta: BigInt(flagOf(flags, "D") ?? 1),
      initial: BigInt(flagOf(flags, "J") ?? 0),
      exptime: flagOf(flags, "N") === undefined ? 0xffffffff : numberOf(flags, "N"),
      cas,
    }
    : verb === VERB.touch || verb === VERB.getAndTouch
    ? { exptime }
    : cas === 0n
    ? undefined
    : { cas };
  return new Request(verb, verb === VERB.noop ? "" : key, verb === VERB.noop ? 0 : keyBytesOf(key), details);
}

/** A run of quiet gets up to its `mn` is one multi-get; everything else is a request each. */
function requestsOf(commands: readonly Command[]): { readonly request: Request; readonly commands: Command[] }[] {
  const requests: { request: Request; commands: Command[] }[] = [];
  for (let at = 0; at < commands.length;) {
    let end = at;
    while (commands[end]?.name === "mg" && commands[end]!.flags.includes("q")) end++;
    if (end > at && commands[end]?.name === "mn") {
      const keys = commands.slice(at, end).map(({ key }) => key);
      const request = new Request(VERB.getMulti, "", 0, { list: new KeyList(keys) });
      requests.push({ request, commands: commands.slice(at, end + 1) });
      at = end + 1;
    } else {
      requests.push({ request: requestOf(commands[at]!), commands: [commands[at]!] });
      at++;
    }
  }
  return requests;
}

/** Flags that the driver sends, by command. */
const SENT: Readonly<Record<string, string>> = { mg: "OkqfcvT", ms: "OcMFTC", md: "OC", ma: "OvcMDNJC" };
/**
 * Flags in which a vector's line and the driver's differ though they ask for the same: O, which is always ours; what is
 * to be returned, of which the driver always wants the same (f, c, and v of `ma`; k only in a multi-get) and never the
 * rest (t, s, h, l).
 */
const BY_DESIGN: Readonly<Record<string, string>> = { mg: "Ofckthsl", ms: "Ocks", md: "Ok", ma: "Ovckt" };

/** Is this a line as the driver sends it, but for those flags? */
function isSent({ name, key, size, value, flags }: Command): boolean {
  if (name === "mn" || name === "version" || name === "flush_all") return key === "";
  const letters = flags.map(([letter]) => letter!);
  const opaque = flagOf(flags, "O") ?? "";
  return name in SENT && key !== "" && keyBytesOf(key) <= 250 && new Set(letters).size === letters.length &&
    letters.every((letter) => SENT[name]!.includes(letter) || BY_DESIGN[name]!.includes(letter)) &&
    opaque.length <= 32 && !flags.some((flag) => /^[TFN](?!\d)/.test(flag)) && numberOf(flags, "F") < 2 ** 32 &&
    (name !== "ms" || size !== undefined && value !== undefined) &&
    // A touch has a T at least; without both there is nothing to ask for.
    (name !== "mg" || letters.includes("v") || letters.includes("T"));
}

/** The same for a whole request: quiet are only the gets of a multi-get. */
const isSentAs = ({ verb }: Request, commands: readonly Command[]): boolean =>
  commands.every((command) => isSent(command) && (verb === VERB.getMulti || !command.flags.includes("q")));

function written(wire: MetaWire, request: Request): Uint8Array {
  const into = new Uint8Array(wire.room(request)).fill(0xff);
  return into.slice(0, wire.write(request, into, 0));
}

/** A quiet command is answered only where what follows is its own. */
function answers({ flags, name }: Command, recorded: Recorded | undefined): boolean {
  if (recorded === undefined || name === "mn") return recorded !== undefined;
  if (!flags.includes("q")) return true;
  const opaque = flagOf(flags, "O");
  return recorded.line !== "MN" && (opaque === undefined || recorded.line.split(" ").includes(`O${opaque}`));
}

/** The line with our opaque: where one stands already, and where the reader wants one. */
function withOpaque(line: string, opaque: number): string {
  const flag = ` O${opaque.toString(16).padStart(8, "0")}`;
  if (/^(?:VA|HD|EN|NF|NS|EX)\b.* O/.test(line)) return line.replace(/ O\S+/, flag);
  return /^(?:VA|HD)\b/.test(line) ? line + flag : line;
}

/** The answers to all of this in order, as the driver would get them. */
function duesOf(exchanges: readonly (readonly [request: string, response: string])[]): Due[] {
  const wire = new MetaWire(MAX_BODY_BYTES, FIRST_OPAQUE);
  const dues: Due[] = [];
  for (const [asked, said] of exchanges) {
    const rest = recordedIn(said);
    for (const { request, commands } of requestsOf(commandsIn(whole(asked)))) {
      written(wire, request);
      commands.forEach((command, n) => {
        if (!answers(command, rest[0])) return;
        const { line, value } = rest.shift()!;
        const patched = withOpaque(line, (request.opaque + (command.name === "mn" ? 0 : n)) >>> 0);
        const bytes = encoder.encode(`${patched}\r\n${value === undefined ? "" : `${value}\r\n`}`);
        dues.push({ line, value, expected: request, bytes });
      });
    }
    // What is left is no line of an answer, but the rest of one in the classic protocol.
    const last = dues.at(-1)!;
    const more = rest.map(({ line }) => `${line}\r\n`).join("");
    if (more !== "") dues[dues.length - 1] = { ...last, bytes: encoder.encode(decoder.decode(last.bytes) + more) };
  }
  return dues;
}

const WRITES = "set add replace append prepend";
/** What a code says to a verb. Whatever is not here is no answer. */
const MEANINGS: readonly (readonly [code: string, status: number, verbs: string])[] = [
  ["VA", 0, "get getMulti getAndTouch incr decr"],
  ["HD", 0, `${WRITES} delete touch`],
  ["EN", 1, "get getAndTouch touch"],
  ["NF", 1, `${WRITES} delete incr decr`],
  ["EX", 2, `${WRITES} delete`],
  ["NS", 2, "add"],
  ["NS", 1, "replace"],
  ["NS", 5, "set append prepend"],
  ["MN", 0, "noop getMulti"],
  ["OK", 0, "flushAll"],
  ["VERSION", 0, "version"],
];
const ERRORS: Readonly<Record<string, number>> = {
  "SERVER_ERROR object too large for cache": 3,
  "CLIENT_ERROR cannot increment or decrement non-numeric value": 6,
  ERROR: 0x81,
};

/** `undefined`: it is no answer to this. */
function statusOf({ line, expected: { verb } }: Due): number | undefined {
  const [code] = line.split(" ");
  if (isError(line)) return ERRORS[line] ?? 4;
  return MEANINGS.find(([known, , verbs]) => code === known && verbs.split(" ").includes(VERB_NAMES[verb]!))?.[1];
}

const isError = (line: string): boolean => /^(?:CLIENT_ERROR |SERVER_ERROR |ERROR$)/.test(line);

/** Is the reply what stands there? */
function check(reply: Reply, due: Due): void {
  const { line, value, expected: { verb, details } } = due;
  const flags = line.split(" ").slice(value === undefined ? 1 : 2);
  assertEquals(reply.status, statusOf(due));
  const text = decoder.decode(reply.chunk.slice(reply.valueStart, reply.valueEnd));
  if (isError(line)) return assertEquals(text, line);
  if (verb === VERB.version) return assertEquals(text, flags[0]);
  assertEquals(text, value ?? "");
  assertEquals(reply.flags, numberOf(flags, "f"));
  assertEquals(uint64(reply.casHigh, reply.casLow), BigInt(flagOf(flags, "c") ?? 0));
  assertEquals(decoder.decode(reply.chunk.slice(reply.keyStart, reply.keyEnd)), flagOf(flags, "k") ?? "");
  assertEquals(reply.last, verb !== VERB.getMulti || line === "MN");
  if (verb === VERB.getMulti && !reply.last) assertEquals(details!.list!.keys[reply.index], flagOf(flags, "k"));
  if (value !== undefined && (verb === VERB.incr || verb === VERB.decr)) assertEquals(reply.counter(), BigInt(value));
}

/** What is read before the first answer that is none, and that one. */
function parted(dues: readonly Due[]): { readonly read: readonly Due[]; readonly refused: Due | undefined } {
  const end = dues.findIndex((due) => statusOf(due) === undefined);
  return end === -1 ? { read: dues, refused: undefined } : { read: dues.slice(0, end), refused: dues[end] };
}

function streamOf(dues: readonly Due[]): { readonly stream: Uint8Array; readonly ends: readonly number[] } {
  const ends: number[] = [];
  const bytes = dues.flatMap((due) => {
    ends.push((ends.at(-1) ?? 0) + due.bytes.length);
    return [...due.bytes];
  });
  return { stream: Uint8Array.from(bytes), ends };
}

/** Which way a vector went. Every vector goes one. */
type Path = "sent" | "error" | "nearest" | "unreadable";
const paths = new Map<string, Path>();
let compared = 0;
let later = 0;

test("all vectors are here", () => assertEquals(vectors.length, 99));

for (const vector of vectors) {
  const setups = (vector.setup ?? []).filter((line) => !line.startsWith("<sleep"));
  const exchanges = setups.map((line, n) => [line, vector.setupResponses![n]!] as const);
  const versions: [version: string, dues: Due[]][] = [
    ["1.6.18", duesOf([...exchanges, [vector.request, vector.response]])],
  ];
  if (vector.response1645 !== undefined) {
    versions.push(["1.6.45", duesOf([...exchanges, [vector.request, vector.response1645]])]);
    later++;
  }

  for (const [version, dues] of versions) {
    const { read, refused } = parted(dues);
    const { stream, ends } = streamOf(read);

    for (const size of [Infinity, 7, 1]) {
      const way = size === Infinity ? "whole" : `${size} bytes at a time`;
      test(`vector ${vector.name}: the answer of ${version} is read, ${way}`, () => {
        const wire = new MetaWire(MAX_BODY_BYTES);
        let n = 0;
        const step = Math.min(size, Math.max(stream.length, 1));
        for (let at = 0; at < stream.length; at += step) {
          wire.push(stream.slice(at, at + step));
          for (let reply; (reply = wire.next(read[n]?.expected)) !== undefined;) check(reply, read[n++]!);
        }
        assertEquals(n, read.length);
        assertEquals(wire.end(), undefined);
        if (refused === undefined) return;
        // The line is refused once it is whole, at the latest; that it is a reply is never said.
        assertThrows(() => {
          for (let at = 0; at < refused.bytes.length; at += step) {
            wire.push(refused.bytes.slice(at, at + step));
            assertEquals(wire.next(refused.expected), undefined);
          }
        }, Unreadable);
      });
    }

    test(`vector ${vector.name}: of every prefix of the answer of ${version} just the whole replies are read`, () => {
      for (let length = 0; length <= stream.length; length++) {
        const wire = new MetaWire(MAX_BODY_BYTES);
        wire.push(stream.slice(0, length));
        let n = 0;
        while (wire.next(read[n]?.expected) !== undefined) n++;
        assertEquals(n, ends.filter((end) => end <= length).length);
        assertEquals(wire.end() === undefined, length === 0 || ends.includes(length));
      }
    });

    const numbered = read.filter(({ line }) => /^(?:VA|HD)\b/.test(line));
    if (numbered.length === 0) continue;
    test(`vector ${vector.name}: the answer of ${version} is refused where it lacks the opaque that was sent`, () => {
      for (const { expected, line, value } of numbered) {
        const bare = `${line.replace(/ O\S+/, "")}\r\n${value === undefined ? "" : `${value}\r\n`}`;
        for (const said of [bare, bare.replace("\r\n", " Oabc\r\n"), bare.replace("\r\n", " O7fffffff\r\n")]) {
          const wire = new MetaWire(MAX_BODY_BYTES);
          wire.push(encoder.encode(said));
          assertThrows(() => wire.next(expected), Unreadable, "opaque");
        }
      }
    });
  }

  const asked = requestsOf(commandsIn(whole(vector.request)));
  const dues = versions[0]![1];
  assert(!paths.has(vector.name), vector.name);
  paths.set(
    vector.name,
    parted(dues).refused !== undefined
      ? "unreadable"
      : dues.some(({ line }) => isError(line))
      ? "error"
      : asked.every(({ request, commands }) => isSentAs(request, commands))
      ? "sent"
      : "nearest",
  );

  test(`vector ${vector.name}: what the driver sends asks for the same`, () => {
    for (
      const { request, commands } of [...setups, vector.request].flatMap((text) => requestsOf(commandsIn(whole(text))))
    ) {
      if (!isSentAs(request, commands)) continue;
      const sent = commandsIn(decoder.decode(written(new MetaWire(MAX_BODY_BYTES), request)));
      assertEquals(sent.map(meaning), commands.map(meaning));
      compared++;
    }
  });
}

/** A command as something to compare: defaults written out, without the flags that differ by design. */
function meaning({ name, key, size, value, flags }: Command): unknown {
  const own = new Set(flags.filter(([letter]) => !BY_DESIGN[name]?.includes(letter!)));
  if (name === "ma") {
    if (flagOf(flags, "D") === undefined) own.add("D1");
    if (flagOf(flags, "N") !== undefined && flagOf(flags, "J") === undefined) own.add("J0");
  }
  return { name, key, size, block: value === undefined ? undefined : encoder.encode(value), flags: own };
}

test("every vector went one of the ways, and which one is known", () => {
  const counts: Record<Path, number> = { sent: 0, error: 0, nearest: 0, unreadable: 0 };
  for (const path of paths.values()) counts[path]++;
  assertEquals(paths.size, 99);
  assertEquals(counts, { sent: 50, error: 13, nearest: 31, unreadable: 5 });
  const named = (path: Path) => [...paths].filter(([, way]) => way === path).map(([name]) => name);
  // Answers of commands that are never sent; HD to a counter without `v`, which is always sent.
  assertEquals(named("unreadable"), [
    "me.hit",
    "mg.N.plain-get-sees-stub",
    "add-on-stub",
    "mg.stale.classic-get",
    "ma.noV",
  ]);
  // Lines that 1.6.18 or the driver's own restraint calls wrong, and the two errors that a right one gets.
  assertEquals(named("error"), [
    "mg.b.bad",
    "mg.dup-flag",
    "mg.unknown-flag",
    "mg.key251",
    "mg.O.33bytes",
    "ms.E.explicit-cas",
    "ms.wrong-length",
    "ms.toolarge",
    "ms.old-datalen-flag",
    "md.x",
    "ma.nonnumeric",
    "unknown",
    "mg.nokey",
  ]);
  // Answers of 1.6.45 that are others; commands, setups included, that were written by the driver and compared.
  assertEquals([later, compared], [12, 155]);
});
