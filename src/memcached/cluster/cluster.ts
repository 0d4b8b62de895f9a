/** The servers of now: their list, the ring over it, and which of them live. */

import type { Clock } from "../../util/clock.ts";
import { Hashes, Ring } from "./ring.ts";
import type { Server } from "./server.ts";
import type { ServerPlace } from "./addresses.ts";

/** A server at its place on the ring. */
interface Member {
  readonly place: ServerPlace;
  readonly server: Server;
}

/** Fewer are hashed in one step, and need no other one. */
const FEW = 50;
/** So many hashes take some milliseconds. */
const HASHES_A_STEP = 1000;

/** A ring of so many servers is built within a step of the event loop. */
export const isFew = (places: readonly ServerPlace[]): boolean => places.length <= FEW;

/** Servers that come and go while they are asked. */
export class Cluster {
  /** Their names, in the order of their list. */
  names: readonly string[] = Object.freeze([]);
  servers: readonly Server[] = [];
  #members: readonly Member[] = [];
  readonly #open: (place: ServerPlace) => Server;
  readonly #eject: boolean;
  #keepsIdle = true;
  #ring: Ring | undefined;
  readonly #hashes = new Hashes();
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

  /** Hashes what a ring of these needs, in steps, so that it is built without holding up the event loop. */
  async prepare(places: readonly ServerPlace[], clock: Clock): Promise<void> {
    for (const _ of this.#hashes.inSteps(places.map(({ ring }) => ring), HASHES_A_STEP)) {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 0));
    }
  }

  /** From now on these. Those that stay keep their connections. Resolves when those that go have answered and closed. */
  async replace(places: readonly ServerPlace[]): Promise<void> {
    const before = new Map(this.#members.map((member) => [member.place.name, member.server]));
    this.#members = places.map((place) => {
      const server = before.get(place.name) ?? this.#opened(place);
      before.delete(place.name);
      return { place, server };
    });
    this.servers = this.#members.map(({ server }) => server);
    this.names = Object.freeze(places.map(({ name }) => name));
    this.#ring = this.#living = undefined;
    this.#hashes.keepOnly(places.map(({ ring }) => ring));
    await Promise.all([...before.values()].map((server) => this.#leave(server)));
  }

  /** Where a key lives. There is at least one server. */
  serverOf(key: string): Server {
    const { servers } = this;
    if (servers.length === 1) return servers[0]!;
    // duty e: a dead server keeps its keys
    if (this.#eject && servers.some((server) => server.dead)) {
      const living = this.#living ??= this.#findLiving();
      return living.servers[living.ring.serverOf(key)]!;
    }
    this.#ring ??= this.#ringOf(this.#members);
    return servers[this.#ring.serverOf(key)]!;
  }

  /** Of the fullest of their connections. */
  get load(): number {
    let most = 0;
    for (const { fullest } of this.servers) if (fullest > most) most = fullest;
    return most;
  }

  /** None of them lives. */
  get dead(): boolean {
    return this.servers.length > 0 && this.servers.every((server) => server.dead);
  }

  /** Do its servers, those of later lists as well, keep connections that nobody uses? */
  set keepsIdle(keeps: boolean) {
    this.#keepsIdle = keeps;
    for (const server of this.servers) server.keepsIdle = keeps;
  }

  #opened(place: ServerPlace): Server {
    const server = this.#open(place);
    if (!this.#keepsIdle) server.keepsIdle = false;
    return server;
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
    return { servers: chosen.map(({ server }) => server), ring: this.#ringOf(chosen) };
  }

  #ringOf(members: readonly Member[]): Ring {
    return new Ring(members.map(({ place }) => place.ring), this.#hashes);
  }
}
