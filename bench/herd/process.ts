/**
 * One of the processes: `process.ts ORDER`. Reads lines, answers each with a line of JSON:
 *
 *     prime KEY...           one call of each, one after the other
 *     go KEY AT BURST KEYS   200 callers of that key, or of so many of them, all at that moment of the machine's clock
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Database } from "./client.ts";
import { contenders, loader, type Row } from "./contenders.ts";
import { CALLERS, type Order, type Seen } from "./order.ts";

const WARM_BURSTS = 10;

const order = JSON.parse(process.argv[2]!) as Order;
const database = await Database.open(order.database);
const note = "x".repeat(1000);
const call = contenders.find(({ name }) => name === order.contender)!.open({
  server: order.server,
  load: loader(order.folder),
  query: async (key) => ({ key, burst: await database.query(key), note }),
});
const tell = (what: unknown) => console.log(JSON.stringify(what));
const now = () => performance.timeOrigin + performance.now();

async function go(name: string, at: number, burst: number, keys: number): Promise<Seen> {
  await sleep(Math.max(0, at - now()));
  const waits: number[] = [];
  let old = 0, failed = 0;
  const caller = async (n: number) => {
    const key = keys === 1 ? name : `${name}-${n % keys}`;
    let row: Row;
    try {
      row = await call(key);
    } catch {
      failed++;
      return;
    }
    waits.push(now() - at);
    if (row.key !== key) throw new Error(`a call of ${key} got the value of ${row.key}`);
    if (row.burst < burst) old++;
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, n) => caller(n)));
  return { waits, old, failed };
}

/** Processes of a fleet have run for a while: sockets are open and the code is warm before anything is measured. */
for (let n = 0; n < WARM_BURSTS; n++) {
  const key = `warm-${process.pid}-${n}`;
  await call(key);
  await Promise.all(Array.from({ length: CALLERS }, () => call(key)));
}
tell("ready");
createInterface({ input: process.stdin }).on("line", async (line) => {
  const [verb, key, ...rest] = line.split(" ") as [string, string, ...string[]];
  if (verb === "prime") {
    for (const each of [key, ...rest]) await call(each);
    tell("primed");
  } else {
    const [at, burst, keys] = rest.map(Number);
    tell(await go(key, at!, burst!, keys!));
  }
});
