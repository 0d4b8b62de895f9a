/** The best that each runtime has for a socket, as bare as can be: what the floor client stands on. */

/** Bytes out. What is given to `write` is not touched any more. */
export interface Transport {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** Told of bytes that came, in a buffer that is used again afterwards. */
export type Receive = (bytes: Uint8Array) => void;

interface DenoConn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
  setNoDelay(): void;
}

interface BunSocket {
  write(bytes: Uint8Array): number;
  end(): void;
}

interface NodeSocket {
  write(bytes: Uint8Array): boolean;
  destroy(): void;
  setNoDelay(): void;
  on(event: "data", listener: Receive): void;
  once(event: "connect", listener: () => void): void;
  once(event: "error", listener: (error: Error) => void): void;
}

interface Runtimes {
  readonly Deno?: { connect(to: { hostname: string; port: number }): Promise<DenoConn> };
  readonly Bun?: {
    connect(
      to: {
        hostname: string;
        port: number;
        socket: { data(socket: BunSocket, bytes: Uint8Array): void; drain(): void };
      },
    ): Promise<BunSocket>;
  };
}

const { Deno: deno, Bun: bun } = globalThis as unknown as Runtimes;

/** Opens the runtime's best socket. */
export function open(hostname: string, port: number, receive: Receive): Promise<Transport> {
  if (bun) return openBun(bun, hostname, port, receive);
  if (deno) return openDeno(deno, hostname, port, receive);
  return openNode(hostname, port, receive);
}

async function openDeno(
  runtime: NonNullable<Runtimes["Deno"]>,
  hostname: string,
  port: number,
  receive: Receive,
): Promise<Transport> {
  const conn = await runtime.connect({ hostname, port });
  conn.setNoDelay();
  let closed = false;
  const reading = async () => {
    const slab = new Uint8Array(1 << 20);
    for (let read = await conn.read(slab); read !== null; read = await conn.read(slab)) receive(slab.subarray(0, read));
  };
  reading().catch((error) => {
    if (!closed) throw error;
  });
  let waiting: Uint8Array[] = [];
  let writing = false;
  const drain = async () => {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      let bytes = joined(batch);
      while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
    }
    writing = false;
  };
  return {
    write(bytes) {
      waiting.push(bytes);
      if (!writing) drain();
    },
    close() {
      closed = true;
      conn.close();
    },
  };
}

async function openBun(
  runtime: NonNullable<Runtimes["Bun"]>,
  hostname: string,
  port: number,
  receive: Receive,
): Promise<Transport> {
  let rest: Uint8Array | undefined;
  const drain = () => {
    if (rest === undefined) return;
    const bytes = rest;
    const written = Math.max(0, socket.write(bytes));
    rest = written < bytes.length ? bytes.subarray(written) : undefined;
  };
  const socket = await runtime.connect({ hostname, port, socket: { data: (_, bytes) => receive(bytes), drain } });
  return {
    write(bytes) {
      const waited = rest !== undefined;
      rest = waited ? joined([rest!, bytes]) : bytes;
      if (!waited) drain();
    },
    close: () => socket.end(),
  };
}

async function openNode(hostname: string, port: number, receive: Receive): Promise<Transport> {
  // A variable, so that nothing else is loaded where this is not called.
  const name: string = "node:net";
  const { connect } = await import(name) as { connect(port: number, hostname: string): NodeSocket };
  const socket = connect(port, hostname);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.setNoDelay();
  socket.on("data", receive);
  return { write: (bytes) => void socket.write(bytes), close: () => socket.destroy() };
}

/** Several pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
