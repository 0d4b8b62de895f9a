/** The way to the database: one socket, any number of queries on it. */

import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** What the database has had to do since the burst began. */
export interface Load {
  readonly queries: number;
  /** Served and waiting together. */
  readonly most: number;
  readonly busyMs: number;
  /** Not answered yet. */
  readonly left: number;
}

export class Database {
  readonly #socket: Socket;
  readonly #asked: Map<string, (rest: string[]) => void> = new Map();
  #count = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface({ input: socket }).on("line", (line) => {
      const [verb, ...rest] = line.split(" ") as [string, ...string[]];
      const id = verb === "answer" ? rest.shift()! : verb;
      this.#asked.get(id)?.(rest);
      this.#asked.delete(id);
    });
  }

  static open(port: number): Promise<Database> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1");
      socket.setNoDelay();
      socket.once("error", reject);
      socket.once("connect", () => resolve(new Database(socket)));
    });
  }

  /** The number of the burst in which it was served. */
  async query(key: string): Promise<number> {
    const id = String(this.#count++);
    return Number((await this.#ask(id, `query ${id} ${key}`))[0]);
  }

  /** Counts from zero; the number of the burst that begins. */
  async burst(): Promise<number> {
    return Number((await this.#ask("burst", "burst"))[0]);
  }

  async load(): Promise<Load> {
    const [queries, most, busyMs, left] = (await this.#ask("load", "load")).map(Number);
    return { queries: queries!, most: most!, busyMs: busyMs!, left: left! };
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(id: string, line: string): Promise<string[]> {
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      this.#socket.write(`${line}\n`);
    });
  }
}
