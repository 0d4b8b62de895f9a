/** A client of the driver's shape, for the real MemcachedStore, over the simulated servers. */
import { ConnectionError, ServerError, TimeoutError, ValueTooLargeError } from "../../src/errors.ts";
import {
  Connection,
  isLease,
  type Kept,
  type Network,
  type Request,
  type Sabotaged,
  type SimulatedServer,
} from "./_server.ts";
import { casOf, over, Seen, shownBytes, textIn } from "./_shown.ts";
import type { World } from "./_world.ts";

const encoder = new TextEncoder();

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
    return this.#ask(
      label,
      key,
      undefined,
      (server) => {
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
      },
      undefined,
      undefined,
      initial === undefined ? undefined : "counter",
    );
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
    const kind = isLease(bytes) ? "lease" : "value";
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
        if (contested !== undefined && kind === "lease") {
          contested.set(this, (contested.get(this) ?? 0) + 1);
          return { stored: false, reason: "exists" };
        }
        const there = server.at(key);
        if (!fits(there)) return { stored: false, reason: there === undefined ? "not-found" : "exists" };
        if (there !== undefined) this.#network.replaced(this.name, key, there.bytes, bytes);
        written = this.#keep(server, key, bytes, ttl, failures);
        return new Seen(key, bytes, written.cas, connection);
      },
      { stored: false, reason: "connection-lost" },
      () => {
        if (written === undefined) return;
        written.answered = true;
        if (kind === "lease") this.leased.set(key, this.#world.happened);
      },
      kind,
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
    kind?: Sabotaged,
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
        // The worst moment to evict a counter is just before it may be created again.
        beforeLate: kind === "counter" && world.chance.says(0.5) ? () => server.evict(key) : undefined,
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
      if (kind !== undefined && this.#network.sabotages(kind)) {
        world.after(0, () => {
          world.tell("***", () => `${this.name}'s connection breaks while it asks for: ${label}`);
          connection.lose(10_000);
        });
      }
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
