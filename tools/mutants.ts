/**
 * The protocol's rules, one at a time, taken out: small patches over a copy of the tree. `tools/check_rules.ts` runs the
 * rules' named tests on each, `tools/simulate.ts --mutants` the simulation. Both must FAIL.
 */

/** One rule taken out. */
export interface Mutant {
  readonly name: string;
  /** The beginning of the names of the tests that must fail; absent: only the simulation knows it. */
  readonly rule?: string;
  /** Why the simulation does not catch it. */
  readonly survives?: string;
  /** File, the text that stands there once, and what replaces it. */
  readonly patches: readonly (readonly [file: string, from: string, to: string])[];
}

const FETCH = "src/backend/fetch.ts", LEASED = "src/backend/leased.ts", LEASE = "src/backend/lease.ts";
const WRITES = "src/backend/writes.ts", USER_WRITES = "src/backend/user_writes.ts", REFRESH = "src/backend/refresh.ts";
const READ_BATCH = "src/backend/read_batch.ts",
  UNCOORDINATED = "src/backend/uncoordinated.ts",
  COMPUTATIONS = "src/backend/computations.ts";
const FRESHNESS = "src/backend/freshness.ts",
  GUARDED = "src/backend/guarded_store.ts",
  MEMCACHED = "src/store/memcached.ts";

