/** What a stranger may try, by arguments, by what lies under our keys, by what answers; and what must not be told. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { execFile } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { deflateRawSync } from "node:zlib";
import {
  cached,
  CacheKeyError,
  CacheValueError,
  configure,
  type Entry,
  GroupBackend,
  MemcachedStore,
  MemoryStore,
  type Store,
} from "@x/cache-utils";
import { Memcached, type MemcachedOptions } from "@x/cache-utils/memcached";
import { SeededRandom } from "../../src/testing/seeded_random.ts";
import { warnings } from "../cached/_fake_backend.ts";
import { untilKept } from "../_kept.ts";
import { freshServer, type Server } from "../_memcached.ts";
import { certificate, keyOf, onlyKnownClients, tlsArguments } from "../memcached/_certificates.ts";
import { hostile } from "../memcached/_hostile.ts";
import { authfileServer, LOGIN, saslServer, withoutSasl } from "../memcached/_sasl.ts";
import { commandOf } from "./_processes.ts";
import { Evidence } from "./_evidence.ts";
import { type Pair, Pairs, tagOf } from "./_pairs.ts";

const PAIRS = 10_000;
/** A driver takes 10,000 requests at once; a miss costs up to four. */
const AT_ONCE = 1000;

const STORES: Readonly<Record<string, (server: Server) => Store>> = {
  memory: () => new MemoryStore(),
  binary: ({ address }) => new MemcachedStore(address, { timeout: "20s", connectTimeout: "20s" }),
  meta: ({ address }) => new MemcachedStore(address, { protocol: "meta", timeout: "20s", connectTimeout: "20s" }),
};

// ──────────────── keys ────────────────

const pairs = (): Pair[] => {
  const source = new Pairs(new SeededRandom(20));
  return Array.from({ length: PAIRS }, () => source.next());
};

test("10,000 generated pairs of argument lists: two calls have two keys, one call has one, and all are legal", {
  timeout: 60_000,
}, () => {
  const { key } = cached((..._: unknown[]) => 1, {
    name: "pairs",
    backend: new GroupBackend({ store: new MemoryStore() }),
  });
  const encoder = new TextEncoder();
  const byKey = new Map<string, string>();
  const classes = new Set<string>();
  for (const { of, left, right, same } of pairs()) {
    classes.add(of);
    const keys = [left, right].map((list) => {
      const text = key(...list), tag = tagOf(list);
      assert(encoder.encode(text).length <= 250, text);
      assert(!/[\0-\x20\x7f]/.test(text) && text.isWellFormed(), text);
      assertEquals(byKey.get(text) ?? tag, tag, `${of}: two calls under ${text}`);
      byKey.set(text, tag);
      return text;
    });
    assertEquals(keys[0] === keys[1], same, `${of}: ${keys.join("   ")}`);
  }
  assertEquals(new Set(byKey.values()).size, byKey.size, "one call has one key");
  assertEquals(classes.size, 18);
});

for (const [kind, storeOn] of Object.entries(STORES)) {
  test(
    `${kind}: the calls of 10,000 generated pairs get their own values, computed once`,
    { timeout: 60_000 },
    async () => {
      await using server = await freshServer(["-m", "256"]);
      await using backend = new GroupBackend({ store: storeOn(server), storeTimeout: "20s" });
      let computations = 0;
      const told = cached((...list: unknown[]) => (computations++, tagOf(list)), { name: "told", backend });
      const lists = pairs().flatMap(({ left, right }) => [left, right]);
      for (let round = 0; round < 2; round++) {
        for (let from = 0; from < lists.length; from += AT_ONCE) {
          const some = lists.slice(from, from + AT_ONCE);
          const answers = await Promise.all(some.map((list) => told(...list)));
          some.forEach((list, n) => assertEquals(answers[n], tagOf(list)));
        }
        assertEquals(computations, new Set(lists.map(tagOf)).size, `round ${round}`);
      }
    },
  );
}

