/** Clients, stores and codecs of other makes: wrapped, extended, or looser than ours. */
import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Codec, GroupBackend, MemcachedStore, MemoryStore, PlainBackend } from "@x/cache-utils";
import { Memcached } from "@x/cache-utils/memcached";
import { freshServer } from "../_memcached.ts";

/** The obvious codec for an application that keeps nothing but bytes. */
const raw: Codec = { encode: (value) => value as Uint8Array, decode: (bytes) => bytes };
/** How often anything is asked does not depend on how busy the machine is. */
const PATIENT = { timeout: "20s", connectTimeout: "20s" } as const;
const tick = () => new Promise((resolve) => setTimeout(resolve, 0));

test("a client whose get was wrapped (tracing, a key prefix) is asked through it", async () => {
  await using server = await freshServer();
  const asked: string[] = [];
  class Traced extends Memcached {
    override get(key: string, options?: { signal?: AbortSignal }) {
      asked.push(key);
      return super.get(key, options);
    }
  }
  await using client = new Traced(server.address, PATIENT);
  await using backend = new GroupBackend({ store: new MemcachedStore(client), storeTimeout: "20s" });
  await backend.fetch("k", () => 1);
  assertEquals(asked, ["::k"]);
});

test("a client that maps its keys in every verb works as a store", async () => {
  await using server = await freshServer();
  /** "Everything of tenant 7": overrides each verb that takes a key. */
  class Tenant extends Memcached {
    override get: Memcached["get"] = (key, options) => super.get("t7:" + key, options);
    override set: Memcached["set"] = (key, value, options) => super.set("t7:" + key, value, options);
    override add: Memcached["add"] = (key, value, options) => super.add("t7:" + key, value, options);
    override delete: Memcached["delete"] = (key, options) => super.delete("t7:" + key, options);
    override incr: Memcached["incr"] = (key, delta, options) => super.incr("t7:" + key, delta, options);
  }
  await using client = new Tenant(server.address, PATIENT);
  await using backend = new GroupBackend({ store: new MemcachedStore(client), storeTimeout: "20s" });
  let runs = 0;
  for (let n = 0; n < 3; n++) {
    await backend.fetch("k", () => ++runs);
    await tick();
  }
  assertEquals(runs, 1);
});

test("a client behind a proxy whose methods are bound (instrumentation) is a client", async () => {
  await using server = await freshServer();
  await using client = new Memcached(server.address, PATIENT);
  const proxy = new Proxy(client, {
    get: (target, name) => {
      const member = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const errors: unknown[] = [];
  await using backend = new GroupBackend({ store: new MemcachedStore(proxy), storeTimeout: "20s" });
  backend.on("storeError", ({ error }) => errors.push(String(error)));
  let runs = 0;
  for (let n = 0; n < 3; n++) {
    await backend.fetch("k", () => ++runs);
    await tick();
  }
  assertEquals([runs, errors], [1, []]);
});

test("a store that extends MemcachedStore and overrides get is asked through its get", async () => {
  await using server = await freshServer();
  let gets = 0;
  class Counted extends MemcachedStore {
    override get(key: string, signal?: AbortSignal) {
      gets++;
      return super.get(key, signal);
    }
  }
  await using backend = new GroupBackend({ store: new Counted(server.address, PATIENT), storeTimeout: "20s" });
  await backend.fetch("k", () => 1);
  assertEquals(gets, 1);
});

test("callers who share a computation get a copy each under a codec that gives out what it was given", async () => {
  await using backend = new GroupBackend({ store: new MemoryStore({ codec: raw }) });
  const [one, other] = await Promise.all(
    [1, 2].map(() => backend.fetch("k", async () => (await tick(), Uint8Array.of(1)))),
  );
  one![0] = 9;
  assertEquals([...other!], [1]);
});

test("set() keeps the value as it was when it was called, under such a codec too", async () => {
  await using backend = new GroupBackend({ store: new MemoryStore({ codec: raw }) });
  const value = Uint8Array.of(1);
  const set = backend.set("k", value);
  value[0] = 9;
  await set;
  assertEquals([...(await backend.get<Uint8Array>("k"))!], [1]);
});

test("a misspelt option of a MemcachedStore over a client is named", async () => {
  await using client = new Memcached();
  // deno-lint-ignore no-explicit-any
  assertThrows(() => new MemcachedStore(client, { codek: raw } as any), TypeError);
});

test("a wrong codec, and options that are none, are named by a PlainBackend", async () => {
  // deno-lint-ignore no-explicit-any
  assertThrows(() => new PlainBackend(new Map(), { codec: {} as any }), TypeError, "Cannot use codec");
  await using backend = new PlainBackend(new Map());
  // deno-lint-ignore no-explicit-any
  const error = await backend.fetch("k", () => 1, null as any).catch((error: Error) => error);
  assert(String(error).includes("Cannot use null as options"), String(error));
});
