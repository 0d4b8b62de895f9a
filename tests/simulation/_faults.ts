/** What breaks. */
import { encodeEntry } from "../../src/store/envelope.ts";
import { defaultCodec } from "../../src/codec/codec.ts";
import type { Fault } from "./_plan.ts";
import { isLease, type SimulatedServer } from "./_server.ts";
import type { Fleet } from "./_simulation.ts";

const codec = defaultCodec();
const JUNK = new TextEncoder().encode("junk");

export class Faults {
  readonly #fleet: Fleet;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** Strangers at work. */
  begin(): void {
    const { plan, world } = this.#fleet;
    if (plan.kind === "parade") this.#parade(plan.mintDelayMs);
    if (plan.kind === "contested") {
      const entry = this.#entry(0);
      const server = this.#fleet.serverOf(entry);
      world.tell(server.name, () => `nobody can take the lease of ${entry} from now on: others are always quicker`);
      server.contested.set(entry, new Map());
    }
  }

  /** Perhaps something breaks now. */
  strike(): "struck" | void {
    const { plan, world } = this.#fleet;
    if (plan.faults.length === 0 || !world.chance.says(plan.faultRate)) return;
    this.#break(world.chance.pick(plan.faults));
    return "struck";
  }

  #break(fault: Fault): void {
    const { world, servers, processes } = this.#fleet;
    const { chance } = world;
    const server = chance.pick(servers), n = chance.below(processes.length), process = processes[n]!;
    const lateMs = chance.pick([10, 500, 10_000]);
    const tell = (text: string) => world.tell("***", () => text);
    switch (fault) {
      case "evict":
      case "evictCounter": {
        const keys = [...server.items.keys()].filter((key) => fault === "evict" || key.includes("%group:"));
        if (keys.length === 0) return;
        return server.evict(chance.pick(keys));
      }
      case "junk": {
        const keys = [...server.items.keys()];
        if (keys.length === 0) return;
        const key = chance.pick(keys);
        tell(`a stranger writes junk under ${key}`);
        server.put(key, { bytes: JUNK, until: Infinity, by: undefined, failures: 0 });
        return;
      }
      case "plant":
        return this.#plant(server);
      case "setClock": {
        const ms = chance.pick([-3_600_000, -5000, 5000, 3_600_000]);
        tell(`${process.name}'s clock is set by ${ms} ms`);
        return process.clock.set(ms);
      }
      case "restart":
        tell(`${server.name} restarts`);
        return server.restart();
      case "pause": {
        const ms = chance.pick([100, 400, 1500, 4000]);
        tell(`${server.name} stops for ${ms} ms`);
        server.pausedUntil = Math.max(server.pausedUntil, world.now + ms);
        return;
      }
      case "lose":
        tell(`${process.name} loses its connection to ${server.name}`);
        return process.client.lose(server, lateMs);
      case "cutOff": {
        const ms = chance.pick([300, 3000, 15_000]);
        tell(`${process.name} cannot reach ${server.name} for ${ms} ms`);
        return process.client.cutOff(server, world.now + ms, lateMs);
      }
      case "crash": {
        process.crash(lateMs);
        const next = processes[n] = this.#fleet.start();
        tell(`${process.name} crashes; ${next.name} takes its place`);
      }
    }
  }

  /** A lease that stands for ever and that nobody renews, unless it is a copy of one that somebody holds. */
  #plant(server: SimulatedServer): void {
    const { world, plan } = this.#fleet;
    const { chance } = world;
    const held = [...server.items].filter(([, { bytes }]) => isLease(bytes)).map(([key]) => key);
    const free = plan.groups.flatMap((groups, key) => groups.length === 0 ? this.#entry(key) : [])
      .filter((key) => this.#fleet.serverOf(key) === server && server.at(key) === undefined);
    const keys = [...held, ...free];
    if (keys.length === 0) return;
    const key = chance.pick(keys);
    const lease = { kind: "lease", nonce: `planted.${world.happened}`, generations: [] } as const;
    const bytes = server.at(key)?.bytes ?? encodeEntry(lease, codec);
    if (!isLease(bytes)) return;
    world.tell("***", () => `a stranger plants a lease under ${key}, for ever`);
    server.put(key, { bytes, until: Infinity, by: undefined, failures: 0 });
  }

  /** Strangers' leases, one after another. */
  #parade(mintDelayMs: number): void {
    const { world, waits } = this.#fleet;
    const { chance } = world;
    const entry = this.#entry(0), server = this.#fleet.serverOf(entry);
    const long = chance.says(0.4);
    let count = 0;
    const next = () => {
      const there = server.at(entry);
      if (count > 0 && there?.by === undefined) waits.leaseGone(0);
      if (count++ === (long ? 6 : 20)) {
        server.items.delete(entry);
        return;
      }
      this.#strangersLease(server, entry, count);
      world.after(long ? chance.between(0.7, 0.9) * mintDelayMs : chance.between(250, 400), next);
    };
    world.after(0, next);
  }

  #strangersLease(server: SimulatedServer, entry: string, count: number): void {
    const there = server.at(entry);
    if (there !== undefined && !isLease(there.bytes)) return;
    const bytes = encodeEntry({ kind: "lease", nonce: `stranger.${count}`, generations: [] }, codec);
    server.world.tell("***", () => `a stranger takes the lease of ${entry}: stranger.${count}`);
    server.put(entry, { bytes, until: Infinity, by: undefined, failures: 0 });
  }

  #entry(key: number): string {
    return this.#fleet.processes[0]!.backend.key(`k${key}`);
  }
}