for (const [kind, storeOn] of Object.entries(STORES)) {
  test(`${kind}: a key is no proof: under a forged md5 a call finds nothing, and keeps its own value`, async () => {
    await using server = await freshServer();
    const store = storeOn(server);
    await using backend = new GroupBackend({ store, project: "forged", storeTimeout: "20s" });
    const computed: string[] = [];
    const long = cached((text: string) => (computed.push(text), `value of ${text}`), { name: "long", backend });
    const mine = "x".repeat(300) + "mine", theirs = "x".repeat(300) + "theirs";
    const bare = `forged::long("${theirs}")`;
    const times = { freshUntil: Date.now() + 60_000, staleUntil: Date.now() + 90_000, generations: [] };
    await long(theirs);
    await untilKept(() => long.peek(theirs));
    const { entry } = (await store.get(long.key(theirs)))!;
    assert(entry.kind === "value" && entry.fullKey === bare, "a truncated key keeps the full one beside it");
    const forgeries: Entry[] = [
      entry,
      { kind: "value", value: "without a full key", ...times },
      { kind: "value", value: "the kept key as the full one", fullKey: long.key(mine), ...times },
      { kind: "value", value: "nearly", fullKey: `${bare.slice(0, -9)}mine"`, ...times },
      { kind: "lease", nonce: "somebody's", fullKey: bare, generations: [] },
      { kind: "uncacheable", fullKey: bare, generations: [] },
    ];
    for (const forged of forgeries) {
      await store.set(long.key(mine), forged, 60_000, "anything");
      assertEquals(await long.peek(mine), undefined);
      computed.length = 0;
      assertEquals(await long(mine), `value of ${mine}`);
      assertEquals(await untilKept(() => long.peek(mine)), `value of ${mine}`);
      assertEquals(await long(mine), `value of ${mine}`);
      assertEquals(computed, [mine], "a miss, then a hit");
    }
    assertEquals(await long.peek(theirs), `value of ${theirs}`);
  });

  test(`${kind}: values, arguments, names and groups called __proto__ are data, and no prototype is written to`, async () => {
    await using server = await freshServer();
    await using backend = new GroupBackend({ store: storeOn(server), project: "__proto__", storeTimeout: "20s" });
    const before = prototypes();
    const bomb = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":[{"__proto__":null}]}';
    const made = cached((..._: unknown[]) => JSON.parse(bomb), { name: "__proto__", group: "__proto__", backend });
    for (const args of [["__proto__"], ["constructor"], [JSON.parse(bomb)], [{ ["__proto__"]: [] }]]) {
      for (let calls = 0; calls < 2; calls++) {
        const value = await made(...args);
        await untilKept(() => made.peek(...args));
        assert(Object.hasOwn(value, "__proto__") && Object.getPrototypeOf(value) === Object.prototype);
        assertEquals([JSON.stringify(value), value.polluted], [bomb, undefined]);
      }
    }
    assertEquals(backend.stats.hit, 4);
    await backend.invalidateGroup("__proto__");
    assertEquals(await made.peek("__proto__"), undefined);
    assertEquals(prototypes(), before);
  });

  test(`${kind}: bottomless arguments are refused, bottomless results are returned and not kept`, async () => {
    await using server = await freshServer();
    await using backend = new GroupBackend({ store: storeOn(server), storeTimeout: "20s" });
    const errors: unknown[] = [];
    backend.on("storeError", ({ error }) => errors.push(error));
    const deep = cached((levels: unknown) => nested(Number(levels)), { name: "deep", backend });
    await assertRejects(() => deep(nested(100_000)), CacheKeyError, "deeper than 500 levels");
    const warned = await warnings(async () => {
      for (let calls = 0; calls < 2; calls++) assert(Array.isArray(await deep(100_000)));
    });
    assertEquals(warned.length, 1);
    assert(errors.length > 0 && errors.every((error) => error instanceof CacheValueError));
    assertEquals(await deep.peek(100_000), undefined);
  });
}

// ──────────────── what lies under our keys ────────────────

/** Of the built-ins that somebody might reach: their own names, and one that none of them has. */
const prototypes = () =>
  [Object, Array, Function, Map, Date, Uint8Array].map((kind) => [
    Reflect.ownKeys(kind.prototype).length,
    Reflect.ownKeys(kind).length,
    (kind.prototype as { polluted?: unknown }).polluted,
  ]);

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let n = 0; n < levels; n++) value = [value];
  return value;
}

const HEAD_BYTES = 24;

