/**
 * The rules of docs/ARCHITECTURE.md, one at a time, taken out: small changes at their marks in `src`, in a copy of the
 * tree. `tools/check_rules.ts` runs the rules' named tests on each, `tools/simulate.ts --mutants` the simulation. Both
 * must FAIL.
 */

import { marksIn } from "./marks.ts";

/** One rule taken out. */
export interface Mutant {
  readonly name: string;
  /** The beginning of the names of the tests that must fail; absent: only the simulation knows it. */
  readonly test?: string;
  /** Where those tests are, if not in tests/backend/rules_test.ts. */
  readonly in?: string;
  /** Why the simulation does not catch it. */
  readonly survives?: string;
  readonly patches: readonly Patch[];
}

/** A change of the code that a mark means: all of it, a text `from` in it that is there once, or code put before it. */
export interface Patch {
  /** What the mark says. */
  readonly at: string;
  readonly from?: string;
  readonly to?: string;
  readonly before?: string;
}

const WAITS = "tests/backend/waits_test.ts", STORE = "tests/store/memcached_test.ts";
const TICKETS = "tests/backend/ticket_test.ts";

/** Each rule, each fence, each order of two steps and each of the stores' duties, taken out. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "a value written over anything instead of over its lease",
    test: "rule 1,",
    patches: [{ at: "rule 1: a value over its own lease", from: "ttlMs, token)", to: 'ttlMs, "anything")' }],
  },
  {
    name: "a stale value's refresh, or the marker's reader, writes over anything",
    test: "rule 1,",
    patches: [{ at: "rule 1: over the very entry that was seen", from: "found!.token", to: 'found && "anything"' }],
  },
  {
    name: "generations read after the computation",
    test: "rule 2,",
    patches: [{
      at: "rule 2: stamped with what was read before its lease was taken",
      from: "computed, entry,",
      to:
        "computed, { ...entry, generations: await Promise.all(call.counters.map(({ key }) => this.#parts.store.counterOrThrow({ key }))) },",
    }],
  },
  {
    name: "a counter that cannot be read is trusted",
    test: "rule 3,",
    patches: [{
      at: "rule 3: whole, or no snapshot",
      from: "answer === UNANSWERED",
      to: "answer === UNANSWERED && this.slot.answer === UNANSWERED",
    }, {
      at: "rule 3: every counter was answered",
      from: "this.#counters.map((counter) => counter.answer as bigint)",
      to:
        "this.#counters.map(({ answer }, n) =>\n      // deno-lint-ignore no-explicit-any\n      typeof answer === 'bigint' ? answer : (this.found?.entry as any)?.generations?.[n]\n    )",
    }],
  },
  {
    name: "a read shared after it was sent",
    test: "rule 4,",
    patches: [{
      at: "rule 4: shared until it is sent",
      to: "this.#store.clock.setTimeout(() => this.#batch = undefined, 20);",
    }],
  },
  {
    name: "a computation joined without a read",
    test: "rule 5,",
    patches: [
      {
        at: "rule 9: open before its lease is asked for",
        before: "this.#byNonce.set('last', { key: 'last', computation });",
      },
      {
        at: "rule 5: every call reads before it joins",
        before:
          'const last = this.#parts.computations.find("last", "last");\n      if (last !== undefined && !last.isSettled) return valueOf(call, await last.join().result) as T;',
      },
    ],
  },
  {
    name: "a computation joined though its lease is outdated",
    test: "rule 5,",
    patches: [{
      at: "rule 5: a lease of other generations is joined by nobody",
      from: "if (",
      to: 'if (entry.kind !== "lease" && ',
    }],
  },
  {
    name: "a lease known by anything but its nonce",
    test: "rule 6,",
    patches: [{ at: "rule 6: known by its nonce", from: " || entry.nonce !== lease.nonce", to: "" }],
  },
  {
    name: "a lost token is not looked for",
    test: "rule 7,",
    patches: [{ at: "rule 7: whatever is not stored is looked for, once", to: "return written;" }],
  },
  {
    name: "a lost token: whatever is there is written over",
    test: "rule 7,",
    patches: [{
      at: "rule 7: only our own lease is written over",
      from: 'found?.entry.kind !== "lease" || found.entry.nonce !== this.#entry.nonce',
      to: "found === undefined",
    }],
  },
  {
    name: "no second read under the refresh lock",
    test: "rule 8,",
    patches: [{
      at: "rule 8: no longer stale, so there is nothing to refresh",
      from: '!== "stale"',
      to: '=== "nothing"',
    }],
  },
  {
    name: "the refresh lock dropped before the set",
    test: "rule 8,",
    patches: [{ at: "rule 8: set, then unlock", before: "await lock.release();" }],
  },
  {
    name: "an orphan is waited for",
    test: "rule 9,",
    patches: [{
      at: "rule 9, rule 14: orphaned, or renewed by nobody",
      from: "this.#parts.leases.isOwn(nonce) || ",
      to: "",
    }],
  },
  {
    name: "a computation closed before its last write is answered",
    test: "rule 9,",
    patches: [{
      at: "rule 9: open until its last write is answered",
      before: "this.#parts.computations.close(entry.nonce);",
    }],
  },
  {
    name: "a late lease is not given back",
    test: "rule 9,",
    patches: [{ at: "rule 9: a late one is given back", to: "" }],
  },
  {
    name: "one nonce for every attempt",
    test: "rule 9,",
    patches: [{ at: "rule 9: a nonce of its own for each attempt", from: "this.#count++", to: "this.#count" }],
  },
  {
    name: "refusals without bound",
    test: "rule 10,",
    patches: [{ at: "rule 10: so often, and no more", from: "MAX_REFUSALS = 8", to: "MAX_REFUSALS = 100" }],
  },
  {
    name: "waits without bound",
    test: "rule 10,",
    patches: [{ at: "rule 10: so often, and no more", from: "MAX_WAITS = 3", to: "MAX_WAITS = 100" }],
  },
  {
    name: "mintDelay for each wait instead of for all",
    test: "rule 10,",
    patches: [{ at: "rule 10: for all waits together", to: "return call.mintDelayMs;" }],
  },
  {
    name: "a computation without a lease joined after it began",
    test: "rule 11,",
    patches: [{ at: "rule 11: joined until it begins", before: "await running.ended;" }],
  },
  {
    name: "a counter created again at the same start",
    test: "rule 12,",
    patches: [
      { at: "rule 12: drawn anew, in memory", from: "this.#random.uint64()", to: "7n" },
      { at: "rule 12: a start on memcached is drawn anew for every attempt", from: "this.#random.uint64()", to: "7n" },
    ],
  },
  {
    name: "a refused refresh leaves the older value",
    test: "rule 13,",
    patches: [{ at: "rule 13: what was not stored is deleted", to: "" }],
  },
  {
    name: "a lease that nobody renews is waited for",
    test: "rule 14:",
    in: WAITS,
    patches: [{
      at: "rule 9, rule 14: orphaned, or renewed by nobody",
      from: " || unrenewed?.nonce === nonce && unrenewed.beat === beat",
      to: "",
    }],
  },
  {
    name: "a lease is taken for one that nobody renews though its beat has changed",
    test: "rule 14:",
    in: WAITS,
    survives: "it costs a computation, and only where a renewal was late: computations are not counted then",
    patches: [{
      at: "rule 9, rule 14: orphaned, or renewed by nobody",
      from: " && unrenewed.beat === beat",
      to: "",
    }],
  },
  {
    name: "renewals without a beat",
    test: "rule 14:",
    in: WAITS,
    patches: [{ at: "rule 14: each renewal raises the beat", from: "?? 0) + 1)", to: "?? 0) + 0)" }],
  },
  {
    name: "a result kept under a key that it was not computed from",
    test: "rule 15:",
    in: "tests/cached/call_test.ts",
    survives: "the simulation's functions read what their keys are made of; the named tests change it",
    patches: [{
      at: "rule 15: shared and kept only for the arguments of its key",
      from: "inputs === undefined || inputs.areCurrent()",
      to: "inputs === undefined || true",
    }],
  },
  {
    name: "a key that is compared before the function runs, and not after",
    test: "rule 15:",
    in: "tests/cached/call_test.ts",
    survives: "the simulation's functions read what their keys are made of; the named tests change it",
    patches: [{ at: "rule 15: the key is compared when the function has ended", to: "" }],
  },
  {
    name: "an invalidation resolves unconfirmed",
    test: "rule 16:",
    in: "tests/backend/outage_test.ts",
    patches: [{ at: "rule 16: an invalidation resolves confirmed", to: "" }],
  },
  {
    name: "a group's invalidation resolves unconfirmed",
    test: "rule 16:",
    in: "tests/backend/outage_test.ts",
    patches: [{ at: "rule 16: every group is confirmed", to: "return done ? undefined : done;" }],
  },
  {
    name: "a ticket kept twice",
    test: "rule 17, once",
    in: TICKETS,
    patches: [{ at: "rule 17: kept or dropped, and once", to: "" }],
  },
  {
    name: "a ticket that was refused is kept over anything",
    test: "rule 17, by its right",
    in: TICKETS,
    patches: [{
      at: "rule 17: kept by its right, or not at all",
      before:
        'const now = this.#parts.settings.clock.now();\n    const plain = { kind: "value" as const, value: taken, freshUntil: now + 60_000, staleUntil: now + 60_000, generations: [] };\n    if ((await this.#lastWrite as { kind: string } | undefined)?.kind !== "stored" && this.#call.bypass === undefined) {\n      const counters = this.#call.counters.map(({ key }) => this.#parts.store.counterOrThrow({ key }));\n      const generations = await Promise.all(counters).catch(() => []);\n      await this.#parts.store.set(this.#call.label, { ...plain, generations }, 60_000, "anything");\n    }',
    }],
  },
  {
    name: "a ticket that nobody ends",
    test: "rule 17, ends",
    in: TICKETS,
    patches: [{ at: "rule 17: drops itself at mintDelay", to: "" }],
  },
  {
    name: "a ticket for a caller who has left",
    test: "rule 17, ends",
    in: TICKETS,
    patches: [{ at: "rule 17: nobody is there to take it", to: "" }],
  },
  {
    name: "a call that begins again when its ticket has ended",
    test: "rule 17, once",
    in: TICKETS,
    patches: [{
      at: "rule 17: its ticket has ended, and there is but one",
      from: " || call.ticket?.isHandedOut === true",
      to: "",
    }],
  },
  {
    name: "a ticket keeps the value as it is when it is written",
    test: "rule 17, as it is",
    in: TICKETS,
    patches: [{ at: "rule 17: the value as it is now", from: "this.#taken(value)", to: "value" }],
  },

  // ──────────────── the fences: what is written, and what it may replace ────────────────
  {
    name: "a renewal over anything",
    patches: [{
      at: "rule 1: a renewal over its own lease",
      from: "LEASE_MS, token)",
      to: 'LEASE_MS, token && "anything")',
    }],
  },
  {
    name: "a lease released whoever holds it",
    patches: [{ at: "rule 1: released by its token", from: "token)", to: 'token && "anything")' }],
  },
  {
    name: "a refresh lock left to run out over anything",
    survives: "the lock only keeps others from trying: one too many makes a pause longer",
    patches: [{ at: "rule 1: left to run out by its token", from: "ms, token)", to: 'ms, token && "anything")' }],
  },
  {
    name: "a lease taken over anything instead of over what the snapshot saw",
    patches: [{
      at: "rule 1: a lease over what was seen, or where nothing was",
      from: "ttlMs, over)",
      to: 'ttlMs, "anything")',
    }],
  },
  {
    name: "a lease taken over anything instead of where nothing is",
    patches: [{
      at: "rule 1: a lease over what was seen, or where nothing was",
      from: "this.store.add(label.key, lease, ttlMs)",
      to: 'this.store.set(label.key, lease, ttlMs, "anything")',
    }],
  },
  {
    name: "a late lease given back whoever holds it",
    survives: "a delete brings nothing old back; it costs a computation, and only after a fault",
    patches: [{
      at: "rule 9: a late one is given back",
      from: "this.delete(label, written.token)",
      to: 'this.delete(label, "anything")',
    }],
  },
  {
    name: "the marker over anything instead of where nothing is",
    survives: "the marker holds no value; it costs computations of what could not be kept anyway",
    patches: [{
      at: "rule 1: the marker where nothing is",
      from: "this.#store.add(label, marker, MARKER_MS)",
      to: 'this.#store.set(label, marker, MARKER_MS, "anything")',
    }],
  },
  {
    name: "the user's add over anything instead of over what it saw",
    patches: [{ at: "rule 1: or over what it saw", from: "found.token", to: '"anything"' }],
  },
  {
    name: "the user's add over anything instead of where nothing is",
    patches: [{
      at: "rule 1: add takes its lease where nothing is",
      from: "this.#store.add(label, lease, LEASE_MS)",
      to: 'this.#store.set(label, lease, LEASE_MS, "anything")',
    }],
  },
  {
    name: "the user's set without a lease",
    patches: [{
      at: "rule 1: a given value takes a lease first",
      before:
        'const now = entry(owned);\n      const plain = target.counters.length < 9 && await this.#store.set(label, now.entry, now.ttlMs, "anything");\n      if (plain && plain.kind === "unknown") throw notConfirmed("keep", label.key, plain.error);\n      if (plain) return "stored";',
    }],
  },
  {
    name: "a set drops its token",
    patches: [{
      at: "rule 1, duty a: a set over the token that was seen",
      from: "cas: over as Item | Stored",
      to: "cas: undefined",
    }],
  },
  {
    name: "a delete drops its token",
    patches: [{
      at: "rule 1, duty a: a delete by the token that was seen",
      from: "this.client.delete(key, { cas: over as Item | Stored })",
      to: "this.client.delete(key)",
    }],
  },
  {
    name: "a counter put over anything instead of over what was no counter",
    survives: "the new start is drawn anew (rule 12), so it meets no entry; it costs misses",
    patches: [{ at: "rule 12: over what was no counter", from: ", cas: item }", to: " }" }],
  },

  // ──────────────── the order of each pair ────────────────
  {
    name: "the computation begins before its lease is confirmed",
    patches: [
      {
        at: "rule 9: nothing is computed before its lease is confirmed",
        before: "const early = computation.run(call);",
      },
      { at: "rule 9: computed under a confirmed lease", to: "const computed = await early;" },
    ],
  },
  {
    name: "the second read asked together with the refresh lock",
    patches: [
      { at: "rule 8: lock", before: "const early = reader.read(call);" },
      { at: "rule 8: then look", to: "const snapshot = await early;" },
    ],
  },
  {
    name: "a refresh in the background stamped with what is read after it",
    patches: [{
      at: "rule 2: stamped with the second snapshot",
      from: "snapshot.generations",
      to: "(await reader.read(call)).generations",
    }],
  },
  {
    name: "callers answered before their value is on its way",
    patches: [{
      at: "rule 9: on its way before its callers have it",
      before: "computation.settle(value);\n    for (let i = 0; i < 40; i++) await undefined;",
    }],
  },
  {
    name: "callers told of an error before the lease's release is on its way",
    survives:
      "who tries again joins the computation, which is open until the release is answered (rule 9); it costs a wait",
    patches: [{
      at: "rule 9: released before its callers learn of an error",
      before: "computation.settle(computed);\n        for (let i = 0; i < 40; i++) await undefined;",
    }],
  },
  {
    name: "a refresh answered before its value is stored",
    patches: [{ at: "rule 13: written, or deleted, before it is answered", before: "computation.settle(value);" }],
  },
  {
    name: "a refresh over a value answered before its value is stored",
    patches: [{ at: "rule 13: written before its caller is answered", before: "computation.settle(computed);" }],
  },
  {
    name: "a computation opened after its lease was answered",
    patches: [
      {
        at: "rule 9: open before its lease is asked for",
        to: "Object.assign(computation, { register: () => this.#byNonce.set(nonce, { key, computation }) });",
      },
      {
        at: "rule 9: computed under a confirmed lease",
        before: "(computation as unknown as { register(): void }).register();",
      },
    ],
  },
  {
    name: "a computation whose lease had no answer is joined",
    patches: [{
      at: "rule 9: without a lease its joiners start over",
      to:
        'if (lease === "unknown") computation.settle(await computation.run(call));\n    else if (lease === "refused") computation.retry(lease);',
    }],
  },
  {
    name: "a value that was computed without a lease is kept if the lease turns up",
    patches: [{
      at: "rule 9: without a lease its joiners start over",
      to:
        'if (lease === "unknown") {\n      const computed = await computation.run(call);\n      const found = await this.#parts.store.get(call.label);\n      if (computed.kind === "value" && typeof found === "object" && found.entry.kind === "lease" && found.entry.nonce === entry.nonce) {\n        const write = this.#parts.writes.over(call, { ...snapshot, found });\n        await this.#parts.writes.valueOrMarker(call, computed.value, entry, write);\n      }\n      computation.settle(computed);\n    } else if (lease === "refused") computation.retry(lease);',
    }],
  },

  // ──────────────── what is compared, and what is promised ────────────────
  {
    name: "only the first generation is compared",
    patches: [{
      at: "rule 2: under the same generations, each of them",
      from: "i < kept.length",
      to: "i < Math.min(1, kept.length)",
    }],
  },
  {
    name: "an attempt shared by calls that name other groups",
    survives:
      "all of them called before the computation began; it is for two full keys under one truncation, which the simulation has not",
    patches: [{
      at: "rule 5: joined for the same groups, key and source",
      from: " || !isSame(shared.target, call)",
      to: "",
    }],
  },
  {
    name: "a refresh that computed uncoordinated leaves the older value",
    patches: [{
      at: "rule 13: nothing was kept, so the older value goes, also when this caller has left",
      from: "answer.then(forget, () => call.timeout?.hasLeft ? forget() : undefined)",
      to: "answer.then(() => {}, () => {})",
    }],
  },

  // ──────────────── the stores' duties ────────────────
  {
    name: "a token used on any connection",
    test: "duty a:",
    in: STORE,
    patches: [{
      at: "rule 1, duty a: a set over the token that was seen",
      from: "cas: over as Item | Stored",
      to: "cas: (over as Item).cas",
    }],
  },
  {
    name: "a delete's token used on any connection",
    survives: "a delete brings nothing old back; it costs a computation, and only after a restart",
    patches: [{
      at: "rule 1, duty a: a delete by the token that was seen",
      from: "cas: over as Item | Stored",
      to: "cas: (over as Item).cas",
    }],
  },
  {
    name: "a server without tokens is used",
    test: "duty b:",
    in: STORE,
    survives: "the simulation's servers give tokens; the named test has one that gives none",
    patches: [{ at: "duty b: no cas, no answer", to: "" }],
  },
  {
    name: "a write that timed out is called refused",
    test: "duty c:",
    in: STORE,
    patches: [{
      at: "duty c: a write that timed out rejects",
      before: 'if ((error as Error).name === "TimeoutError") return undefined;',
    }],
  },
  {
    name: "a delete that timed out is called done",
    test: "duty c:",
    in: STORE,
    patches: [{
      at: "duty c: a delete that timed out rejects",
      to: "await this.client.delete(key).catch(() => true);",
    }],
  },
  {
    name: "an increment that timed out is called done",
    test: "duty c:",
    in: STORE,
    patches: [{
      at: "duty c: an increment that timed out rejects",
      from: "this.client.incr(name, 1n)",
      to: "this.client.incr(name, 1n).catch(() => 1n)",
    }],
  },
  {
    name: "an add repeated",
    test: "duty d:",
    in: STORE,
    survives: "it takes a schedule that comes once in some 20,000 seeds; the named test takes it out each time",
    patches: [{
      at: "duty d: an add is sent once",
      from: "this.client.add(key, bytes, { ttl: ttlOf(ttlMs) })",
      to:
        "this.client.add(key, bytes, { ttl: ttlOf(ttlMs) }).catch(() => this.client.add(key, bytes, { ttl: ttlOf(ttlMs) }))",
    }],
  },
  {
    name: "a set repeated",
    test: "duty d:",
    in: STORE,
    survives:
      "what is set over anything is a lease, and a second set over a token is refused; an add has no such fence",
    patches: [{
      at: "duty d: a set is sent once",
      from: "this.client.set(key, bytes, options)",
      to: "this.client.set(key, bytes, options).catch(() => this.client.set(key, bytes, options))",
    }],
  },
  {
    name: "a counter's creation repeated",
    test: "duty d:",
    in: STORE,
    patches: [{
      at: "duty d: each start is sent once",
      to:
        "const initial = this.#start();\n        const create = () => this.client.incr(name, 0n, { ...options, initial });\n        const created = await this.#unlessNoNumber(create().catch(create));",
    }],
  },
  {
    name: "the keys of a dead server move to the others",
    test: "duty e:",
    in: "tests/memcached/cluster/cluster_test.ts",
    survives: "the simulation's servers are one at a time",
    patches: [
      { at: "duty e: a dead server keeps its keys", from: "this.#eject && ", to: "" },
      { at: "duty e: a death moves no keys", from: "if (this.#eject) ", to: "" },
    ],
  },
];

/** A copy of what the tests need of the tree, in which rules can be taken out. */
export class Copy {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(root: string): Promise<Copy> {
    const path = await Deno.makeTempDir({ prefix: "cache-utils-mutants-" });
    const files = ["mod.ts", "src", "tests", "tools", "deno.json"].map((name) => `${root}/${name}`);
    const { success } = await new Deno.Command("cp", { args: ["-r", ...files, path] }).output();
    if (!success) throw new Error(`Cannot copy the tree to ${path}`);
    return new Copy(path);
  }

