/** Real memcached servers of a test's own, from Deno, Bun and Node alike. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/** A server that ends with the scope: `await using server = await freshServer();`. */
export interface Server extends AsyncDisposable {
  /** `host:port`, or a path, as a client is given it. */
  readonly address: string;
  readonly port: number;
  /** SIGSTOP: it hangs; the kernel still accepts for it. Resolves once it has really stopped. */
  stop(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  /** SIGKILL: connections break, new ones are refused. Resolves once it has ended. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. Kills it first if it runs. */
  restart(): Promise<void>;
}

/** How long a server may take to listen. */
const START_MS = 10_000;

/** Where a server listens, and what it needs besides its arguments. */
export interface Circumstances {
  /** Default "127.0.0.1". "unix": a socket's path, and no port. */
  readonly listen?: "127.0.0.1" | "::1" | "unix";
  /** By default a free one. */
  readonly port?: number;
  /** Writes files that it needs in its folder, which is removed with it. */
  readonly prepare?: (folder: string) => Promise<{
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  }>;
}

/**
 * A shell that outlives the process that started it. However that ends (a Ctrl-C, a SIGKILL, a test runner that calls no hooks),
 * the shell's standard input ends with it: then it kills the server whose pid it read last, and removes the folder. It
 * runs in a session of its own, so a signal to the group of that process does not reach it.
 */
const WATCH =
  'trap "" INT TERM HUP; while read -r pid; do last=$pid; done; [ "$last" ] && kill -9 "$last"; exec rm -rf "$1"';

class Watch {
  readonly #shell: ChildProcess;

  constructor(folder: string) {
    this.#shell = spawn("sh", ["-c", WATCH, "sh", folder], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    this.#shell.unref();
    (this.#shell.stdin as Socket).unref?.();
  }

  /** The server to kill at the end. `undefined`: none any more. */
  watch(pid: number | undefined): void {
    this.#shell.stdin!.write(`${pid ?? ""}\n`);
  }

  /** Resolves when the server was killed and the folder is gone. */
  async end(): Promise<void> {
    this.#shell.ref();
    const ended = new Promise((resolve) => this.#shell.once("exit", resolve));
    this.#shell.stdin!.end();
    await ended;
  }
}

/** Starts a memcached. `args`: more of its options ("-C", "-I", "512k"). */
export async function freshServer(
  args: readonly string[] = [],
  { listen = "127.0.0.1", port: wanted = -1, prepare }: Circumstances = {},
): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), "cache-utils-memcached-"));
  const watch = new Watch(folder);
  const path = join(folder, "socket");
  let child: ChildProcess | undefined;
  let exited: Promise<void> = Promise.resolve();
  /** Not `child.kill()`: Deno's sends nothing any more once it has sent a SIGSTOP. */
  const signal = (name: "SIGSTOP" | "SIGCONT" | "SIGKILL") => {
    if (child?.pid !== undefined) process.kill(child.pid, name);
  };

  const prepared = await prepare?.(folder);
  /** -1: a free port. The file comes into being by renaming, so it is whole once it is there. */
  const start = async (port: number): Promise<number> => {
    const file = join(folder, "port");
    await rm(file, { force: true });
    const where = listen === "unix" ? ["-s", path] : ["-l", listen, "-p", String(port), "-U", "0"];
    const options = ["-u", "root", ...where, "-t", "1", ...args, ...prepared?.args ?? []];
    const started = spawn("memcached", options, {
      stdio: "ignore",
      env: { ...process.env, ...prepared?.env, MEMCACHED_PORT_FILENAME: file },
    });
    child = started;
    watch.watch(started.pid);
    started.unref();
    let failure: unknown;
    started.once("error", (error) => failure = error);
    exited = new Promise((resolve) => {
      started.once("exit", (code) => {
        // From now on its pid may be that of another process.
        if (child === started) {
          child = undefined;
          watch.watch(undefined);
        }
        failure ??= new Error(`memcached ended with code ${code} before it listened`);
        resolve();
      });
      started.once("error", () => resolve());
    });
    for (const began = Date.now(); Date.now() - began < START_MS; await sleep(5)) {
      if (listen === "unix" && (await stat(path).catch(() => undefined))?.isSocket()) return 0;
      const text = await readFile(file, "utf8").catch(() => "");
      const found = /^TCP INET6?: (\d+)$/m.exec(text);
      if (found !== null) return Number(found[1]);
      if (failure !== undefined) throw failure;
    }
    throw new Error(`memcached did not listen within ${START_MS} ms`);
  };
  const kill = async () => {
    child?.ref();
    signal("SIGKILL");
    await exited;
  };

  const end = async () => {
    child?.ref();
    await Promise.all([watch.end(), exited]);
  };
  const port = await start(wanted).catch(async (error) => {
    await end();
    throw error;
  });
  return {
    address: listen === "unix" ? path : listen === "::1" ? `[::1]:${port}` : `127.0.0.1:${port}`,
    port,
    stop: async () => {
      signal("SIGSTOP");
      // A signal takes effect a moment later, and until then it may answer one more request.
      for (let n = 0; n < 200 && child?.pid !== undefined && !await stopped(child.pid); n++) await sleep(5);
    },
    resume: () => signal("SIGCONT"),
    kill,
    restart: async () => {
      await kill();
      await start(port);
    },
    [Symbol.asyncDispose]: end,
  };
}

/** Whether this process is stopped: its state is "T". */
async function stopped(pid: number): Promise<boolean> {
  const { stdout } = await promisify(execFile)("ps", ["-o", "state=", "-p", String(pid)]);
  return stdout.trim().startsWith("T");
}

/** The server that `MEMCACHED=host:port` names, where a fresh one is not essential; else a fresh one. */
export async function anyServer(): Promise<AsyncDisposable & { readonly address: string }> {
  const address = process.env.MEMCACHED;
  if (!address) return await freshServer();
  return { address, [Symbol.asyncDispose]: () => Promise.resolve() };
}
