/** What a call costs on the wire, what a value takes, and what an idle socket costs at both its ends. */

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { cached, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { heapUsed, inFlight, type Row } from "../measure.ts";
import type { Bench } from "../worker.ts";

const GROUPS = [0, 1, 3];
/** Until what goes on behind an answer is done: the set of a miss, the refresh of a stale value. */
const BEHIND_MS = 60;
const SERVERS = 1000;

export async function cost(bench: Bench): Promise<void> {
  await calls(bench);
  await sockets(bench);
}

/** Each kind of call, once; values of 1,000 bytes of JSON. */
async function calls(bench: Bench): Promise<void> {
  const title = "what a call costs on the wire, values of 1,000 bytes";
  if (!bench.wants(title)) return;
  await using client = new Memcached(`${bench.hostname}:${bench.port}`);
  await client.flushAll();
  let requests = 0;
  client.on("operation", () => requests++);
  const backend = new GroupBackend({ store: new MemcachedStore(client), project: "shop", version: "42" });
  const value = { id: 7, text: "x".repeat(1000 - JSON.stringify({ id: 7, text: "" }).length) };
  const rows: Row[] = [];
  const measure = async (name: string, ask: () => Promise<unknown>) => {
    const [before, after] = [await traffic(client), await traffic(client)];
    requests = 0;
    await ask();
    await sleep(BEHIND_MS);
    const cells = [requests];
    // Asking for the traffic is traffic as well: as much as between the first two answers, and that is taken off.
    for (const [at, bytes] of (await traffic(client)).entries()) cells.push(bytes - 2 * after[at]! + before[at]!);
    rows.push({ name, cells });
  };
  for (const groups of GROUPS) {
    const names = Array.from({ length: groups }, (_, n) => `tenant:${n}`);
    const of = `${groups} ${groups === 1 ? "group" : "groups"}`;
    const options = { ttl: "1h", group: names, backend } as const;
    const offers = cached((_id: number) => value, { ...options, name: `offers${groups}` });
    const brief = cached((_id: number) => value, { ...options, name: `brief${groups}`, ttl: "200ms" });
    // Now the counters are there.
    await offers(1);
    await sleep(BEHIND_MS);
    await measure(`miss, ${of}`, () => offers(2));
    await measure(`hit, ${of}`, () => offers(2));
    await measure(`1,000 hits of one key in one tick, ${of}`, () => inFlight(1000, 1000, () => offers(2)));
    await brief(2);
    await sleep(300);
    await measure(`stale, ${of}`, () => brief(2));
    await measure(`set, ${of}`, () => offers.set([2], value));
    const entry = (await client.get(offers.key(2)))!.bytes.length;
    rows.push({ name: `(an entry, ${of}: bytes over its JSON)`, cells: [null, entry - 1000] });
    if (groups === 0) await measure("invalidate", () => offers.invalidate(2));
    else await measure(`invalidateGroup of ${of}`, () => backend.invalidateGroup(...names));
  }
  const notes = ["what goes on behind the answer is counted as well: the set of a miss, the refresh of a stale value"];
  bench.keep({ title, columns: ["requests", "bytes sent", "received"], rows, notes });
}

/** Bytes to the server and back, as it counts them. */
async function traffic(client: Memcached): Promise<number[]> {
  const [stats] = (await client.stats()).values();
  return ["bytes_read", "bytes_written"].map((name) => Number(stats!.get(name)));
}

/** A client of 1,000 servers: on Linux one memcached can be all of them, since loopback has all of 127.0.0.0/8. */
async function sockets(bench: Bench): Promise<void> {
  const title = "a client of 1,000 idle servers";
  if (!bench.wants(title) || process.platform !== "linux") return;
  const hosts = Array.from({ length: SERVERS }, (_, n) => `127.0.${1 + Math.floor(n / 250)}.${1 + n % 250}`);
  const port = bench.port + 1;
  const user = process.getuid?.() === 0 ? ["-u", "root"] : [];
  // It counts what it listens on as well.
  const args = ["-l", hosts.join(","), "-p", String(port), "-U", "0", "-t", "1", "-c", String(4 * SERVERS), ...user];
  const server = spawn(bench.memcached, args, { stdio: "ignore" });
  try {
    await sleep(1000);
    // What hashing loads is there before anything is measured.
    new Memcached(["10.0.0.1", "10.0.0.2"]).serverOf("a-key");
    const before = { server: await residentOf(server.pid!), own: used() };
    const start = performance.now();
    const client = new Memcached(hosts.map((host) => `${host}:${port}`), { timeout: "20s", connectTimeout: "20s" });
    client.serverOf("a-key");
    const ringMs = performance.now() - start;
    const ring = used();
    const keys = new Map<string, string>();
    for (let n = 0; keys.size < SERVERS; n++) keys.set(client.serverOf(`key-${n}`), `key-${n}`);
    const asked = [...keys.values()];
    await inFlight(100, SERVERS, (at) => client.get(asked[at]!));
    const [atServer, own] = [await residentOf(server.pid!) - before.server, used() - ring];
    await client.close();
    bench.keep({
      title,
      columns: [""],
      rows: [
        { name: "ms for the ring, in one step", cells: [ringMs] },
        { name: "bytes for the ring", cells: [Math.round(ring - before.own)] },
        { name: "bytes of the client for each socket, objects and buffers", cells: [Math.round(own / SERVERS)] },
        { name: "bytes of memcached for each", cells: [Math.round(atServer / SERVERS)] },
      ],
      notes: ["kernel memory of sockets is not counted"],
    });
  } finally {
    server.kill("SIGKILL");
  }
}

/** Bytes of objects and buffers. */
function used(): number {
  return heapUsed() + process.memoryUsage().external;
}

/** What a process has in memory, in bytes. */
async function residentOf(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}
