/**
 * Simulated memcached servers, and a client of the driver's shape for the real MemcachedStore. A request waits on its
 * connection, reaches the server, and its answer waits again; requests of one connection keep their order, all others
 * have none. What was sent on a connection that is lost may still reach the server, much later.
 */
import { ConnectionError, ServerError, TimeoutError, ValueTooLargeError } from "../../src/errors.ts";
import type { World } from "./_world.ts";

/** What a server keeps, and what only the simulation knows of it. */
export interface Kept {
  readonly bytes: Uint8Array;
  readonly cas: bigint;
  readonly until: number;
  /** Who wrote it; absent: a stranger. */
  readonly by: SimulatedClient | undefined;
  /** Its writer was told that it is stored. */
  answered: boolean;
  /** How many operations of its writer on this key had failed when it was sent. */
  readonly failures: number;
}

/** Is this a lease? The envelope's fourth byte says so. */
export const isLease = (bytes: Uint8Array): boolean => bytes[0] === 0xc1 && bytes[3] === 1;

/** How the network and the servers of one world are. */
export interface Network {
  /** ms from one side to the other. */
  latency(): number;
  /** The driver's timeout, in ms. */
  readonly timeoutMs: number;
  readonly connections: number;
  readonly maxBytes: number;
  /** Who finds a value too large. */
  readonly refuser: "client" | "server";
  serverOf(key: string): SimulatedServer;
}

export class SimulatedServer {
  readonly name: string;
  readonly items: Map<string, Kept> = new Map();
  readonly world: World;
  pausedUntil = 0;
  /** Keys at which no lease can be taken, since others are always quicker; and how often each client has tried. */
  readonly contested: Map<string, Map<SimulatedClient, number>> = new Map();
  readonly connections: Set<Connection> = new Set();
  #cas = 0n;

  constructor(name: string, world: World) {
    this.name = name;
    this.world = world;
  }

  at(key: string): Kept | undefined {
    const kept = this.items.get(key);
    if (kept === undefined || kept.until > this.world.now) return kept;
    this.items.delete(key);
    return undefined;
  }

