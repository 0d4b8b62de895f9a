/** Real processes, Deno's and Bun's, that share one memcached. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const WORKER = fileURLToPath(new URL("./_worker.ts", import.meta.url));

/** Where the runtimes are: told by the test runner, else the one this runs in, else the PATH. */
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

/** One worker. */
export class Worker {
  readonly child: ChildProcess;
  readonly runtime: "deno" | "bun";
  readonly ready: Promise<void>;
  /** Keys whose function began to compute here, in order. */
  readonly computing: string[] = [];
  readonly #asked: Map<number, { resolve(value: unknown): void; reject(error: unknown): void }> = new Map();
  #count = 0;
  #watchers: (() => void)[] = [];

  constructor(runtime: "deno" | "bun", server: string, protocol: string, mintDelay: string) {
    this.runtime = runtime;
    const { path, args } = commandOf(runtime, WORKER);
    this.child = spawn(path, [...args, server, protocol, mintDelay], { stdio: ["pipe", "pipe", "inherit"] });
    this.ready = new Promise((resolve, reject) => {
      this.child.on("error", (error) => reject(new Error(`${runtime} does not start: ${error.message}`)));
      this.child.on("exit", () => {
        reject(new Error(`${runtime} ended before it was ready`));
        for (const { reject } of this.#asked.values()) reject(new Error("the process has ended"));
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

  /** `count`: half of them Deno's, half of them Bun's. */
  static async start(
    server: string,
    protocol = "binary",
    { count = 4, mintDelay = "30s" }: { readonly count?: number; readonly mintDelay?: string } = {},
  ): Promise<Processes> {
    const workers = Array.from(
      { length: count },
      (_, n) => new Worker(n % 2 === 0 ? "deno" : "bun", server, protocol, mintDelay),
    );
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
