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

const FILL = "src/backend/fill.ts", GROUP = "src/backend/group.ts", LEASE = "src/backend/lease.ts";
const LOOK = "src/backend/read_batch.ts",
  ALONE = "src/backend/uncoordinated.ts",
  FLIGHTS = "src/backend/computation.ts";
const VERDICT = "src/backend/freshness.ts",
  GUARDED = "src/backend/guarded_store.ts",
  MEMCACHED = "src/store/memcached.ts";

/** Each rule, each fence, each order of two steps and each of the stores' duties, taken out. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "a value written over anything instead of over its lease",
    rule: "rule 1,",
    patches: [[
      LEASE,
      "this.#store.set(this.#about, taken, ttlMs, token)",
      'this.#store.set(this.#about, taken, ttlMs, "anything")',
    ]],
  },
  {
    name: "a stale value's refresh written over anything",
    rule: "rule 1,",
    patches: [[
      FILL,
      "this.#store.set(call.about, entry, ttlMs, look.found!.token)",
      'this.#store.set(call.about, entry, ttlMs, "anything")',
    ]],
  },
  {
    name: "the mark's reader writes over anything",
    rule: "rule 1,",
    patches: [[
      FILL,
      "this.#store.set(call.about, entry, ttlMs, look.found!.token)",
      'this.#store.set(call.about, entry, ttlMs, "anything")',
    ]],
  },
  {
    name: "generations read after the computation",
    rule: "rule 2,",
    patches: [[
      FILL,
      "await finish.call(this, call, computed.value, owned, lease, flight);",
      "await finish.call(this, call, computed.value, ownedBy(call, (await this.#parts.looks.read(call))?.generations ?? []), lease, flight);",
    ]],
  },
  {
    name: "a counter that cannot be read is trusted",
    rule: "rule 3,",
    patches: [[
      LOOK,
      "if (answer === UNANSWERED) return this.#resolve(undefined);",
      "if (answer === UNANSWERED && this.slot.answer === UNANSWERED) return this.#resolve(undefined);",
    ], [
      LOOK,
      "this.#counters.map((counter) => counter.answer as bigint)",
      "this.#counters.map(({ answer }, n) =>\n      // deno-lint-ignore no-explicit-any\n      typeof answer === 'bigint' ? answer : (this.found?.entry as any)?.generations?.[n]\n    )",
    ]],
  },
  {
    name: "a look shared after it was sent",
    rule: "rule 4,",
    patches: [[LOOK, "this.#batch = undefined;", "this.#store.clock.setTimeout(() => this.#batch = undefined, 20);"]],
  },
  {
    name: "a flight joined without a look",
    rule: "rule 5,",
    patches: [
      [
        FLIGHTS,
        "this.#open.set(nonce, { key, flight });",
        "this.#open.set(nonce, { key, flight });\n    this.#open.set('last', { key: 'last', flight });",
      ],
      [
        GROUP,
        "options.signal?.throwIfAborted();",
        'options.signal?.throwIfAborted();\n      const last = this.#flights.get("last", "last");\n      if (last !== undefined && !last.answered) return landed(call, await last.board().end, "wait") as T;',
      ],
    ],
  },
  {
    name: "a flight joined though its lease is OUTDATED",
    rule: "rule 5,",
    patches: [[
      VERDICT,
      "if (!areSame(",
      'if (entry.kind !== "lease" && !areSame(',
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
    patches: [[FILL, 'this.judge(call, look) !== "stale") return', 'this.judge(call, look) === "nothing") return']],
  },
  {
    name: "the mint lock dropped before the set",
    rule: "rule 8,",
    patches: [[
      FILL,
      "let failed: { readonly error: unknown } | undefined;",
      "await lock.release();\n    let failed: { readonly error: unknown } | undefined;",
    ]],
  },
  {
    name: "an orphan is waited for",
    rule: "rule 9,",
    patches: [[GROUP, "if (flight === undefined && this.#fills.isOurs(nonce)) break;", ""]],
  },
  {
    name: "a flight closed before its last write is answered",
    rule: "rule 9,",
    patches: [[
      FILL,
      'if (computed.kind === "value" && isShared(call)) {\n        await finish.call',
      'this.#parts.flights.close(nonce);\n      if (computed.kind === "value" && isShared(call)) {\n        await finish.call',
    ]],
  },
  {
    name: "a late lease is not given back",
    rule: "rule 9,",
    patches: [[GUARDED, 'else if (written.kind === "stored") void this.delete(about, written.token);', ""]],
  },
  {
    name: "a lease that nobody renews is waited for",
    rule: "a lease that nobody renews is waited for 7 s",
    patches: [[GROUP, "if (flight === undefined && isUnrenewed(call, lease)) break;", ""]],
  },
  {
    name: "a lease is taken for one that nobody renews though its beat has changed",
    rule: "a lease that is renewed after the last poll",
    survives: "it costs a computation, and only where a renewal was late: computations are not counted then",
    patches: [["src/backend/call.ts", " && unrenewed.beat === beat", ""]],
  },
  {
    name: "renewals without a beat",
    rule: "a holder raises its lease's beat",
    patches: [[LEASE, "?? 0) + 1)", "?? 0) + 0)"]],
  },
  {
    name: "one nonce for every attempt",
    rule: "rule 9,",
    patches: [[FILL, "(this.#count++)", "(this.#count)"]],
  },
  { name: "refusals without bound", rule: "rule 10,", patches: [[GROUP, "MAX_REFUSALS = 8", "MAX_REFUSALS = 100"]] },
  { name: "waits without bound", rule: "rule 10,", patches: [[GROUP, "MAX_WAITS = 3", "MAX_WAITS = 100"]] },
  {
    name: "mintDelay for each wait instead of for all",
    rule: "rule 10,",
    patches: [[GROUP, "return call.mintDelayMs - elapsedMs(clock, call.waitsSince);", "return call.mintDelayMs;"]],
  },
  {
    name: "a computation without a lease joined after it began",
    rule: "rule 11,",
    patches: [[
      ALONE,
      "    this.#waiting.delete(key);\n    await run.done;\n",
      "    await run.done;\n    this.#waiting.delete(key);\n",
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
    patches: [[FILL, '    if (written?.kind !== "stored") await this.forget(call.about);\n', ""]],
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
      "this.#store.delete(this.#about, token)",
      'this.#store.delete(this.#about, token && "anything")',
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
      "this.store.set(about.key, lease, ttlMs, over)",
      'this.store.set(about.key, lease, ttlMs, "anything")',
    ]],
  },
  {
    name: "a lease taken over anything instead of where nothing is",
    patches: [[
      GUARDED,
      "this.store.add(about.key, lease, ttlMs)",
      'this.store.set(about.key, lease, ttlMs, "anything")',
    ]],
  },
  {
    name: "a late lease given back whoever holds it",
    survives: "a delete brings nothing old back; it costs a computation, and only after a fault",
    patches: [[GUARDED, "this.delete(about, written.token)", 'this.delete(about, "anything")']],
  },
  {
    name: "the mark over anything instead of where nothing is",
    survives: "the mark holds no value; it costs computations of what could not be kept anyway",
    patches: [[
      FILL,
      "this.#store.add(call.about, mark(owned), MARK_MS)",
      'this.#store.set(call.about, mark(owned), MARK_MS, "anything")',
    ]],
  },
  {
    name: "the user's add over anything instead of over what its look saw",
    patches: [[
      GROUP,
      "this.#store.set(target.about, lease, LEASE_MS, token)",
      'this.#store.set(target.about, lease, LEASE_MS, "anything")',
    ]],
  },
  {
    name: "the user's add over anything instead of where nothing is",
    patches: [[
      GROUP,
      "this.#store.add(target.about, lease, LEASE_MS)",
      'this.#store.set(target.about, lease, LEASE_MS, "anything")',
    ]],
  },
  {
    name: "the user's set without a lease",
    patches: [[
      FILL,
      "const taken = await take(entry);",
      'const kept0 = keeping(owned);\n      const plain = target.counters.length < 9 && await this.#store.set(target.about, kept0.entry, kept0.ttlMs, "anything");\n      if (plain && plain.kind === "unknown") throw notConfirmed("keep", target.about.key);\n      if (plain) return "stored";\n      const taken = await take(entry);',
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
        FILL,
        "const taken = await this.#ask(call.about, entry, look.found?.token);",
        "const asked = this.#ask(call.about, entry, look.found?.token);\n    const early = flight.run(call.compute);\n    const taken = await asked;",
      ],
      [
        FILL,
        'const computed = await flight.run(call.compute);\n      if (computed.kind === "value" && isShared(call)) {',
        'const computed = await early;\n      if (computed.kind === "value" && isShared(call)) {',
      ],
    ],
  },
  {
    name: "the second look asked together with the mint lock",
    patches: [
      [
        FILL,
        "const taken = await this.#ask(about, entry, undefined);",
        "const early = looks.read(call);\n    const taken = await this.#ask(about, entry, undefined);",
      ],
      [FILL, "const look = await looks.read(call);", "const look = await early;"],
    ],
  },
  {
    name: "a refresh behind the answer stamped with what is read after it",
    patches: [[
      FILL,
      "const owned = ownedBy(call, look.generations);\n      const written",
      "const owned = ownedBy(call, (await looks.read(call))?.generations ?? []);\n      const written",
    ]],
  },
  {
    name: "callers answered before their value is on its way",
    patches: [[
      FILL,
      "const settled = this.#keepOrMark(",
      "flight.land(value);\n    for (let i = 0; i < 40; i++) await undefined;\n    const settled = this.#keepOrMark(",
    ]],
  },
  {
    name: "callers told of an error before the lease's release is on its way",
    survives: "who tries again joins the flight, which is open until the release is answered (rule 9); it costs a wait",
    patches: [[
      FILL,
      "const released = this.#finish(lease.release());",
      'if (computed.kind === "error") flight.fail(computed.error);\n        for (let i = 0; i < 40; i++) await undefined;\n        const released = this.#finish(lease.release());',
    ]],
  },
  {
    name: "a refresh answered before its value is stored",
    patches: [[
      FILL,
      "await this.#keepOrForget(call, value, owned, (...entry) => this.#finish(lease.settle(...entry)));",
      "flight.land(value);\n    await this.#keepOrForget(call, value, owned, (...entry) => this.#finish(lease.settle(...entry)));",
    ]],
  },
  {
    name: "a refresh over a value answered before its value is stored",
    patches: [[
      FILL,
      "await first?.(computed.value);\n    flight.land(computed.value);",
      "flight.land(computed.value);\n    await first?.(computed.value);",
    ]],
  },
  {
    name: "a flight opened after its lease was answered",
    patches: [
      [
        FLIGHTS,
        "this.#open.set(nonce, { key, flight });",
        "Object.assign(flight, { register: () => this.#open.set(nonce, { key, flight }) });",
      ],
      [
        FILL,
        'if (taken.kind === "stored") {\n      const lease',
        'if (taken.kind === "stored") {\n      (flight as unknown as { register(): void }).register();\n      const lease',
      ],
    ],
  },
  {
    name: "a flight whose lease had no answer is joined",
    patches: [[
      FILL,
      "} else flight.dissolve(",
      '} else if (taken.kind === "unknown") {\n      const computed = await flight.run(call.compute);\n      if (computed.kind === "value") flight.land(computed.value);\n      else if (computed.kind === "error") flight.fail(computed.error);\n    } else flight.dissolve(',
    ]],
  },
  {
    name: "a value that was computed without a lease is kept if the lease turns up",
    patches: [[
      FILL,
      "} else flight.dissolve(",
      '} else if (taken.kind === "unknown") {\n      const computed = await flight.run(call.compute);\n      if (computed.kind === "value") {\n        const there = await this.#store.get(call.about);\n        if (typeof there === "object" && there.entry.kind === "lease" && there.entry.nonce === nonce) {\n          const kept = this.#keeping(call, computed.value, owned);\n          if (kept) await this.#store.set(call.about, kept.entry, kept.ttlMs, there.token);\n        }\n        flight.land(computed.value);\n      } else if (computed.kind === "error") flight.fail(computed.error);\n    } else flight.dissolve(',
    ]],
  },
  // ──────────────── what is compared, and what is promised ────────────────
  {
    name: "only the first generation is compared",
    patches: [[VERDICT, "i < kept.length; i++", "i < Math.min(1, kept.length); i++"]],
  },
  {
    name: "an attempt shared by calls that name other groups",
    survives:
      "all of them called before the computation began; it is for two full keys under one truncation, which the simulation has not",
    patches: [[FILL, "&& isSameTarget(begun.call, call)", ""]],
  },
  {
    name: "a refresh that computed alone leaves the older value",
    patches: [[GROUP, 'if (end.kind !== "error") await this.#fills.forget(call.about);', ""]],
  },
  {
    name: "an invalidation resolves unconfirmed",
    patches: [[GROUP, "if (failed !== undefined) throw failed.error;", ""]],
  },
  {
    name: "a group's invalidation resolves unconfirmed",
    patches: [[GROUP, 'return done === "done" ? undefined : done;', "return done ? undefined : done;"]],
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
