/** Real replies, recorded once, changed by chance, and fed to a wire alone and to a whole client. No protocol is known here. */

import { Memcached, MemcachedError, type MemcachedOptions } from "../../src/memcached/mod.ts";
import { KeyList } from "../../src/memcached/protocol/keys.ts";
import { Request, VERB, type Verb } from "../../src/memcached/protocol/request.ts";
import { type Reply, Unreadable, type Wire } from "../../src/memcached/protocol/wire.ts";
import type { Random } from "../../src/util/random.ts";
import { type Address, type Connect, connect, type SocketListener } from "../../src/socket/socket.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";
import { FakeSocket } from "./_fakes.ts";
import { join, replyTo } from "./_frames.ts";

/** Largest value, and so the largest frame: what memory is measured against. */
const MAX_VALUE_BYTES = 4096;
const MAX_BODY_BYTES = MAX_VALUE_BYTES + 64 * 1024;

/** One call, as a client is asked it and as a wire is. */
interface Line {
  readonly ask: (client: Memcached) => Promise<unknown>;
  readonly request: () => Request;
}

const MULTI = ["a", "missing", "long", "b"];
const line = (ask: Line["ask"], verb: Verb, key: string, details?: Request["details"]): Line => ({
  ask,
  request: () => new Request(verb, key, key.length, details),
});
const write = { value: "value", flags: 7, exptime: 0, cas: 0n };
const count = { delta: 1n, initial: 5n, exptime: 0 };

/** Calls of one tick: together every shape of a reply. */
const script: readonly Line[] = [
  line(async (client) => (await client.get("a"))?.text(), VERB.get, "a"),
  line(async (client) => (await client.get("missing"))?.text(), VERB.get, "missing"),
  line(async (client) => (await client.set("b", "value", { flags: 7 })).stored, VERB.set, "b", write),
  line(async (client) => (await client.add("b", "value", { flags: 7 })).stored, VERB.add, "b", write),
  line((client) => client.incr("n", 0, { initial: 5n }), VERB.incr, "n", { ...count, delta: 0n }),
  {
    ask: async (client) => [...await client.getMulti(MULTI)].map(([key, item]) => `${key}: ${item.text()}`),
    request: () => new Request(VERB.getMulti, "", 0, { list: new KeyList(MULTI) }),
  },
  line((client) => client.delete("missing"), VERB.delete, "missing"),
  line((client) => client.incr("a", 1).catch((error) => error.status), VERB.incr, "a", {
    ...count,
    initial: 0n,
    exptime: 0xffffffff,
  }),
  line(async (client) => (await client.stats("settings")).size, VERB.stats, "settings"),
  line((client) => client.touch("a", 0), VERB.touch, "a", { exptime: 0 }),
  line(async (client) => (await client.get("long"))?.text(), VERB.get, "long"),
];

/** What a server said to the script. */
export interface Tape {
  readonly protocol: NonNullable<MemcachedOptions["protocol"]>;
  /** To the first write of a connection, before anything was asked. */
  readonly probe: Uint8Array;
  readonly replies: Uint8Array;
  /** What the callers got, as text. */
  readonly answers: readonly string[];
}

const textOf = (answer: unknown): string =>
  JSON.stringify(answer, (_, one) => typeof one === "bigint" ? `${one}n` : one);

/** Plays the script to a real server, and keeps what it says. */
export async function record(address: string, protocol: Tape["protocol"]): Promise<Tape> {
  await using before = new Memcached(address, { protocol });
  await Promise.all([before.set("a", "value of a"), before.set("long", "long ".repeat(500)), before.set("b", "value")]);
  await before.incr("n", 0, { initial: 5n });
  const chunks: Uint8Array[] = [];
  const recording: Connect = (place, listener) =>
    connect(place, {
      opened: () => listener.opened(),
      sent: () => listener.sent(),
      closed: (error) => listener.closed(error),
      received: (bytes) => {
        chunks.push(bytes.slice());
        listener.received(bytes);
      },
    });
  await using client = new Memcached(address, { protocol, connect: recording } as MemcachedOptions);
  const answers = await Promise.all(script.map(({ ask }) => ask(client)));
  // Nothing leaves before the probe is answered, so its answer is a chunk of its own.
  return { protocol, probe: chunks[0]!, replies: join(...chunks.slice(1)), answers: answers.map(textOf) };
}

const below = (random: Random, most: number): number => Math.floor(random.fraction() * most);

