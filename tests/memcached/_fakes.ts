/** A client on fake sockets and a fake clock: every interleaving can be played, and no test sleeps. */

import { Memcached, type MemcachedOptions } from "../../src/memcached/mod.ts";
import type { Address, Socket, SocketListener } from "../../src/socket/socket.ts";
import { type Frame, framesIn, replyTo, type Said } from "./_frames.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";

const encoder = new TextEncoder();

/** The client's end of a connection that a test plays the server of. */
export class FakeSocket implements Socket {
  readonly address: Address;
  readonly #listener: SocketListener;
  /** Each write, copied. */
  readonly writes: Uint8Array[] = [];
  /** The client has closed it. */
  closed = false;
  referenced = true;
  /** Bytes are not taken until this is undone: see `take`. */
  slow = false;

  constructor(address: Address, listener: SocketListener) {
    this.address = address;
    this.#listener = listener;
  }

  /** All requests so far, the probe included. */
  get requests(): Frame[] {
    return this.writes.flatMap(framesIn);
  }

  /** How many bytes its listener would have at once. */
  get mostBytes(): number {
    return this.#listener.mostBytes!;
  }

  write(bytes: Uint8Array): void {
    this.writes.push(bytes.slice());
    if (!this.slow) this.#listener.sent();
  }
  ref(): void {
    this.referenced = true;
  }
  unref(): void {
    this.referenced = false;
  }
  close(): void {
    this.closed = true;
  }

  /** The last write has been taken. */
  take(): void {
    this.#listener.sent();
  }
  open(): void {
    this.#listener.opened();
  }
  say(bytes: Uint8Array | string): void {
    if (!this.closed) this.#listener.received(typeof bytes === "string" ? encoder.encode(bytes) : bytes);
  }
  /** The other side ends it, or it breaks. */
  end(error?: Error): void {
    if (this.closed) return;
    this.closed = true;
    this.#listener.closed(error);
  }
  /** Opens, and answers the probe. */
  ready(): void {
    this.open();
    this.say(replyTo(this.requests[0]!));
  }
  /** Replies to the nth request, the probe being 0. */
  reply(n: number, said?: Said): void {
    this.say(replyTo(this.requests[n]!, said));
  }
}

export { type Frame, framesIn, hit, join, replyTo, type Said } from "./_frames.ts";

/** A client, and what it runs on. */
export interface Fakes extends AsyncDisposable {
  readonly client: Memcached;
  readonly clock: FakeClock;
  /** In the order in which they were opened. */
  readonly sockets: FakeSocket[];
  /** The last of them. */
  readonly socket: FakeSocket;
}

/** A client without a server. `random`: every pause is exactly the middle one. */
export function fakes(
  options: MemcachedOptions & { servers?: string | readonly string[]; fraction?: number } = {},
): Fakes {
  const clock = new FakeClock();
  const sockets: FakeSocket[] = [];
  const connect = (address: Address, listener: SocketListener): Socket => {
    const socket = new FakeSocket(address, listener);
    sockets.push(socket);
    return socket;
  };
  const { servers, fraction = 0.5, ...rest } = options;
  const random = { fraction: () => fraction, uint64: () => 0n };
  const client = new Memcached(
    servers ?? "a",
    { clock, protocol: "binary", ...rest, connect, random } as MemcachedOptions,
  );
  return {
    client,
    clock,
    sockets,
    get socket(): FakeSocket {
      return sockets.at(-1)!;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = client.close();
      for (const socket of sockets) socket.end();
      await closed;
    },
  };
}

/** A client with two connections, both ready; each has answered its probe, request 0, and one get. */
export async function twoReadyFakes(options: Parameters<typeof fakes>[0] = {}): Promise<Fakes> {
  const made = fakes({ ...options, connections: 2 });
  const warm = [made.client.get("a"), made.client.get("b")];
  await made.clock.settle();
  for (const socket of [...made.sockets]) socket.ready();
  await made.clock.settle();
  for (const socket of [...made.sockets]) socket.reply(1, { status: 1 });
  await Promise.all(warm);
  return made;
}

/** A client whose first connection is ready. The probe is request 0, and `socket.requests` goes on from there. */
export async function readyFakes(options: Parameters<typeof fakes>[0] = {}): Promise<Fakes> {
  const made = fakes(options);
  const first = made.client.get("warm");
  made.socket.ready();
  await made.clock.settle();
  made.socket.reply(1, { status: 1 });
  await first;
  made.socket.writes.length = 0;
  return made;
}

/** What a promise came to, without waiting for it: "pending" until it settles. */
export function fateOf(promise: Promise<unknown>): { readonly now: string; readonly error: unknown } {
  const fate = { now: "pending", error: undefined as unknown };
  promise.then(
    () => fate.now = "resolved",
    (error) => {
      fate.now = "rejected";
      fate.error = error;
    },
  );
  return fate;
}
