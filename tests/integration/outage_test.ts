/**
 * A real backend on real servers that are absent, refuse, hang, die, are full, and come back. Two of it look at each
 * server: a hasty one, whose calls give the store up long before its driver does, and a patient one, whose calls would
 * wait for the store long after its driver has told that the server is dead.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cached, CacheError, GroupBackend, MemcachedStore } from "@x/cache-utils";
import { Memcached, type MemcachedOptions, ServerError } from "@x/cache-utils/memcached";
import { freshServer } from "../_memcached.ts";
import { nothingUnhandled, within } from "./_unhandled.ts";

/** The function's own time. */
const FUNCTION_MS = 50;
/**
 * What a busy machine may add, and far less than what a call may not wait for. How fast it is at best is the benchmarks'
 * to say.
 */
const SLACK_MS = 3000;
const GROUP = "outage";
const PROTOCOLS = ["binary", "meta"] as const;
type Protocol = (typeof PROTOCOLS)[number];

interface Patience {
  readonly storeTimeoutMs: number;
  readonly driverTimeoutMs: number;
}
/** The bound is storeTimeout's: the driver would wait for forty times as long. */
const HASTY: Patience = { storeTimeoutMs: 250, driverTimeoutMs: 10_000 };
/** A call that waits for the store is far above the slack. */
const PATIENT: Patience = { storeTimeoutMs: 10_000, driverTimeoutMs: 1000 };

/** A cached function, what keeps its results, and what became of it. */
class Subject implements AsyncDisposable {
  readonly client: Memcached;
  readonly backend: GroupBackend;
  readonly patience: Patience;
  readonly dead = new Set<string>();
  readonly storeErrors: unknown[] = [];
  readonly #computations = new Map<string, number>();

  /** `project`: two of one server do not see each other. */
  constructor(project: string, servers: string | readonly string[], patience: Patience, options: MemcachedOptions) {
    const { storeTimeoutMs, driverTimeoutMs } = this.patience = patience;
    this.client = new Memcached(servers, { ...options, timeout: `${driverTimeoutMs}ms` });
    this.client.on("dead", ({ server }) => this.dead.add(server));
    this.client.on("alive", ({ server }) => this.dead.delete(server));
    const store = new MemcachedStore(this.client);
    this.backend = new GroupBackend({ store, project, storeTimeout: `${storeTimeoutMs}ms` });
    this.backend.on("storeError", ({ error }) => this.storeErrors.push(error));
  }