  put(key: string, kept: Omit<Kept, "cas" | "answered">): Kept {
    const item = { ...kept, cas: ++this.#cas, answered: false };
    this.items.set(key, item);
    return item;
  }

  /** Empty; cas values begin again, and other keys' traffic brings them anywhere. */
  restart(): void {
    const { chance } = this.world;
    const held = [...this.items.values()].map(({ cas }) => cas);
    this.#cas = held.length > 0 && chance.says(0.6) ? chance.pick(held) - 1n - BigInt(chance.below(2)) : 0n;
    if (this.#cas < 0n) this.#cas = 0n;
    this.items.clear();
    for (const connection of [...this.connections]) connection.lose(0);
  }
}

interface Request {
  readonly label: string;
  readonly key: string;
  readonly execute: () => unknown;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  answer: unknown;
  settled: boolean;
}

/** One socket of one process to one server. */
class Connection {
  readonly #client: SimulatedClient;
  readonly #server: SimulatedServer;
  readonly #network: Network;
  readonly #world: World;
  /** Sent, not yet executed; executed, not yet answered. */
  #sent: Request[] = [];
  #executed: Request[] = [];
  #lastExecution = 0;
  #lastAnswer = 0;
  open = true;

  constructor(client: SimulatedClient, server: SimulatedServer, network: Network) {
    this.#client = client;
    this.#server = server;
    this.#network = network;
    this.#world = server.world;
    server.connections.add(this);
  }

  send(request: Request): void {
    const world = this.#world;
    this.#sent.push(request);
    this.#lastExecution = Math.max(this.#lastExecution, world.now + this.#network.latency());
    world.after(this.#lastExecution - world.now, () => this.#reach());
  }

  #reach(): "quiet" {
    const world = this.#world;
    if (!this.open) return "quiet";
    if (this.#server.pausedUntil > world.now) {
      world.after(this.#server.pausedUntil - world.now, () => this.#reach());
      return "quiet";
    }
    const request = this.#sent.shift()!;
    request.answer = this.#execute(request);
    this.#executed.push(request);
    this.#lastAnswer = Math.max(this.#lastAnswer, world.now + this.#network.latency());
    world.after(this.#lastAnswer - world.now, () => this.#answer());
    return "quiet";
  }

  #execute(request: Request): unknown {
    const answer = request.execute();
    this.#world.tell(this.#server.name, () => `${this.#client.name}'s ${request.label} -> ${shown(answer)}`);
    return answer;
  }

  #answer(): "quiet" | void {
    if (!this.open) return "quiet";
    const request = this.#executed.shift()!;
    if (request.settled) return "quiet";
    this.#world.tell(this.#client.name, () => `is answered: ${request.label} -> ${shown(request.answer)}`);
    const { answer } = request;
    if (answer instanceof Error) request.reject(answer);
    else request.resolve(answer);
  }

  /** Breaks it. What was sent is lost, but for the first requests, which reach the server within so many ms. */
  lose(lateMs: number): void {
    if (!this.open) return;
    this.open = false;
    this.#server.connections.delete(this);
    const unanswered = [...this.#executed, ...this.#sent];
    const late = lateMs === 0 ? [] : this.#sent.slice(0, this.#world.chance.below(this.#sent.length + 1));
    let after = 0;
    for (const request of late) {
      after += this.#world.chance.fraction() * lateMs;
      this.#world.after(after, () => {
        this.#execute(request);
        return "quiet";
      });
    }
    this.#sent = this.#executed = [];
    for (const request of unanswered) {
      request.reject(new ConnectionError(`Cannot ${request.label}: the connection is lost`, this.#server.name));
    }
  }
}

/** What was found or written; good on the connection that gave it. */
class Seen {
  readonly stored = true;
  readonly flags = 0;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly cas: bigint;
  readonly origin: Connection;

  constructor(key: string, bytes: Uint8Array, cas: bigint, origin: Connection) {
    this.key = key;
    this.bytes = bytes;
    this.cas = cas;
    this.origin = origin;
  }

  text(): string {
    return decoder.decode(this.bytes);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const textIn = (bytes: Uint8Array): string => decoder.decode(bytes);

interface CasOptions {
  readonly ttl?: number;
  readonly cas?: Seen | bigint;
}

/** One process's client: what MemcachedStore uses of `Memcached`. */
export class SimulatedClient {
  readonly name: string;
  readonly #world: World;
  readonly #network: Network;
  readonly #connections = new Map<SimulatedServer, (Connection | undefined)[]>();
  /** Until when a server cannot be reached from here. */
  readonly #cutOff = new Map<SimulatedServer, number>();
  readonly #failures = new Map<string, number>();
  /** Keys whose lease was taken or renewed here, and at which event that was answered. */
  readonly leased: Map<string, number> = new Map();
  /** Operations whose caller waits. */
  inFlight = 0;
  crashed = false;

  constructor(name: string, world: World, network: Network) {
    this.name = name;
    this.#world = world;
    this.#network = network;
  }

  /** How many operations on this key have failed. */
  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  serverOf(key: string): string {
    return this.#network.serverOf(key).name;
  }

  get(key: string): Promise<Seen | undefined> {
    return this.#ask(`get ${key}`, key, undefined, (server, connection) => {
      const kept = server.at(key);
      return kept && new Seen(key, kept.bytes, kept.cas, connection);
    });
  }

  add(key: string, value: Uint8Array, options: CasOptions): Promise<unknown> {
    return this.#write("add", key, value, options, (there) => there === undefined);
  }

  set(key: string, given: Uint8Array | string, options: CasOptions): Promise<unknown> {
    const value = typeof given === "string" ? encoder.encode(given) : given;
    const cas = casOf(options.cas);
    return this.#write("set", key, value, options, (there) => cas === undefined || there?.cas === cas);
  }

  delete(key: string, options: CasOptions = {}): Promise<boolean> {
    const cas = casOf(options.cas);
    return this.#ask(`delete ${key}${over(options)}`, key, options.cas, (server) => {
      const there = server.at(key);
      return (cas === undefined || there?.cas === cas) && server.items.delete(key);
    }, false);
  }

  incr(key: string, delta: bigint, { initial }: { readonly initial?: bigint } = {}): Promise<bigint | undefined> {
    const label = initial === undefined ? `increment ${key}` : `create ${key} at ${initial}`;
    return this.#ask(label, key, undefined, (server) => {
      const there = server.at(key);
      if (there === undefined) {
        if (initial !== undefined) this.#keep(server, key, encoder.encode(String(initial)), Infinity);
        return initial;
      }
      const text = textIn(there.bytes);
      if (!/^\d+$/.test(text)) return new ServerError(`Cannot increment ${key}`, server.name, 6);
      const count = BigInt.asUintN(64, BigInt(text) + delta);
      if (delta > 0n) this.#keep(server, key, encoder.encode(String(count)), Infinity);
      return count;
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  // ──────────────── faults ────────────────

  /** A connection breaks. */
  lose(server: SimulatedServer, lateMs: number): void {
    const connections = this.#connections.get(server) ?? [];
    if (connections.length > 0) this.#world.chance.pick(connections)?.lose(lateMs);
  }

  /** The server cannot be reached from here for a while: everything fails at once. */
  cutOff(server: SimulatedServer, untilMs: number, lateMs: number): void {
    this.#cutOff.set(server, untilMs);
    for (const connection of this.#connections.get(server) ?? []) connection?.lose(lateMs);
  }

  /** The process dies; what it sent may still arrive. */
  crash(lateMs: number): void {
    this.crashed = true;
    for (const connections of this.#connections.values()) {
      for (const connection of connections) connection?.lose(lateMs);
    }
  }

  // ──────────────── requests ────────────────

  #write(
    verb: "add" | "set",
    key: string,
    value: Uint8Array,
    options: CasOptions,
    fits: (there: Kept | undefined) => boolean,
  ): Promise<unknown> {
    const label = `${verb} ${key} = ${shownBytes(value)}${verb === "add" ? "" : over(options)}`;
    const bytes = value.slice();
    const tooLarge = () => new ValueTooLargeError(`Cannot ${verb} ${key}: too large`, this.serverOf(key), 3);
    const isTooLarge = bytes.length > this.#network.maxBytes;
    if (isTooLarge && this.#network.refuser === "client") return Promise.reject(tooLarge());
    const { ttl = Infinity } = options;
    const failures = this.failuresOf(key);
    let written: Kept | undefined;
    return this.#ask(
      label,
      key,
      options.cas,
      (server, connection) => {
        if (isTooLarge) {
          // What was there goes, lest it be taken for what was to be written.
          if (verb === "set") server.items.delete(key);
          return tooLarge();
        }
        const contested = server.contested.get(key);
        if (contested !== undefined && isLease(bytes)) {
          contested.set(this, (contested.get(this) ?? 0) + 1);
          return { stored: false, reason: "exists" };
        }
        const there = server.at(key);
        if (!fits(there)) return { stored: false, reason: there === undefined ? "not-found" : "exists" };
        written = this.#keep(server, key, bytes, ttl, failures);
        return new Seen(key, bytes, written.cas, connection);
      },
      { stored: false, reason: "connection-lost" },
      () => {
        if (written === undefined) return;
        written.answered = true;
        if (isLease(bytes)) this.leased.set(key, this.#world.happened);
      },
    );
  }

  /** The server's clock ticks once a second, so an item may die up to a second early. */
  #keep(server: SimulatedServer, key: string, bytes: Uint8Array, ttl: number, failures = 0): Kept {
    const until = this.#world.now + (ttl - this.#world.chance.fraction()) * 1000;
    return server.put(key, { bytes, until, by: this, failures });
  }

  /** `lost`: the answer to what is fenced by a token whose connection is gone: nothing is sent then. */
  #ask<T>(
    label: string,
    key: string,
    token: Seen | bigint | undefined,
    execute: (server: SimulatedServer, connection: Connection) => unknown,
    lost?: unknown,
    answered?: () => void,
  ): Promise<T> {
    if (this.crashed) return new Promise(() => {});
    const world = this.#world, server = this.#network.serverOf(key);
    const bound = token instanceof Seen ? token.origin : undefined;
    if (bound?.open === false) {
      world.tell(this.name, () => `does not send ${label}: its token's connection is lost`);
      return Promise.resolve(lost as T);
    }
    if ((this.#cutOff.get(server) ?? 0) > world.now) {
      this.#failures.set(key, this.failuresOf(key) + 1);
      return Promise.reject(new ConnectionError(`Cannot ${label}: the server is dead`, server.name));
    }
    const connection = bound ?? this.#connection(server);
    world.tell(this.name, () => `sends ${label}`);
    this.inFlight++;
    return new Promise((resolve, reject) => {
      const settle = () => {
        request.settled = true;
        this.inFlight--;
        world.cancel(timer);
      };
      const request: Request = {
        label,
        key,
        execute: () => execute(server, connection),
        answer: undefined,
        settled: false,
        resolve: (answer) => {
          settle();
          answered?.();
          resolve(answer as T);
        },
        reject: (error) => {
          if (request.settled) return;
          settle();
          if (!(error instanceof ServerError)) this.#failures.set(key, this.failuresOf(key) + 1);
          if (!this.crashed) reject(error);
        },
      };
      const timer = world.after(this.#network.timeoutMs, () => {
        world.tell(this.name, () => `waits no longer for: ${label}`);
        request.reject(new TimeoutError(`Cannot ${label}: no answer in time`, server.name));
      });
      connection.send(request);
    });
  }

  #connection(server: SimulatedServer): Connection {
    let connections = this.#connections.get(server);
    if (connections === undefined) this.#connections.set(server, connections = []);
    const n = this.#world.chance.below(this.#network.connections);
    const connection = connections[n];
    if (connection?.open) return connection;
    return connections[n] = new Connection(this, server, this.#network);
  }
}

const casOf = (token: Seen | bigint | undefined): bigint | undefined => token instanceof Seen ? token.cas : token;

// ──────────────── for the schedule that a person reads ────────────────

const over = ({ cas }: CasOptions): string => cas === undefined ? " over anything" : ` over cas ${casOf(cas)}`;

function shown(answer: unknown): string {
  if (answer instanceof Seen) return `${shownBytes(answer.bytes)}, cas ${answer.cas}`;
  if (answer instanceof Error) return answer.message;
  if (typeof answer === "object" && answer !== null) return `not stored (${(answer as { reason: string }).reason})`;
  return answer === undefined ? "nothing" : String(answer);
}

function shownBytes(bytes: Uint8Array): string {
  if (bytes[0] !== 0xc1) return textIn(bytes);
  const generations = (bytes[4]! << 8) + bytes[5]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const counts = Array.from({ length: generations }, (_, i) => String(view.getBigUint64(26 + 8 * i)));
  const rest = textIn(bytes.subarray(26 + 8 * generations)).replace(/[^\x20-\x7e]/g, "");
  return `${["value", "lease", "mark"][bytes[3]!]} ${rest.slice(0, 80)}${counts.length > 0 ? ` [${counts}]` : ""}`;
}
