/** Between a client and its server: counts bytes, and how often the client waited for an answer. */

/** What has gone over the wire. */
export interface Wire {
  /** Bytes to the server, and back. */
  readonly sent: number;
  readonly received: number;
  /** How often the client sent something after it had been answered. */
  readonly trips: number;
}

export class CountingProxy implements Disposable {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  #sent = 0;
  #received = 0;
  #trips = 0;
  #answered = true;

  constructor(hostname: string, port: number) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#accept(hostname, port);
  }

  /** Since the last time it was asked. */
  take(): Wire {
    const wire = { sent: this.#sent, received: this.#received, trips: this.#trips };
    this.#sent = this.#received = this.#trips = 0;
    this.#answered = true;
    return wire;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
  }

  async #accept(hostname: string, port: number): Promise<void> {
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname, port });
      for (const connection of [client, server]) this.#connections.add(connection);
      const sent = (bytes: number) => {
        this.#sent += bytes;
        if (this.#answered) this.#trips++;
        this.#answered = false;
      };
      const received = (bytes: number) => {
        this.#received += bytes;
        this.#answered = true;
      };
      for (const passed of [this.#pass(client, server, sent), this.#pass(server, client, received)]) {
        // One that is closed passes nothing more.
        passed.catch(() => {});
      }
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, count: (bytes: number) => void): Promise<void> {
    const buffer = new Uint8Array(1 << 18);
    for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
      count(read);
      for (let at = 0; at < read;) at += await to.write(buffer.subarray(at, read));
    }
  }
}
