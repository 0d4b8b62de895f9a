/**
 * Takes out the protocol's rules, one at a time, in a copy of the tree, and runs the rule's tests: they must FAIL.
 *
 *     deno run -A tools/check_rules.ts
 *
 * A patch that no longer applies fails the run.
 */

/** One rule taken out. `patches`: file, the text that stands there once, and what replaces it. */
interface Mutant {
  readonly name: string;
  /** The beginning of the names of the tests that must fail. */
  readonly rule: string;
  readonly patches: readonly (readonly [file: string, from: string, to: string])[];
}

const FILL = "src/backend/fill.ts", GROUP = "src/backend/group.ts", LEASE = "src/backend/lease.ts";
const LOOK = "src/backend/look.ts", ALONE = "src/backend/alone.ts", GUARDED = "src/store/guarded.ts";

const MUTANTS: readonly Mutant[] = [
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
      "await finish.call(this, call, computed.value, ownedBy(call, (await this.#parts.looks.look(call.about, call.counters))!.generations), lease, flight);",
    ]],
  },
  {
    name: "a counter that cannot be read is trusted",
    rule: "rule 3,",
    patches: [[
      LOOK,
      "if (!really) return this.#resolve(undefined);",
      "if (!really && this.asked.answer === UNANSWERED) return this.#resolve(undefined);",
    ], [
      LOOK,
      "this.#counters.map((counter) => counter.answer as bigint)",
      "this.#counters.map(({ answer }, n) =>\n      // deno-lint-ignore no-explicit-any\n      typeof answer === 'bigint' ? answer : (this.found?.entry as any)?.generations?.[n]\n    )",
    ]],
  },
  {
    name: "a look shared after it was sent",
    rule: "rule 4,",
    patches: [[LOOK, "this.#tick = undefined;", "setTimeout(() => this.#tick = undefined, 1);"]],
  },
  {
    name: "a flight joined without a look",
    rule: "rule 5,",
    patches: [
      [
        "src/backend/flights.ts",
        "this.#open.set(nonce, flight);",
        "this.#open.set(nonce, flight);\n    this.#open.set('last', flight);",
      ],
      [
        GROUP,
        "let refusals = 0, waits = 0;",
        'let refusals = 0, waits = 0;\n    const last = this.#flights.get("last");\n    if (last !== undefined && !last.answered) return landed(call, await last.board().end, "wait");',
      ],
    ],
  },
  {
    name: "a flight joined though its lease is OUTDATED",
    rule: "rule 5,",
    patches: [[
      "src/backend/verdict.ts",
      "if (!areSame(",
      'if (entry.kind !== "lease" && !areSame(',
    ]],
  },
  {
    name: "a lease known by anything but its nonce",
    rule: "rule 6,",
    patches: [["src/backend/poller.ts", " && found.entry.nonce === nonce", ""]],
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
    patches: [[FILL, 'settings.clock.now()) !== "stale") return', 'settings.clock.now()) === "nothing") return']],
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
      'if (computed.kind === "value") await finish.call',
      'this.#parts.flights.close(nonce);\n      if (computed.kind === "value") await finish.call',
    ]],
  },
  {
    name: "a late lease is not given back",
    rule: "rule 9,",
    patches: [[GUARDED, 'else if (written.kind === "stored") void this.delete(about, written.token);', ""]],
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
    patches: [[GROUP, "return call.waitsUntil - now;", "return call.mintDelayMs;"]],
  },
  {
    name: "a computation without a lease joined after it began",
    rule: "rule 11,",
    patches: [[
      ALONE,
      "    this.#waiting.delete(key);\n    await run;\n",
      "    await run;\n    this.#waiting.delete(key);\n",
    ]],
  },
  {
    name: "a counter created again at the same start",
    rule: "rule 12,",
    patches: [["src/store/memory.ts", "this.#random.uint64()", "7n"]],
  },
  {
    name: "a refused refresh leaves the older value",
    rule: "rule 13,",
    patches: [[FILL, '    if (written?.kind !== "stored") await this.forget(call.about);\n', ""]],
  },
];

const TESTS = ["test", "-A", "--no-check", "--quiet", "tests/backend/rules_test.ts"];
const root = new URL("..", import.meta.url).pathname;
const copy = await Deno.makeTempDir({ prefix: "cache-utils-rules-" });
let wrong = 0;
try {
  await run("cp", ["-r", `${root}src`, `${root}tests`, `${root}deno.json`, copy]);
  if (!await run(Deno.execPath(), TESTS)) throw new Error("The rules' tests fail before anything is taken out");
  for (const { name, rule, patches } of MUTANTS) {
    const originals = new Map<string, string>();
    let applied = true;
    for (const [file, from, to] of patches) {
      const text = await Deno.readTextFile(`${copy}/${file}`);
      if (!originals.has(file)) originals.set(file, text);
      if (text.split(from).length !== 2) applied = false;
      await Deno.writeTextFile(`${copy}/${file}`, text.replace(from, () => to));
    }
    const caught = applied && !await run(Deno.execPath(), [...TESTS, "--filter", rule]);
    for (const [file, text] of originals) await Deno.writeTextFile(`${copy}/${file}`, text);
    if (!caught) wrong++;
    console.log(`${caught ? "caught" : applied ? "SURVIVED" : "DOES NOT APPLY"}  ${rule} ${name}`);
  }
} finally {
  await Deno.remove(copy, { recursive: true });
}
console.log(`${MUTANTS.length - wrong} caught, ${wrong} not`);
Deno.exit(wrong === 0 ? 0 : 1);

/** Did it succeed? One that hangs for 60 s did not. */
async function run(command: string, args: string[]): Promise<boolean> {
  const signal = AbortSignal.timeout(60_000);
  const { success } = await new Deno.Command(command, { args, cwd: copy, signal, stdout: "null", stderr: "null" })
    .output();
  return success;
}