/** What a stranger could put in the place of a whole entry, whose head is `HEAD_BYTES` long. */
function* garbage(entry: Uint8Array, random: SeededRandom): Generator<readonly [what: string, bytes: Uint8Array]> {
  const encoder = new TextEncoder();
  const below = (most: number) => Math.floor(random.fraction() * most);
  const withByte = (at: number, byte: number) => {
    const changed = entry.slice();
    changed[at] = byte;
    return changed;
  };
  /** An entry that is fresh, with this in the place of its value. */
  const body = (...parts: (Uint8Array | readonly number[])[]) => {
    const bytes = parts.flatMap((part) => [...part]);
    return Uint8Array.from([...entry.subarray(0, HEAD_BYTES), ...bytes]);
  };
  const uint32 = (n: number) => [n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255];
  const json = (text: string) => body([0x20], encoder.encode(text));
  const tree = (text: string) => body([2], uint32(text.length), encoder.encode(text));
  const packed = (bytes: Uint8Array, claims = bytes.length) => body([3], uint32(claims), deflateRawSync(bytes));
  const deep = "[".repeat(100_000) + "]".repeat(100_000);

  for (const text of ["", "0", "123", "18446744073709551616", "null", "OK", '{"value":1}', 'O:8:"stdClass":0:{}']) {
    yield [`the text ${text}`, encoder.encode(text)];
  }
  for (let n = 0; n < 200; n++) yield ["random bytes", Uint8Array.from({ length: below(400) }, () => below(256))];
  for (let n = 0; n < 100; n++) {
    const noise = Uint8Array.from({ length: below(200) }, () => below(256));
    yield ["an entry's first bytes, and random ones", Uint8Array.from([...entry.subarray(0, below(10)), ...noise])];
  }
  for (let length = 0; length < entry.length; length++) yield ["a truncated entry", entry.slice(0, length)];
  for (const version of [0, 1, 3, 255]) yield [`an entry of format version ${version}`, withByte(2, version)];
  for (const kind of [3, 255]) yield [`an entry of the kind ${kind}`, withByte(3, kind)];
  yield ["an entry of 65,535 groups", withByte(4, 255)];
  yield ["an entry whose full key would have 4 GiB", withByte(6, 0xfe)];
  yield ["a value without a form", body()];
  yield ["a value of an unknown form", body([77], encoder.encode("1"))];
  yield ["a value nested 100,000 deep", json(deep)];
  yield ["a tree nested 100,000 deep", tree(deep)];
  yield ["a value nested 100,000 deep, compressed", packed(encoder.encode(" " + deep))];
  yield ["a Map that claims to be long", tree('{"$":["Map",{"length":4294967295}]}')];
  yield ["bytes that claim to be many", tree('{"$":["Uint8Array",4294967295]}')];
  yield ["an object of a kind that is none of ours", tree('{"$":["constructor",["return process"]]}')];
  yield ["a RegExp that is none", tree('{"$":["RegExp","(","",0]}')];
  yield ["a stream that is none", body([3], uint32(9), [1, 2, 3])];
  const zeros = new Uint8Array(100_000_000);
  yield ["a stream of 100 MB that says so", packed(zeros)];
  yield ["a stream of 100 MB that says it has 1 KiB", packed(zeros, 1024)];
  yield ["a stream of 100 MB that says it has nothing", packed(zeros, 0)];
  yield ["a stream of 100 MB that says it has 64 MiB", packed(zeros, 64 * 1024 * 1024)];
  yield ["a stream that says it has 4 GiB", packed(new Uint8Array(100), 0xffffffff)];
  yield [
    "a stream in a stream",
    packed(Uint8Array.from([3, ...uint32(5), ...deflateRawSync(encoder.encode(" true"))])),
  ];
}

