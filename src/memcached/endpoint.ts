/**
 * Asks a configuration endpoint which servers there are, as ElastiCache and Memorystore answer:
 *
 *     config get cluster\r\n
 *     CONFIG cluster 0 <bytes>\r\n<version>\n<host>|<ip>|<port> <host>|<ip>|<port> ...\n\r\nEND\r\n
 *
 * The endpoint is asked on a socket of its own, which is closed again: it may stand for another machine each time.
 */

import type { Clock } from "../clock.ts";
import { ConnectionError, type MemcachedError, ProtocolError } from "../errors.ts";
import { printable } from "../known.ts";
import { loadConnect } from "../socket/open.ts";
import type { Connect, Socket, SocketListener, TlsTerms } from "../socket/socket.ts";
import { quote } from "./keys.ts";
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
    this.#fail(error === undefined ? "closed the connection" : `cannot be reached: ${printable(error.message)}`, error);
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
