/**
 * Knows what may be answered. Each key has a version, which every change of the "database" raises just before its
 * invalidation; a computation returns the version that stood when it began.
 */
import type { World } from "./_world.ts";

/** A computation of a function, or a value given by `set` or `add`. */
export interface Made {
  readonly by: string;
  readonly key: number;
  readonly version: number;
  readonly begunMs: number;
  /** A given value is as current as its giver knew until its verb settled: that is no broken promise. */
  readonly given: boolean;
  readonly right: Right;
  /** The last one before it whose value was kept. */
  readonly before: Made | undefined;
  /** Given: the version that stood when its verb settled. */
  settledAt: number | undefined;
  endMs: number | undefined;
  end: "value" | "threw" | "abandoned" | undefined;
}

/** What a function of the simulation returns, and what `set` and `add` are given. */
export interface Answer {
  readonly key: number;
  readonly version: number;
  readonly by: string;
}

/** What a function of the simulation throws. */
export class Thrown extends Error {
  readonly answer: Answer;
  constructor(answer: Answer) {
    super(`computation ${answer.by} throws`);
    this.answer = answer;
  }
}

/** Up to here the promise was broken: the simulation ends. */
export class Broken extends Error {}

/** A call under way. */
export interface Call {
  readonly key: number;
  readonly who: string;
  readonly groups: readonly string[];
  readonly floor: number;
  /** How many leases of the key had ended early when it began: by an invalidation, or by an error. */
  readonly unrest: number;
  readonly begunMs: number;
}

/** For so many leases a call waits. */
const MOST_WAITS = 3;

/** Does its process hold the lease, or the refresh lock? */
export type Right = "lease" | "alone";

interface Expiry {
  readonly ttlMs: number;
  readonly staleMs: number;
  /** From a read to its computation, at most. */
  readonly roundMs: number;
}

export class Oracle {
  readonly versions: number[];
  /** Per key: how many leases ended early, so far. */
  readonly unrest: number[];
  broken: string | undefined;
  readonly #world: World;
  readonly #made = new Map<string, Made>();
  /** Per key: what an invalidation of it has promised; and per group, for the calls that name it. */
  readonly #promised: number[];
  readonly #promisedByGroup = new Map<string, number[]>();
  /** Per key: invalidations under way, and when the last one was over. */
  readonly #invalidating: number[];
  readonly #invalidatedMs: number[];
  /** Per key: the last computation that was none of a refresh, and the last that returned a value. */
  readonly #last: (Made | undefined)[];
  readonly #lastKept: (Made | undefined)[];
  readonly #counting: Expiry | undefined;
  #count = 0;

  /** `counting`: nothing breaks, so each expiry may cost one computation. */
  constructor(world: World, keys: number, counting: Expiry | undefined) {
    const each = <T>(value: T): T[] => Array.from({ length: keys }, () => value);
    this.#world = world;
    this.versions = each(1);
    this.unrest = each(0);
    this.#promised = each(0);
    this.#invalidating = each(0);
    this.#invalidatedMs = each(-1);
    this.#last = each(undefined);
    this.#lastKept = each(undefined);
    this.#counting = counting;
  }

  /** The first breach is the one that is told. */
  breach(text: string): void {
    if (this.broken !== undefined) return;
    this.broken = text;
    this.#world.tell("!!!", () => text);
  }

  // ──────────────── changes ────────────────

  /** The database changes under these keys, and their invalidation begins. Returns how it ends. */
  change(keys: readonly number[], group?: string): (confirmed: "confirmed" | "unknown") => void {
    const floors = keys.map((key) => {
      this.#invalidating[key]!++;
      this.unrest[key]!++;
      return ++this.versions[key]!;
    });
    return (confirmed) => {
      keys.forEach((key, i) => {
        this.#invalidating[key]!--;
        this.#invalidatedMs[key] = this.#world.now;
        if (confirmed !== "confirmed") return;
        const promised = group === undefined ? this.#promised : this.#promisedBy(group);
        promised[key] = Math.max(promised[key]!, floors[i]!);
      });
    };
  }

