/** The servers of now: their list, the ring over it, and which of them live. */

import { Ring } from "./ring.ts";
import type { Server } from "./server.ts";
import type { ServerPlace } from "./servers.ts";

/** A server at its place on the ring. */
interface Member {
  readonly place: ServerPlace;
  readonly server: Server;
}

/** Servers that come and go while they are asked. */
export class Cluster {
  /** Their names, in the order of their list. */
  names: readonly string[] = Object.freeze([]);
  servers: readonly Server[] = [];
  #members: readonly Member[] = [];
  readonly #open: (place: ServerPlace) => Server;
  readonly #eject: boolean;
  #ring: Ring | undefined;
  /** With `eject`: the servers that live, and their ring, until one dies or comes back. */
  #living: { readonly servers: readonly Server[]; readonly ring: Ring } | undefined;
  /** Servers that have gone and still have something to answer. */
  readonly #leaving = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  /** No server yet. `eject`: the keys of a dead server move to the others. */
  constructor(open: (place: ServerPlace) => Server, eject: boolean) {
    this.#open = open;
    this.#eject = eject;
  }

  /** From now on these. Those that stay keep their connections. Resolves when those that go have answered and closed. */
  async replace(places: readonly ServerPlace[]): Promise<void> {
    const before = new Map(this.#members.map((member) => [member.place.name, member.server]));
    this.#members = places.map((place) => {
      const server = before.get(place.name) ?? this.#open(place);
      before.delete(place.name);
      return { place, server };
    });
    this.servers = this.#members.map(({ server }) => server);
    this.names = Object.freeze(places.map(({ name }) => name));
    this.#ring = this.#living = undefined;
    await Promise.all([...before.values()].map((server) => this.#leave(server)));
  }

  /** Where a key lives. There is at least one server. */
  serverOf(key: string): Server {
    const { servers } = this;
    if (servers.length === 1) return servers[0]!;
    if (this.#eject && servers.some((server) => server.dead)) {
      const living = this.#living ??= this.#findLiving();
      return living.servers[living.ring.serverOf(key)]!;
    }
    this.#ring ??= ringOf(this.#members);
    return servers[this.#ring.serverOf(key)]!;
  }

  /** One has died, or come back. */
  turned(): void {
    this.#living = undefined;
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

  /** All of them, where none lives. */
  #findLiving(): { readonly servers: readonly Server[]; readonly ring: Ring } {
    const left = this.#members.filter(({ server }) => !server.dead);
    const chosen = left.length > 0 ? left : this.#members;
    return { servers: chosen.map(({ server }) => server), ring: ringOf(chosen) };
  }
}

const ringOf = (members: readonly Member[]): Ring => new Ring(members.map(({ place }) => place.ring));
