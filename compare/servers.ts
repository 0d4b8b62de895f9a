/** Servers of the comparison's own, which can be made to hang, and which end with whoever started them. */

import type { Program } from "../tools/machine.ts";

export interface Server extends AsyncDisposable {
  readonly port: number;
  /** It accepts connections and never answers. Resolves once it stands still. */
  hang(): Promise<void>;
}

const START_MS = 10_000;

/** Starts the server, tells its pid, and kills it when standard input ends: however its parent ends, that does. */
const WATCH = 'trap "" INT TERM HUP; "$@" </dev/null >/dev/null 2>&1 & echo $!; read -r end; kill -9 $!';

/** A memcached or a Redis on a free port of 127.0.0.1, which keeps nothing on disk. */
export async function startServer(program: Program, kind: "memcached" | "redis"): Promise<Server> {
  if ("missing" in program) throw new Error(program.missing);
  const port = freePort();
  const args = kind === "memcached"
    ? ["-l", "127.0.0.1", "-p", `${port}`, "-U", "0", "-t", "1", ...(Deno.uid() === 0 ? ["-u", "root"] : [])]
    : ["--bind", "127.0.0.1", "--port", `${port}`, "--save", "", "--appendonly", "no"];
  const shell = new Deno.Command("sh", {
    args: ["-c", WATCH, "sh", program.path, ...args],
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
    throw new Error(`${program.path} did not listen within ${START_MS / 1000} s`);
  }
  return {
    port,
    async hang() {
      Deno.kill(pid, "SIGSTOP");
      // A signal takes effect a moment later, and until then the server may answer one more request.
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
