/** What an idle socket costs at both its ends, measured: the driver's processes on one memcached that has 1,000 addresses. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Program } from "../../tools/machine.ts";
import { median } from "../measure.ts";
import { Child } from "../herd/child.ts";
import type { Grown, Memory } from "./one_process.ts";

export interface Sockets {
  /** In all. */
  readonly count: number;
  /** Bytes that memcached takes for each. */
  readonly atServer: number;
  /** What a process takes more for the client and its ring, and for each socket. */
  readonly ring: Memory;
  readonly ringMs: number;
  readonly atClient: Memory;
}

const PROCESSES = 2;
/** Loopback has all of 127.0.0.0/8 on Linux, so one memcached can be as many servers as we like. */
const addressesOf = (count: number) =>
  Array.from({ length: count }, (_, n) => `127.0.${1 + Math.floor(n / 250)}.${1 + n % 250}`);

/** `undefined` where memory cannot be read, or loopback has one address only. */
export async function sockets(program: Program, servers: number): Promise<Sockets | undefined> {
  if (Deno.build.os !== "linux" || "missing" in program) return undefined;
  const addresses = addressesOf(servers);
  const port = freePort();
  const user = Deno.uid() === 0 ? ["-u", "root"] : [];
  // It counts what it listens on as well.
  const limit = String(servers * (PROCESSES + 1) + 1000);
  const child = new Deno.Command(program.path, {
    args: ["-l", addresses.join(","), "-p", String(port), "-U", "0", "-t", "1", "-c", limit, ...user],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const processes: Child[] = [];
  try {
    await sleep(1000);
    const before = await residentOf(child.pid);
    const names = addresses.map((address) => `${address}:${port}`).join(",");
    const one = new URL("one_process.ts", import.meta.url).pathname;
    const grown: Grown[] = [];
    for (let n = 0; n < PROCESSES; n++) {
      const started = new Child(Deno.execPath(), ["run", "-A", "--v8-flags=--expose-gc", one, names]);
      processes.push(started);
      grown.push(JSON.parse(await started.line()) as Grown);
    }
    const after = await residentOf(child.pid);
    return {
      count: servers * PROCESSES,
      atServer: (after - before) / (servers * PROCESSES),
      ring: more(grown, "empty", "ring", 1),
      ringMs: median(grown.map(({ ringMs }) => ringMs)),
      atClient: more(grown, "ring", "sockets", servers),
    };
  } finally {
    await Promise.all(processes.map((started) => started[Symbol.asyncDispose]()));
    child.kill("SIGKILL");
    await child.status;
  }
}

/** From one step to another, for each of so many. */
function more(grown: readonly Grown[], from: "empty" | "ring", to: "ring" | "sockets", count: number): Memory {
  const of = (which: keyof Memory) => median(grown.map((each) => each[to][which] - each[from][which])) / count;
  return { resident: of("resident"), used: of("used") };
}

/** What a process has in memory, in bytes. */
async function residentOf(pid: number): Promise<number> {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(await Deno.readTextFile(`/proc/${pid}/status`));
  if (found === null) throw new Error(`No memory is told of process ${pid}`);
  return Number(found[1]) * 1024;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
