/** Fake servers on loopback: honest until they are told to misbehave, each in a way of its own. Binary protocol. */

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { Memcached } from "../../src/memcached/mod.ts";
import type { Random } from "../../src/util/random.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";
import { answers, returns } from "./_faults.ts";
import { type Frame, framesIn, hit, join, replyTo } from "./_frames.ts";
import { emptyTally, quickClock, sumOf, type Tally, unsettledWithin, valueOf } from "./_load.ts";

/** A server that ends with the scope. */
export interface Hostile extends AsyncDisposable {
  readonly address: string;
  /** Every connection so far. */
  readonly sockets: readonly Socket[];
}

/** A server on loopback that is played by `serve`, one call a connection. */
export async function hostile(serve: (socket: Socket, n: number) => void): Promise<Hostile> {
  const sockets: Socket[] = [];
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    sockets.push(socket);
    serve(socket, sockets.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    sockets,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      for (const socket of open) socket.destroy();
      server.close();
      await closed;
    },
  };
}

/** Tells of whole requests, however they come; several at once if they do. */
export function onRequests(socket: Socket, told: (frames: Frame[]) => void): void {
  let left: Uint8Array = new Uint8Array(0);
  socket.on("data", (piece: Uint8Array) => {
    left = join(left, piece);
    const view = new DataView(left.buffer, left.byteOffset, left.length);
    let end = 0;
    while (left.length - end >= 24 && left.length - end >= 24 + view.getUint32(end + 8)) {
      end += 24 + view.getUint32(end + 8);
    }
    if (end === 0) return;
    const frames = framesIn(left.subarray(0, end));
    left = left.slice(end);
    told(frames);
  });
}

/** What an honest server says: every key has its value, except those that end in "nothing". */
export function honest(frame: Frame): Uint8Array {
  const { opcode, key } = frame;
  const quiet = opcode === 0x09 || opcode === 0x0d;
  if (opcode === 0x00 || quiet) {
    if (key.endsWith("nothing")) return quiet ? new Uint8Array(0) : replyTo(frame, { status: 1 });
    return opcode === 0x0d ? replyTo(frame, { flags: 0, key, value: valueOf(key) }) : hit(frame, valueOf(key));
  }
  return replyTo(frame, { cas: 7n });
}

/** Says a piece again and again, as fast as the client takes it, until the client ends it. */
function endlessly(socket: Socket, piece: Uint8Array): void {
  const more = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", more);
  more();
}

const encoder = new TextEncoder();
const line = (text: string) => (socket: Socket) => void socket.write(encoder.encode(text));

/** Changes a 32-bit field of the first reply. */
function field(frames: readonly Frame[], at: number, change: (value: number) => number): Uint8Array {
  const replies = join(...frames.map(honest));
  const view = new DataView(replies.buffer);
  if (replies.length >= 24) view.setUint32(at, change(view.getUint32(at)) >>> 0);
  return replies;
}

