/** The present servers: their list, the ring over it, and which of them are alive. */

import type { Clock } from "../../util/clock.ts";
import { Hashes, Ring } from "./ring.ts";
import type { Server } from "./server.ts";
import type { ServerAddress } from "./addresses.ts";

/** A server and the address it was opened for. */
interface Member {
  readonly address: ServerAddress;
  readonly server: Server;
}

/** So many servers are hashed in one step: building their ring does not hold up the event loop. */
const FEW = 50;
/** So many hashes take some milliseconds. */
const HASHES_A_STEP = 1000;

/** Their ring can be built at once, without `prepare`. */
export const isFew = (addresses: readonly ServerAddress[]): boolean => addresses.length <= FEW;

/** The present servers of a client; the list may change while requests are under way. */
export class Cluster {
  /** Their names, in the order of their list. */
  names: readonly string[] = Object.freeze([]);
  servers: readonly Server[] = [];
  #members: readonly Member[] = [];
  readonly #open: (address: ServerAddress) => Server;
  readonly #eject: boolean;
  #keepsIdle = true;
  readonly #hashes = new Hashes();
  /** The servers that own keys, and their ring; `undefined` once that has changed. */
  #owners: { readonly servers: readonly Server[]; readonly ring: Ring } | undefined;
  /** Servers that are no longer of the list, and still have calls to answer. */
  readonly #leaving = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  /** No server yet. `eject`: the keys of a dead server move to the others. */
  constructor(open: (address: ServerAddress) => Server, eject: boolean) {
    this.#open = open;
    this.#eject = eject;
  }

  /** Hashes what a ring of these needs, in steps, so that building it does not hold up the event loop. */
  async prepare(addresses: readonly ServerAddress[], clock: Clock): Promise<void> {
    for (const _ of this.#hashes.inSteps(addresses.map(({ ring }) => ring), HASHES_A_STEP)) {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 0));
    }
  }

  /** Replaces the list. Servers that stay keep their connections. Resolves when those that go have answered and closed. */
  async replace(addresses: readonly ServerAddress[]): Promise<void> {
    const before = new Map(this.#members.map((member) => [member.address.name, member.server]));
    this.#members = addresses.map((address) => {
      const server = before.get(address.name) ?? this.#open(address);
      if (!this.#keepsIdle) server.keepsIdle = false;
      before.delete(address.name);
      return { address, server };
    });
    this.servers = this.#members.map(({ server }) => server);
    this.names = Object.freeze(addresses.map(({ name }) => name));
    this.#owners = undefined;
    this.#hashes.keepOnly(addresses.map(({ ring }) => ring));
    await Promise.all([...before.values()].map((server) => this.#leave(server)));
  }

  /** The server that owns a key. There must be at least one server. */
  serverOf(key: string): Server {
    if (this.servers.length === 1) return this.servers[0]!;
    const { servers, ring } = this.#owners ??= this.#findOwners();
    return servers[ring.serverOf(key)]!;
  }

  /** One has died, or come back: with `eject` its keys move. */
  topologyChanged(): void {
    if (this.#eject) this.#owners = undefined; // duty e: a death moves no keys
  }

  /** The load of the fullest connection of all servers. */
  get load(): number {
    return this.servers.reduce((most, { fullest }) => Math.max(most, fullest), 0);
  }

  /** There are servers, and all of them are dead. */
  get dead(): boolean {
    return this.servers.length > 0 && this.servers.every((server) => server.dead);
  }

  /** Do its servers, those of later lists as well, keep connections that nobody uses? */
  set keepsIdle(keeps: boolean) {
    this.#keepsIdle = keeps;
    for (const server of this.servers) server.keepsIdle = keeps;
  }

  /** Resolves when every operation has settled, also of servers that had gone before. */
  close(): Promise<void> {
    return this.#closing ??= Promise.all([...this.servers.map((server) => server.close()), ...this.#leaving])
      .then(() => {});
  }

  async #leave(server: Server): Promise<void> {
    const left = server.close();
    this.#leaving.add(left);
    await left;
    this.#leaving.delete(left);
  }

  /** With `eject`, those that are alive. All of them, where none is. */
  #findOwners(): { readonly servers: readonly Server[]; readonly ring: Ring } {
    // duty e: a dead server keeps its keys
    const alive = this.#members.filter(({ server }) => this.#eject && !server.dead);
    const owners = alive.length > 0 ? alive : this.#members;
    const ring = new Ring(owners.map(({ address }) => address.ring), this.#hashes);
    return { servers: owners.map(({ server }) => server), ring };
  }
}