/** One change. What is the same length as before stays in step; what is not, does not. */
function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  // Half of them near the beginning: the earlier a fault, the more there is behind it.
  const at = below(random, random.fraction() < 0.5 ? Math.min(200, bytes.length) : bytes.length);
  const length = below(random, 40);
  const changed = bytes.slice();
  switch (below(random, 9)) {
    case 0:
      changed[at] = changed[at]! ^ 1 << below(random, 8);
      return changed;
    case 1:
      changed[at] = below(random, 256);
      return changed;
    case 2:
      changed.fill(0xff, at, at + 1 + below(random, 8));
      return changed;
    case 3:
      changed.fill(0, at, at + 1 + below(random, 8));
      return changed;
    case 4:
      return bytes.slice(0, at);
    case 5:
      return join(bytes.subarray(0, at), bytes.subarray(at + 1 + length));
    case 6:
      return join(
        bytes.subarray(0, at),
        Uint8Array.from({ length: 1 + length }, () => below(random, 256)),
        bytes.subarray(at),
      );
    case 7:
      return join(bytes.subarray(0, at + length), bytes.subarray(at));
    default: {
      // A 32-bit number of consequence, wherever it falls.
      const view = new DataView(changed.buffer);
      const edges = [0x7fffffff, 0x80000000, 0xffffffff, MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 1];
      if (at + 4 <= changed.length) view.setUint32(at, edges[below(random, edges.length)]!);
      return changed;
    }
  }
}

function mutation(bytes: Uint8Array, random: Random): Uint8Array {
  let changed = mutated(bytes, random);
  while (random.fraction() < 0.3) changed = mutated(changed, random);
  return changed;
}

/** In pieces by chance: one, a few, or many small ones. */
function* pieces(bytes: Uint8Array, random: Random): Generator<Uint8Array> {
  const most = [Infinity, Infinity, 1000, 30][below(random, 4)]!;
  for (let at = 0; at < bytes.length;) {
    const length = most === Infinity ? bytes.length : 1 + below(random, most);
    yield bytes.subarray(at, at += length);
  }
}

/** What came of them. */
export interface Mutations {
  readonly count: number;
  /** Bytes that were seen to be no reply. The rest were cut, or changed where no protocol can see it: within a value. */
  readonly refused: number;
}

/** The probe and the script, numbered as a client does it: what waits for a connection is written before its probe is. */
function asked(wire: Wire): Request[] {
  const into = new Uint8Array(16 * 1024);
  const requests = script.map(({ request }) => request());
  const probe = wire.speaks === "meta"
    ? new Request(VERB.get, "%probe", 6, undefined)
    : new Request(VERB.noop, "", 0, undefined);
  for (const request of [...requests, probe]) wire.write(request, into, 0);
  return [probe, ...requests];
}

const contentOf = ({ status, flags, casHigh, casLow, chunk, valueStart, valueEnd }: Reply): string =>
  JSON.stringify([status, flags, casHigh, casLow, ...chunk.subarray(valueStart, valueEnd)]);

/** Makes the wire of a new connection. */
type NewWire = (longestValueBytes: number) => Wire;

/** What each reply says as it was recorded, and where it ends. Throws an Error unless they are just the answers to what is asked. */
function untouched(bytes: Uint8Array, newWire: NewWire): { readonly content: string; readonly end: number }[] {
  const wire = newWire(MAX_BODY_BYTES);
  const requests = asked(wire);
  const replies: { content: string; end: number }[] = [];
  let n = 0;
  for (let at = 0; at < bytes.length; at++) {
    wire.push(bytes.slice(at, at + 1));
    for (let reply = wire.next(requests[n]); reply !== undefined; reply = wire.next(requests[n])) {
      replies.push({ content: contentOf(reply), end: at + 1 });
      if (reply.last) n++;
    }
  }
  if (n !== requests.length || wire.end() !== undefined) throw new Error(`the tape answers ${n} of ${requests.length}`);
  return replies;
}

/** How many bytes are the same before the first that is not. */
function sameBytes(one: Uint8Array, other: Uint8Array): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at;
}

/**
 * Changed replies to a wire alone: those before the first change are right, and there are no fewer of them. Behind it a
 * reply may be forged out of two that were cut. Throws an Error that names the seed of what it could not take.
 */
