/**
 * Several processes over one server, in one test: each "process" is a GroupBackend of its own with a connection of its
 * own, all under one fake clock. Every operation can be held, lost, or made to land late, so that a bad schedule can be
 * replayed step by step.
 */
import { type FetchOptions, GroupBackend, type GroupBackendOptions } from "./_mod.ts";
import type { Entry, Found, Over, Store, Token } from "../../src/store/store.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { SeededRandom } from "../../src/testing/seeded_random.ts";

type Verb = "get" | "add" | "set" | "delete" | "counter" | "increment";
interface Kept {
  readonly entry: Entry | { readonly kind: "unreadable" } | bigint;
  readonly cas: number;
  readonly until: number;
}

/** A memcached as the protocol sees it: items with a cas that starts again when the server does. */
export class FakeServer {
  readonly clock: FakeClock;
  readonly items: Map<string, Kept> = new Map();
  epoch = 0;
  #cas = 0;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  at(key: string): Kept | undefined {
    const kept = this.items.get(key);
    if (kept !== undefined && kept.until <= this.clock.now()) this.items.delete(key);
    return this.items.get(key);
  }

  put(key: string, entry: Kept["entry"], ttlMs: number): number {
    const cas = ++this.#cas;
    this.items.set(key, { entry, cas, until: this.clock.now() + ttlMs });
    return cas;
  }

  /** Empty, and its cas values begin again. */
  restart(): void {
    this.items.clear();
    this.#cas = 0;
    this.epoch++;
  }
}

/** What happens to the next operation that fits. */
export interface Gate {
  readonly verb: Verb;
  readonly key: string | undefined;
  /**
   * hold: reaches the server when let through. answer: reaches it at once, is answered when let through. late: times
   * out at once, reaches it when let through. lost: reaches it at once, times out. fail: never reaches it, times out.
   */
  readonly mode: "hold" | "answer" | "late" | "lost" | "fail" | "refuse";
}
export interface Held extends Gate {
  readonly reached: Promise<void>;
  through(): void;
  /** It will never be answered but by an error. */
  fail(): void;
}

interface Token1 {
  readonly cas: number;
  readonly epoch: number;
  readonly connection: number;
}

/** One process's connection. */
export class FakeStore implements Store {
  readonly server: FakeServer;
  /** As MemcachedStore says of itself: tests hold answers for as long as they like. */
  readonly bounded: boolean = true;
  readonly log: string[] = [];
  readonly #gates: { gate: Gate; reach: () => void; opened: Promise<void>; times: number }[] = [];
  #connection = 0;
  /** Every operation fails at once. */
  down = false;
  closed = false;
  /** Refuses values with a CacheValueError, as for their size, and deletes what was there. */
  refusesValue: ((value: unknown) => Error | undefined) | undefined;
  readonly random: SeededRandom = new SeededRandom(7);

  constructor(server: FakeServer) {
    this.server = server;
  }

  /** The next operation of this kind is treated so. */
  gate(verb: Verb, mode: Gate["mode"], key?: string, times = 1): Held {
    let through!: () => void, reach!: () => void, fail!: () => void;
    const opened = new Promise<void>((resolve, reject) => {
      through = resolve;
      fail = () => reject(new Error("the connection broke"));
    });
    const reached = new Promise<void>((resolve) => reach = resolve);
    const gate: Gate = { verb, mode, key };
    this.#gates.push({ gate, reach, opened, times });
    return { ...gate, reached, through, fail };
  }

  /** The socket breaks: tokens die with it. */
  loseConnection(): void {
    this.#connection++;
  }

