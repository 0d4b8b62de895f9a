/** The servers that a client is given, as text, and what they are called. */

import type { RingServer } from "./ring.ts";
import { describeType, printable } from "../../util/checks.ts";
import { quote } from "../protocol/keys.ts";
import type { Address } from "../../socket/socket.ts";

/** A server as it was given. */
export interface ServerAddress {
  /** `host:port`, `[::1]:11211`, or the socket's path. */
  readonly name: string;
  readonly address: Address;
  readonly ring: RingServer;
}

/** memcached's port. */
const DEFAULT_PORT = 11211;
const DEFAULT_SERVER = `127.0.0.1:${DEFAULT_PORT}`;

/** `[v6]:port`, `host:port`, `host`; then perhaps a weight. */
const PATTERN = /^(?:\[([0-9a-fA-F.]*:[0-9a-fA-F:.]+(?:%[\w.]+)?)\]|([^\s:[\]/,]+))(?::(\d{1,5}))?$/;

/** Servers in an array, or in one string with commas. Throws a TypeError that names the one that cannot be read. */
export function parseServers(servers: string | readonly string[] | undefined): readonly ServerAddress[] {
  const given = servers === undefined ? [DEFAULT_SERVER] : servers;
  if (typeof given !== "string" && !Array.isArray(given)) {
    throw new TypeError(`Cannot use ${describeType(given)} as \`servers\`: it must be a string or an array of strings`);
  }
  const texts = (typeof given === "string" ? [given] : given as readonly string[]).flatMap((text) => {
    if (typeof text !== "string") {
      throw new TypeError(`Cannot use ${describeType(text)} in \`servers\`: it must be a string`);
    }
    return text.split(",");
  });
  const addresses = texts.map(parseServer);
  if (addresses.length === 0) throw new TypeError("Cannot use an empty list as `servers`: name at least one");
  const names = new Set<string>();
  for (const { name } of addresses) {
    if (names.has(name)) {
      throw new TypeError(`Cannot use ${quote(name)} twice in \`servers\`: give it a weight instead`);
    }
    names.add(name);
  }
  return addresses;
}

function parseServer(text: string): ServerAddress {
  const [given = "", weightText, ...rest] = text.trim().split(/\s+/);
  const weight = weightText === undefined ? 1 : Number(weightText);
  if (rest.length > 0 || !Number.isSafeInteger(weight) || weight < 1 || (weightText && !/^\d+$/.test(weightText))) {
    throw unreadable(text, "a weight is an integer >= 1 after a space");
  }
  // What is left of a URL, or of a login, is no path; a unit's name may have an @.
  if (given.startsWith("//") || given.startsWith("/") && /:[^/]*@/.test(given)) {
    throw unreadable(text, "a socket's path begins with one /");
  }
  if (printable(given) !== given) throw unreadable(text, "it has control characters");
  if (given.startsWith("/")) {
    return { name: given, address: { path: given }, ring: { name: `${given}:0`, weight } };
  }
  const parts = PATTERN.exec(given);
  if (parts === null && given.includes("://")) {
    throw unreadable(text, "a URL goes to `configure`; here stand hosts and ports");
  }
  if (parts === null) throw unreadable(text, 'give "host", "host:port", "[::1]:11211" or "/run/memcached.sock"');
  const [, v6, name, portText] = parts;
  const host = v6 ?? name!;
  const port = portText === undefined ? DEFAULT_PORT : Number(portText);
  if (port < 1 || port > 65535) throw unreadable(text, "a port is from 1 to 65535");
  return {
    name: v6 === undefined ? `${host}:${port}` : `[${host}]:${port}`,
    address: { host, port },
    ring: { name: port === DEFAULT_PORT ? host : `${host}:${port}`, weight },
  };
}

/** What has an @ may have a login before it, which no error repeats. */
const unreadable = (text: string, remedy: string): TypeError =>
  text.includes("@")
    ? new TypeError("Cannot use a text with an @ in `servers`: a login goes into the options `username` and `password`")
    : new TypeError(`Cannot use ${quote(text)} in \`servers\`: ${remedy}`);