export function mutateWire(tape: Tape, newWire: NewWire, count: number, seed: number): Mutations {
  let refused = 0;
  const original = join(tape.probe, tape.replies);
  const right = untouched(original, newWire);
  for (let n = 0; n < count; n++) {
    const random = new SeededRandom(BigInt(seed) * 2n ** 32n + BigInt(n));
    const wire = newWire(MAX_BODY_BYTES);
    const requests = asked(wire);
    const bytes = mutation(original, random);
    const same = sameBytes(original, bytes);
    let answered = 0;
    let read = 0;
    // Each reply takes a byte at least, so there cannot be more of them.
    let left = bytes.length + 1;
    try {
      for (const piece of pieces(bytes, random)) {
        wire.push(piece);
        for (let reply = wire.next(requests[answered]); reply !== undefined; reply = wire.next(requests[answered])) {
          const { chunk, keyStart, keyEnd, valueStart, valueEnd, last } = reply;
          const inside = (start: number, end: number) => 0 <= start && start <= end && end <= chunk.length;
          if (!inside(keyStart, keyEnd) || !inside(valueStart, valueEnd)) {
            throw new Error(`a reply outside of its chunk`);
          }
          // One frame, and what it was joined with.
          if (chunk.length > Math.max(2 * bytes.length, MAX_BODY_BYTES + 24)) {
            throw new Error(`a chunk of ${chunk.length}`);
          }
          if (--left < 0) throw new Error("replies without an end");
          const { content, end } = right[read] ?? { content: "", end: Infinity };
          if (end <= same && contentOf(reply) !== content) throw new Error(`reply ${read} is wrong`);
          read++;
          if (last) answered++;
        }
      }
      if (wire.end() !== undefined) refused++;
    } catch (error) {
      if (!(error instanceof Unreadable)) throw new Error(`seed ${seed}, mutation ${n}: ${error}`, { cause: error });
      refused++;
    }
    const due = right.filter(({ end }) => end <= same).length;
    if (read < due) throw new Error(`seed ${seed}, mutation ${n}: ${read} replies were read, ${due} were not touched`);
  }
  return { count, refused };
}

/** A client that is played to from a tape. */
class Player {
  readonly clock = new FakeClock();
  readonly client: Memcached;
  dead = false;
  socket!: FakeSocket;
  readonly #protocol: Tape["protocol"];

  constructor({ protocol }: Tape) {
    this.#protocol = protocol;
    const connect = (address: Address, listener: SocketListener) => this.socket = new FakeSocket(address, listener);
    const random = { fraction: () => 0.5, uint64: () => 0n };
    const options = { protocol, clock: this.clock, maxValueBytes: MAX_VALUE_BYTES, connect, random };
    this.client = new Memcached("a", options as MemcachedOptions);
    this.client.on("dead", () => this.dead = true);
    this.client.on("alive", () => this.dead = false);
  }

  /** Asks the whole script on a connection of its own, whose server says these. Gives all fates, once all connections have ended. */
  async play(probe: Uint8Array, replies: Iterable<Uint8Array>): Promise<PromiseSettledResult<unknown>[]> {
    const { clock, client } = this;
    if (this.dead) {
      // The try that a dead server gets has a probe of its own; what is asked then gets a connection like the tape's.
      for (const last = this.socket; this.socket === last;) await clock.advance(500);
      this.socket.open();
      this.socket.say(this.#protocol === "meta" ? "EN\r\n" : replyTo(this.socket.requests[0]!));
      this.socket.end();
    }
    const calls = script.map(({ ask }) => ask(client));
    let left = calls.length;
    for (const call of calls) call.then(() => left--, () => left--);
    const { socket } = this;
    socket.open();
    socket.say(probe);
    await Promise.resolve();
    for (const piece of replies) socket.say(piece);
    await clock.settle();
    // Reads are repeated on one more connection, which ends as well.
    for (let ends = 0; ends < 4 && (left > 0 || ends === 0); ends++) {
      this.socket.end();
      await clock.settle();
    }
    if (left > 0) throw new Error(`${left} calls never settled`);
    return await Promise.allSettled(calls);
  }
}

/** The same to a whole client: after each of them, it must get everything right from a server that is right. */
export async function mutateClient(tape: Tape, count: number, seed: number): Promise<Mutations> {
  const player = new Player(tape);
  let refused = 0;
  const check = (n: number, right: boolean, words: () => string) => {
    if (!right) throw new Error(`seed ${seed}, mutation ${n}: ${words()}`);
  };
  for (let n = 0; n < count; n++) {
    const random = new SeededRandom(BigInt(seed) * 2n ** 32n + BigInt(n));
    const inProbe = random.fraction() < 0.05;
    const probe = inProbe ? mutation(tape.probe, random) : tape.probe;
    const fates = await player.play(probe, pieces(inProbe ? tape.replies : mutation(tape.replies, random), random));
    for (const fate of fates) {
      if (fate.status === "fulfilled") continue;
      refused++;
      check(n, fate.reason instanceof MemcachedError, () => `rejected with ${fate.reason?.stack}`);
    }
    const again = await player.play(tape.probe, [tape.replies]);
    again.forEach((fate, line) => {
      const answer = fate.status === "fulfilled" ? textOf(fate.value) : String(fate.reason);
      check(n, answer === tape.answers[line], () => `afterwards line ${line} was ${answer}, not ${tape.answers[line]}`);
    });
  }
  await player.client.close();
  check(count, player.clock.pending === 0, () => `${player.clock.pending} timers are left`);
  return { count, refused };
}
