/**
 * Asks a configuration endpoint which servers there are, as ElastiCache and Memorystore answer:
 *
 *     config get cluster\r\n
 *     CONFIG cluster 0 <bytes>\r\n<version>\n<host>|<ip>|<port> <host>|<ip>|<port> ...\n\r\nEND\r\n
 *
 * The endpoint is asked on a socket of its own, which is closed again: it may stand for another machine each time.
 */

import { deadline } from "../../util/deadline.ts";
import { ConnectionError, ProtocolError } from "../../errors.ts";
import { printable } from "../../util/checks.ts";
import type { Socket, SocketListener } from "../../socket/socket.ts";
import type { ConnectionOptions } from "../connection/connection.ts";
import { quote } from "../protocol/keys.ts";
import { parseServers, type ServerAddress } from "./addresses.ts";

/** What an endpoint says. */
export interface ServerList {
  /** Counts up with each change. */
  readonly version: number;
  readonly addresses: readonly ServerAddress[];
}

/** How to ask. */
export type EndpointOptions = Pick<ConnectionOptions, "tls" | "connectTimeoutMs" | "clock" | "connect">;

const QUESTION = new TextEncoder().encode("config get cluster\r\n");
const LONGEST_ANSWER = 1024 * 1024;
/** Of more, only the first are taken: no cluster that anybody has seen is larger, and each costs points on the ring. */
const MOST_SERVERS = 1000;

/** Asks one endpoint. Rejects with a ConnectionError or a ProtocolError. */
export function askForServers(endpoint: ServerAddress, options: EndpointOptions): Promise<ServerList> {
  const { name, address } = endpoint;
  const { tls, connectTimeoutMs, clock, connect } = options;
  return new Promise((resolve, reject) => {
    let socket: Socket | undefined;
    let text = "";
    const decoder = new TextDecoder();
    const end = () => {
      cancelTimer();
      socket?.close();
    };
    const fail = (state: string, cause?: Error) => {
      end();
      reject(new ConnectionError(`Cannot discover the servers: ${name} ${state}`, name, { cause }));
    };
    const cancelTimer = deadline(clock, connectTimeoutMs, () => fail(`did not answer within ${connectTimeoutMs} ms`));
    const listener: SocketListener = {
      opened: () => socket!.write(QUESTION),
      sent: () => {},
      received: (bytes) => {
        text += decoder.decode(bytes, { stream: true });
        if (text.length > LONGEST_ANSWER) return fail(`sent more than ${LONGEST_ANSWER} bytes`);
        if (!/^(ERROR|CLIENT_ERROR|SERVER_ERROR)[^\n]*\n|(?:^|\n)END\r?\n$/.test(text)) return;
        end();
        try {
          resolve(readList(text));
        } catch (error) {
          // What cannot be a server's address is no list either.
          const said = `answered ${quote(text.replace(/[^\x20-\x7e]+/g, " ").trim())}; is it a configuration endpoint?`;
          const what = error instanceof NoList && error.message || said;
          reject(new ProtocolError(`Cannot discover the servers: ${name} ${what}`, name));
        }
      },
      closed: (error) =>
        fail(error === undefined ? "closed the connection" : `cannot be reached: ${printable(error.message)}`, error),
    };
    try {
      socket = connect(address, listener, tls);
    } catch (error) {
      listener.closed(error as Error);
    }
  });
}

/** A list that is none: what it is instead, for an error. */
class NoList extends Error {}

/** Throws a NoList that says what it is instead. */
function readList(text: string): ServerList {
  if (/^END\r?\n/.test(text)) throw new NoList("knows of no cluster");
  const lines = /^CONFIG cluster \d+ \d+\r?\n(\d+)\r?\n([^]*?)\r?\n\r?\nEND\r?\n$/.exec(text) ??
    /^CONFIG cluster \d+ \d+\r?\n(\d+)\r?\n()\r?\nEND\r?\n$/.exec(text);
  if (lines === null) throw new NoList("");
  const servers = new Set<string>();
  for (const entry of lines[2]!.split(/\s+/)) {
    if (entry !== "") servers.add(addressOf(entry));
    if (servers.size === MOST_SERVERS) break;
  }
  if (servers.size === 0) throw new NoList("names no server: its list is empty");
  return { version: Number(lines[1]), addresses: parseServers([...servers]) };
}

/** `host|ip|port`, either of the first two perhaps empty. Nothing in it may name a socket, or more than one server. */
const ENTRY = /^([^\s|,/@[\]]*)\|([^\s|,/@[\]]*)\|(\d{1,5})$/;

function addressOf(entry: string): string {
  const [, host, ip, port] = ENTRY.exec(entry) ?? [];
  const name = host || ip;
  if (!name || Number(port) < 1 || Number(port) > 65535) {
    throw new NoList(`names ${quote(entry)}, which is no host|ip|port`);
  }
  return `${name.includes(":") ? `[${name}]` : name}:${Number(port)}`;
}
