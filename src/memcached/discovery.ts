/**
 * Asks a configuration endpoint which servers there are, as ElastiCache and Memorystore answer:
 *
 *     config get cluster\r\n
 *     CONFIG cluster 0 <bytes>\r\n<version>\n<host>|<ip>|<port> <host>|<ip>|<port> ...\n\r\nEND\r\n
 *
 * The endpoint is asked on a socket of its own, which is closed again: it may stand for another machine each time.
 */

import { type Clock, ticks } from "../clock.ts";
import { ConnectionError, type MemcachedError, ProtocolError, QueueFullError, TimeoutError } from "../errors.ts";
import { loadConnect } from "../socket/open.ts";
import { asError, type Connect, type Socket, type SocketListener, type TlsTerms } from "../socket/socket.ts";
import { quote } from "./request.ts";
import { parseServers, type ServerPlace } from "./servers.ts";

/** What an endpoint says. */
export interface ServerList {
  /** Counts up with each change. */
  readonly version: number;
  readonly places: readonly ServerPlace[];
}

/** How to ask. */
export interface AskSettings {
  readonly tls: TlsTerms | undefined;
  readonly connectTimeoutMs: number;
  readonly maxInFlight: number;
  readonly clock: Clock;
  /** Default: the runtime's. */
  readonly connect: Connect | undefined;
}

const QUESTION = new TextEncoder().encode("config get cluster\r\n");
/** More servers than this fit into no list that anybody has seen. */
const LONGEST_ANSWER = 1024 * 1024;

/** Asks one endpoint. Rejects with a ConnectionError or a ProtocolError. */
export function askForServers(endpoint: ServerPlace, settings: AskSettings): Promise<ServerList> {
  return new Promise((resolve, reject) => new Question(endpoint, settings, resolve, reject));
}

class Question implements SocketListener {
  readonly #endpoint: ServerPlace;
  readonly #clock: Clock;
  readonly #resolve: (list: ServerList) => void;
  readonly #reject: (error: MemcachedError) => void;
  readonly #timer: unknown;
  #socket: Socket | undefined;
  #text = "";
  readonly #decoder = new TextDecoder();
  #settled = false;

