/** Replies that were changed by chance: no crash, no hang, no memory, and nothing is left of them. */

import { assert } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { BinaryWire } from "../../../../src/memcached/protocol/binary/wire.ts";
import { freshServer } from "../../../_memcached.ts";
import { mutateClient, mutateWire, record } from "../../_mutations.ts";

test(
  "20,000 changed replies are read or refused by the wire, each within its own bytes",
  { timeout: 60_000 },
  async () => {
    await using server = await freshServer();
    const tape = await record(server.address, "binary");
    const before = process.memoryUsage().rss;
    const { refused } = mutateWire(tape, (longest) => new BinaryWire(longest), 20_000, 1);
    assert(refused > 10_000, `${refused} were refused`);
    const more = process.memoryUsage().rss - before;
    // Garbage that nobody has collected yet counts, too; what is held is measured by `deno task soak`.
    assert(more < 600 * 2 ** 20, `${more} bytes more`);
  },
);

test("2,000 changed replies cost a client nothing but their connections", { timeout: 60_000 }, async () => {
  await using server = await freshServer();
  const tape = await record(server.address, "binary");
  const { refused } = await mutateClient(tape, 2000, 1);
  assert(refused > 2000, `${refused} calls were refused`);
});