for (const protocol of ["binary", "meta"] as const) {
  test(`${protocol}: whatever lies under our keys, the function's value is returned, and replaces it`, {
    timeout: 60_000,
  }, async () => {
    await using server = await freshServer();
    await using stranger = new Memcached(server.address, { protocol, timeout: "20s" });
    const store = new MemcachedStore(server.address, { protocol, timeout: "20s" });
    await using backend = new GroupBackend({ store, project: "garbage", storeTimeout: "20s" });
    const errors: unknown[] = [];
    backend.on("storeError", ({ error }) => errors.push(error));
    const before = prototypes();
    let computations = 0;
    const plain = cached((n: number) => (computations++, { n }), { name: "plain", backend });
    await plain(-1);
    await untilKept(() => plain.peek(-1));
    const entry = (await stranger.get(plain.key(-1)))!.bytes;
    let count = 0;
    for (const [what, bytes] of garbage(entry, new SeededRandom(3))) {
      const n = count++, key = plain.key(n);
      // Some with the flags of other clients, which mean "compressed" or "serialized" to them.
      await stranger.set(key, bytes, { flags: n % 3 });
      const answers = await Promise.all([plain.peek(n), backend.get(`plain(${n})`), backend.getMany([`plain(${n})`])]);
      assertEquals(answers as unknown[], [undefined, undefined, new Map()], what);
      computations = 0;
      assertEquals([await plain(n), await plain(n)], [{ n }, { n }], what);
      assertEquals(computations, 1, `${what}: a miss, then a hit`);
    }
    assert(count > 360, `${count} kinds`);
    assertEquals(errors, []);
    assertEquals(prototypes(), before);
  });

  test(`${protocol}: a value with __proto__ that a stranger wrote is read as data`, async () => {
    await using server = await freshServer();
    await using stranger = new Memcached(server.address, { protocol, timeout: "20s" });
    const store = new MemcachedStore(server.address, { protocol, timeout: "20s" });
    await using backend = new GroupBackend({ store, storeTimeout: "20s" });
    const before = prototypes();
    const plain = cached((_: string) => ({ mine: true } as Record<string, unknown>), { name: "plain", backend });
    await plain("whole");
    await untilKept(() => plain.peek("whole"));
    const head = (await stranger.get(plain.key("whole")))!.bytes.subarray(0, HEAD_BYTES);
    const bomb = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    const trees = ['{"$":["plain",{"__proto__":{"polluted":1}}]}', '{"$":["bare",{"__proto__":{"polluted":1}}]}'];
    const text = (json: string) => [...new TextEncoder().encode(json)];
    const bodies = [[0x20, ...text(bomb)], ...trees.map((tree) => [2, 0, 0, 0, tree.length, ...text(tree)])];
    for (const [n, body] of bodies.entries()) {
      await stranger.set(plain.key(`${n}`), Uint8Array.from([...head, ...body]));
      const value = await plain(`${n}`);
      assert(Object.hasOwn(value, "__proto__") && value.mine === undefined, `body ${n} is a hit`);
      assertEquals([value.polluted, ({} as { polluted?: 1 }).polluted], [undefined, undefined]);
    }
    assertEquals(prototypes(), before);
  });

  test(`${protocol}: garbage in the place of a counter or a refresh lock hangs nobody and keeps nothing old`, {
    timeout: 30_000,
  }, async () => {
    await using server = await freshServer();
    await using stranger = new Memcached(server.address, { protocol, timeout: "20s" });
    const store = new MemcachedStore(server.address, { protocol, timeout: "20s" });
    await using backend = new GroupBackend({ store, project: "garbage", storeTimeout: "20s" });
    let computations = 0;
    const grouped = cached(() => ++computations, { name: "grouped", group: "g", backend });
    const bytes = [
      Uint8Array.of(),
      Uint8Array.of(0xc1, 0x75, 1),
      new Uint8Array(1000),
      new TextEncoder().encode("-1e9"),
    ];
    for (const [n, one] of bytes.entries()) {
      await grouped();
      await stranger.set("garbage:%group:g", one);
      assertEquals(await grouped(), computations);
      assertEquals(computations, 2 * n + 2, "other generations: a miss");
      assertEquals(await grouped(), computations);
      await stranger.set("garbage:%group:g", one);
      await backend.invalidateGroup("g");
      assertEquals(await grouped.peek(), undefined);
    }
    const stale = cached(() => "new", { name: "stale", backend });
    await stranger.set("garbage:%mint::stale()", "not a lock", { ttl: 2 });
    await backend.set("stale()", "old", { ttl: "1ms", stale: "1m" });
    assertEquals(await stale(), "old", "served while the refresh waits for the lock to go");
  });
}

