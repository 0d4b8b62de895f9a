/** The runtime door, as this runtime has it. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket as NetSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Address, connect, type Socket, type SocketListener } from "../../src/socket/socket.ts";

/** What a socket has told, and a way to wait for more. */
class Told {
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  error: Error | undefined;
  #waiting: (() => void)[] = [];

  opened(): void {
    this.#tell("opened");
  }
  received(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.#tell("received");
  }
  sent(): void {
    this.#tell("sent");
  }
  closed(error: Error | undefined): void {
    this.error = error;
    this.#tell("closed");
  }
  get bytes(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }
  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
  heard(event: string): Promise<void> {
    return this.until(() => this.events.includes(event));
  }
  #tell(event: string): void {
    this.events.push(event);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

interface Peer extends AsyncDisposable {
  readonly address: Address;
  readonly socket: Promise<NetSocket>;
}

async function peer(path?: string): Promise<Peer> {
  let accept = (_: NetSocket) => {};
  const accepted = new Promise<NetSocket>((resolve) => accept = resolve);
  const sockets: NetSocket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    accept(socket);
  });
  if (path === undefined) server.listen(0, "127.0.0.1");
  else server.listen(path);
  await once(server, "listening");
  const place = server.address();
  return {
    address: path === undefined ? { host: "127.0.0.1", port: (place as { port: number }).port } : { path },
    socket: accepted,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      for (const socket of sockets) socket.destroy();
      server.close();
      await closed;
    },
  };
}

async function connected(address: Address): Promise<{ socket: Socket; told: Told }> {
  const told = new Told();
  const socket = connect(address, told);
  await told.heard("opened");
  return { socket, told };
}

test("a socket tells when it is connected, sends, and receives", async () => {
  await using server = await peer();
  const { socket, told } = await connected(server.address);
  const other = await server.socket;
  other.on("data", (bytes) => other.write(bytes));
  socket.write(new TextEncoder().encode("hello"));
  await told.until(() => told.bytes === 5 && told.events.includes("sent"));
  assertEquals(new TextDecoder().decode(told.chunks[0]), "hello");
  assertEquals(told.chunks[0]!.constructor, Uint8Array);
  socket.close();
});

test("bytes that were received are never written again", { timeout: 60_000 }, async () => {
  await using server = await peer();
  const { socket, told } = await connected(server.address);
  const other = await server.socket;
  const size = 3_000_000;
  other.write(new Uint8Array(size).map((_, n) => n % 251));
  await told.until(() => told.bytes === size);
  let n = 0;
  for (const chunk of told.chunks) for (const byte of chunk) if (byte !== n++ % 251) throw new Error(`byte ${n - 1}`);
  socket.close();
});

const notDeno = "Deno" in globalThis ? false : "other runtimes bring their own buffers";
test(
  "reads that nearly fill a slab make the next one larger, so that it serves several",
  { skip: notDeno },
  async () => {
    await using server = await peer();
    const { socket, told } = await connected(server.address);
    const other = await server.socket;
    const size = 13_000, replies = 12;
    for (let n = 1; n <= replies; n++) {
      other.write(new Uint8Array(size));
      await told.until(() => told.bytes === n * size);
    }
    const slabs = new Set(told.chunks.map(({ buffer }) => buffer)).size;
    assert(slabs <= 8, `${slabs} slabs for ${replies} replies`);
    socket.close();
  },
);

test(
  "a socket gives at most 64 KiB at once, and 256 KiB to a listener that would have more",
  { skip: notDeno },
  async () => {
    for (const [mostBytes, most] of [[undefined, 64], [0, 64], [Infinity, 256]] as const) {
      await using server = await peer();
      const told = Object.assign(new Told(), { mostBytes });
      const socket = connect(server.address, told as SocketListener);
      const other = await server.socket;
      other.write(new Uint8Array(3_000_000));
      await told.until(() => told.bytes === 3_000_000);
      const longest = Math.max(...told.chunks.map(({ length }) => length));
      assert(longest <= most * 1024, `${longest} bytes at once`);
      socket.close();
    }
  },
);

test("a write larger than the socket's buffers is sent whole, and told once", async () => {
  await using server = await peer();
  const { socket, told } = await connected(server.address);
  const other = await server.socket;
  const size = 20_000_000;
  let received = 0;
  let tellWhole = () => {};
  const whole = new Promise<void>((resolve) => tellWhole = resolve);
  other.pause();
  socket.write(new Uint8Array(size).fill(1));
  other.on("data", (bytes: Uint8Array) => {
    received += bytes.length;
    if (received === size) tellWhole();
  });
  other.resume();
  await whole;
  await told.heard("sent");
  assertEquals(told.events.filter((event) => event === "sent").length, 1);
  socket.close();
});

test("a buffer that was told as sent may be filled anew, and the other side gets what stood there before", {
  timeout: 60_000,
}, async () => {
  await using server = await peer();
  const { socket, told } = await connected(server.address);
  const other = await server.socket;
  const size = 8_000_000, writes = 3;
  let received = 0, wrong = 0;
  let tellWhole = () => {};
  const whole = new Promise<void>((resolve) => tellWhole = resolve);
  other.pause();
  const buffer = new Uint8Array(size);
  other.on("data", (bytes: Uint8Array) => {
    for (const byte of bytes) if (byte !== Math.floor(received++ / size) + 1) wrong++;
    if (received === writes * size) tellWhole();
  });
  for (let n = 1; n <= writes; n++) {
    buffer.fill(n);
    socket.write(buffer);
    // Nobody reads, and no kernel takes so much: it cannot be sent yet.
    if (n === 1) assert(!told.events.includes("sent"));
    other.resume();
    await told.until(() => told.events.filter((event) => event === "sent").length === n);
  }
  await whole;
  assertEquals(wrong, 0);
  socket.close();
});

test("a socket that the other side ends tells so, without an error", async () => {
  await using server = await peer();
  const { told } = await connected(server.address);
  (await server.socket).end();
  await told.heard("closed");
  assertEquals(told.error, undefined);
});

test("a socket that cannot connect tells why, once", async () => {
  const gone = await peer();
  const { address } = gone;
  await gone[Symbol.asyncDispose]();
  const told = new Told();
  connect(address, told);
  await told.heard("closed");
  assertInstanceOf(told.error, Error);
  assertEquals(told.events, ["closed"]);
});

test("after its own close() a socket tells nothing, and close() may come twice or before it is connected", async () => {
  await using server = await peer();
  const { socket, told } = await connected(server.address);
  const other = await server.socket;
  // Not `once`, which rejects if the end is a reset: Bun's is.
  const ended = new Promise((resolve) => other.on("close", resolve));
  socket.close();
  socket.close();
  socket.write(new Uint8Array(1));
  socket.ref();
  socket.unref();
  other.resume();
  await ended;
  assertEquals(told.events, ["opened"]);
  const early = new Told();
  const never = connect(server.address, early);
  never.close();
  // Another one connects meanwhile: time enough for the first to have told something.
  (await connected(server.address)).socket.close();
  assertEquals(early.events, []);
});

test("a unix socket is reached by its path", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cache-utils-socket-"));
  try {
    await using server = await peer(join(folder, "s"));
    const { socket, told } = await connected(server.address);
    (await server.socket).write("hi");
    await told.heard("received");
    assertEquals(told.bytes, 2);
    socket.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
