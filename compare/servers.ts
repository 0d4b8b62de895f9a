/** Servers of the comparison's own, which can be made to hang, and which end with whoever started them. */

import { freshServer, type Server as Memcached } from "../tests/_memcached.ts";
import type { Contender } from "./contenders.ts";

export type Server = Pick<Memcached, "port" | "stop"> & AsyncDisposable;

export async function startServer(kind: Contender["server"]): Promise<Server> {
  return kind === "memcached" ? await freshServer() : await startRedis();
}

const START_MS = 10_000;

/**
 * Starts a server, tells its pid, and kills it when standard input ends: however whoever started the shell ends, that
 * does. It runs in a session of its own, where no signal to their group comes.
 */
const WATCH = 'trap "" INT TERM HUP; "$@" </dev/null >/dev/null 2>&1 & echo $!; read -r end; kill -9 $!';

/** A Redis on a free port of 127.0.0.1, which keeps nothing on disk. */
async function startRedis(): Promise<Server> {
  const port = freePort();
  const args = ["redis-server", "--bind", "127.0.0.1", "--port", `${port}`, "--save", "", "--appendonly", "no"];
  const shell = new Deno.Command("sh", {
    args: ["-c", WATCH, "sh", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    detached: true,
  }).spawn();
  const reader = shell.stdout.getReader();
  const pid = Number(new TextDecoder().decode((await reader.read()).value));
  const end = async () => {
    await shell.stdin.close();
    await reader.cancel();
    await shell.status;
  };
  for (const began = Date.now(); !await answers(port); await sleep(20)) {
    if (Date.now() - began < START_MS) continue;
    await end();
    throw new Error(`redis-server did not listen within ${START_MS / 1000} s`);
  }
  return {
    port,
    async stop() {
      Deno.kill(pid, "SIGSTOP");
      // A signal takes effect a moment later, and until then it may answer one more request.
      await sleep(100);
    },
    [Symbol.asyncDispose]: end,
  };
}

export const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
