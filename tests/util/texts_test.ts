/** Names, and words of servers, in errors and warnings: no terminal and no log is led astray by them. */
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { cached, cacheKey, configure, GroupBackend, handle, MemoryStore, PlainBackend } from "@x/cache-utils";
import { Memcached } from "../../src/memcached/mod.ts";
import { refused } from "../../src/memcached/connection/failure.ts";
import { Operation } from "../../src/memcached/connection/operation.ts";
import { VERB } from "../../src/memcached/protocol/request.ts";
import { parseServers } from "../../src/memcached/cluster/addresses.ts";
import { warnings } from "../cached/_fake_backend.ts";

const evil = "a\x1b[2J\u0085\u2028\u202e\u2066b\nc";
// deno-lint-ignore no-control-regex
const misleading = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

// deno-lint-ignore no-explicit-any
type Any = any;
const backend = new GroupBackend();
const down = (): never => {
  throw new Error("down");
};
const downStore = Object.assign(new MemoryStore(), { increment: down, delete: down, set: down, add: down });
const Odd = { [evil]: class {} }[evil]!;
const here = <T>(work: () => T) => work;

const errors: Record<string, () => unknown> = {
  "an option": () => cached(() => 1, { [evil]: 1 } as Any),
  "a backend's option": () => new GroupBackend({ [evil]: 1 } as Any),
  "a URL's parameter": () => configure(`memory:///?${encodeURIComponent(evil)}=1`),
  "an event": () => backend.on(evil as Any, () => {}),
  "a duration": () => new GroupBackend({ ttl: evil as Any }),
  "a duration that is an object": () => new GroupBackend({ ttl: new Odd() as Any }),
  "two functions of a name": here(() => {
    cached((a: number) => a, { name: evil, backend });
    cached((a: number) => -a, { name: evil, backend });
  }),
  "a group nobody confirmed": () => new GroupBackend({ store: downStore }).invalidateGroup(evil),
  "a call nobody confirmed": () => new GroupBackend({ store: downStore }).delete(evil),
  "a call that took too long": () => backend.fetch(evil, () => new Promise(() => {}), { timeout: "1ms" }),
  "a group of a plain backend": () => new PlainBackend(new Map()).fetch("k", () => 1, { group: [evil] } as Any),
  "no receiver": () =>
    cached(function (this: { id: number }) {
      return this.id;
    }, {
      name: evil,
      backend,
      key() {
        return this.id;
      },
    }).key(),
  "no cached method": () => handle({ [evil]: 1 } as Any, evil as never),
  "a promise as key": () => cached(() => 1, { name: `${evil} key`, backend, key: () => Promise.resolve(1) })(),
  "a server": () => new Memcached(`${evil}:11211`),
  "a discovered server": () => parseServers(["cache\u202e.local:11211"]),
  "a socket's path": () => new Memcached("/run/\x1bcache.sock"),
  "a key": () => new Memcached("127.0.0.1:1").get(evil),
  "an object as an option of the driver": () => new Memcached("127.0.0.1:1", { maxInFlight: new Odd() as Any }),
  "a server's words": () => {
    throw refused(new Operation(VERB.get, "k", 1), "127.0.0.1:11211", 0x84, `SERVER_ERROR ${evil}`);
  },
};
for (const [what, work] of Object.entries(errors)) {
  test(`no control character reaches an error: ${what}`, async () => {
    let text: string | undefined;
    try {
      await work();
    } catch (error) {
      text = (error as Error).message;
    }
    assert(text !== undefined, "it threw nothing");
    assert(!misleading.test(text), JSON.stringify(text));
  });
}

test("no control character reaches a warning, whatever functions and classes are called", async () => {
  class Thing {}
  const city = () => {
    class City {
      [cacheKey]() {
        return 7;
      }
    }
    return Object.defineProperty(City, "name", { value: evil.replace(/[^\x80-\uffff]/g, "") });
  };
  const told = await warnings(async () => {
    const backend = new GroupBackend({ ttl: "1h" });
    const wrap = () => cached((_?: unknown): unknown => new Thing(), { name: evil, backend, when: () => true });
    const f = wrap();
    wrap();
    await f();
    await backend.fetch(evil, () => new Thing());
    await cached(() => 1, { name: `${evil} when`, backend, when: down })();
    const [One, Two] = [city(), city()];
    await cached((_: unknown) => 1, { name: `${evil} of cities`, backend })([new One(), new Two()]);
  });
  assertEquals(told.length, 5);
  for (const text of told) assert(!misleading.test(text.replaceAll("\n    ", "")), JSON.stringify(text));
});
