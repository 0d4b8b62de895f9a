/**
 * What a seed decides before anything happens: how many processes, callers, keys and servers, how the network is, what
 * callers do and what breaks. Each seed leaves most things out, so that what it has happens often enough to meet.
 */
import type { Sabotaged } from "./_server.ts";
import type { Chance } from "./_world.ts";

export type Verb =
  | "call"
  | "begin"
  | "refresh"
  | "invalidate"
  | "invalidateGroup"
  | "set"
  | "add"
  | "peek"
  | "peekMany";
export type Fault =
  | "evict"
  | "evictCounter"
  | "restart"
  | "lose"
  | "pause"
  | "cutOff"
  | "crash"
  | "junk"
  | "plant"
  | "setClock";
export type Result = "value" | "throws" | "unwanted" | "unkeepable" | "large";
export type Pace = "atOnce" | "quick" | "slow" | "renewed" | "lapsing";
/** What becomes of a ticket. late: kept a while after it was computed. fail: dropped with an error. forget: nothing. */
export type End = "keep" | "late" | "drop" | "fail" | "forget";
export type Pause = "none" | "short" | "seconds" | "expiry";

/**
 * calm: nothing breaks, so that computations can be counted. expiry: the same, and all come when it is stale. faulty: anything may. parade: strangers' leases one after
 * another. contested: nobody can take a lease for a while.
 */
export type Kind = "calm" | "expiry" | "faulty" | "parade" | "contested";

export interface Plan {
  readonly kind: Kind;
  readonly processes: number;
  readonly callers: number;
  readonly actions: number;
  /** The groups of each key. */
  readonly groups: readonly (readonly string[])[];
  /** Calls of one key may name other groups of it. */
  readonly mixedGroups: boolean;
  readonly servers: number;
  readonly connections: number;
  readonly latency: "tight" | "near" | "far" | "uneven";
  readonly refuser: "client" | "server";
  readonly ttlMs: number;
  readonly staleMs: number;
  readonly mintDelayMs: number;
  readonly verbs: Readonly<Record<Verb, number>>;
  readonly results: Readonly<Record<Result, number>>;
  readonly paces: Readonly<Record<Pace, number>>;
  readonly pauses: Readonly<Record<Pause, number>>;
  readonly ends: Readonly<Record<End, number>>;
  /** How often a ticket is asked for that waits for nobody, or not for long. */
  readonly impatience: number;
  /** How often a caller aborts, has a timeout, or asks twice at once. */
  readonly aborts: number;
  readonly timeouts: number;
  readonly volleys: number;
  readonly skewed: boolean;
  readonly faults: readonly Fault[];
  /** Its connection breaks, often, just after it was sent. */
  readonly sabotaged: Sabotaged | undefined;
  /** How often something breaks, per event. */
  readonly faultRate: number;
}

const FAULTS: readonly Fault[] = [
  "evict",
  "evictCounter",
  "restart",
  "lose",
  "pause",
  "cutOff",
  "crash",
  "junk",
  "plant",
  "setClock",
];

export function planOf(chance: Chance): Plan {
  const kind = chance.weigh<Kind>({ calm: 22, expiry: 12, faulty: 62, parade: 3, contested: 1 });
  const faulty = kind === "faulty", expiry = kind === "expiry", calm = kind === "calm" || expiry;
  /** A weight that is often 0. */
  const some = (weight: number, often = 0.5) => chance.says(often) ? weight * chance.fraction() : 0;
  const sabotaged = faulty && chance.says(0.3)
    ? chance.pick<Sabotaged>(["lease", "lease", "value", "counter"])
    : undefined;
  const keys = expiry ? "1" : chance.weigh({ "1": 6, "2": 2, "3": 1 });
  const parade = kind === "parade" || kind === "contested";
  const mixedGroups = faulty && chance.says(0.15);
  const grouped = sabotaged === "counter" || chance.says(0.5);
  return {
    kind,
    processes: 2 + chance.below(3),
    callers: 1 + chance.below(3),
    actions: parade ? 3 : 3 + chance.below(8),
    groups: Array.from({ length: parade ? 1 : Number(keys) }, () => {
      if (parade || !grouped) return [];
      return chance.says(0.7) ? ["g"] : ["g", "h"];
    }),
    mixedGroups,
    servers: expiry ? 3 : 1 + chance.below(3),
    connections: chance.says(expiry ? 0.5 : 0.25) ? 2 : 1,
    latency: parade ? "near" : chance.weigh({ tight: 2, near: 4, far: 2, uneven: faulty ? 4 : 0 }),
    refuser: chance.says(0.5) ? "client" : "server",
    ttlMs: parade ? 60_000 : expiry ? 1500 : chance.pick([1500, 3000, 60_000]),
    staleMs: chance.pick(expiry ? [0, 4000, 30_000] : [0, 1000, 4000, 30_000]),
    mintDelayMs: calm ? 60_000 : kind === "parade" ? 4000 : chance.pick([3000, 8000, 30_000]),
    verbs: {
      call: 10,
      begin: some(8, 0.4),
      refresh: faulty ? some(6) : 0,
      invalidate: parade || expiry ? 0 : some(8, 0.7),
      invalidateGroup: parade || expiry || !grouped ? 0 : some(8, 0.8),
      set: faulty ? some(5, 0.3) : 0,
      add: faulty ? some(4, 0.25) : 0,
      peek: some(3, 0.4),
      peekMany: some(2, 0.2),
    },
    results: {
      value: 10,
      throws: parade ? 0 : some(6, 0.3),
      unwanted: faulty ? some(8, 0.25) : 0,
      unkeepable: faulty ? some(5, 0.15) : 0,
      large: faulty ? some(5, 0.15) : 0,
    },
    paces: {
      atOnce: expiry ? 4 : some(3),
      quick: 4,
      slow: expiry ? some(1) : some(6, 0.7),
      renewed: expiry ? 0 : some(6, 0.5),
      lapsing: faulty ? some(4, 0.2) : 0,
    },
    pauses: { none: some(10, 0.8), short: 5, seconds: some(5, 0.7), expiry: parade ? 0 : expiry ? 20 : some(6, 0.6) },
    ends: {
      keep: 10,
      late: faulty ? some(5, 0.4) : 0,
      drop: parade ? 0 : some(4, 0.4),
      fail: parade ? 0 : some(4, 0.4),
      forget: faulty ? some(3, 0.4) : 0,
    },
    impatience: faulty ? some(0.5, 0.3) : 0,
    aborts: calm ? 0 : some(0.5, 0.25),
    timeouts: some(0.4, 0.25),
    volleys: some(0.6, 0.4),
    skewed: faulty && chance.says(0.15),
    sabotaged,
    faults: faulty
      ? FAULTS.filter((fault) => chance.says(fault === "evictCounter" && sabotaged === "counter" ? 1 : 0.35))
      : [],
    faultRate: faulty ? chance.pick([0.003, 0.01, 0.03]) : 0,
  };
}
