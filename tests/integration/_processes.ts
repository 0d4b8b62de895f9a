/** Real processes, Deno's and Bun's, that share one memcached. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { LastWords } from "./_last_words.ts";

const WORKER = fileURLToPath(new URL("./_worker.ts", import.meta.url));

/** Where the runtimes are: named by the test runner, else the one this runs in, else the PATH. */
const PATHS = {
  deno: process.env["DENO"] ?? (process.versions["deno"] === undefined ? "deno" : process.execPath),
  bun: process.env["BUN"] ?? (process.versions["bun"] === undefined ? "bun" : process.execPath),
};

/** How a runtime runs a program. */
export function commandOf(
  runtime: "deno" | "bun",
  program: string,
): { readonly path: string; readonly args: string[] } {
  const before = runtime === "deno" ? ["run", "--no-check", "--allow-net=127.0.0.1"] : [];
  return { path: PATHS[runtime], args: [...before, program] };
}

/** The options of a worker's backend. */
interface Terms {
  readonly server: string;
  readonly protocol: string;
  readonly mintDelay: string;
  /** Of its driver and of its backend. */
  readonly timeout: string;
}

/** One worker. */
export class Worker {
  readonly child: ChildProcess;
  readonly runtime: "deno" | "bun";
  readonly ready: Promise<void>;
  /** Keys whose function began to compute here, in order. */
  readonly computing: string[] = [];
  readonly #asked: Map<number, { resolve(value: unknown): void; reject(error: unknown): void }> = new Map();
  #count = 0;
  /** Why it ended, once it has. */
  #ended: string | undefined;
  #watchers: (() => void)[] = [];

  /** `program`: what it runs, for tests of this class. */
  constructor(runtime: "deno" | "bun", terms: Terms, program: string = WORKER) {
    this.runtime = runtime;
    const { path, args } = commandOf(runtime, program);
    this.child = spawn(path, [...args, JSON.stringify(terms)], { stdio: "pipe" });
    this.child.stdin!.on("error", () => {}); // it has ended, and `ended` says why
    const { ended } = new LastWords(runtime, this.child);
    this.ready = new Promise((resolve, reject) => {
      ended.then((why) => {
        this.#ended = why;
        reject(new Error(`${why}\n(before it was ready)`));
        for (const { reject } of this.#asked.values()) reject(new Error(why));
        this.#asked.clear();
      });
      createInterface({ input: this.child.stdout! }).on("line", (line) => {
        const said = JSON.parse(line);
        if (said.ready) resolve();
        else if (said.computing !== undefined) {
          this.computing.push(said.computing);
          for (const watcher of this.#watchers.splice(0)) watcher();
        } else {
          const asked = this.#asked.get(said.id);
          this.#asked.delete(said.id);
          if (said.error === undefined) asked?.resolve(said.value);
          else asked?.reject(new Error(said.error));
        }
      });
    });
  }

  // deno-lint-ignore no-explicit-any
  ask(verb: string, order: Record<string, unknown> = {}): Promise<any> {
    const id = this.#count++;
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(new Error(this.#ended));
      this.#asked.set(id, { resolve, reject });
      this.child.stdin!.write(JSON.stringify({ id, verb, ...order }) + "\n");
    });
  }

  /** Resolves at the next computation that begins here. */
  get nextComputation(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
  }

  kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT" = "SIGKILL"): void {
    this.child.kill(signal);
  }
}

/** Deno and Bun processes on one server, killed when the scope ends. */
export class Processes implements AsyncDisposable {
  readonly workers: readonly Worker[];

  private constructor(workers: readonly Worker[]) {
    this.workers = workers;
  }

  /**
   * `count`: half of them Deno's, half of them Bun's. By default they wait for the store far longer than any machine is
   * busy: a process that gave up would compute by itself, and nothing could be counted.
   */
  static async start(
    server: string,
    protocol = "binary",
    { count = 4, mintDelay = "30s", timeout = "20s" }: Partial<Omit<Terms, "server" | "protocol"> & { count: number }> =
      {},
  ): Promise<Processes> {
    const terms = { server, protocol, mintDelay, timeout };
    const workers = Array.from({ length: count }, (_, n) => new Worker(n % 2 === 0 ? "deno" : "bun", terms));
    const processes = new Processes(workers);
    try {
      await Promise.all(workers.map((worker) => worker.ready));
    } catch (error) {
      await processes[Symbol.asyncDispose]();
      throw error;
    }
    return processes;
  }

  /** The same of all. */
  // deno-lint-ignore no-explicit-any
  all(verb: string, order: Record<string, unknown> = {}): Promise<any[]> {
    return Promise.all(this.workers.map((worker) => worker.ask(verb, order)));
  }

  /** Resolves when all find this value in the store: it is still on its way there when its callers are answered. */
  async untilAllGet(key: string, groups: readonly string[], value: unknown): Promise<void> {
    for (const began = performance.now(); performance.now() - began < 20_000; await sleep(5)) {
      if ((await this.all("get", { key, groups })).every((found) => found === value)) return;
    }
    throw new Error(`not all processes find ${JSON.stringify(value)} under ${key} within 20 s`);
  }

  /** How often any of them began to compute a key. */
  computations(key: string): number {
    return this.workers.flatMap(({ computing }) => computing).filter((computed) => computed === key).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map(({ child }) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      return ended;
    }));
  }
}
