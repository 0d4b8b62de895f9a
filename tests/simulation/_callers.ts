/** What callers do: each one thing after another, whatever the others do. */
import { CacheError, CacheTimeoutError, CacheValueError } from "../../src/errors.ts";
import type { BeginOptions, FetchOptions, Ticket } from "../../src/backend/backend.ts";
import { type Answer, type Made, Thrown } from "./_oracle.ts";
import type { Plan } from "./_plan.ts";
import type { Process, Result } from "./_process.ts";
import type { Fleet } from "./_simulation.ts";
import type { Waiting } from "./_waits.ts";

const GONE = "the caller went";

/** One of many. `n`: its process's place, since a process that crashed has a successor. */
interface Caller {
  readonly n: number;
  readonly name: string;
  left: number;
  doing: string | undefined;
}

export class Callers {
  readonly #fleet: Fleet;
  readonly #callers: Caller[] = [];
  /** Callers that still have something to do. */
  active = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  begin(): void {
    const { plan } = this.#fleet;
    for (let n = 0; n < plan.processes; n++) {
      for (let i = 0; i < plan.callers; i++) {
        const caller: Caller = { n, name: String(i + 1), left: plan.actions, doing: undefined };
        this.#callers.push(caller);
        this.active++;
        this.#pause(caller);
      }
    }
  }

  /** What those who wait still are waiting for. */
  open(): string {
    return this.#callers.filter(({ left }) => left > 0).map(({ doing }) => doing).join(", ");
  }