  get(key: string): Promise<Found | undefined> {
    return this.#operation("get", key, () => {
      const kept = this.server.at(key);
      if (kept === undefined) return undefined;
      const entry = typeof kept.entry === "bigint" ? { kind: "unreadable" as const } : structuredClone(kept.entry);
      return { entry, token: this.#token(kept.cas) };
    });
  }

  add(key: string, entry: Entry, ttlMs: number): Promise<Token | undefined> {
    const taken = structuredClone(entry);
    return this.#operation("add", key, () => {
      return this.server.at(key) === undefined ? this.#token(this.server.put(key, taken, ttlMs)) : undefined;
    });
  }

  set(key: string, entry: Entry, ttlMs: number, over: Over): Promise<Token | undefined> {
    const taken = structuredClone(entry);
    return this.#operation("set", key, () => {
      const refused = entry.kind === "value" ? this.refusesValue?.(entry.value) : undefined;
      if (refused !== undefined) {
        this.server.items.delete(key);
        throw refused;
      }
      return this.#fits(key, over) ? this.#token(this.server.put(key, taken, ttlMs)) : undefined;
    }, over);
  }

  delete(key: string, over: Over): Promise<boolean> {
    return this.#operation("delete", key, () => this.#fits(key, over) && this.server.items.delete(key), over);
  }

  counter(key: string): Promise<bigint> {
    return this.#operation("counter", key, () => {
      const kept = this.server.at(key);
      if (typeof kept?.entry === "bigint") return kept.entry;
      const start = this.random.uint64() >> 1n;
      this.server.put(key, start, Infinity);
      return start;
    });
  }

  increment(key: string): Promise<void> {
    return this.#operation("increment", key, () => {
      const kept = this.server.at(key);
      if (typeof kept?.entry === "bigint") this.server.put(key, kept.entry + 1n, Infinity);
      else this.server.items.delete(key);
    });
  }

  copy(value: unknown): unknown {
    return structuredClone(value);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #token(cas: number): Token1 {
    return { cas, epoch: this.server.epoch, connection: this.#connection };
  }

  #fits(key: string, over: Over): boolean {
    if (over === "anything") return true;
    // A token goes out on the connection that gave it, or not at all.
    const token = over as Token1;
    return token.connection === this.#connection && token.epoch === this.server.epoch &&
      this.server.at(key)?.cas === token.cas;
  }

  async #operation<T>(verb: Verb, key: string, execute: () => T, over?: Over): Promise<T> {
    this.log.push(`${verb} ${key}${over === undefined ? "" : over === "anything" ? " over anything" : " over token"}`);
    if (this.closed || this.down) throw new Error(`${verb}: the server is down`);
    const i = this.#gates.findIndex(({ gate }) => gate.verb === verb && (gate.key === undefined || gate.key === key));
    if (i < 0) return execute();
    const held = this.#gates[i]!;
    if (--held.times === 0) this.#gates.splice(i, 1);
    held.reach();
    const timedOut = new Error(`${verb}: no answer in time`);
    switch (held.gate.mode) {
      case "hold":
        await held.opened;
        return execute();
      case "answer": {
        const answer = execute();
        await held.opened;
        return answer;
      }
      case "late":
        void held.opened.then(execute);
        throw timedOut;
      case "lost":
        execute();
        throw timedOut;
      case "fail":
        throw timedOut;
      case "refuse":
        return undefined as T;
    }
  }
}

/** One process. `read` calls a cached function that returns the database's version when it began to compute. */
export class FakeProcess {
  readonly store: FakeStore;
  readonly backend: GroupBackend;
  readonly #database: { version: number };
  computations = 0;
  /** Computations that wait to be told to end, in the order in which they began. */
  readonly computing: {
    end(value?: unknown): void;
    fail(error: unknown): void;
    version: number;
    signal: AbortSignal;
  }[] = [];
  /** Do computations wait? */
  slow = false;
  /** In place of the version. */
  result: (() => unknown) | undefined;

  constructor(server: FakeServer, database: { version: number }, options: GroupBackendOptions, seed: number) {
    this.store = new FakeStore(server);
    this.#database = database;
    this.backend = new GroupBackend({
      store: this.store,
      clock: server.clock,
      random: new SeededRandom(seed),
      ttl: 60,
      ...options,
    });
    this.backend.on("storeError", () => {}); // where nobody listens an outage is warned of
  }

  /** The version is read when the computation begins, which is the worst case: what it returns may be old by then. */
  readonly compute = (signal: AbortSignal): unknown => {
    this.computations++;
    const { version } = this.#database;
    const value = () => this.result === undefined ? version : this.result();
    if (!this.slow) return value();
    return new Promise((resolve, reject) => {
      const end = (given?: unknown) => resolve(given === undefined ? value() : given);
      this.computing.push({ end, fail: reject, version, signal });
    });
  };

  read(options: FetchOptions<unknown> = {}, key = "k"): Promise<unknown> {
    return this.backend.fetch(key, this.compute, options);
  }
}

/** A server, a clock, a database, and as many processes as are asked for. */
export class Fleet {
  readonly clock: FakeClock = new FakeClock(1_800_000_000_000);
  readonly server: FakeServer = new FakeServer(this.clock);
  readonly database = { version: 1 };
  #seed = 1;

  process(options: GroupBackendOptions = {}): FakeProcess {
    return new FakeProcess(this.server, this.database, options, this.#seed++);
  }

  /** Everything that can happen without time passing has happened. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }
}

/** Is it still open? */
export async function isOpen(promise: Promise<unknown>, fleet: Fleet): Promise<boolean> {
  let open = true;
  promise.then(() => open = false, () => open = false);
  await fleet.settle();
  return open;
}
