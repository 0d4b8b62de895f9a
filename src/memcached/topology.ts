/** Which servers a client has: those that were given, or those that configuration endpoints name. */

import { Cluster, isFew } from "./cluster/cluster.ts";
import { Discovery } from "./cluster/discovery.ts";
import { PendingCalls } from "./cluster/pending_calls.ts";
import type { MemcachedEvents } from "./events.ts";
import type { CheckedOptions } from "./options.ts";
import { Server, type ServerListener } from "./cluster/server.ts";
import type { ServerAddress } from "./cluster/addresses.ts";
import type { Listeners } from "../util/listeners.ts";

/** The servers of a client. */
export class Topology {
  readonly cluster: Cluster;
  /** Calls wait here until the first list of servers has come, and a long one has been hashed. */
  readonly pending: PendingCalls;
  /** Only where the servers given are configuration endpoints. */
  readonly #discovery: Discovery | undefined;
  readonly #options: CheckedOptions;
  /** Servers that have no connection, since nobody used it. */
  readonly #idle = new WeakSet<Server>();
  /** Counts the lists: of two that are prepared at once the later one counts. */
  #lists = 0;

  constructor(addresses: readonly ServerAddress[], options: CheckedOptions, listeners: Listeners<MemcachedEvents>) {
    this.#options = options;
    const listener: ServerListener = {
      connected: (server, ms) => {
        this.#discovery?.goOn();
        this.#idle.delete(server);
        listeners.emit("connect", { server: server.name, ms });
      },
      died: (server, error, retryMs) => {
        this.cluster.topologyChanged();
        this.#discovery?.hurry();
        listeners.emit("dead", { server: server.name, error, retryMs });
      },
      probeFailed: () => this.#discovery?.hurry(),
      revived: (server) => {
        this.cluster.topologyChanged();
        listeners.emit("alive", { server: server.name });
      },
      idle: (server) => {
        this.#idle.add(server);
        if (this.cluster.servers.every((one) => this.#idle.has(one))) this.#discovery?.pause();
      },
    };
    const open = ({ name, address }: ServerAddress) => new Server(name, address, options, listener);
    const cluster = this.cluster = new Cluster(open, options.eject);
    const { discoveryMs: intervalMs, clock, timeoutMs, maxInFlight, maxBytesInFlight, connections } = options;
    const server = addresses[0]!.name;
    const waiting = { server, clock, timeoutMs, maxCalls: maxInFlight, maxBytes: maxBytesInFlight };
    if (intervalMs !== undefined) {
      const use = (found: readonly ServerAddress[]) => this.#change(found);
      const discovery = new Discovery(addresses, options, intervalMs, use, () => cluster.dead);
      this.#discovery = discovery;
      const waitingFor = "no list of servers has come";
      this.pending = new PendingCalls({ ...waiting, waitingFor }, () => discovery.list());
      return;
    }
    void cluster.replace(addresses);
    waiting.maxCalls *= addresses.length * connections;
    waiting.maxBytes *= addresses.length * connections;
    const prepare = isFew(addresses) ? undefined : () => cluster.prepare(addresses, clock);
    this.pending = new PendingCalls({ ...waiting, waitingFor: "the servers' names have not been hashed" }, prepare);
  }

  /** Does it keep connections that nobody uses? Where it does not, nobody is asked for lists either while there is none. */
  set keepsIdle(keeps: boolean) {
    this.cluster.keepsIdle = keeps;
    if (keeps) this.#discovery?.goOn();
  }

  /** Nobody but the endpoints says which servers there are. */
  get discovers(): boolean {
    return this.#discovery !== undefined;
  }

  /** From now on these; a long list a little later. Resolves when those that go have answered and closed. */
  async replace(addresses: readonly ServerAddress[]): Promise<void> {
    await (await this.#change(addresses)).closed;
  }

  /** Resolves when every operation has settled, also of servers that had gone before. */
  async close(): Promise<void> {
    if (!this.pending.open) await this.pending.close(); // calls that wait are made before their servers close
    this.#lists++; // a list that is being prepared comes too late
    await Promise.all([this.#discovery?.close(), this.cluster.close()]);
  }

  /** Resolves once these are the servers, or a list has come after them. `closed`: those that go have answered. */
  async #change(addresses: readonly ServerAddress[]): Promise<{ readonly closed: Promise<void> | undefined }> {
    const list = ++this.#lists;
    if (!isFew(addresses)) await this.cluster.prepare(addresses, this.#options.clock);
    return { closed: list === this.#lists ? this.cluster.replace(addresses) : undefined };
  }
}