/** Each rule, each fence, each order of two steps and each of the stores' duties, taken out. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "a value written over anything instead of over its lease",
    rule: "rule 1,",
    patches: [[
      LEASE,
      "store.set(this.#about, taken, ttlMs, token)",
      'store.set(this.#about, taken, ttlMs, "anything")',
    ]],
  },
  {
    name: "a stale value's refresh written over anything",
    rule: "rule 1,",
    patches: [[
      WRITES,
      "this.#store.set(about, entry, ttlMs, found!.token)",
      'this.#store.set(about, entry, ttlMs, found && "anything")',
    ]],
  },
  {
    name: "the mark's reader writes over anything",
    rule: "rule 1,",
    patches: [[
      WRITES,
      "this.#store.set(about, entry, ttlMs, found!.token)",
      'this.#store.set(about, entry, ttlMs, found && "anything")',
    ]],
  },
  {
    name: "generations read after the computation",
    rule: "rule 2,",
    patches: [[
      FETCH,
      "this.#leased = new Leased(computations, leases, store, writes, inBackground);",
      "this.#leased = new Leased(computations, leases, store, writes, inBackground);\n    Object.assign(this.#leased, { reader: parts.reader });",
    ], [
      LEASED,
      "await finish.call(this, call, computed, entry, lease, computation);",
      "// deno-lint-ignore no-explicit-any\n        const { generations } = await (this as any).reader.read(call);\n        await finish.call(this, call, computed, { ...entry, generations }, lease, computation);",
    ]],
  },
  {
    name: "a counter that cannot be read is trusted",
    rule: "rule 3,",
    patches: [[
      READ_BATCH,
      "if (answer === UNANSWERED) return this.#resolve(this);",
      "if (answer === UNANSWERED && this.slot.answer === UNANSWERED) return this.#resolve(this);",
    ], [
      READ_BATCH,
      "this.#counters.map((counter) => counter.answer as bigint)",
      "this.#counters.map(({ answer }, n) =>\n      // deno-lint-ignore no-explicit-any\n      typeof answer === 'bigint' ? answer : (this.found?.entry as any)?.generations?.[n]\n    )",
    ]],
  },
  {
    name: "a look shared after it was sent",
    rule: "rule 4,",
    patches: [[
      READ_BATCH,
      "this.#batch = undefined;",
      "this.#store.clock.setTimeout(() => this.#batch = undefined, 20);",
    ]],
  },
  {
    name: "a flight joined without a look",
    rule: "rule 5,",
    patches: [
      [
        COMPUTATIONS,
        "this.#byNonce.set(nonce, { key, computation });",
        "this.#byNonce.set(nonce, { key, computation });\n    this.#byNonce.set('last', { key: 'last', computation });",
      ],
      [
        FETCH,
        "options.signal?.throwIfAborted();",
        'options.signal?.throwIfAborted();\n      const last = this.#parts.computations.find("last", "last");\n      if (last !== undefined && !last.isSettled) return valueOf(call, await last.join().result) as T;',
      ],
    ],
  },
  {
    name: "a flight joined though its lease is OUTDATED",
    rule: "rule 5,",
    patches: [[
      FRESHNESS,
      "if (kept[i] !== generations[i]) return",
      'if (entry.kind !== "lease" && kept[i] !== generations[i]) return',
    ]],
  },
  {
    name: "a lease known by anything but its nonce",
    rule: "rule 6,",
    patches: [["src/backend/poller.ts", "entry === undefined || entry.nonce !== lease.nonce", "entry === undefined"]],
  },
  {
    name: "a lost token is not looked for",
    rule: "rule 7,",
    patches: [[LEASE, 'if (written.kind === "stored" || written.kind === "never") return written;', "return written;"]],
  },
  {
    name: "a lost token: whatever is there is written over",
    rule: "rule 7,",
    patches: [[
      LEASE,
      'if (found?.entry.kind !== "lease" || found.entry.nonce !== this.#entry.nonce) {',
      "if (found === undefined) {",
    ]],
  },
  {
    name: "no second look under the mint lock",
    rule: "rule 8,",
    patches: [[REFRESH, 'snapshot).is !== "stale") return', 'snapshot).is === "nothing") return']],
  },
  {
    name: "the mint lock dropped before the set",
    rule: "rule 8,",
    patches: [[
      REFRESH,
      "let failed: { readonly error: unknown } | undefined;",
      "await lock.release();\n    let failed: { readonly error: unknown } | undefined;",
    ]],
  },
  {
    name: "an orphan is waited for",
    rule: "rule 9,",
    patches: [[FETCH, "return this.#parts.leases.isOwn(nonce) || ", "return "]],
  },
  {
    name: "a flight closed before its last write is answered",
    rule: "rule 9,",
    patches: [[
      LEASED,
      'if (computed.kind === "value" && computed.isShared) {',
      'this.#computations.close(entry.nonce);\n      if (computed.kind === "value" && computed.isShared) {',
    ]],
  },
  {
    name: "a late lease is not given back",
    rule: "rule 9,",
    patches: [[GUARDED, 'else if (written.kind === "stored") void this.delete(label, written.token);', ""]],
  },
  {
    name: "a lease that nobody renews is waited for",
    rule: "a lease that nobody renews is waited for 7 s",
    patches: [[FETCH, " || unrenewed?.nonce === nonce && unrenewed.beat === beat", ""]],
  },
  {
    name: "a lease is taken for one that nobody renews though its beat has changed",
    rule: "a lease that is renewed after the last poll",
    survives: "it costs a computation, and only where a renewal was late: computations are not counted then",
    patches: [[FETCH, " && unrenewed.beat === beat", ""]],
  },
  {
    name: "renewals without a beat",
    rule: "a holder raises its lease's beat",
    patches: [[LEASE, "?? 0) + 1)", "?? 0) + 0)"]],
  },
  {
    name: "one nonce for every attempt",
    rule: "rule 9,",
    patches: [[LEASE, "(this.#count++)", "(this.#count)"]],
  },
  { name: "refusals without bound", rule: "rule 10,", patches: [[FETCH, "MAX_REFUSALS = 8", "MAX_REFUSALS = 100"]] },
  { name: "waits without bound", rule: "rule 10,", patches: [[FETCH, "MAX_WAITS = 3", "MAX_WAITS = 100"]] },
  {
    name: "mintDelay for each wait instead of for all",
    rule: "rule 10,",
    patches: [[FETCH, "return call.mintDelayMs - elapsedMs(clock, call.waitsSince);", "return call.mintDelayMs;"]],
  },
  {
    name: "a computation without a lease joined after it began",
    rule: "rule 11,",
    patches: [[
      UNCOORDINATED,
      "    this.#waiting.delete(key);\n    await running.ended;\n",
      "    await running.ended;\n    this.#waiting.delete(key);\n",
    ]],
  },
  {
    name: "a counter created again at the same start",
    rule: "rule 12,",
    patches: [["src/store/memory/store.ts", "this.#random.uint64()", "7n"], [MEMCACHED, "this.#random.uint64()", "7n"]],
  },
  {
    name: "a refused refresh leaves the older value",
    rule: "rule 13,",
    patches: [[WRITES, '    if (written?.kind !== "stored") await this.delete(call.about);\n', ""]],
  },

  // ──────────────── the fences: what is written, and what it may replace ────────────────
  {
    name: "a renewal over anything",
    patches: [[LEASE, "this.#entry, LEASE_MS, token)", 'this.#entry, LEASE_MS, token && "anything")']],
  },
  {
    name: "a lease released whoever holds it",
    patches: [[
      LEASE,
      "store.delete(this.#about, token)",
      'store.delete(this.#about, token && "anything")',
    ]],
  },
  {
    name: "a mint lock left to run out over anything",
    survives: "the lock only keeps others from trying: one too many makes a pause longer",
    patches: [[LEASE, "this.#entry, ms, token)", 'this.#entry, ms, token && "anything")']],
  },
  {
    name: "a lease taken over anything instead of over what the look saw",
    patches: [[
      GUARDED,
      "this.store.set(label.key, lease, ttlMs, over)",
      'this.store.set(label.key, lease, ttlMs, "anything")',
    ]],
  },
  {
    name: "a lease taken over anything instead of where nothing is",
    patches: [[
      GUARDED,
      "this.store.add(label.key, lease, ttlMs)",
      'this.store.set(label.key, lease, ttlMs, "anything")',
    ]],
  },
  {
    name: "a late lease given back whoever holds it",
    survives: "a delete brings nothing old back; it costs a computation, and only after a fault",
    patches: [[GUARDED, "this.delete(label, written.token)", 'this.delete(label, "anything")']],
  },
  {
    name: "the mark over anything instead of where nothing is",
    survives: "the mark holds no value; it costs computations of what could not be kept anyway",
    patches: [[
      WRITES,
      "this.#store.add(about, marker, MARKER_MS)",
      'this.#store.set(about, marker, MARKER_MS, "anything")',
    ]],
  },
  {
    name: "the user's add over anything instead of over what its look saw",
    patches: [[
      USER_WRITES,
      "this.#store.set(about, lease, LEASE_MS, found.token)",
      'this.#store.set(about, lease, LEASE_MS, "anything")',
    ]],
  },
  {
    name: "the user's add over anything instead of where nothing is",
    patches: [[
      USER_WRITES,
      "this.#store.add(about, lease, LEASE_MS)",
      'this.#store.set(about, lease, LEASE_MS, "anything")',
    ]],
  },
  {
    name: "the user's set without a lease",
    patches: [[
      USER_WRITES,
      "const taken = await take(asked);",
      'const now = entry(owned);\n      const plain = target.counters.length < 9 && await this.#store.set(about, now.entry, now.ttlMs, "anything");\n      if (plain && plain.kind === "unknown") throw notConfirmed("keep", about.key, plain.error);\n      if (plain) return "stored";\n      const taken = await take(asked);',
    ]],
  },
  {
    name: "a set drops its token",
    patches: [[
      MEMCACHED,
      "cas: over as Item | Stored };\n    return await this.#tokenOf",
      "cas: undefined };\n    return await this.#tokenOf",
    ]],
  },
  {
    name: "a delete drops its token",
    patches: [[MEMCACHED, "this.client.delete(key, { cas: over as Item | Stored })", "this.client.delete(key)"]],
  },
  {
    name: "a counter put over anything instead of over what was no counter",
    survives: "the new start is drawn anew (rule 12), so it meets no entry; it costs misses",
    patches: [[MEMCACHED, "String(start), { ...options, cas: item }", "String(start), { ...options }"]],
  },
  // ──────────────── the order of each pair ────────────────
  {
    name: "the computation begins before its lease is confirmed",
    patches: [
      [
        LEASED,
        "const lease = await this.#leases.take(call.about",
        "const early = computation.run(call);\n    const lease = await this.#leases.take(call.about",
      ],
      [
        LEASED,
        "const computed = await computation.run(call);",
        "const computed = await early;",
      ],
    ],
  },
  {
    name: "the second look asked together with the mint lock",
    patches: [
      [
        REFRESH,
        "const lock = await leases.take(",
        "const early = reader.read(call);\n    const lock = await leases.take(",
      ],
      [REFRESH, "const snapshot = await reader.read(call);", "const snapshot = await early;"],
    ],
  },
  {
    name: "a refresh behind the answer stamped with what is read after it",
    patches: [[
      REFRESH,
      "const owned = ownedBy(call, snapshot.generations);",
      "const owned = ownedBy(call, (await reader.read(call)).generations);",
    ]],
  },
  {
    name: "callers answered before their value is on its way",
    patches: [[
      LEASED,
      "const written = this.#writes.valueOrMarker(",
      "computation.settle(value);\n    for (let i = 0; i < 40; i++) await undefined;\n    const written = this.#writes.valueOrMarker(",
    ]],
  },
  {
    name: "callers told of an error before the lease's release is on its way",
    survives: "who tries again joins the flight, which is open until the release is answered (rule 9); it costs a wait",
    patches: [[
      LEASED,
      "const released = lease.release();",
      "computation.settle(computed);\n        for (let i = 0; i < 40; i++) await undefined;\n        const released = lease.release();",
    ]],
  },
  {
    name: "a refresh answered before its value is stored",
    patches: [[
      LEASED,
      "await this.#writes.valueOrDelete(",
      "computation.settle(value);\n    await this.#writes.valueOrDelete(",
    ]],
  },
  {
    name: "a refresh over a value answered before its value is stored",
    patches: [[
      COMPUTATIONS,
      'if (computed.kind === "value") await write?.(computed);\n      computation.settle(computed);',
      'computation.settle(computed);\n      if (computed.kind === "value") await write?.(computed);',
    ]],
  },
  {
    name: "a flight opened after its lease was answered",
    patches: [
      [
        COMPUTATIONS,
        "this.#byNonce.set(nonce, { key, computation });",
        "Object.assign(computation, { register: () => this.#byNonce.set(nonce, { key, computation }) });",
      ],
      [
        LEASED,
        "const computed = await computation.run(call);",
        "(computation as unknown as { register(): void }).register();\n      const computed = await computation.run(call);",
      ],
    ],
  },
  {
    name: "a flight whose lease had no answer is joined",
    patches: [[
      LEASED,
      'if (typeof lease === "string") computation.retry(lease);',
      'if (lease === "unknown") computation.settle(await computation.run(call));\n    else if (lease === "refused") computation.retry(lease);',
    ]],
  },
  {
    name: "a value that was computed without a lease is kept if the lease turns up",
    patches: [[
      LEASED,
      'if (typeof lease === "string") computation.retry(lease);',
      'if (lease === "unknown") {\n      const computed = await computation.run(call);\n      const found = await this.#store.get(call.about);\n      if (computed.kind === "value" && typeof found === "object" && found.entry.kind === "lease" && found.entry.nonce === entry.nonce) {\n        const write = this.#writes.over(call, { ...snapshot, found });\n        await this.#writes.valueOrMarker(call, computed.value, entry, write);\n      }\n      computation.settle(computed);\n    } else if (lease === "refused") computation.retry(lease);',
    ]],
  },
  // ──────────────── what is compared, and what is promised ────────────────
  {
    name: "only the first generation is compared",
    patches: [[FRESHNESS, "i < kept.length; i++", "i < Math.min(1, kept.length); i++"]],
  },
  {
    name: "an attempt shared by calls that name other groups",
    survives:
      "all of them called before the computation began; it is for two full keys under one truncation, which the simulation has not",
    patches: [[COMPUTATIONS, " || !isSame(shared.target, call)", ""]],
  },
  {
    name: "a refresh that computed alone leaves the older value",
    patches: [[FETCH, 'if (result.kind !== "error") await writes.delete(call.about);', ""]],
  },
  {
    name: "an invalidation resolves unconfirmed",
    patches: [[USER_WRITES, "if (failed !== undefined) throw failed.error;", ""]],
  },
  {
    name: "a group's invalidation resolves unconfirmed",
    patches: [[USER_WRITES, 'return done === "done" ? undefined : done;', "return done ? undefined : done;"]],
  },
  // ──────────────── the stores' duties ────────────────
  {
    name: "duty a: a token used on any connection",
    patches: [[
      MEMCACHED,
      "cas: over as Item | Stored };\n    return await this.#tokenOf",
      "cas: (over as Item).cas };\n    return await this.#tokenOf",
    ]],
  },
  {
    name: "duty a: a delete's token used on any connection",
    survives: "a delete brings nothing old back; it costs a computation, and only after a restart",
    patches: [[
      MEMCACHED,
      "this.client.delete(key, { cas: over as Item | Stored })",
      "this.client.delete(key, { cas: (over as Item).cas })",
    ]],
  },
  {
    name: "duty c: a write that timed out is called refused",
    patches: [[
      MEMCACHED,
      "if (!(error instanceof ValueTooLargeError)) throw error;",
      'if ((error as Error).name === "TimeoutError") return undefined;\n      if (!(error instanceof ValueTooLargeError)) throw error;',
    ]],
  },
  {
    name: "duty c: a delete that timed out is called done",
    patches: [[
      MEMCACHED,
      "    await this.client.delete(key); // duty c: a delete that timed out rejects",
      "    await this.client.delete(key).catch(() => true);",
    ]],
  },
  {
    name: "duty c: an increment that timed out is called done",
    patches: [[
      MEMCACHED,
      "this.#unlessNoNumber(this.client.incr(name, 1n))",
      "this.#unlessNoNumber(this.client.incr(name, 1n).catch(() => 1n))",
    ]],
  },
  {
    name: "duty d: an add repeated",
    patches: [[
      MEMCACHED,
      "this.client.add(key, bytes, { ttl: ttlOf(ttlMs) }))",
      "this.client.add(key, bytes, { ttl: ttlOf(ttlMs) }).catch(() => this.client.add(key, bytes, { ttl: ttlOf(ttlMs) })))",
    ]],
  },
  {
    name: "duty d: a set repeated",
    survives:
      "what is set over anything is a lease, and a second set over a token is refused; an add has no such fence",
    patches: [[
      MEMCACHED,
      "this.client.set(key, bytes, options))",
      "this.client.set(key, bytes, options).catch(() => this.client.set(key, bytes, options)))",
    ]],
  },
  {
    name: "duty d: a counter's creation repeated",
    patches: [[
      MEMCACHED,
      "const created = await this.#unlessNoNumber(this.client.incr(name, 0n, { ...options, initial: this.#start() }));",
      "const initial = this.#start();\n        const create = () => this.client.incr(name, 0n, { ...options, initial });\n        const created = await this.#unlessNoNumber(create().catch(create));",
    ]],
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
    const files = ["src", "tests", "tools", "deno.json"].map((name) => `${root}/${name}`);
    const { success } = await new Deno.Command("cp", { args: ["-r", ...files, path] }).output();
    if (!success) throw new Error(`Cannot copy the tree to ${path}`);
    return new Copy(path);
  }

  /** Takes a rule out. Returns how to put it back, and whether every patch applied. */
  async take(mutant: Mutant): Promise<{ readonly applied: boolean; putBack(): Promise<void> }> {
    const originals = new Map<string, string>();
    let applied = true;
    for (const [file, from, to] of mutant.patches) {
      const text = await Deno.readTextFile(`${this.path}/${file}`);
      if (!originals.has(file)) originals.set(file, text);
      if (text.split(from).length !== 2) applied = false;
      await Deno.writeTextFile(`${this.path}/${file}`, text.replace(from, () => to));
    }
    const putBack = async () => {
      for (const [file, text] of originals) await Deno.writeTextFile(`${this.path}/${file}`, text);
    };
    return { applied, putBack };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
