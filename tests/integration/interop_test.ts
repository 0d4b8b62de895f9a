/** Who can read whose values: other clients on the same server and, with several servers, on the same ring. */

import { assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { Memcached } from "../../src/memcached/mod.ts";
import { freshServer } from "../_memcached.ts";
import { testPackages, unlessOnCi } from "../_install.ts";
import { LastWords } from "./_last_words.ts";

const folder = await testPackages("clients").catch(unlessOnCi);
const skip = folder instanceof Error && `npm could not be asked for memjs and memcached: ${folder.message}`;

interface Memjs {
  readonly Client: {
    create(servers: string): {
      get(key: string): Promise<{ value: Uint8Array | null; flags: Uint8Array | null }>;
      set(key: string, value: string | Uint8Array, options: { expires: number }): Promise<boolean>;
      close(): void;
    };
  };
}

/** npm's memcached, in a Node of its own: other runtimes refuse how it is written. */
const PROGRAM = `
const memcached = new (require("memcached"))(JSON.parse(process.argv[1]));
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { verb, key, value } = JSON.parse(line);
  const told = (error, result) =>
    console.log(JSON.stringify(error ? { error: String(error) } : { result }));
  if (verb === "get") memcached.get(key, told);
  else memcached.set(key, value, 60, told);
}).on("close", () => process.exit());
`;

/** Asks one thing after the other. */
class NpmMemcached {
  readonly #child = spawn("node", ["-e", PROGRAM, JSON.stringify(addresses)], {
    cwd: folder as string,
    stdio: "pipe",
  });
  readonly #ended = new LastWords("npm's memcached", this.#child).ended;
  readonly #lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();

  async #ask(question: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error(await this.#ended);
    const answer = JSON.parse(value as string) as { error?: string; result?: unknown };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }
  get(key: string): Promise<unknown> {
    return this.#ask({ verb: "get", key });
  }
  set(key: string, value: unknown): Promise<unknown> {
    return this.#ask({ verb: "set", key, value });
  }
  end(): void {
    this.#child.stdin.end();
  }
}

const servers = skip === false ? [await freshServer(), await freshServer(), await freshServer()] : [];
const addresses = servers.map((server) => server.address);
const client = new Memcached(addresses.length === 0 ? undefined : addresses);
const one = new Memcached(addresses[0]);
after(async () => {
  await client.close();
  await one.close();
  for (const server of servers) await server[Symbol.asyncDispose]();
});

const load = <T>(name: string): T => createRequire(join(folder as string, "package.json"))(name) as T;

const TEXTS = ["", "plain", "grüße 漢字 🦕", "line\r\nEND\r\n", "x".repeat(100_000)];

test("memjs and the driver read each other's texts and bytes", { skip }, async () => {
  const memjs = load<Memjs>("memjs").Client.create(addresses[0]!);
  try {
    for (const [n, text] of TEXTS.entries()) {
      await memjs.set(`theirs:${n}`, text, { expires: 60 });
      assertEquals((await one.get(`theirs:${n}`))!.text(), text);
      await one.set(`ours:${n}`, text, { ttl: 60 });
      assertEquals(new TextDecoder().decode((await memjs.get(`ours:${n}`)).value!), text);
    }
    const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
    await one.set("ours:bytes", bytes, { flags: 0xdeadbeef });
    const found = await memjs.get("ours:bytes");
    assertEquals([[...found.value!], [...found.flags!]], [[...bytes], [0xde, 0xad, 0xbe, 0xef]]);
  } finally {
    memjs.close();
  }
});

test("npm memcached and the driver put every key on the same server, and read each other's values by their flags", {
  timeout: 60_000,
  skip,
}, async () => {
  const memcached = new NpmMemcached();
  try {
    for (let n = 0; n < 300; n++) {
      await memcached.set(`theirs:${n}`, `value ${n}`);
      await client.set(`ours:${n}`, `value ${n}`, { ttl: 60 });
    }
    const theirs = await client.getMulti(Array.from({ length: 300 }, (_, n) => `theirs:${n}`));
    assertEquals(theirs.size, 300);
    for (let n = 0; n < 300; n++) assertEquals(await memcached.get(`ours:${n}`), `value ${n}`);
    for (const text of TEXTS) {
      await memcached.set("theirs:text", text);
      // It writes backslashes before line breaks, and takes them away when it reads.
      assertEquals((await client.get("theirs:text"))!.text(), text.replace(/[\r\n]/g, "\\$&"));
    }
    // Its conventions: 2 JSON, 8 a number.
    await memcached.set("theirs:json", { a: [1, "b"] });
    const json = (await client.get("theirs:json"))!;
    assertEquals([json.flags, json.json()], [2, { a: [1, "b"] }]);
    await client.set("ours:json", JSON.stringify({ c: null }), { flags: 2 });
    assertEquals(await memcached.get("ours:json"), { c: null });
    await client.set("ours:number", "42", { flags: 8 });
    assertEquals(await memcached.get("ours:number"), 42);
    // Bytes are left out: it reads them back through text, even its own.
  } finally {
    memcached.end();
  }
});