  readonly #compute = async (key: string): Promise<string> => {
    this.#computations.set(key, this.computations(key) + 1);
    await sleep(FUNCTION_MS);
    return `value of ${key}`;
  };
  get alone() {
    return cached(this.#compute, { name: "alone", backend: this.backend });
  }
  get grouped() {
    return cached(this.#compute, { name: "grouped", backend: this.backend, group: GROUP });
  }

  computations(key: string): number {
    return this.#computations.get(key) ?? 0;
  }

  /** One call, whose answer must be right and in time. `waits`: may it wait for the store? */
  async call(key: string, waits: boolean, fn = this.grouped, turns = 1): Promise<void> {
    const began = performance.now();
    assertEquals(await fn(key), `value of ${key}`);
    const took = performance.now() - began;
    const bound = turns * FUNCTION_MS + (waits ? 2 * this.patience.storeTimeoutMs : 0) + SLACK_MS;
    assert(took <= bound, `${key}: ${took} ms, and ${bound} are allowed`);
  }

  /** Three callers of each of 20 keys at once, and a fourth one in the middle of the function, who may have to wait for its turn. */
  async crowd(name: string, waits: boolean): Promise<void> {
    const calls: Promise<void>[] = [];
    for (let n = 0; n < 20; n++) {
      const key = `${name} ${n}`;
      const fn = n % 2 === 0 ? this.alone : this.grouped;
      for (let caller = 0; caller < 3; caller++) calls.push(this.call(key, waits, fn, 2));
      calls.push(sleep(FUNCTION_MS / 2).then(() => this.call(key, waits, fn, 2)));
    }
    await Promise.all(calls);
    for (let n = 0; n < 20 && !waits; n++) {
      const count = this.computations(`${name} ${n}`);
      assert(count <= 2, `${name} ${n}: ${count} computations: who comes in the middle of one waits for the next`);
    }
  }

  /** Calls one new key after another until the driver has said that so many servers are dead. */
  async untilDead(count = 1): Promise<void> {
    const calls = async () => {
      for (let n = 0; this.dead.size < count; n++) await this.call(`not yet dead ${n}`, true);
    };
    await within(20_000, "the driver's `dead`", calls());
  }

  /** Every verb that promises something rejects, in twice the driver's time at most; the others answer. */
  async refusesPromises(): Promise<void> {
    const began = performance.now();
    const { grouped, backend } = this;
    await Promise.all([
      assertRejects(() => grouped.invalidate("k"), CacheError, "did not confirm"),
      assertRejects(() => backend.delete("k"), CacheError, "did not confirm"),
      assertRejects(() => backend.invalidateGroup(GROUP), CacheError, "did not confirm"),
      assertRejects(() => backend.set("k", 1), CacheError, "did not confirm"),
      assertRejects(() => backend.add("k", 1), CacheError, "did not confirm"),
    ]);
    const took = performance.now() - began;
    const bound = 2 * this.patience.driverTimeoutMs + SLACK_MS;
    assert(took <= bound, `${took} ms until all had rejected, and ${bound} are allowed`);
    assertEquals(await backend.get("k"), undefined);
    assertEquals((await backend.getMany(["k"])).size, 0);
    assertEquals(await grouped.refresh("refreshed"), "value of refreshed");
  }

  /** Calls until results are kept again; then promises are kept, too. */
  async untilHits(name: string): Promise<void> {
    const { grouped, backend } = this;
    const calls = async () => {
      for (let n = 0;; n++) {
        const key = `${name} ${n}`;
        for (let calls = 0; calls < 2; calls++) await this.call(key, true);
        if (this.computations(key) === 1) return key;
      }
    };
    const key = await within(20_000, "hits again", calls());
    await grouped.invalidate(key);
    assertEquals(await grouped.peek(key), undefined);
    const keptAgain = async () => {
      for (;;) {
        await grouped(key);
        const kept = await grouped.peek(key);
        if (kept !== undefined) return kept;
      }
    };
    assertEquals(await within(20_000, "a value that is kept again", keptAgain()), `value of ${key}`);
    await backend.invalidateGroup(GROUP);
    assertEquals(await grouped.peek(key), undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.backend.close().then(() => this.client.close());
  }
}

async function subjects(
  servers: string | readonly string[],
  protocol: Protocol,
  run: (hasty: Subject, patient: Subject) => Promise<void>,
): Promise<void> {
  await using hasty = new Subject("hasty", servers, HASTY, { protocol });
  await using patient = new Subject("patient", servers, PATIENT, { protocol });
  await nothingUnhandled(() => run(hasty, patient));
}

/** What holds for every server that does not answer, until it does. */
async function throughAnOutage(hasty: Subject, patient: Subject, mend: () => unknown): Promise<void> {
  await Promise.all([hasty.crowd("crowd", true), patient.crowd("crowd", true), patient.refusesPromises()]);
  await patient.untilDead();
  for (let n = 0; n < 3; n++) await patient.call(`dead ${n}`, false);
  await patient.crowd("dead crowd", false);
  await patient.refusesPromises();
  assert(patient.storeErrors.length > 0);
  for (const error of [...hasty.storeErrors, ...patient.storeErrors]) assertInstanceOf(error, Error);
  await mend();
  await Promise.all([hasty.untilHits("back"), patient.untilHits("back")]);
}

for (const protocol of PROTOCOLS) {
  const outage = (name: string, run: () => Promise<void>) => test(`${protocol}: ${name}`, { timeout: 60_000 }, run);

  outage("a store that is absent at the start is done without, and used once it is there", async () => {
    await using server = await freshServer();
    await server.kill();
    await subjects(
      server.address,
      protocol,
      (hasty, patient) => throughAnOutage(hasty, patient, () => server.restart()),
    );
  });

  outage("a store that goes away and refuses is done without until it is back", async () => {
    await using server = await freshServer();
    await subjects(server.address, protocol, async (hasty, patient) => {
      await Promise.all([hasty.untilHits("before"), patient.untilHits("before")]);
      await server.kill();
      await throughAnOutage(hasty, patient, () => server.restart());
    });
  });

  outage("a store that hangs is given up in time, by the call and by the driver, until it goes on", async () => {
    await using server = await freshServer();
    await subjects(server.address, protocol, async (hasty, patient) => {
      await Promise.all([hasty.untilHits("before"), patient.untilHits("before")]);
      await server.stop();
      await throughAnOutage(hasty, patient, () => server.resume());
    });
  });

  outage("a store that hangs before its first connection is given up as well", async () => {
    await using server = await freshServer();
    await server.stop();
    await subjects(
      server.address,
      protocol,
      (hasty, patient) => throughAnOutage(hasty, patient, () => server.resume()),
    );
  });

  outage("a store that is killed under a thousand calls answers all of them by the function", async () => {
    await using server = await freshServer();
    await subjects(server.address, protocol, async (hasty, patient) => {
      await Promise.all([hasty.untilHits("before"), patient.untilHits("before")]);
      // It stands still, so that all of it is in flight when it dies.
      await server.stop();
      const calls = [hasty, patient].flatMap((subject) =>
        Array.from({ length: 500 }, (_, n) => subject.call(`in flight ${n}`, true))
      );
      const invalidations = Array.from(
        { length: 100 },
        (_, n) => assertRejects(() => patient.grouped.invalidate(`in flight ${n}`), CacheError, "did not confirm"),
      );
      await Promise.resolve();
      await server.kill();
      await Promise.all([...calls, ...invalidations]);
      await server.restart();
      await Promise.all([hasty.untilHits("back"), patient.untilHits("back")]);
    });
  });

  outage("a store without memory is told of, never waited for, and used once it has some", async () => {
    await using server = await freshServer(["-m", "1", "-M", "-I", "512k"]);
    await using filler = new Memcached(server.address, { protocol });
    await subjects(server.address, protocol, async (hasty, patient) => {
      await fill(filler);
      for (const subject of [hasty, patient]) {
        for (let n = 0; n < 3; n++) await subject.call(`full ${n}`, false);
        await subject.crowd("full crowd", false);
        assert(
          subject.storeErrors.some((error) => error instanceof ServerError && /out of memory/i.test(error.message)),
        );
        assertEquals(subject.dead.size, 0, "it answers");
        // It has nothing of ours, and says so.
        await subject.grouped.invalidate("full 0");
        await subject.backend.invalidateGroup(GROUP);
        await assertRejects(() => subject.backend.set("k", "x".repeat(100)), CacheError, "did not confirm");
      }
      await filler.flushAll();
      await Promise.all([hasty.untilHits("room"), patient.untilHits("room")]);
    });
  });

  outage("a store at its limit of connections is done without until it has one to spare", async () => {
    await using server = await freshServer(["-c", "20"]);
    const sockets = await occupied(server.port);
    try {
      await subjects(server.address, protocol, (hasty, patient) =>
        throughAnOutage(hasty, patient, () => {
          for (const socket of sockets) socket.destroy();
        }));
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  outage("with one of three servers dead the others' keys are hits, and its own are computed", async () => {
    await using one = await freshServer();
    await using two = await freshServer();
    await using three = await freshServer();
    const addresses = [one, two, three].map(({ address }) => address);
    await subjects(addresses, protocol, async (_, patient) => {
      const { alone, backend, client } = patient;
      const keys = Array.from({ length: 60 }, (_, n) => `k${n}`);
      const homeOf = (key: string) => client.serverOf(alone.key(key));
      await Promise.all(keys.map((key) => patient.call(key, true, alone)));
      await Promise.all(keys.map((key) => patient.call(key, false, alone)));
      for (const key of keys) assertEquals(patient.computations(key), 1);
      for (const address of addresses) assert(keys.some((key) => homeOf(key) === address), `no key on ${address}`);
      const lost = keys.filter((key) => homeOf(key) === two.address);
      const group = (home: string) =>
        Array.from({ length: 100 }, (_, n) => `g${n}`)
          .find((name) => client.serverOf(`patient:%group:${name}`) === home)!;

      await two.kill();
      const untilDead = async () => {
        while (!patient.dead.has(two.address)) await patient.call(lost[0]!, true, alone);
      };
      await within(20_000, "the driver's `dead`", untilDead());
      assertEquals(patient.dead.size, 1);
      const before = new Map(keys.map((key) => [key, patient.computations(key)]));
      await Promise.all(keys.map((key) => patient.call(key, false, alone)));
      for (const key of keys) {
        assertEquals(patient.computations(key) - before.get(key)!, lost.includes(key) ? 1 : 0, key);
      }
      for (const key of keys.slice(0, 30)) {
        if (lost.includes(key)) await assertRejects(() => alone.invalidate(key), CacheError, "did not confirm");
        else await alone.invalidate(key);
      }
      await backend.invalidateGroup(group(one.address));
      await assertRejects(() => backend.invalidateGroup(group(two.address)), CacheError, "did not confirm");
      await assertRejects(
        () => backend.invalidateGroup(group(one.address), group(two.address), group(three.address)),
        CacheError,
        "did not confirm",
      );

      await two.restart();
      const again = async () => {
        for (let seen = -1; seen !== patient.computations(lost[0]!);) {
          seen = patient.computations(lost[0]!);
          await patient.call(lost[0]!, true, alone);
        }
      };
      await within(20_000, "hits again", again());
      await backend.invalidateGroup(group(one.address), group(two.address), group(three.address));
    });
  });
}

/** Sets until a server of one megabyte finds no room for an item of any size that matters here. */
async function fill(client: Memcached): Promise<void> {
  for (let size = 1; size < 400; size = Math.ceil(size * 1.15)) {
    const value = "x".repeat(size);
    for (let n = 0, full = false; !full; n += 1000) {
      const sets = Array.from({ length: 1000 }, (_, i) => client.set(`fill:${size}:${n + i}`, value));
      for (const { reason } of (await Promise.allSettled(sets)).filter((set) => set.status === "rejected")) {
        assertInstanceOf(reason, ServerError);
        full = true;
      }
    }
  }
}

/** Connects until the server takes no more; returns what holds its connections. */
async function occupied(port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let refused = false; !refused;) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    refused = await new Promise((resolve) => {
      // A version is asked for, so that one that is let in says so.
      socket.once("connect", () => socket.write("version\r\n"));
      socket.once("data", (bytes) => resolve(!bytes.toString("latin1").startsWith("VERSION")));
      socket.once("close", () => resolve(true));
    });
    if (!refused) sockets.push(socket);
    else socket.destroy();
  }
  return sockets;
}
