/**
 * A database that can be overrun: it serves so many queries at a time and so long each, first come, first served, and
 * counts. A process of its own; prints its port. A client sends lines:
 *
 *     query ID KEY     ->  answer ID BURST       when it was served
 *     burst            ->  burst BURST           counts from zero again; what is served from now on carries this number
 *     load             ->  load QUERIES MOST BUSY LEFT
 */

import { createServer, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

const [lanes, serviceMs] = process.argv.slice(2).map(Number) as [number, number];

interface Query {
  readonly id: string;
  readonly from: Socket;
}

const waiting: Query[] = [];
let serving = 0;
let burst = 0;
let queries = 0, most = 0, busyMs = 0;

function serve(): void {
  while (serving < lanes && waiting.length > 0) {
    const { id, from } = waiting.shift()!;
    const start = performance.now();
    serving++;
    setTimeout(() => {
      serving--;
      busyMs += performance.now() - start;
      from.write(`answer ${id} ${burst}\n`);
      serve();
    }, serviceMs);
  }
}

const server = createServer((socket) => {
  socket.setNoDelay();
  socket.on("error", () => {});
  createInterface({ input: socket }).on("line", (line) => {
    const [verb, id] = line.split(" ");
    if (verb === "query") {
      queries++;
      waiting.push({ id: id!, from: socket });
      most = Math.max(most, serving + waiting.length);
      serve();
    } else if (verb === "burst") {
      queries = most = busyMs = 0;
      socket.write(`burst ${++burst}\n`);
    } else {
      socket.write(`load ${queries} ${most} ${Math.round(busyMs)} ${serving + waiting.length}\n`);
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as { port: number }).port));
