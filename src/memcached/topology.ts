/** Which servers there are: those that were given, or those that configuration endpoints tell. Calls wait for the first list. */

import { Cluster, isFew } from "./cluster/cluster.ts";
import { Discovery } from "./cluster/discovery.ts";
import { Gate } from "./cluster/pending_calls.ts";
import type { Seams, Settings } from "./options.ts";
import { canConnect, loadConnections, Server, type ServerListener } from "./cluster/server.ts";
import type { ServerPlace } from "./cluster/addresses.ts";
import { systemRandom } from "../util/random.ts";
import { Wires } from "./connection/negotiation.ts";

/** The servers of a client. */
export class Topology {
  readonly cluster: Cluster;
  /** Shut until the first list of servers has come, and what connections are made of. */
  readonly gate: Gate;
  /** Only where the servers given are configuration endpoints. */
  readonly #discovery: Discovery | undefined;
  readonly #settings: Settings;
  /** Those that have no connection, since nobody used it. */
  readonly #resting = new WeakSet<Server>();
  /** Counts the lists: of two that are prepared at once the later one counts. */
  #lists = 0;

  constructor(places: readonly ServerPlace[], settings: Settings, seams: Seams, events: ServerListener) {
    this.#settings = settings;
    const { random = systemRandom, connect } = seams;
    const listener: ServerListener = {
      connected: (server, ms) => {
        this.#discovery?.goOn();
        this.#resting.delete(server);
        events.connected(server, ms);
      },
      died: (server, error, retryMs) => {
        this.cluster.turned();
        this.#discovery?.hurry();
        events.died(server, error, retryMs);
      },
      triedInVain: () => this.#discovery?.hurry(),
      revived: (server) => {
        this.cluster.turned();
        events.revived(server);
      },
      rested: (server) => {
        this.#resting.add(server);
        if (this.cluster.servers.every((one) => this.#resting.has(one))) this.#discovery?.pause();
        events.rested(server);
      },
    };
    const { protocol, connections, eject, discoveryMs: intervalMs, clock } = settings;
    const cluster = this.cluster = new Cluster(({ name, address }) => {
      const wires = new Wires(protocol);
      return new Server({ ...settings, server: name, address, wires, connect }, connections, random, listener);
    }, eject);
    const waiting = { ...settings, server: places[0]!.name };
    if (intervalMs === undefined) {
      void cluster.replace(places);
      const bounds = { lanes: places.length * connections, lack: "the driver has not been loaded" };
      const load = () => Promise.all([loadConnections(protocol), cluster.prepare(places, clock)]);
      this.gate = new Gate({ ...waiting, ...bounds }, canConnect(protocol) && isFew(places) ? undefined : load);
    } else {
      const terms = { ...settings, connect, intervalMs };
      const discovery = new Discovery(places, terms, (found) => this.#use(found), () => cluster.dead);
      this.#discovery = discovery;
      const prepare = () => Promise.all([loadConnections(protocol), discovery.list()]);
      this.gate = new Gate({ ...waiting, lanes: 1, lack: "no list of servers has come" }, prepare);
    }
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

  /** From now on these; of many a little later. Resolves when those that go have answered and closed. */
  async replace(places: readonly ServerPlace[]): Promise<void> {
    const list = ++this.#lists;
    if (!isFew(places)) await this.cluster.prepare(places, this.#settings.clock);
    if (list === this.#lists) await this.cluster.replace(places);
  }

  /** Resolves when every operation has settled, also of servers that had gone before. */
  async close(): Promise<void> {
    if (!this.gate.open) await this.gate.close(); // calls that wait are made before their servers close
    this.#lists++; // a list that is being prepared comes too late
    await Promise.all([this.#discovery?.close(), this.cluster.close()]);
  }

  /** Does not wait for those that go. */
  async #use(places: readonly ServerPlace[]): Promise<void> {
    const list = ++this.#lists;
    if (!isFew(places)) await this.cluster.prepare(places, this.#settings.clock);
    if (list === this.#lists) void this.cluster.replace(places);
  }
}