// ──────────────── secrets ────────────────

const PLANTED = { username: "planted-user-5d2", password: "planted/pass?word#9f3" } as const;
const BRIEF: MemcachedOptions = { timeout: "150ms", connectTimeout: "150ms" };

/** As it stands, and as it may be dressed. */
function assertAbsent(evidence: Evidence, secrets: readonly string[]): void {
  const { text } = evidence;
  for (const secret of secrets) {
    const bytes = new TextEncoder().encode(secret);
    const dressed = [
      secret,
      encodeURIComponent(secret),
      btoa(secret),
      JSON.stringify(secret).slice(1, -1),
      [...bytes].join(),
      [...bytes].join(", "),
      [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
      [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
    ];
    for (const form of dressed) {
      const at = text.indexOf(form);
      assert(at === -1, `told: ${text.slice(Math.max(at - 200, 0), at + 200)}`);
    }
  }
}

/** Every verb of every layer, whatever becomes of it, and the layers themselves. */
async function session(evidence: Evidence, backend: GroupBackend, client?: Memcached, midway?: () => unknown) {
  if (client !== undefined) evidence.listen(backend, client);
  const weather = cached((city: string) => `rain in ${city}`, { name: "weather", group: "cities", backend });
  for (const break_ of [midway, undefined]) {
    for (let n = 0; n < 2; n++) {
      await Promise.all([
        () => weather("oslo"),
        () => weather.refresh("oslo"),
        () => weather.peek("oslo"),
        () => weather.set(["oslo"], "sun"),
        () => weather.invalidate("oslo"),
        () => backend.invalidateGroup("cities"),
        () => backend.getMany(["a", "b"]),
        () => client?.get("k"),
        () => client?.set("k", "v"),
        () => client?.incr("n", 1, { initial: 1 }),
        () => client?.getMulti(["a", "b", "c"]),
        () => client?.stats(),
        () => client?.version(),
      ].map((work) => evidence.settle(work)));
    }
    await break_?.();
  }
  for (const thing of [backend, client, weather, weather.key("oslo"), backend.stats]) evidence.add(thing);
  await evidence.settle(() => backend.close());
  await evidence.settle(() => client?.close());
  await evidence.settle(() => client?.get("closed"));
}

async function onClient(
  evidence: Evidence,
  server: string,
  options: MemcachedOptions,
  midway?: () => unknown,
): Promise<void> {
  const client = new Memcached(server, { ...BRIEF, ...options });
  const store = new MemcachedStore(client);
  evidence.add(store);
  await session(evidence, new GroupBackend({ store }), client, midway);
}

const withLogin = Object.values(PLANTED);

test(
  "a login in a URL is in no error, no event and no object, whatever the server makes of it",
  { timeout: 60_000 },
  async () => {
    using evidence = new Evidence();
    await using plain = await freshServer();
    const [username, password] = withLogin.map(encodeURIComponent);
    const login = `${username}:${password}`;
    try {
      for (const protocol of ["binary", "meta", "auto"]) {
        for (const where of [`memcached://${login}@${plain.address}`, `memcacheds://${login}@${plain.address}`]) {
          await session(evidence, configure(`${where}/?protocol=${protocol}&timeout=150ms&connectTimeout=150ms`));
        }
      }
      // Nobody else's machine is sent a password in plain text.
      await session(evidence, configure(`memcached://${login}@192.0.2.1/?timeout=150ms&connectTimeout=150ms`));
    } finally {
      configure({});
    }
    assert(evidence.errors > 100, `${evidence.errors} errors`);
    assertEquals(
      ["cache-utils:call", "cache-utils:store-error", "memcached:dead", "memcached:operation"]
        .filter((name) => !evidence.channels.includes(name)),
      [],
    );
    assertAbsent(evidence, [...withLogin, password!]);
  },
);

test("a login that stands where it should not is not repeated by the error", () => {
  using evidence = new Evidence();
  const { username, password } = PLANTED;
  const attempts: (() => unknown)[] = [
    ...[
      `memcached://${username}:${password}@127.0.0.1/`,
      `memcached://${username}:%zz${password}@127.0.0.1/`,
      `memcached://${username}@127.0.0.1/?password=${encodeURIComponent(password)}`,
      `memcached://127.0.0.1/?ttl=${username}:x@y`,
      `memcached://${username}:x@/`,
      `memcached://:${username}@127.0.0.1/`,
      `memcached://${username}:1:127.0.0.1:11211/`,
      `memory://${username}:x@/`,
      `redis://${username}:x@127.0.0.1/`,
      `${username}:x@127.0.0.1:11211`,
      `memcached//${username}:x@127.0.0.1`,
    ].map((url) => () => configure(url)),
    ...[
      `memcached://${username}:x@127.0.0.1/`,
      `${username}:x@127.0.0.1:11211`,
      `127.0.0.1:11211,${username}:x@127.0.0.1:11212`,
    ].flatMap((server) => [() => new Memcached(server), () => new MemcachedStore([server])]),
    () => new Memcached("127.0.0.1", { username }),
    () => new Memcached("127.0.0.1", { password }),
    () => new Memcached("127.0.0.1", { username, password: `${password}\r\n` }),
    () => new Memcached("127.0.0.1", { username: `${username} x`, password }),
    () => new Memcached("127.0.0.1", { username, password: { password } as never }),
    () => new Memcached("127.0.0.1", { tls: { key: password } }),
    () => new Memcached("127.0.0.1", { tls: { cert: password, key: `-----BEGIN ${password}` } }),
    () => new Memcached("127.0.0.1", { tls: password as never }),
  ];
  for (const attempt of attempts) evidence.add(assertThrows(attempt, TypeError));
  assertEquals(evidence.errors, attempts.length);
  assertAbsent(evidence, withLogin);
});

for (const protocol of ["binary", "meta", "auto"] as const) {
  test(`${protocol}: a server that repeats what it was told does not make us repeat the password`, {
    timeout: 60_000,
  }, async () => {
    using evidence = new Evidence();
    const readable = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes).replace(/[^ -~]+/g, " ");
    const answers: ((bytes: Uint8Array) => string | Uint8Array)[] = [
      (bytes) => bytes,
      (bytes) => `ERROR ${readable(bytes)}\r\n`,
      (bytes) => `CLIENT_ERROR unknown command: ${readable(bytes)}\r\n`,
      (bytes) => `SERVER_ERROR ${readable(bytes)}\r\n`,
      (bytes) => `HTTP/1.1 400 ${readable(bytes)}\r\n\r\n`,
      (bytes) => readable(bytes),
      // The frame that it got, as a refusal whose text is that frame.
      (bytes) => {
        const text = new TextEncoder().encode(readable(bytes));
        const head = new Uint8Array(24);
        head.set(bytes.subarray(0, 24));
        head.set([0x81, bytes[1]!, 0, 0, 0, 0, 0, 0x20], 0);
        new DataView(head.buffer).setUint32(8, text.length);
        return Uint8Array.from([...head, ...text]);
      },
    ];
    for (const answer of answers) {
      await using server = await hostile((socket) =>
        socket.on("data", (bytes: Uint8Array) => void socket.write(answer(new Uint8Array(bytes))))
      );
      await onClient(evidence, server.address, { ...PLANTED, protocol });
    }
    assert(evidence.errors > 100, `${evidence.errors} errors`);
    assertAbsent(evidence, withLogin);
  });
}

test("a TLS key and a login through TLS are in no error, no event and no object", { timeout: 60_000 }, async () => {
  using evidence = new Evidence();
  await using strict = await freshServer(tlsArguments("server", onlyKnownClients()));
  await using plain = await freshServer();
  const [ca, stranger, cert, key] = await Promise.all([
    certificate("authority"),
    certificate("stranger"),
    certificate("client"),
    keyOf("client"),
  ]);
  const lines = key.split("\n").filter((line) => line.length > 20 && !line.startsWith("-----"));
  const broken = key.replace(lines[1]!, lines[1]!.slice(0, -8));
  await onClient(evidence, plain.address, { tls: { ca, cert, key } });
  await onClient(evidence, strict.address, { tls: { ca: stranger, cert, key } });
  await onClient(evidence, strict.address, { tls: { ca, cert, key: broken } });
  await onClient(evidence, strict.address, { tls: { ca, cert, key }, ...PLANTED });
  await onClient(evidence, strict.address, { tls: { ca, cert, key }, ...PLANTED, protocol: "meta" });
  await onClient(evidence, strict.address, { tls: { ca, cert, key } }, () => strict.kill());
  assert(evidence.errors > 100, `${evidence.errors} errors`);
  assertAbsent(evidence, [...withLogin, ...lines]);
});

const noSasl = await withoutSasl();
test(
  "SASL: passwords, right and wrong, are in no error, no event and no object",
  { skip: noSasl, timeout: 60_000 },
  async () => {
    using evidence = new Evidence();
    await using server = await saslServer();
    for (const protocol of ["binary", "meta", "auto"] as const) {
      await onClient(evidence, server.address, { ...LOGIN, ...BRIEF, password: PLANTED.password, protocol });
      await onClient(evidence, server.address, { ...PLANTED, protocol });
    }
    await onClient(evidence, server.address, LOGIN, () => server.stop());
    server.resume();
    await onClient(evidence, server.address, LOGIN, () => server.kill());
    assert(evidence.errors > 100, `${evidence.errors} errors`);
    assertAbsent(evidence, [...withLogin, ...Object.values(LOGIN)]);
  },
);

test("authfile: passwords, right and wrong, are in no error, no event and no object", { timeout: 60_000 }, async () => {
  using evidence = new Evidence();
  await using server = await authfileServer(PLANTED);
  for (const protocol of ["binary", "meta", "auto"] as const) {
    await onClient(evidence, server.address, { ...PLANTED, password: LOGIN.password, protocol });
  }
  await onClient(evidence, server.address, { ...PLANTED, protocol: "meta" }, () => server.stop());
  server.resume();
  await onClient(evidence, server.address, { ...PLANTED, protocol: "meta" }, () => server.kill());
  assert(evidence.errors > 100, `${evidence.errors} errors`);
  assertAbsent(evidence, [...withLogin, LOGIN.password]);
});

// ──────────────── permissions ────────────────

const LEAST = fileURLToPath(new URL("./_least.ts", import.meta.url));
/** Its path goes by the environment: where Deno's node:child_process sees it among the arguments, it adds `-A`. */
const runDeno = (args: readonly string[]) =>
  promisify(execFile)("sh", ["-c", 'exec "$DENO" "$@"', "sh", ...args], {
    env: { ...process.env, DENO: commandOf("deno", LEAST).path },
    timeout: 30_000,
  });
const noDeno = await runDeno(["--version"]).then(
  () => false as const,
  () => "there is no deno to run",
);

/** Runs the program in Deno with these permissions and no others; nobody is asked for more. */
async function least(permissions: readonly string[], ...args: string[]) {
  const { stdout, stderr } = await runDeno(["run", "--no-prompt", "--no-check", ...permissions, LEAST, ...args]);
  return { ...JSON.parse(stdout), stderr };
}

const WHOLE = {
  lengths: [50_000, 50_000, 50_000],
  promises: ["kept", "kept"],
  computations: 2,
  errors: [],
  stderr: "",
};

test("in memory no permission is needed", { skip: noDeno, timeout: 60_000 }, async () => {
  assertEquals(await least([]), WHOLE);
});

test(
  "on memcached --allow-net=host:port is all that is needed, on both wires",
  { skip: noDeno, timeout: 60_000 },
  async () => {
    await using server = await freshServer();
    for (const protocol of ["binary", "meta", "auto"]) {
      assertEquals(await least([`--allow-net=${server.address}`], server.address, protocol), WHOLE, protocol);
    }
  },
);

test("without that permission calls are answered all the same, and the store errors say what is missing", {
  skip: noDeno,
  timeout: 60_000,
}, async () => {
  await using server = await freshServer();
  for (const permissions of [[], [`--allow-net=127.0.0.1:${server.port === 1 ? 2 : 1}`]]) {
    const { lengths, promises, computations, errors } = await least(permissions, server.address);
    assertEquals([lengths, promises, computations], [[50_000, 50_000, 50_000], ["rejected", "rejected"], 3]);
    assert(errors.length > 0 && errors.every((error: string) => error.includes("--allow-net")), errors[0]);
  }
});
