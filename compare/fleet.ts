/** Processes that share a store, and the source that their functions read: it says what they read, and when. */

import { sleep } from "./servers.ts";

/**
 * The caches of a process: in its memory, on the store, on the store with a ttl of a second, and on the store with its
 * waits bounded.
 */
export type CacheName = "memory" | "shared" | "short" | "bounded";

/** What a process is told to do. */
export interface Order {
  readonly id: number;
  readonly verb: "call" | "invalidate";
  readonly cache: CacheName;
  readonly key: string;
  readonly byGroup: boolean;
  /** The text whose value the call should be given: the result then says what it has become. */
  readonly expects?: string;
}

/** What a process says. */
export type Report =
  | { readonly kind: "read"; readonly read: number; readonly key: string }
  | { readonly kind: "begun"; readonly id: number }
  | { readonly kind: "done"; readonly id: number; readonly result: string; readonly ms: number }
  | { readonly kind: "failed"; readonly id: number; readonly error: string; readonly ms: number };

export interface Done {
  readonly result: string;
  readonly ms: number;
}

/** It took too long. */
export class LateError extends Error {}

/** A call that was rejected. */
export class CallError extends Error {
  readonly ms: number;

  constructor(message: string, ms: number) {
    super(message);
    this.ms = ms;
  }
}

/** No wait is longer: what takes longer has failed. */
const LIMIT_MS = 20_000;

/** The promise, which rejects with a LateError when it takes longer. */
export async function within<T>(promise: Promise<T>, what: string, ms: number = LIMIT_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(`${what}: nothing within ${ms / 1000} s`)), ms);
  });
  promise.catch(() => {});
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What functions read. A read is of the text that is there when it comes, however long its answer is held back. */
export class Source {
  readonly #texts: Map<string, string> = new Map();
  readonly #reads: Map<string, { count: number; lastMs: number }> = new Map();
  readonly #gates: Map<string, { left: number; readonly waiting: (() => void)[] }> = new Map();

  write(key: string, text: string): void {
    this.#texts.set(key, text);
  }

  /** The next reads of this key, so many of them, wait for `open`. */
  close(key: string, reads: number): void {
    this.#gates.set(key, { left: reads, waiting: [] });
  }

  open(key: string): void {
    for (const answer of this.#gates.get(key)?.waiting ?? []) answer();
    this.#gates.delete(key);
  }

  /** How often the key was read. */
  count(key: string): number {
    return this.#reads.get(key)?.count ?? 0;
  }

  read(key: string, answer: (text: string) => void): void {
    const text = this.#texts.get(key) ?? "new";
    this.#reads.set(key, { count: this.count(key) + 1, lastMs: performance.now() });
    const gate = this.#gates.get(key);
    if (gate === undefined || gate.left === 0) return answer(text);
    gate.left--;
    gate.waiting.push(() => answer(text));
  }

  /** Resolves when the key has been read more than so often, and then, from now on, not for a while. */
  async quiet(key: string, ms: number, count: number): Promise<void> {
    const began = performance.now();
    const isQuiet = () => {
      const reads = this.#reads.get(key);
      return reads !== undefined && reads.count > count && performance.now() - Math.max(began, reads.lastMs) >= ms;
    };
    while (!isQuiet()) {
      if (performance.now() - began > LIMIT_MS) throw new LateError(`${key} was not computed`);
      await sleep(10);
    }
  }
}

/** One process. */
export class Member implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #source: Source;
  readonly #open: Map<number, PromiseWithResolvers<Done> & { readonly begun: PromiseWithResolvers<void> }> = new Map();
  readonly #reading: Promise<unknown>;
  #ids = 0;
  #complaint = "";
  #ended: Error | undefined;

  constructor(args: readonly string[], source: Source) {
    const program = new URL("child.ts", import.meta.url).href;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--node-modules-dir=manual", program, ...args],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#source = source;
    this.#reading = Promise.all([this.#readReports(), this.#readComplaints()]);
  }

  /** A call, or an invalidation. `begun` resolves once the process has made it. */
  order(
    verb: Order["verb"],
    cache: CacheName,
    key: string,
    options: { readonly byGroup?: boolean; readonly expects?: string } = {},
  ): { readonly begun: Promise<void>; readonly done: Promise<Done> } {
    const id = ++this.#ids;
    const entry = { ...Promise.withResolvers<Done>(), begun: Promise.withResolvers<void>() };
    for (const promise of [entry.promise, entry.begun.promise]) promise.catch(() => {});
    this.#open.set(id, entry);
    if (this.#ended !== undefined) this.#fail(this.#ended);
    this.#send({ id, verb, cache, key, byGroup: false, ...options });
    return { begun: entry.begun.promise, done: entry.promise };
  }

  async run(...order: Parameters<Member["order"]>): Promise<Done> {
    return await within(this.order(...order).done, `${order[0]} of ${order[2]}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await this.#writer.abort().catch(() => {});
    await this.#reading;
  }

  #send(message: object): void {
    // A process that has ended has failed its orders already.
    this.#writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`)).catch(() => {});
  }

  async #readReports(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#hear(JSON.parse(line) as Report);
    }
    const { code } = await this.#child.status;
    this.#ended = new Error(`its process ended with code ${code} ${this.#complaint}`.trim());
    this.#fail(this.#ended);
  }

  #fail(error: Error): void {
    for (const { reject, begun } of this.#open.values()) {
      reject(error);
      begun.reject(error);
    }
    this.#open.clear();
  }

  async #readComplaints(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      const found = /^\s*(?:error: )?(?:Uncaught.*)?(\w*Error: .*)$/m.exec(text);
      if (found !== null) this.#complaint = `(${found[1]!.slice(0, 160)})`;
    }
  }

  #hear(report: Report): void {
    if (report.kind === "read") {
      const { read } = report;
      this.#source.read(report.key, (text) => this.#send({ verb: "answer", read, text }));
      return;
    }
    const entry = this.#open.get(report.id);
    if (entry === undefined) return;
    entry.begun.resolve();
    if (report.kind === "begun") return;
    this.#open.delete(report.id);
    if (report.kind === "done") entry.resolve(report);
    else entry.reject(new CallError(report.error, report.ms));
  }
}
