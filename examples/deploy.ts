/**
 * A page on a serverless host, kept on memcached and refreshed behind the answer. To see it on this machine (without a
 * memcached every call computes, and the answer is the same):
 *
 *     deno serve --port 8000 --allow-net=127.0.0.1:11211 --allow-env=MEMCACHED,DENO_DEPLOYMENT_ID examples/deploy.ts
 *     curl http://127.0.0.1:8000/300000
 *
 * A host may stop the process once it has answered. Where a request brings a `waitUntil` (its name and place differ from
 * host to host), it is handed whatever still goes on. There is one such function per request and one backend for all of
 * them, so it is read from an AsyncLocalStorage: the backend calls its `waitUntil` in the async context of the call that
 * began the work. Where there is none (Deno Deploy stops an instance some time after its last request), it is not called.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import process from "node:process";
import { cached, configure, MemcachedStore } from "@x/cache-utils";

type WaitUntil = (work: Promise<unknown>) => void;

const requests = new AsyncLocalStorage<WaitUntil | undefined>();

// Nothing is opened before the first call, and nothing depends on an exit handler.
configure({
  store: new MemcachedStore(process.env.MEMCACHED ?? "127.0.0.1:11211"),
  project: "primes",
  version: process.env.DENO_DEPLOYMENT_ID, // entries of another release are not found
  ttl: "1m",
  stale: "1d",
  waitUntil: (work) => requests.getStore()?.(work),
});

/** How many primes there are below a number. */
const primes = cached(function primes(below: number): number {
  let count = 0;
  next: for (let n = 2; n < below; n++) {
    for (let d = 2; d * d <= n; d++) if (n % d === 0) continue next;
    count++;
  }
  return count;
});

const handler: { fetch(request: Request, host: { waitUntil?: WaitUntil }): Promise<Response> } = {
  fetch(request, host) {
    return requests.run(host.waitUntil?.bind(host), async () => {
      const below = Number(new URL(request.url).pathname.slice(1));
      if (!(Number.isInteger(below) && below >= 0 && below <= 1_000_000)) {
        return new Response("Ask for /300000: how many primes are there below?\n", { status: 404 });
      }
      return new Response(`${await primes(below)} primes below ${below}\n`);
    });
  },
};
export default handler;