  constructor(
    endpoint: ServerPlace,
    { tls, connectTimeoutMs, clock, connect }: AskSettings,
    resolve: (list: ServerList) => void,
    reject: (error: MemcachedError) => void,
  ) {
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = clock.setTimeout(() => this.#fail(`did not answer within ${connectTimeoutMs} ms`), connectTimeoutMs);
    const { address } = endpoint;
    Promise.resolve(connect ?? loadConnect(address, tls)).then((connect) => {
      if (!this.#settled) this.#socket = connect(address, this, tls);
    }).catch((error: Error) => this.closed(error));
  }

  opened(): void {
    this.#socket!.write(QUESTION);
  }

  sent(): void {}

  received(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    if (this.#text.length > LONGEST_ANSWER) return this.#fail(`sent more than ${LONGEST_ANSWER} bytes`);
    if (/^(ERROR|CLIENT_ERROR|SERVER_ERROR)[^\n]*\n/.test(this.#text)) return this.#misread();
    if (!/\r?\nEND\r?\n$/.test(this.#text)) return;
    const list = readList(this.#text);
    if (list === undefined) return this.#misread();
    this.#end();
    this.#resolve(list);
  }

  closed(error: Error | undefined): void {
    this.#fail(error === undefined ? "closed the connection" : `cannot be reached: ${error.message}`, error);
  }

  #misread(): void {
    const { name } = this.#endpoint;
    const said = quote(this.#text.replace(/[^\x20-\x7e]+/g, " ").trim());
    this.#end();
    const message = `Cannot discover the servers: ${name} answered ${said}; is it a configuration endpoint?`;
    this.#reject(new ProtocolError(message, name));
  }

  #fail(state: string, cause?: Error): void {
    if (this.#settled) return;
    this.#end();
    const { name } = this.#endpoint;
    this.#reject(new ConnectionError(`Cannot discover the servers: ${name} ${state}`, name, { cause }));
  }

  #end(): void {
    this.#settled = true;
    this.#clock.clearTimeout(this.#timer);
    this.#socket?.close();
  }
}

/** `undefined`: it cannot be read. */
function readList(text: string): ServerList | undefined {
  const lines = /^CONFIG cluster \d+ \d+\r?\n(\d+)\r?\n([^\r\n]*)\r?\n/.exec(text);
  if (lines === null) return undefined;
  const version = Number(lines[1]);
  const servers = lines[2]!.trim().split(" ").map((server) => {
    const [host = "", ip = "", port = ""] = server.split("|");
    const place = host === "" ? ip : host;
    return `${place.includes(":") ? `[${place}]` : place}:${port}`;
  });
  try {
    return { version, places: parseServers(servers) };
  } catch {
    return undefined;
  }
}

/** How long a failed first ask is not repeated. */
const PAUSE_MS = 1000;

/** Keeps a list of servers as the endpoints tell it. */
export class Discovery {
  /** There is a list. */
  listed = false;
  readonly #endpoints: readonly ServerPlace[];
  readonly #settings: AskSettings;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #use: (places: readonly ServerPlace[]) => void;
  #version = -1;
  #asking: Promise<void> | undefined;
  #failed: { readonly error: Error; readonly until: number } | undefined;
  #timer: unknown;
  #closed = false;
  /** Calls that wait for the first list. */
  readonly #waiting = new Set<Promise<unknown>>();

  /** `use` is given each new list. `timeoutMs`: how long a call waits for the first one. */
  constructor(
    endpoints: readonly ServerPlace[],
    settings: AskSettings,
    times: { readonly intervalMs: number; readonly timeoutMs: number },
    use: (places: readonly ServerPlace[]) => void,
  ) {
    this.#endpoints = endpoints;
    this.#settings = settings;
    this.#intervalMs = times.intervalMs;
    this.#timeoutMs = times.timeoutMs;
    this.#use = use;
  }

  /** Calls `ask` once there is a list. Rejects when there is none in time, or the signal fires. */
  async whenListed<T>(signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    if (this.#waiting.size >= this.#settings.maxInFlight) {
      const name = this.#endpoints[0]!.name;
      throw new QueueFullError(`Cannot ask: ${this.#waiting.size} calls wait for the list of servers`, name);
    }
    const asked = this.#list(signal).then(() => ({ answer: ask() }));
    this.#waiting.add(asked);
    try {
      return await (await asked).answer;
    } finally {
      this.#waiting.delete(asked);
    }
  }

  /** Asks no more. Resolves when every call that waited has been sent on, or rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#settings.clock.clearTimeout(this.#timer);
    await Promise.allSettled(this.#waiting);
    await this.#asking;
  }

  #list(signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#settings;
    const now = ticks(clock);
    if (this.#failed !== undefined && now < this.#failed.until) return Promise.reject(this.#failed.error);
    this.#asking ??= this.#ask();
    return new Promise((resolve, reject) => {
      const leave = () => end(() => reject(signal!.reason));
      const name = this.#endpoints[0]!.name;
      const state = `no list of servers within ${this.#timeoutMs} ms; nothing was sent`;
      const timer = clock.setTimeout(() => end(() => reject(new TimeoutError(state, name))), this.#timeoutMs);
      const end = (settle: () => void) => {
        clock.clearTimeout(timer);
        signal?.removeEventListener("abort", leave);
        settle();
      };
      signal?.addEventListener("abort", leave);
      this.#asking!.then(() => end(this.listed ? resolve : () => reject(this.#failed!.error)));
    });
  }

  /** Asks one endpoint after the other, until one answers. Never rejects. */
  async #ask(): Promise<void> {
    const { clock } = this.#settings;
    for (const endpoint of this.#endpoints) {
      try {
        const { version, places } = await askForServers(endpoint, this.#settings);
        if (version > this.#version && !(this.#closed && this.listed)) this.#use(places);
        this.#version = Math.max(version, this.#version);
        this.listed = true;
        this.#failed = undefined;
        break;
      } catch (error) {
        this.#failed = { error: asError(error), until: ticks(clock) + PAUSE_MS };
      }
    }
    this.#asking = undefined;
    // Without a list the next call asks again, as long as there are calls.
    if (this.#closed || !this.listed) return;
    this.#timer = clock.setTimeout(() => void (this.#asking ??= this.#ask()), this.#intervalMs);
    clock.unref?.(this.#timer);
  }
}