/** Ways to misbehave once these requests have come. */
export const attacks: Readonly<Record<string, (socket: Socket, frames: Frame[], random: Random) => void>> = {
  "garbage": (socket, frames, random) => {
    const bytes = Uint8Array.from({ length: 1 + frames.length * 50 }, () => random.fraction() * 256);
    socket.write(bytes);
  },
  "garbage behind the answers": (socket, frames, random) => {
    const bytes = Uint8Array.from({ length: 100 }, () => random.fraction() * 256);
    socket.write(join(...frames.map(honest), bytes));
  },
  "the next opaque": (socket, frames) => void socket.write(field(frames, 12, (opaque) => opaque + 1)),
  "an old opaque": (socket, frames) => void socket.write(field(frames, 12, (opaque) => opaque - 1)),
  "a random opaque": (socket, frames, random) =>
    void socket.write(field(frames, 12, () => Math.floor(random.fraction() * 2 ** 32))),
  "another opcode": (socket, frames) => void socket.write(field(frames, 0, (head) => head ^ 0x00040000)),
  "a request's magic": (socket, frames) => void socket.write(field(frames, 0, (head) => head & 0x80ffffff)),
  "no magic": (socket, frames) => void socket.write(field(frames, 0, (head) => head & 0x00ffffff)),
  "the answers of others": (socket, frames) => {
    // Each answer under its neighbour's opaque. The last one was not asked for, so the connection ends in any case.
    const shifted = frames.map((frame, n) => honest({ ...frame, opaque: frames.at(n - 1)!.opaque }));
    socket.write(join(...shifted, replyTo({ opcode: 0, opaque: 0xfffffff0 })));
  },
  "answers backwards": (socket, frames) => {
    socket.write(join(...frames.toReversed().map(honest), replyTo({ opcode: 0, opaque: 0xfffffff0 })));
  },
  "answers twice": (socket, frames) => void socket.write(join(...frames.flatMap((one) => [honest(one), honest(one)]))),
  "ERROR": line("ERROR\r\n"),
  "CLIENT_ERROR": line("CLIENT_ERROR bad data chunk\r\n"),
  "SERVER_ERROR": line("SERVER_ERROR out of memory storing object\r\n"),
  "a page": line("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
  "a line without an end": (socket) => socket.end(encoder.encode("ERROR and the")),
  "a length too short": (socket, frames) => {
    socket.write(
      join(field(frames, 8, (length) => Math.max(0, length - 3)), replyTo({ opcode: 0, opaque: 0xfffffff0 })),
    );
  },
  "a length too long": (socket, frames) => {
    socket.write(join(field(frames, 8, (length) => length + 30), replyTo({ opcode: 0, opaque: 0xfffffff0 })));
  },
  "a length too long, then silence": (socket, frames) => {
    socket.write(field(frames, 8, (length) => length + 1000));
  },
  "four gigabytes": (socket, frames) => void socket.write(field(frames, 8, () => 0xfffffff0)),
  "key and extras longer than the body": (socket, frames) =>
    void socket.write(field(frames, 0, (head) => head | 0xffff)),
  "an endless line": (socket) => endlessly(socket, encoder.encode("A".repeat(16_384))),
  "endless zeros": (socket) => endlessly(socket, new Uint8Array(16_384)),
  "endless answers": (socket, frames) => {
    socket.write(join(...frames.map(honest)));
    endlessly(socket, join(...Array.from({ length: 100 }, () => replyTo(frames[0]!))));
  },
  "endless hits of one key": (socket, frames) => {
    endlessly(socket, join(...Array.from({ length: 20 }, () => hit(frames[0]!, valueOf(frames[0]!.key)))));
  },
  "silence": () => {},
  "an end": (socket) => void socket.end(),
  "a reset": (socket) => void socket.resetAndDestroy(),
};

export interface HostileOptions {
  /** So many connections that misbehave, at least. */
  readonly count: number;
  readonly seed: number;
  readonly clients?: number;
  /** Names of attacks; default: all. */
  readonly kinds?: readonly string[];
  /** Called now and then, to look at memory. */
  readonly look?: () => void;
}

/** Ten times as fast as the runtime's clock. */
const FACTOR = 10;
const BOUND_MS = 20_000;

/**
 * Servers that are honest for a few rounds of each connection and then misbehave by chance; at the end all are honest,
 * and everything must be right. "endless hits of one key" are under one opaque, so a caller is answered at most once.
 */
export async function hostileByChance(options: HostileOptions): Promise<Tally & { met: ReadonlyMap<string, number> }> {
  const { count, seed, clients = 8, kinds = Object.keys(attacks), look } = options;
  const met = new Map<string, number>();
  let attacked = 0;
  let peaceful = false;
  const lane = async (n: number): Promise<Tally> => {
    const tally = emptyTally();
    const random = new SeededRandom(BigInt(seed) * 1000n + BigInt(n));
    const below = (most: number) => Math.floor(random.fraction() * most);
    await using server = await hostile((socket) => {
      let left = below(4);
      let quiet = false;
      onRequests(socket, (frames) => {
        if (quiet) return;
        if (peaceful || left-- > 0) return void socket.write(join(...frames.map(honest)));
        quiet = true;
        const kind = kinds[below(kinds.length)]!;
        met.set(kind, (met.get(kind) ?? 0) + 1);
        attacked++;
        attacks[kind]!(socket, frames, random);
      });
    });
    await using client = new Memcached(server.address, {
      clock: quickClock(FACTOR),
      timeout: "1500ms",
      connectTimeout: "1500ms",
      maxValueBytes: 200_000,
    });
    const alive = returns(client);
    const round = async () => {
      const running = Array.from({ length: 1 + below(8) }, () => judged(client, tally, below));
      tally.asked += running.length;
      tally.unsettled += await unsettledWithin(running, BOUND_MS);
    };
    while (attacked < count) {
      await round();
      look?.();
      await alive();
    }
    peaceful = true;
    for (const socket of server.sockets) socket.destroy();
    await answers(client);
    const refused = tally.rejected;
    await round();
    if (tally.rejected > refused) {
      tally.wrong++;
      tally.complaint ??= "a call was refused though the server was honest again";
    }
    return tally;
  };
  return { ...sumOf(await Promise.all(Array.from({ length: clients }, (_, n) => lane(n)))), met };
}

/** One call, and what is wrong with its answer. */
async function judged(client: Memcached, tally: Tally, below: (most: number) => number): Promise<void> {
  const began = performance.now();
  const right = (key: string, text: string | undefined) => {
    if (text === (key.endsWith("nothing") ? undefined : valueOf(key))) return;
    // A length that lies cuts a value, or adds to it, under the right opaque: no client can tell. Another's it is not.
    if (text !== undefined && (text.startsWith(`${key}|`) || text.length < key.length + 1)) return;
    tally.wrong++;
    tally.complaint ??= `"${text?.slice(0, 40)}" under ${key}`;
  };
  const key = () => below(10) === 0 ? `k${below(50)}nothing` : `k${below(50)}`;
  try {
    if (below(3) > 0) {
      const one = key();
      right(one, (await client.get(one))?.text());
    } else if (below(2) > 0) {
      const several = [...new Set(Array.from({ length: 1 + below(8) }, key))];
      const items = await client.getMulti(several);
      for (const error of items.failed.values()) throw error;
      // A quiet miss is silence, so who drops a hit, or ends the run before it, says a miss: no client can tell.
      for (const one of several) if (items.has(one)) right(one, items.get(one)!.text());
    } else await client.set(key(), "x");
    tally.answered++;
  } catch (error) {
    tally.rejected++;
    if (!(error instanceof Error) || !("server" in error)) {
      tally.wrong++;
      tally.complaint ??= `rejected with ${error}`;
    }
  }
  tally.worstMs = Math.max(tally.worstMs, performance.now() - began);
}
