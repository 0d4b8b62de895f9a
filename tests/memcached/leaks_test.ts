/** Nothing is left after close(): no socket, no timer, no pending operation. Deno's sanitizers tell. */

import { assertEquals, assertRejects } from "@std/assert";
import { Memcached } from "../../src/memcached/mod.ts";
import { freshServer } from "../_memcached.ts";

interface Runtime {
  readonly Deno?: {
    test(options: { name: string; sanitizeOps: true; sanitizeResources: true; fn: () => Promise<void> }): void;
  };
}
const { Deno } = globalThis as Runtime;

// Everything that belongs to the server is started and ended within the test, so that only the driver can leak.
const sanitized = (name: string, fn: () => Promise<void>): void =>
  Deno?.test({ name, sanitizeOps: true, sanitizeResources: true, fn });

sanitized("close() leaves nothing after ordinary work", async () => {
  await using server = await freshServer();
  const client = new Memcached(server.address, { connections: 3 });
  await Promise.all(Array.from({ length: 50 }, (_, n) => client.set(`k${n}`, "x")));
  assertEquals((await client.getMulti(["k1", "k2"])).size, 2);
  await client.close();
});

sanitized("close() leaves nothing after timeouts, aborts and a death", async () => {
  await using server = await freshServer();
  const client = new Memcached(server.address, { timeout: "1s", connectTimeout: "1s" });
  await client.get("a");
  const controller = new AbortController();
  await server.stop();
  const aborted = client.get("a", controller);
  controller.abort();
  await assertRejects(() => aborted);
  await assertRejects(() => client.get("a"));
  await assertRejects(() => client.get("a"));
  server.resume();
  await client.close();
});

sanitized("close() leaves nothing of a connection that never came to be", async () => {
  // A test network (RFC 5737): nobody answers, or there is no route.
  const client = new Memcached("192.0.2.1", { timeout: "50ms", connectTimeout: "80ms" });
  await assertRejects(() => client.get("a"));
  await client.close();
});

sanitized("close() leaves nothing of a client that was never used", async () => {
  await new Memcached("127.0.0.1:1").close();
});
