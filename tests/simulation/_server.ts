/**
 * Simulated memcached servers, and the connections to them. A request waits on its
 * connection, reaches the server, and its answer waits again; requests of one connection keep their order, all others
 * have none. What was sent on a connection that is lost may still reach the server, much later.
 */
import { ConnectionError } from "../../src/errors.ts";
import type { SimulatedClient } from "./_client.ts";
import { shown } from "./_shown.ts";
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

/** Whose connection may break just after it was sent: it reaches the server late. */
export type Sabotaged = "lease" | "value" | "counter";

/** Until when a value without groups is fresh, in epoch ms; `undefined`: it is something else. */
export function freshUntilOf(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0xc1 || bytes[3] !== 0 || bytes[5] !== 0) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(8);
}

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
  /** Does the connection break just after this was sent? */
  sabotages(kind: Sabotaged): boolean;
  /** Bytes are about to be replaced by others. */
  replaced(who: string, key: string, former: Uint8Array, next: Uint8Array): void;
}

export class SimulatedServer {
  readonly name: string;
  readonly items: Map<string, Kept> = new Map();
  readonly world: World;
  pausedUntil = 0;
  restarts = 0;
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

  evict(key: string): void {
    this.world.tell("***", () => `${this.name} evicts ${key}`);
    this.items.delete(key);
  }

  /** Empty; cas values begin again, and other keys' traffic brings them anywhere. */
  restart(): void {
    const { chance } = this.world;
    const held = [...this.items.values()].map(({ cas }) => cas);
    this.#cas = held.length > 0 && chance.says(0.6) ? chance.pick(held) - 1n - BigInt(chance.below(2)) : 0n;
    if (this.#cas < 0n) this.#cas = 0n;
    this.items.clear();
    this.restarts++;
    for (const connection of [...this.connections]) connection.lose(0);
  }
}

/** A request on its way. */
export interface Request {
  readonly label: string;
  readonly key: string;
  readonly execute: () => unknown;
  /** What happens just before it reaches the server late. */
  readonly beforeLate: (() => void) | undefined;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  answer: unknown;
  settled: boolean;
}

/** One socket of one process to one server. */
export class Connection {
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
    const { restarts } = this.#server;
    let after = 0;
    for (const request of late) {
      after += this.#world.chance.fraction() * lateMs;
      this.#world.after(after, () => {
        // What stood in the socket of a server that died is gone.
        if (this.#server.restarts !== restarts) return "quiet";
        request.beforeLate?.();
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
