/**
 * A URL -> the options of a GroupBackend and of its store.
 *
 *   memory:///?maxBytes=64000000&ttl=5m
 *   memcached://user:password@10.0.0.1:11211,[::1],cache.local/?project=shop&version=42
 *   memcached:///run/memcached.sock
 *
 * Parsed by hand: `new URL` takes no list of hosts, and its errors repeat what they were given. Errors here never do:
 * a mistyped password may end up in any part.
 */
import type { GroupBackendOptions } from "../backend/options.ts";
import type { MemcachedOptions } from "../memcached/options.ts";
import type { MemoryStoreOptions } from "../store/memory/store.ts";
import { closestName, quoted } from "../util/checks.ts";
import type { Duration } from "../util/duration.ts";

/** What a URL says. */
export interface UrlOptions {
  /** The options of the backend, without its store. */
  readonly backend: GroupBackendOptions;
  /** Absent for a `memory:` URL. */
  readonly servers?: readonly string[];
  readonly store: MemoryStoreOptions & MemcachedOptions;
}

type Reader = (text: string, parameter: string) => unknown;
type Readers = Readonly<Record<string, Reader>>;

const asText: Reader = (text) => text;
const BACKEND: Readers = {
  project: asText,
  version: asText,
  ttl: duration,
  stale: duration,
  group: asText,
  mintDelay: duration,
  jitter: number,
  storeTimeout: duration,
  outageConcurrency: number,
  redefine: flag,
  enabled: flag,
  detectCycles: flag,
};
const MEMORY: Readers = { maxBytes: number, maxEntries: number };
const MEMCACHED: Readers = {
  protocol: oneOf("binary", "meta", "auto"),
  timeout: duration,
  connectTimeout: duration,
  connections: number,
  deadServers: oneOf("fail", "eject"),
  discovery: (text) => text === "true" || text === "false" ? text === "true" : { interval: duration(text) },
  maxValueBytes: number,
  maxInFlight: number,
  keepAlive: duration,
  serverName: asText,
  allowInsecureAuth: flag,
};

const SCHEMES = ["memory", "memcached", "memcacheds"];
const PARTS = /^(\w+):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/s;

/** Reads a URL. Throws a TypeError that never repeats a secret. */
export function optionsOfUrl(url: string): UrlOptions {
  const [, scheme = "", authority = "", path = "", query = "", fragment] = PARTS.exec(url) ?? [];
  if (!SCHEMES.includes(scheme)) throw wrong(`it must begin with ${SCHEMES.map((name) => `${name}://`).join(" or ")}`);
  const at = authority.lastIndexOf("@"), socket = path === "/" ? "" : path;
  // These characters end a part, so a password that has one raw is cut there, and the rest looks like anything.
  if (fragment !== undefined || query.includes("@") || at === -1 && path.includes("@")) {
    throw wrong("a /, ? or # in a user or password, and an @ elsewhere, must be percent-encoded");
  }
  if (scheme === "memory") {
    if (authority !== "" || socket !== "") throw wrong("memory: has no host and no path, as in memory:///");
    return parameters(query, MEMORY);
  }
  const servers = serversIn(authority.slice(at + 1), socket);
  const { backend, store: { serverName, ...rest } } = parameters(query, MEMCACHED);
  const encrypts = scheme === "memcacheds";
  if (serverName !== undefined && !encrypts) {
    throw wrong("its parameter serverName is about a certificate, which memcacheds:// has");
  }
  const tls = encrypts ? { tls: serverName === undefined ? true : { serverName } } : {};
  return { backend, servers, store: { ...rest, ...loginIn(authority.slice(0, Math.max(at, 0))), ...tls } };
}

/** A host or an address in brackets, a port, a weight. */
const SERVER = /^(?:\[[\da-fA-F:.]+\]|[^\s:@/[\]]+)(?::\d+)?(?: \d+(?:\.\d+)?)?$/;

function serversIn(hosts: string, socket: string): readonly string[] {
  if (socket !== "" && hosts !== "") {
    throw wrong("it has a host and a path; a unix socket has no host, as in memcached:///run/x.sock");
  }
  if (socket === "" && hosts === "") throw wrong("it names no server, as in memcached://10.0.0.1:11211/");
  const servers = (socket || hosts).split(",").map((server) => decoded(server, "the servers"));
  if (servers.includes("")) throw wrong("one of its servers is empty");
  // Not left to the driver, whose error would quote it: what stands here may be a login whose @host was forgotten.
  if (socket === "" && !servers.every((server) => SERVER.test(server))) {
    throw wrong("one of its servers is no host:port; is the @ behind user and password missing?");
  }
  return servers;
}

function loginIn(login: string): MemcachedOptions {
  if (login === "") return {};
  const colon = login.indexOf(":");
  if (colon < 1) throw wrong("before the @ stand a user and a password, as in user:password@");
  return {
    username: decoded(login.slice(0, colon), "the user"),
    password: decoded(login.slice(colon + 1), "the password"),
  };
}

/** The parameters of the backend, and those of its store. */
function parameters(query: string, forStore: Readers): UrlOptions & { store: { serverName?: string } } {
  const backend: Record<string, unknown> = {}, store: Record<string, unknown> = {};
  const readers: Readers = { ...BACKEND, ...forStore }, known = Object.keys(readers);
  for (const pair of query.split("&").filter((pair) => pair !== "")) {
    const [head, ...tail] = pair.split("=");
    const name = decoded(head!, "a parameter");
    if (!known.includes(name)) {
      const meant = closestName(name, known);
      const hint = meant === undefined ? "" : ` (did you mean ${meant}?)`;
      throw wrong(`it has no parameter ${quoted(name)}${hint}; the parameters are ${known.join(", ")}`);
    }
    const text = decoded(tail.join("="), name), into = Object.hasOwn(forStore, name) ? store : backend;
    if (text === "") throw wrong(`its parameter ${name} is empty`);
    if (name === "group") backend.group = [...backend.group as string[] ?? [], text];
    else if (Object.hasOwn(into, name)) throw wrong(`it has ${name} twice`);
    else into[name] = readers[name]!(text, name);
  }
  return { backend, store };
}

function duration(text: string): Duration {
  return /^(\d+(\.\d+)?|Infinity)$/.test(text) ? Number(text) : text as Duration;
}

function flag(text: string, parameter: string): boolean {
  return oneOf("true", "false")(text, parameter) === "true";
}

function number(text: string, parameter: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw wrong(`its parameter ${parameter} must be a number`);
  return Number(text);
}

function oneOf(...choices: string[]): Reader {
  return (text, parameter) => {
    if (choices.includes(text)) return text;
    throw wrong(`its parameter ${parameter} must be ${choices.join(" or ")}`);
  };
}

function decoded(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(`${part} has a % that is no percent-encoding`);
  }
}

const wrong = (what: string): TypeError => new TypeError(`Cannot configure with this URL: ${what}`);