  #promisedBy(group: string): number[] {
    let promised = this.#promisedByGroup.get(group);
    if (promised === undefined) this.#promisedByGroup.set(group, promised = this.versions.map(() => 0));
    return promised;
  }

  // ──────────────── what is made ────────────────

  begin(key: number, who: string, kind: "computed" | "refreshed" | "given", right: Right = "alone", call?: Call): Made {
    const made: Made = {
      by: `${kind === "given" ? "gift" : "c"}${++this.#count}${who}`,
      key,
      version: this.versions[key]!,
      begunMs: this.#world.now,
      given: kind === "given",
      right,
      before: this.#lastKept[key],
      settledAt: undefined,
      endMs: undefined,
      end: undefined,
    };
    this.#made.set(made.by, made);
    if (kind === "computed" && this.#counting !== undefined) this.#justify(made, call!, right, this.#counting);
    return made;
  }

  end(made: Made, end: "value" | "threw" | "abandoned"): void {
    if (made.end !== undefined) return;
    made.endMs = this.#world.now;
    made.end = end;
    if (made.given) made.settledAt = this.versions[made.key]!;
    else if (end !== "value") this.unrest[made.key]!++;
    else if (made.right === "lease" && made.begunMs >= (this.#lastKept[made.key]?.begunMs ?? 0)) {
      this.#lastKept[made.key] = made;
    }
  }

  /** One expiry, one computation. */
  #justify(made: Made, call: Call, right: Right, { ttlMs, staleMs, roundMs }: Expiry): void {
    const { key } = made;
    if (right === "alone") {
      // It has waited for three leases, none of which left a value, the first of which was ending when it began.
      if (this.unrest[key]! - call.unrest < MOST_WAITS - 1) this.breach(`${made.by} begins without a lease`);
      return;
    }
    const last = this.#last[key];
    this.#last[key] = made;
    if (last === undefined || last.end === "threw") return;
    if (this.#invalidating[key]! > 0 || this.#invalidatedMs[key]! >= last.begunMs - roundMs) return;
    // A clock shows whole ms.
    const now = this.#world.now + 1;
    if (last.endMs !== undefined && now >= last.endMs + ttlMs) return;
    // The last one refreshed a stale value and outlasted its window: nobody waits for it, and what it returns is refused.
    const windowMs = last.before === undefined ? Infinity : last.before.endMs! + ttlMs + staleMs;
    if ((last.endMs ?? now) + roundMs >= windowMs) return;
    const state = last.end === undefined ? "runs still" : "was kept and is fresh";
    this.breach(`${made.by} is one computation too many: ${last.by} ${state}`);
  }

  // ──────────────── what is answered ────────────────

  /** The oldest version that a call which begins now may return. */
  floor(key: number, groups: readonly string[]): number {
    let floor = this.#promised[key]!;
    for (const group of groups) floor = Math.max(floor, this.#promisedByGroup.get(group)?.[key] ?? 0);
    return floor;
  }

  answered({ key, who, floor, begunMs }: Call, given: unknown): void {
    const value = given as Answer | undefined;
    const made = value && this.#made.get(value.by);
    const call = `${who}'s call of k${key}, begun at ${begunMs.toFixed(1)} ms,`;
    if (made === undefined) return this.breach(`${call} is answered with what nobody made: ${JSON.stringify(value)}`);
    if (value!.key !== key || made.key !== key) {
      return this.breach(`${call} is answered with a value of k${value!.key}`);
    }
    const version = made.given ? made.settledAt ?? Infinity : made.version;
    if (value!.version !== made.version) return this.breach(`${call} is answered with a changed value of ${made.by}`);
    if (version < floor) {
      this.breach(`${call} is answered with ${made.by} of version ${version}, yet ${floor} was promised when it began`);
    }
  }
}