  #pause(caller: Caller): void {
    if (caller.left === 0) {
      this.active--;
      return;
    }
    this.#fleet.world.after(this.#pauseMs(), () => void this.#act(caller));
  }

  #pauseMs(): number {
    const { world: { chance, now }, plan } = this.#fleet;
    switch (chance.weigh(plan.pauses)) {
      case "none":
        return 0;
      case "short":
        return chance.fraction() * 20;
      case "seconds":
        return chance.fraction() * 3000;
      case "expiry": {
        // Many come at once, just after what was kept is stale, or gone.
        const ms = plan.ttlMs + (chance.says(0.5) ? 0 : plan.staleMs);
        return ms > 20_000 ? 1000 - now % 1000 : ms + 50 - now % 50;
      }
    }
  }

  async #act(caller: Caller): Promise<void> {
    const { processes, world, plan } = this.#fleet;
    const process = processes[caller.n]!;
    const verb = world.chance.weigh(plan.verbs);
    const key = world.chance.below(plan.groups.length);
    const who = process.name + caller.name;
    caller.doing = `${who}'s ${verb}`;
    // A process that crashed answers nobody; its successor's callers go on.
    await Promise.race([process.gone, this.#do(verb, process, who, key)]);
    caller.left--;
    this.#pause(caller);
  }

  async #do(verb: keyof Plan["verbs"], process: Process, who: string, key: number): Promise<void> {
    const { world: { chance }, plan } = this.#fleet;
    switch (verb) {
      case "call": {
        const together = chance.says(plan.volleys) ? 2 + chance.below(2) : 1;
        await Promise.all(Array.from({ length: together }, () => this.#call(process, who, key)));
        return;
      }
      case "begin": {
        const together = chance.says(plan.volleys) ? 2 + chance.below(2) : 1;
        await Promise.all(Array.from({ length: together }, () => this.#begin(process, who, key)));
        return;
      }
      case "refresh":
        return await this.#refresh(process, who, key);
      case "invalidate":
        return await this.#invalidate(process, who, key);
      case "invalidateGroup":
        return await this.#invalidateGroup(process, who, chance.pick(plan.groups[key]!));
      case "set":
      case "add":
        return await this.#give(verb, process, who, key);
      case "peek":
        return await this.#peek(process, who, [key]);
      case "peekMany":
        return await this.#peek(process, who, plan.groups.map((_, each) => each));
    }
  }

  // ──────────────── calls ────────────────

  #waiting(process: Process, who: string, key: number, groups: readonly string[], refreshes: boolean): Waiting {
    const { world, oracle } = this.#fleet;
    const floor = oracle.floor(key, groups);
    const entry = process.backend.key(`k${key}`);
    const begunMs = world.now;
    const unrest = oracle.unrest[key]!;
    return {
      process,
      who,
      key,
      groups,
      floor,
      unrest,
      entry,
      begunMs,
      refreshes,
      idleMs: 0,
      othersMs: 0,
      stranger: undefined,
      leases: 0,
    };
  }

  async #call(process: Process, who: string, key: number): Promise<void> {
    const { world: { chance }, plan } = this.#fleet;
    const groups = this.#groupsOf(key);
    const options: FetchOptions<Result> = { group: groups };
    if (chance.says(plan.timeouts)) options.timeout = `${chance.pick([1, 100, 2000])}ms`;
    const call = this.#waiting(process, who, key, groups, false);
    await this.#fetch(call, options, "computed");
  }

  /** Looks now, keeps later. */
  async #begin(process: Process, who: string, key: number): Promise<void> {
    const { world, oracle, plan, waits } = this.#fleet;
    const { chance } = world;
    const groups = this.#groupsOf(key);
    const options: BeginOptions = { group: groups };
    if (chance.says(plan.timeouts)) options.timeout = `${chance.pick([1, 100, 2000])}ms`;
    if (chance.says(plan.impatience)) options.wait = `${chance.pick([0, 0, 500])}ms`;
    const call = this.#waiting(process, who, key, groups, false);
    const abort = this.#abortion(who);
    world.tell(who, () => `begins k${key} ${shown(options)}, floor ${call.floor}`);
    waits.begin(call);
    try {
      const begun = await process.backend.begin<Result>(`k${key}`, { ...options, ...abort.signal });
      waits.end(call);
      const found = begun.hit ? begun : begun.stale;
      world.tell(who, () => `gets ${begun.hit ? "" : "a ticket, and "}${found ? shownAnswer(found.value) : "nothing"}`);
      if (found !== undefined) {
        oracle.answered(call, found.value);
        if (found.value.never === undefined) spoil(found.value);
      }
      if (!begun.hit) await this.#hold(call, begun);
    } catch (error) {
      world.tell(who, () => `gets ${error}`);
      if (error instanceof Thrown) oracle.answered(call, error.answer);
      else if (error !== GONE && !(error instanceof CacheTimeoutError && options.timeout !== undefined)) {
        oracle.breach(`${who}'s ticket of k${key} is answered by ${error instanceof Error ? error.stack : error}`);
      }
    } finally {
      waits.end(call);
      abort.cancel();
    }
  }

  /** Computes under a ticket, and ends it, or forgets to. */
  async #hold(call: Waiting, ticket: Ticket<Result>): Promise<void> {
    const { world: { chance }, oracle, plan, world } = this.#fleet;
    const { process, who } = call;
    const end = chance.weigh(plan.ends);
    const over = process.hold(call.key, ticket.signal);
    world.tell(who, () => `holds a ticket, to ${end} it`);
    if (end === "keep" || end === "late") {
      let value: Result;
      try {
        value = await process.compute(call, "computed")(ticket.signal);
      } catch (error) {
        over();
        return await ticket.drop(error);
      }
      if (end === "late") await process.sleep(chance.between(0, 3000));
      over();
      const kept = ticket.keep(value, value.wanted ? {} : { ttl: 0 });
      // What its holder does to it now is its own affair.
      if (value.never === undefined) spoil(value);
      const isKept = await kept;
      world.tell(who, () => `is told ${isKept ? "that it was kept" : "that it was not kept"}`);
      if (isKept && (!value.wanted || value.never !== undefined)) oracle.breach(`${who} has kept what cannot be kept`);
      if (await ticket.keep(value)) oracle.breach(`${who} has kept a ticket twice`);
      return;
    }
    const made = process.computeInVain(call);
    if (end === "forget") await new Promise((resolve) => ticket.signal.addEventListener("abort", resolve));
    else await process.sleep(chance.between(0, 500));
    over();
    oracle.end(made, "threw");
    if (end === "fail") await ticket.drop(new Thrown({ key: made.key, version: made.version, by: made.by }));
    else await ticket.drop();
    if (await ticket.keep({ key: made.key, version: made.version, by: made.by, wanted: true })) {
      oracle.breach(`${who} has kept a ticket that was dropped`);
    }
  }

  /** Perhaps a caller's signal, which fires after a while. */
  #abortion(who: string): { readonly signal: { readonly signal?: AbortSignal }; cancel(): void } {
    const { world, plan } = this.#fleet;
    if (!world.chance.says(plan.aborts)) return { signal: {}, cancel: () => {} };
    const controller = new AbortController();
    const timer = world.after(world.chance.pick([0, 5, 200, 2000]), () => {
      world.tell(who, () => "aborts");
      controller.abort(GONE);
    });
    return { signal: { signal: controller.signal }, cancel: () => world.cancel(timer) };
  }

  async #refresh(process: Process, who: string, key: number): Promise<void> {
    const { oracle } = this.#fleet;
    // The database changes, then its key is refreshed: nothing older than that may be answered, then or later.
    const done = oracle.change([key]);
    const groups = this.#groupsOf(key);
    const call = { ...this.#waiting(process, who, key, groups, true), floor: oracle.versions[key]! };
    const { client } = process;
    const failures = client.failuresOf(call.entry);
    const came = await this.#fetch(call, { group: groups, force: true }, "refreshed");
    done(came && client.failuresOf(call.entry) === failures ? "confirmed" : "unknown");
  }

  /** Tells whether the function's value came back. */
  async #fetch(call: Waiting, options: FetchOptions<Result>, kind: "computed" | "refreshed"): Promise<boolean> {
    const { world, oracle, waits } = this.#fleet;
    const { process, who, key } = call;
    const abort = this.#abortion(who);
    world.tell(
      who,
      () => `${kind === "computed" ? "calls" : "refreshes"} k${key} ${shown(options)}, floor ${call.floor}`,
    );
    const given = { ...options, when: (value: Result) => value.wanted, ...abort.signal };
    waits.begin(call);
    try {
      const value = await process.backend.fetch<Result>(`k${key}`, process.compute(call, kind), given);
      world.tell(who, () => `gets ${shownAnswer(value)}`);
      oracle.answered(call, value);
      // A result is its caller's own; what cannot be copied is everybody's.
      if (value.never === undefined) spoil(value);
      return true;
    } catch (error) {
      world.tell(who, () => `gets ${error}`);
      if (error instanceof Thrown) oracle.answered(call, error.answer);
      else if (error === GONE) return false;
      else if (!(error instanceof CacheTimeoutError && options.timeout !== undefined)) {
        oracle.breach(`${who}'s call of k${key} is answered by ${error instanceof Error ? error.stack : error}`);
      }
      return false;
    } finally {
      waits.end(call);
      abort.cancel();
    }
  }

  async #peek(process: Process, who: string, keys: readonly number[]): Promise<void> {
    const { oracle, world } = this.#fleet;
    const groups = this.#groupsOf(keys[0]!);
    const calls = keys.map((key) => this.#waiting(process, who, key, groups, false));
    const names = keys.map((key) => `k${key}`);
    world.tell(who, () => `peeks at ${names} ${shown({ group: groups })}, floors ${calls.map(({ floor }) => floor)}`);
    const found = names.length === 1
      ? new Map([[names[0]!, await process.backend.get<Answer>(names[0]!, { group: groups })]])
      : await process.backend.getMany<Answer>(names, { group: groups });
    calls.forEach((call, i) => {
      const value = found.get(names[i]!);
      world.tell(who, () => `sees ${value === undefined ? "nothing" : shownAnswer(value)}`);
      if (value === undefined) return;
      oracle.answered(call, value);
      spoil(value);
    });
  }

  #groupsOf(key: number): readonly string[] {
    const { plan, world: { chance } } = this.#fleet;
    const all = plan.groups[key]!;
    return plan.mixedGroups ? all.filter(() => chance.says(0.6)) : all;
  }

  // ──────────────── changes ────────────────

  async #invalidate(process: Process, who: string, key: number): Promise<void> {
    const { oracle, world } = this.#fleet;
    const done = oracle.change([key]);
    world.tell(who, () => `changes k${key} to version ${oracle.versions[key]}, invalidates it`);
    done(await this.#confirmed(who, process.backend.delete(`k${key}`)));
  }

  async #invalidateGroup(process: Process, who: string, group: string): Promise<void> {
    const { oracle, world, plan } = this.#fleet;
    const keys = plan.groups.flatMap((groups, key) => groups.includes(group) ? [key] : []);
    const done = oracle.change(keys, group);
    const versions = () => keys.map((key) => `k${key} to version ${oracle.versions[key]}`).join(", ");
    world.tell(who, () => `changes ${versions()}, invalidates the group ${group}`);
    done(await this.#confirmed(who, process.backend.invalidateGroup(group)));
  }

  async #confirmed(who: string, invalidation: Promise<void>): Promise<"confirmed" | "unknown"> {
    try {
      await invalidation;
      this.#fleet.world.tell(who, () => "is told that it is done");
      return "confirmed";
    } catch (error) {
      this.#rejected(who, error);
      return "unknown";
    }
  }

  async #give(verb: "set" | "add", process: Process, who: string, key: number): Promise<void> {
    const { oracle, world } = this.#fleet;
    // The database changes, then the new value is set: an older one may not come after it.
    const done = verb === "set" ? oracle.change([key]) : undefined;
    const made: Made = oracle.begin(key, who, "given");
    const groups = this.#groupsOf(key);
    const value: Result = { key, version: made.version, by: made.by, wanted: true };
    world.tell(who, () => `${verb}s ${shownAnswer(value)} ${shown({ group: groups })}`);
    process.asked[key]!++;
    try {
      const given = process.backend[verb](`k${key}`, value, { group: groups });
      spoil(value);
      const answer = await given;
      world.tell(who, () => `is told ${answer ?? "that it is done"}`);
      done?.("confirmed");
    } catch (error) {
      this.#rejected(who, error);
      done?.("unknown");
    }
    if (!process.crashed) oracle.end(made, "value");
  }

  /** A store that fails may cost a write of the user's own, and nothing else may. */
  #rejected(who: string, error: unknown): void {
    const { oracle, world, plan } = this.#fleet;
    world.tell(who, () => `gets ${error}`);
    const fails = plan.faults.length > 0 || plan.sabotaged !== undefined || plan.latency === "uneven";
    if (!fails || !(error instanceof CacheError) || error instanceof CacheValueError) {
      oracle.breach(`${who} gets ${error}`);
    }
  }
}

const shown = (
  { group, timeout, force, wait }: Pick<FetchOptions & BeginOptions, "group" | "timeout" | "force" | "wait">,
): string => JSON.stringify({ ...(group?.length && { group }), timeout, force, wait });

/** Changes a value that is one's own: nobody else may notice. */
const spoil = (value: Answer): void => void ((value as { version: number }).version = -1);

const shownAnswer = ({ by, key, version }: Answer): string => `${by}'s value of k${key}, version ${version}`;
