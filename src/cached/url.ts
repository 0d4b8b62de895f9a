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
import type { Duration } from "../util/duration.ts";
import { closestName, quoted } from "../util/checks.ts";
import type { MemcachedOptions } from "../memcached/options.ts";
import type { MemoryStoreOptions } from "../store/memory/store.ts";

/** What a `memory:` URL says: the options of the backend, without its store, and those of the store. */
export interface InMemory {
  readonly backend: GroupBackendOptions;
  readonly servers?: undefined;
  readonly store: MemoryStoreOptions;
}
/** What a `memcached:` URL says. */
export interface OnMemcached {
  readonly backend: GroupBackendOptions;
  readonly servers: readonly string[];
  readonly store: MemcachedOptions;
}

type Read = (text: string, parameter: string) => unknown;
type Readers = Readonly<Record<string, Read>>;

const BACKEND: Readers = {
  project: (text) => text,
  version: (text) => text,
  ttl: duration,
  stale: duration,
  group: (text) => text,
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
  discovery,
  maxValueBytes: number,
  maxInFlight: number,
  keepAlive: duration,
  serverName: (text) => text,
  allowInsecureAuth: trueOrFalse,
};

const SCHEMES = ["memory", "memcached", "memcacheds"];
const PARTS = /^(\w+):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/s;

/** Reads a URL. Throws a TypeError that never repeats a secret. */
export function configurationOf(url: string): InMemory | OnMemcached {
  const [, scheme = "", authority = "", path = "", query = "", fragment] = PARTS.exec(url) ?? [];
  if (!SCHEMES.includes(scheme)) throw wrong(`it must begin with ${SCHEMES.map((name) => `${name}://`).join(" or ")}`);
  const at = authority.lastIndexOf("@");
  // These characters end a part, so a password that has one raw is cut there, and the rest looks like anything.
  if (fragment !== undefined || query.includes("@") || at === -1 && path.includes("@")) {
    throw wrong("a /, ? or # in a user or password, and an @ elsewhere, must be percent-encoded");
  }
  return scheme === "memory"
    ? memory(authority, path, query)
    : memcached(authority.slice(0, Math.max(at, 0)), authority.slice(at + 1), path, query, scheme);
}

/** A host or an address in brackets, a port, a weight. */
const SERVER = /^(?:\[[\da-fA-F:.]+\]|[^\s:@/[\]]+)(?::\d+)?(?: \d+(?:\.\d+)?)?$/;

function memory(authority: string, path: string, query: string): InMemory {
  if (authority !== "" || path !== "" && path !== "/") throw wrong("memory: has no host and no path, as in memory:///");
  const [backend, store] = parameters(query, MEMORY);
  return { backend, store };
}

function memcached(login: string, hosts: string, path: string, query: string, scheme: string): OnMemcached {
  const socket = path !== "" && path !== "/";
  if (socket && hosts !== "") {
    throw wrong("it has a host and a path; a unix socket has no host, as in memcached:///run/x.sock");
  }
  if (!socket && hosts === "") throw wrong("it names no server, as in memcached://10.0.0.1:11211/");
  const servers = (socket ? path : hosts).split(",").map((server) => decoded(server, "the servers"));
  if (servers.includes("")) throw wrong("one of its servers is empty");
  // Not left to the driver, whose error would quote it: what stands here may be a login whose @host was forgotten.
  if (!socket && !servers.every((server) => SERVER.test(server))) {
    throw wrong("one of its servers is no host:port; is the @ behind user and password missing?");
  }
  const [backend, driver] = parameters(query, MEMCACHED);
  const { serverName, ...rest } = driver as { serverName?: string };
  const encrypts = scheme === "memcacheds";
  if (serverName !== undefined && !encrypts) {
    throw wrong("its parameter serverName is about a certificate, which memcacheds:// has");
  }
  const tls = encrypts ? { tls: serverName === undefined ? true : { serverName } } : {};
  return { backend, servers, store: { ...rest, ...credentials(login), ...tls } };
}

function credentials(login: string): MemcachedOptions {
  if (login === "") return {};
  const colon = login.indexOf(":");
  if (colon < 1) throw wrong("before the @ stand a user and a password, as in user:password@");
  return {
    username: decoded(login.slice(0, colon), "the user"),
    password: decoded(login.slice(colon + 1), "the password"),
  };
}

/** Those for the backend, and those for its store. */
function parameters(query: string, forStore: Readers): [GroupBackendOptions, object] {
  const backend: Record<string, unknown> = {}, store: Record<string, unknown> = {};
  const groups: string[] = [];
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decoded(equals === -1 ? pair : pair.slice(0, equals), "a parameter");
    const [into, readers] = Object.hasOwn(forStore, name) ? [store, forStore] : [backend, BACKEND];
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (read === undefined) {
      const known = [...Object.keys(BACKEND), ...Object.keys(forStore)];
      const meant = closestName(name, known);
      const hint = meant === undefined ? "" : ` (did you mean ${meant}?)`;
      throw wrong(`it has no parameter ${quoted(name)}${hint}; the parameters are ${known.join(", ")}`);
    }
    const text = equals === -1 ? "" : decoded(pair.slice(equals + 1), name);
    if (text === "") throw wrong(`its parameter ${name} is empty`);
    if (name === "group") groups.push(text);
    else if (Object.hasOwn(into, name)) throw wrong(`it has ${name} twice`);
    else into[name] = read(text, name);
  }
  if (groups.length > 0) backend.group = groups;
  return [backend, store];
}

function duration(text: string): Duration {
  return /^(\d+(\.\d+)?|Infinity)$/.test(text) ? Number(text) : text as Duration;
}

/** Whether, or how often. */
function discovery(text: string): MemcachedOptions["discovery"] {
  return text === "true" || text === "false" ? text === "true" : { interval: duration(text) };
}

function trueOrFalse(text: string, parameter: string): boolean {
  return oneOf("true", "false")(text, parameter) === "true";
}

function flag(text: string, parameter: string): boolean {
  return oneOf("true", "false")(text, parameter) === "true";
}

function number(text: string, parameter: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw wrong(`its parameter ${parameter} must be a number`);
  return Number(text);
}

function oneOf(...choices: string[]): Read {
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