  /** Takes a rule out. Returns how to put it back, and whether every patch applied to code that loads. */
  async take(mutant: Mutant): Promise<{ readonly applied: boolean; putBack(): Promise<void> }> {
    const originals = new Map<string, string>();
    let applied = true;
    for (const { at, from, to = "", before } of mutant.patches) {
      const file = await this.#fileWith(at);
      const text = file && await Deno.readTextFile(file);
      const mark = text && marksIn(text).find((mark) => mark.text === at);
      if (!file || !text || !mark) {
        applied = false;
        continue;
      }
      if (!originals.has(file)) originals.set(file, text);
      const code = text.slice(mark.from, mark.to);
      if (from !== undefined && code.split(from).length !== 2) applied = false;
      const changed = before !== undefined
        ? `${before}\n${code}`
        : from === undefined
        ? to
        : code.replace(from, () => to);
      await Deno.writeTextFile(file, text.slice(0, mark.from) + changed + text.slice(mark.to));
    }
    // What does not even load would be caught for nothing.
    const args = ["run", "-A", "--no-check", `${this.path}/mod.ts`];
    const { success } = await new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).output();
    applied &&= success;
    const putBack = async () => {
      for (const [file, text] of originals) await Deno.writeTextFile(file, text);
    };
    return { applied, putBack };
  }

  /** The file of `src` with this mark. */
  async #fileWith(mark: string): Promise<string | undefined> {
    for await (const file of filesUnder(`${this.path}/src`)) {
      if ((await Deno.readTextFile(file)).includes(`// ${mark}\n`)) return file;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

async function* filesUnder(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesUnder(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}
